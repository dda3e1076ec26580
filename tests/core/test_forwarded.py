"""Whom a request comes from: what proxies say, what clients would like them to have said."""

import re
from ipaddress import ip_address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tinyhttp.core.forwarded import (
    FORWARDED,
    UNIX_PEER,
    X_FORWARDED,
    Origin,
    TrustedProxies,
    request_id,
)
from tinyhttp.core.networks import Networks

BALANCER = b"10.0.0.1"
TRUSTED = Networks(["10.0.0.0/8", "2001:db8:f::/48"])


def origin(
    *lines: bytes, said_by: str = X_FORWARDED, peer: bytes = BALANCER, networks: Networks = TRUSTED
) -> tuple[bytes, bool]:
    """Return where the request comes from, which is asked twice."""
    proxies = TrustedProxies(networks, said_by)
    first, second = (proxies.origin(peer, lines) for _ in range(2))
    assert first == second
    return first.address, first.secure


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"192.0.2.7", b"192.0.2.7"),
        (b"192.0.2.7:4711", b"192.0.2.7"),
        (b"2001:db8::7", b"2001:db8::7"),
        (b"2001:DB8:0:0::7", b"2001:db8::7"),
        (b"[2001:db8::7]", b"2001:db8::7"),
        (b"[2001:db8::7]:4711", b"2001:db8::7"),
        (b"::ffff:192.0.2.7", b"192.0.2.7"),
        # From the right to the first that is not trusted.
        (b"192.0.2.7, 10.0.0.2", b"192.0.2.7"),
        (b"192.0.2.7,10.0.0.2 ,\t10.0.0.3", b"192.0.2.7"),
        (b"192.0.2.7, 2001:db8:f::1", b"192.0.2.7"),
        (b"6.6.6.6, 192.0.2.7", b"192.0.2.7"),
        (b"6.6.6.6, 192.0.2.7, 10.0.0.2", b"192.0.2.7"),
        (b"10.0.0.9, 192.0.2.7", b"192.0.2.7"),
        # All of them are trusted: the one that is furthest away.
        (b"10.0.0.3, 10.0.0.2", b"10.0.0.3"),
        # What can't be read ends the walk; what was reached before it is kept.
        (b"192.0.2.7, unknown", BALANCER),
        (b"192.0.2.7, _hidden, 10.0.0.2", b"10.0.0.2"),
        (b"nonsense", BALANCER),
        (b"nonsense, 192.0.2.7", b"192.0.2.7"),
        (b"192.0.2.7, 10.0.0.256, 10.0.0.2", b"10.0.0.2"),
        (b"192.0.2.256", BALANCER),
        (b"192.0.2.07", BALANCER),
        (b"192.0.2", BALANCER),
        (b"3221225991", BALANCER),
        (b"0xC0000207", BALANCER),
        (b"192.0.2.7:", BALANCER),
        (b"192.0.2.7:http", BALANCER),
        (b"192.0.2.7:123456", BALANCER),
        (b"[192.0.2.7]", BALANCER),
        (b"[2001:db8::7", BALANCER),
        (b"fe80::1%eth0", BALANCER),
        (b"2001:db8::7%<b>", BALANCER),
        (b'"192.0.2.7"', BALANCER),
        (b"192.0.2.7 192.0.2.8", BALANCER),
        (b"192.0.2.\xb2", BALANCER),
        (b":" * 45, BALANCER),
        # Empty elements are none (RFC 9110 section 5.6.1.2).
        (b"", BALANCER),
        (b" , ,", BALANCER),
        (b"192.0.2.7, , 10.0.0.2,", b"192.0.2.7"),
    ],
)
def test_x_forwarded_for(value: bytes, expected: bytes) -> None:
    assert origin(b"X-Forwarded-For: " + value) == (expected, False)
    assert origin(b"x-FORWARDED-for:" + value) == (expected, False)


def test_several_lines_are_one_list() -> None:
    lines = (b"X-Forwarded-For: 6.6.6.6", b"X-Forwarded-For: 192.0.2.7, 10.0.0.3")
    assert origin(*lines) == (b"192.0.2.7", False)
    assert origin(*lines, b"X-Forwarded-For: 10.0.0.2") == (b"192.0.2.7", False)


@pytest.mark.parametrize(
    ("addresses", "schemes", "secure"),
    [
        (b"192.0.2.7", b"https", True),
        (b"192.0.2.7", b"HTTPS", True),
        (b"192.0.2.7", b"http", False),
        (b"192.0.2.7", b"httpss", False),
        (b"192.0.2.7", b"", False),
        # Set by the outermost and left alone by the others.
        (b"192.0.2.7, 10.0.0.2", b"https", True),
        # Added to by each: the one that stands with the client's address.
        (b"192.0.2.7, 10.0.0.2", b"https, http", True),
        (b"192.0.2.7, 10.0.0.2", b"http, https", False),
        (b"6.6.6.6, 192.0.2.7", b"https, http", False),
        # As many of one as of the other there are not: the last.
        (b"6.6.6.6, 192.0.2.7, 10.0.0.2", b"https, http", False),
        (b"192.0.2.7", b"http, https", True),
        # No address, but a scheme of whom is trusted.
        (b"", b"https", True),
        (b"unknown", b"https", True),
        (b"nonsense, unknown", b"https, http", False),
    ],
)
def test_x_forwarded_proto(addresses: bytes, schemes: bytes, secure: bool) -> None:
    lines = (b"X-Forwarded-For: " + addresses, b"X-Forwarded-Proto: " + schemes)
    assert origin(*lines)[1] is secure
    assert origin(*reversed(lines))[1] is secure
    assert origin(*lines, peer=b"192.0.2.1") == (b"192.0.2.1", False)


def test_a_scheme_alone() -> None:
    assert origin(b"X-Forwarded-Proto: https") == (BALANCER, True)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        # RFC 7239 section 4.
        (b"for=192.0.2.7", (b"192.0.2.7", False)),
        (b"For=192.0.2.7;Proto=https;by=203.0.113.43", (b"192.0.2.7", True)),
        (b"for=192.0.2.7; proto=HTTPS ; by=203.0.113.43", (b"192.0.2.7", True)),
        (b"by=10.0.0.9;host=example.com;for=192.0.2.7", (b"192.0.2.7", False)),
        (b'for="[2001:db8:cafe::17]:4711"', (b"2001:db8:cafe::17", False)),
        (b'for="[2001:DB8::17]";proto="https"', (b"2001:db8::17", True)),
        (b'for="192.0.2.7:4711"', (b"192.0.2.7", False)),
        (b'for="192.0.2.7:_port"', (b"192.0.2.7", False)),
        (b'for="192.0.2.7"', (b"192.0.2.7", False)),
        (b"for=192.0.2.7;;proto=https;", (b"192.0.2.7", True)),
        (b'for=192.0.2.7;x="a, b; c";proto=https', (b"192.0.2.7", True)),
        # From the right to the first that is not trusted.
        (b"for=192.0.2.7, for=10.0.0.2", (b"192.0.2.7", False)),
        (b"for=192.0.2.7;proto=https,for=10.0.0.2;proto=http", (b"192.0.2.7", True)),
        (b"for=192.0.2.7;proto=http, for=10.0.0.2;proto=https", (b"192.0.2.7", False)),
        (b"for=6.6.6.6;proto=https, for=192.0.2.7", (b"192.0.2.7", False)),
        (b'for=192.0.2.7, for="[2001:db8:f::2]"', (b"192.0.2.7", False)),
        (b"for=10.0.0.3, for=10.0.0.2", (b"10.0.0.3", False)),
        # Section 6.2 and 6.3: who does not want to be known, is not.
        (b"for=unknown;proto=https", (BALANCER, True)),
        (b"for=192.0.2.7, for=unknown", (BALANCER, False)),
        (b"for=192.0.2.7, for=_hidden", (BALANCER, False)),
        (b"for=_hidden, for=10.0.0.2", (b"10.0.0.2", False)),
        (b'for="_gazonk", for=192.0.2.7', (b"192.0.2.7", False)),
        (b"proto=https", (BALANCER, True)),
        (b"for=192.0.2.7, by=10.0.0.2", (BALANCER, False)),
        # What is malformed.
        (b"192.0.2.7", (BALANCER, False)),
        (b"for:192.0.2.7", (BALANCER, False)),
        (b"for = 192.0.2.7", (BALANCER, False)),
        (b"for=192.0.2.7:80", (BALANCER, False)),
        (b"for=2001:db8::7", (BALANCER, False)),
        (b'for="2001:db8::7"', (BALANCER, False)),
        (b"for=[2001:db8::7]", (BALANCER, False)),
        (b"for='192.0.2.7'", (BALANCER, False)),
        (b"for=192.0.2.7;for=192.0.2.8", (BALANCER, False)),
        (b"for=192.0.2.7;FOR=192.0.2.7", (BALANCER, False)),
        (b"for=192.0.2.7 proto=https", (BALANCER, False)),
        (b'for=192.0.2.7"x"', (BALANCER, False)),
        (b'for="192.0.2.7', (BALANCER, False)),
        (b'for=192.0.2.7"', (BALANCER, False)),
        (b'for="192.0.2.\\7"', (BALANCER, False)),
        (b"for=", (BALANCER, False)),
        (b"=192.0.2.7", (BALANCER, False)),
        (b";", (BALANCER, False)),
        (b"", (BALANCER, False)),
        (b",, ,", (BALANCER, False)),
        (b"nonsense, for=192.0.2.7", (b"192.0.2.7", False)),
        (b"for=192.0.2.7, nonsense, for=10.0.0.2", (b"10.0.0.2", False)),
        (b"for=192.0.2.7, , for=10.0.0.2,", (b"192.0.2.7", False)),
    ],
)
def test_forwarded(value: bytes, expected: tuple[bytes, bool]) -> None:
    assert origin(b"Forwarded: " + value, said_by=FORWARDED) == expected


@pytest.mark.parametrize(
    "own",
    [
        b'for="',
        b'for=6.6.6.6;x="',
        b'for=6.6.6.6;x="\\',
        b'for="6.6.6.6',
        b'for=6.6.6.6;x=", for=6.6.6.6;y="',
        b'"',
        b"for=6.6.6.6;",
        b"for=6.6.6.6,",
        b"for=",
        b"\\",
    ],
)
@pytest.mark.parametrize(
    "added", [b"for=192.0.2.7", b'for="192.0.2.7:80"', b'host="a, b";for=192.0.2.7', b'for="[::7]"']
)
def test_a_client_cannot_swallow_what_its_proxy_adds(own: bytes, added: bytes) -> None:
    """By a quotation that it does not end, or the like."""
    expected = b"::7" if b"::7" in added else b"192.0.2.7"
    for behind in (b"", b", for=10.0.0.2", b', for="10.0.0.2:80";proto=http'):
        value = own + b", " + added + behind
        assert origin(b"Forwarded: " + value, said_by=FORWARDED) == (expected, False)
        lines = (b"Forwarded: " + own, b"Forwarded: " + added + behind)
        assert origin(*lines, said_by=FORWARDED) == (expected, False)


@pytest.mark.parametrize("said_by", [X_FORWARDED, FORWARDED])
def test_only_what_the_proxies_set_is_asked_for(said_by: str) -> None:
    """The other one they pass on as the client has written it."""
    proxies = TrustedProxies(TRUSTED, said_by)
    assert (
        proxies.fields
        == {
            X_FORWARDED: {b"x-forwarded-for", b"x-forwarded-proto"},
            FORWARDED: {b"forwarded"},
        }[said_by]
    )
    lines = (
        b"X-Forwarded-For: 192.0.2.7",
        b"X-Forwarded-Proto: https",
        b"Forwarded: for=192.0.2.8;proto=http",
    )
    expected = {X_FORWARDED: (b"192.0.2.7", True), FORWARDED: (b"192.0.2.8", False)}
    assert proxies.origin(BALANCER, lines) == expected[said_by]
    other = [line for line in lines if (said_by == FORWARDED) == line.startswith(b"X-")]
    assert proxies.origin(BALANCER, tuple(other)) == (BALANCER, False)


def test_another_way_of_saying_it() -> None:
    with pytest.raises(ValueError, match="'via': x-forwarded or forwarded is wanted"):
        TrustedProxies(TRUSTED, "via")


@pytest.mark.parametrize(
    ("networks", "peer", "trusted"),
    [
        (["10.0.0.0/8"], b"10.0.0.1", True),
        (["10.0.0.0/8"], b"11.0.0.1", False),
        (["10.0.0.0/8"], b"::ffff:10.0.0.1", True),
        (["10.0.0.0/8"], UNIX_PEER, False),
        (["10.0.0.0/8"], b"", False),
        (["10.0.0.0/8"], b"\xff", False),
        (["unix"], UNIX_PEER, True),
        (["unix"], b"10.0.0.1", False),
        (["fe80::/10"], b"fe80::1%eth0", True),
        ([], b"10.0.0.1", False),
    ],
)
def test_whoever_is_not_trusted_is_not_listened_to(
    networks: list[str], peer: bytes, trusted: bool
) -> None:
    proxies = TrustedProxies(Networks(networks))
    assert proxies.trusts(peer) is trusted
    lines = (b"X-Forwarded-For: 192.0.2.7", b"X-Forwarded-Proto: https")
    expected = Origin(b"192.0.2.7", True) if trusted else Origin(peer, False)
    assert proxies.origin(peer, lines) == expected


def test_the_number_of_proxies_is_bounded() -> None:
    chain = [b"10.0.1.%d" % number for number in range(100)]
    value = b", ".join([b"192.0.2.7", *reversed(chain)])
    assert origin(b"X-Forwarded-For: " + value) == (chain[31], False)
    value = b", ".join([b"for=192.0.2.7", *(b"for=" + address for address in reversed(chain))])
    assert origin(b"Forwarded: " + value, said_by=FORWARDED) == (chain[31], False)


def test_what_is_remembered_is_bounded() -> None:
    proxies = TrustedProxies(TRUSTED)
    most = 0
    for number in range(10_000):
        address = b"192.0.%d.%d" % divmod(number, 250)
        assert proxies.origin(BALANCER, (b"X-Forwarded-For: " + address,)) == (address, False)
        most = max(most, len(proxies._origins), len(proxies._trusted))
    assert most == 4096
    before = dict(proxies._origins)
    proxies.origin(BALANCER, (b"X-Forwarded-For: 192.0.2.7" + b"," * 512,))
    assert proxies._origins == before, "nor is anything long"


def test_the_same_lines_from_another_peer() -> None:
    proxies = TrustedProxies(TRUSTED)
    lines = (b"X-Forwarded-For: unknown",)
    for _ in range(2):
        for peer in (b"10.0.0.1", b"10.0.0.2", b"192.0.2.9"):
            assert proxies.origin(peer, lines).address == peer


# Properties.

addresses = st.ip_addresses().map(lambda address: str(address).encode())
words = st.sampled_from(
    [
        *(b"for=", b"for", b"=", b'"', b"\\", b",", b";", b" ", b"[", b"]", b":", b"unknown"),
        *(b"192.0.2.7", b"10.0.0.2", b"2001:db8::7", b"_x", b"proto=https", b"by=", b"%", b"\xff"),
    ]
)
values = st.binary(max_size=60) | st.lists(words | addresses, max_size=20).map(b"".join)
NO_FIELD = re.compile(rb"[^\t\x20-\x7e\x80-\xff]")


def line(name: bytes, value: bytes) -> bytes:
    """Return a line as it comes through the parser."""
    return name + b": " + NO_FIELD.sub(b"", value)


names = st.sampled_from([b"X-Forwarded-For", b"X-Forwarded-Proto", b"Forwarded"])
some_lines = st.lists(st.builds(line, names, values), max_size=4).map(tuple)


@given(
    some_lines, st.sampled_from([X_FORWARDED, FORWARDED]), st.sampled_from([BALANCER, b"1.2.3.4"])
)
@example((b'Forwarded: for="' + b"\\" * 30_000,), FORWARDED, BALANCER)
@example((b"Forwarded: " + b'"' * 30_000,), FORWARDED, BALANCER)
@example((b"Forwarded: " + b'a="",' * 6_000,), FORWARDED, BALANCER)
@example((b"Forwarded: " + b"a=b;" * 7_000,), FORWARDED, BALANCER)
@example((b"Forwarded: " + b" " * 30_000 + b"a",), FORWARDED, BALANCER)
@example((b"X-Forwarded-For: " + b":" * 30_000,), X_FORWARDED, BALANCER)
def test_it_is_an_address_that_a_trusted_chain_has_given(
    lines: tuple[bytes, ...], said_by: str, peer: bytes
) -> None:
    address, _ = origin(*lines, said_by=said_by, peer=peer)
    if address == peer:
        return
    assert peer == BALANCER, "who is not trusted has not been listened to"
    found = ip_address(address.decode())
    assert str(found).encode() == address
    said = b",".join(text.partition(b": ")[2] for text in lines).lower()
    given = set()
    for text in re.findall(rb"[0-9a-f:.]+", said):
        for end in (text, text.rpartition(b":")[0]):
            try:
                parsed = ip_address(end.decode())
            except ValueError:
                continue
            given |= {parsed, getattr(parsed, "ipv4_mapped", None)}
    assert found in given


trusted_addresses = st.integers(0, 2**16 - 1).map(lambda n: b"10.0.%d.%d" % divmod(n, 256))
clients = addresses.filter(lambda a: a.decode() not in TRUSTED)


def plain(address: bytes) -> bytes:
    parsed = ip_address(address.decode())
    return str(getattr(parsed, "ipv4_mapped", None) or parsed).encode()


@given(values, clients, st.lists(trusted_addresses, max_size=5), st.booleans())
def test_what_a_client_writes_makes_no_difference(
    own: bytes, client: bytes, chain: list[bytes], secure: bool
) -> None:
    """To the left of what the first proxy has added."""
    scheme = b"https" if secure else b"http"
    own = NO_FIELD.sub(b"", own)
    told = b"X-Forwarded-For: " + b", ".join([own, client, *chain])
    assert origin(told, b"X-Forwarded-Proto: " + scheme) == (plain(client), secure)
    node = b'"[%s]:1"' % client if b":" in client else client
    elements = [own, b"for=%s;proto=%s" % (node, scheme), *(b"for=" + proxy for proxy in chain)]
    told = b"Forwarded: " + b", ".join(elements)
    assert origin(told, said_by=FORWARDED) == (plain(client), secure)


# Ids.


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], None),
        ([b"X-Request-ID: abc"], b"abc"),
        ([b"x-request-id:\t a;b=c/{}<>\\~! "], b"a;b=c/{}<>\\~!"),
        ([b"X-Request-ID: " + b"x" * 128], b"x" * 128),
        ([b"X-Request-ID: " + b"x" * 129], None),
        ([b"X-Request-ID:"], None),
        ([b"X-Request-ID: a b"], None),
        ([b'X-Request-ID: a"b'], None),
        ([b"X-Request-ID: a'b"], None),
        ([b"X-Request-ID: \xfc"], None),
        ([b"X-Request-ID: a\tb"], None),
        ([b"X-Request-ID: a", b"X-Request-ID: a"], None),
    ],
)
def test_a_request_id(lines: list[bytes], expected: bytes | None) -> None:
    assert request_id(lines) == expected


@given(values)
def test_a_request_id_is_sane(value: bytes) -> None:
    found = request_id([line(b"X-Request-ID", value)])
    assert found is None or re.fullmatch(rb"[!-~]{1,128}", found)
    assert found is None or not {34, 39} & set(found)
