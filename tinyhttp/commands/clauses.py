"""Where the RFCs say what a request was refused for, or what was looked at.

By the sentence that the client gets. A test reads the sources and sees to it that none is missing.
"""

from ..core.response import Refused

__all__ = ["CLAUSES", "CONDITIONS", "clause_of"]

CLAUSES = {
    "A chunk is not as long as it says.": "RFC 9112 section 7.1",
    "A header field is malformed.": "RFC 9112 section 5",
    "A line of the chunked body is malformed or too long.": "RFC 9112 section 7.1.1",
    "Files can be read here, and nothing else.": "RFC 9110 section 15.5.6",
    "In Transfer-Encoding, chunked comes once and last.": "RFC 9112 section 6.1",
    "Lines must end with CRLF.": "RFC 9112 section 2.2",
    "No transfer coding but chunked is understood.": "RFC 9112 section 6.1",
    "Only HTTP/1.0 and HTTP/1.1 are spoken here.": "RFC 9110 section 15.6.6",
    "That does not look like an HTTP/1.1 request.": "RFC 9112 section 3",
    "That method is not known here.": "RFC 9110 section 9.1",
    "The Content-Length field is malformed.": "RFC 9110 section 8.6",
    "The Host field is malformed.": "RFC 9112 section 3.2",
    "The Host field is missing.": "RFC 9112 section 3.2",
    "The Transfer-Encoding field is malformed.": "RFC 9112 section 6.1",
    "The header fields are too long.": "RFC 6585 section 5",
    "The only expectation understood is 100-continue.": "RFC 9110 section 10.1.1",
    "The path contains a '%' that is not followed by two hex digits.": "RFC 3986 section 2.1",
    "The path contains a NUL.": "RFC 3986 section 7.3",
    "The password can't be checked just now.": "RFC 9110 section 15.6.4",
    "The request line is malformed.": "RFC 9112 section 3",
    "The request line is too long.": "RFC 9112 section 3",
    "The request target is malformed.": "RFC 9112 section 3.2",
    "The request took too long to arrive.": "RFC 9110 section 15.5.9",
    "The server is short of resources.": "RFC 9110 section 15.6.4",
    "The size of a chunk is malformed.": "RFC 9112 section 7.1",
    "There are too many header fields.": "RFC 6585 section 5",
    "This directory holds more names than are listed here.": "RFC 9110 section 15.5.4",
    "This is not for everybody.": "RFC 9110 section 15.5.2",
    "This page can be read, and nothing else.": "RFC 9110 section 15.5.6",
    "This port speaks HTTPS: the address has to begin with https://": "RFC 9110 section 4.2.2",
    "This server is not a proxy.": "RFC 9110 section 9.3.6",
    "This server speaks HTTPS, and the request does not name a host.": "RFC 9112 section 3.2",
    "Too many passwords are being checked.": "RFC 9110 section 15.6.4",
    "Transfer-Encoding does not go with HTTP/1.0 or Content-Length.": "RFC 9112 section 6.1",
}

CONDITIONS = {
    b"If-Match": "RFC 9110 section 13.1.1",
    b"If-None-Match": "RFC 9110 section 13.1.2",
    b"If-Modified-Since": "RFC 9110 section 13.1.3",
    b"If-Unmodified-Since": "RFC 9110 section 13.1.4",
    b"If-Range": "RFC 9110 section 13.1.5",
}


def clause_of(refused: Refused) -> str:
    """Return the clause for which a request is refused; that of errors of ours if none is known."""
    return CLAUSES.get(refused.detail, "RFC 9110 section 15")
