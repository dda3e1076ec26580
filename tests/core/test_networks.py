"""Who is believed."""

import pytest

from tinyhttp.core.networks import Networks


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
