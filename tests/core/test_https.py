"""Sending clients to https, and keeping them there."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import get, parse, render_head
from tinyhttp.core.https import https_location, https_redirect, strict_transport_security
from tinyhttp.core.request import Limits, Request
from tinyhttp.core.response import Refused

# RFC 3986, as far as a URI with a host can be told by its characters.
URI = re.compile(
    rb"https://(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._\-]+)(?::[0-9]+)?"
    rb"(?:/[A-Za-z0-9\-._~!$&'()*+,;=:@/%]*)?(?:\?[A-Za-z0-9\-._~!$&'()*+,;=:@/?%]*)?"
)


def request(
    target: str = "/", host: str = "example.org", method: str = "GET", version: str = "1.1"
) -> Request:
    fields = [f"Host: {host}"] if host or version == "1.1" else []
    return parse(get(target, *fields, method=method, version=version), Limits())


@pytest.mark.parametrize(
    ("target", "host", "port", "location"),
    [
        ("/", "example.org", 443, b"https://example.org/"),
        ("/", "example.org:80", 443, b"https://example.org/"),
        ("/", "example.org:8000", 8443, b"https://example.org:8443/"),
        ("/", "example.org:", 443, b"https://example.org/"),
        ("/", "EXAMPLE.org.", 443, b"https://EXAMPLE.org./"),
        ("/", "192.0.2.1:80", 443, b"https://192.0.2.1/"),
        ("/", "[2001:db8::1]:80", 8443, b"https://[2001:db8::1]:8443/"),
        ("/", "a_b.test", 443, b"https://a_b.test/"),
        ("/a/b?c=d&e", "a.test", 443, b"https://a.test/a/b?c=d&e"),
        ("/?", "a.test", 443, b"https://a.test/?"),
        ("/%41%2f%zz", "a.test", 443, b"https://a.test/%41%2f%zz"),
        ("//evil.test/", "a.test", 443, b"https://a.test//evil.test/"),
        ("/\\evil.test", "a.test", 443, b"https://a.test/%5Cevil.test"),
        ('/"<>^`{|}', "a.test", 443, b"https://a.test/%22%3C%3E%5E%60%7B%7C%7D"),
        ("/[1]?[2]", "a.test", 443, b"https://a.test/%5B1%5D?%5B2%5D"),
        # RFC 9112 section 3.2.2: the target counts, not Host.
        ("http://b.test:80/c?d", "a.test", 443, b"https://b.test/c?d"),
        ("http://b.test", "a.test", 443, b"https://b.test/"),
    ],
)
def test_location(target: str, host: str, port: int, location: bytes) -> None:
    assert URI.fullmatch(location.replace(b"%zz", b""))
    assert https_location(request(target, host), port) == location


def test_the_server_as_a_whole() -> None:
    """RFC 9112 section 3.2.4: its address is the one with an empty path."""
    everything = request("*", method="OPTIONS")
    assert https_location(everything, 443) == b"https://example.org"


@pytest.mark.parametrize(
    ("host", "version"),
    [("", "1.0"), ("", "1.1"), ("a(b", "1.1"), ("a%0d%0a", "1.1"), ("!", "1.1")],
)
def test_without_a_usable_host_there_is_nowhere_to_go(host: str, version: str) -> None:
    nowhere = request(host=host, version=version)
    assert https_location(nowhere, 443) is None
    with pytest.raises(Refused) as refused:
        https_redirect(nowhere, 443)
    assert refused.value.status == 400


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
def test_redirect(method: str) -> None:
    response = https_redirect(request("/a?b", method=method), 8443)
    assert response.status == 308
    assert (b"Location", b"https://example.org:8443/a?b") in response.fields
    assert render_head(response, b"").startswith(b"HTTP/1.1 308 Permanent Redirect\r\n")


VISIBLE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=30)


@given(VISIBLE, VISIBLE, st.integers(1, 65535))
def test_it_is_a_uri_of_the_host_that_was_asked_for(target: str, host: str, port: int) -> None:
    try:
        asked = request("/" + target, host)
    except Refused:
        return
    location = https_location(asked, port)
    if location is not None:
        assert URI.fullmatch(location)
        name = re.sub(r":[0-9]*$", "", host)
        assert location.startswith(b"https://" + name.encode())
        assert location[8 + len(name) :][:1] in (b":", b"/")


@pytest.mark.parametrize(
    ("age", "subdomains", "preload", "value"),
    [
        (0, False, False, b"max-age=0"),
        (300, False, False, b"max-age=300"),
        (300, True, False, b"max-age=300; includeSubDomains"),
        (31_536_000, True, True, b"max-age=31536000; includeSubDomains; preload"),
    ],
)
def test_strict_transport_security(age: int, subdomains: bool, preload: bool, value: bytes) -> None:
    assert strict_transport_security(age, include_subdomains=subdomains, preload=preload) == value


@pytest.mark.parametrize(
    ("age", "subdomains", "preload"),
    [(-1, False, False), (31_536_000, False, True), (31_535_999, True, True)],
)
def test_what_makes_no_sense_is_refused(age: int, subdomains: bool, preload: bool) -> None:
    with pytest.raises(ValueError, match="age"):
        strict_transport_security(age, include_subdomains=subdomains, preload=preload)
