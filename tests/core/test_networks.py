"""Who is believed, and who is one client."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyhttp.core.networks import Networks, one_client


@pytest.mark.parametrize(
    ("networks", "host", "expected"),
    [
        ([], "192.0.2.1", False),
        ([], None, False),
        (["192.0.2.1"], "192.0.2.1", True),
        (["192.0.2.1"], "192.0.2.2", False),
        (["192.0.2.0/24"], "192.0.2.255", True),
        (["192.0.2.0/24"], "192.0.3.0", False),
        (["192.0.2.0/24"], "::ffff:192.0.2.7", True),
        (["192.0.2.0/24"], "::ffff:192.0.3.7", False),
        (["192.0.2.0/24"], "2001:db8::1", False),
        (["0.0.0.0/0"], "203.0.113.9", True),
        (["0.0.0.0/0"], "::1", False),
        (["0.0.0.0/0", "::/0"], "::1", True),
        (["2001:db8::/32"], "2001:db8:ffff::1", True),
        (["2001:db8::/32"], "2001:db9::1", False),
        (["fe80::/10"], "fe80::1%eth0", True),
        (["127.0.0.1", "::1"], "::1", True),
        (["192.0.2.0/24", "198.51.100.0/24"], "198.51.100.9", True),
        (["unix"], None, True),
        (["unix"], "192.0.2.1", False),
        (["192.0.2.0/24"], None, False),
        (["0.0.0.0/0", "::/0"], "", False),
        (["0.0.0.0/0", "::/0"], "localhost", False),
        (["0.0.0.0/0", "::/0"], "192.0.2.1:80", False),
    ],
)
def test_who_is_in_it(networks: list[str], host: str | None, expected: bool) -> None:
    assert (host in Networks(networks)) is expected


@pytest.mark.parametrize("name", ["", "all", "192.0.2.1/33", "192.0.2.1/24", "::1/200", "UNIX"])
def test_what_is_none(name: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Networks(["192.0.2.1", name])


def test_whether_there_are_any() -> None:
    assert not Networks([])
    assert Networks(["unix"])
    assert Networks(["::1"])


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("2001:db8::1", "2001:db8::2", True),
        ("2001:db8::", "2001:db8::ffff:ffff:ffff:ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("64:ff9b::192.0.2.1", "192.0.2.1", True),
        ("64:ff9b::192.0.2.1", "64:ff9b::192.0.2.2", False),
        ("64:ff9b:1::1", "64:ff9b:1::2", True),
        ("fe80::1%eth0", "fe80::2%eth0", False),
        ("fe80::1%eth0", "fe80::1", True),
        ("::1", "192.0.2.1", False),
    ],
)
def test_one_client_or_two(one: str, other: str, same: bool) -> None:
    keys = one_client(one), one_client(other)
    assert None not in keys
    assert (keys[0] == keys[1]) is same


@pytest.mark.parametrize("host", ["", "unix:", "localhost", "192.0.2.1:80", "[::1]", "::1/64"])
def test_no_client_by_address(host: str) -> None:
    assert one_client(host) is None


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**128 - 1))
def test_no_network_is_taken_for_an_address(four: int, six: int) -> None:
    """Four octets stand for IPv4 alone, so the two can't be mixed up."""
    assert one_client(str(IPv4Address(four))) == four.to_bytes(4, "big")
    key = one_client(str(IPv6Address(six)))
    assert key is not None
    assert len(key) in (4, 8, 16)
