"""Stage 6: the lines of a head, and what they mean. Octets in, values out; no socket, no disk."""

import re
from dataclasses import dataclass
from os import fsdecode
from urllib.parse import unquote_to_bytes

TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
# RFC 9112, 3: three words, one space between them, and no control character anywhere. A proxy may
# write a whole URL; a client may not, but a server has to understand it (3.2.2).
REQUEST_LINE = re.compile(rb"([A-Z]+) (?:http://[^\s/?#]+)?(/[!-~]*) HTTP/1\.([0-9])")
VALUE = re.compile(rb"[\t -~\x80-\xff]*")  # RFC 9110, 5.5: no CR, no LF, no NUL
BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


class Refused(Exception):  # noqa: N818 (it is an answer, not a mistake of ours)
    """Raised for what gets no file; holds the status."""


@dataclass(frozen=True)
class Request:
    """What a head says, as far as a server of files wants to know."""

    method: str
    path: str
    persists: bool


def parse(lines: list[bytes]) -> Request:
    """Return what the lines of a head say; raises `Refused`."""
    first = REQUEST_LINE.fullmatch(lines[0])
    if first is None:
        raise Refused("400 Bad Request")
    fields = [parse_field(line) for line in lines[1:]]

    def values(wanted: bytes) -> list[bytes]:
        return [value for name, value in fields if name == wanted]

    hosts = values(b"host")
    if len(hosts) > 1 or (not hosts and first[3] != b"0"):  # RFC 9112, 3.2
        raise Refused("400 Bad Request")
    # Whoever stands before us may see another end of a body than we do; then what is a body to one
    # is a request to the other. We take none, so that there is no end to disagree about.
    if values(b"transfer-encoding"):
        raise Refused("501 Not Implemented")
    if any(length != b"0" for length in values(b"content-length")):
        raise Refused("413 Content Too Large")
    if first[1] not in {b"GET", b"HEAD"}:
        raise Refused("501 Not Implemented")
    options = {option.strip().lower() for v in values(b"connection") for option in v.split(b",")}
    return Request(
        first[1].decode(), parse_path(first[2]), first[3] != b"0" and b"close" not in options
    )


def parse_field(line: bytes) -> tuple[bytes, bytes]:
    """Return name and value. A line that is folded, or has a space before the colon, is refused."""
    name, colon, value = line.partition(b":")
    if not colon or not TOKEN.fullmatch(name) or not VALUE.fullmatch(value):
        raise Refused("400 Bad Request")
    return name.lower(), value.strip(b" \t")


def parse_path(target: bytes) -> str:
    """Return the path, with its escapes undone once, and before anybody looks for dots."""
    raw = target.partition(b"?")[0]
    path = unquote_to_bytes(raw)
    if BAD_ESCAPE.search(raw) or b"\0" in path or b".." in path.split(b"/"):
        raise Refused("400 Bad Request")
    return fsdecode(path)
