"""Stage 2, mended: what is answered. Stages 3, 5, 6 and 7 use it as well."""

from mimetypes import guess_type
from pathlib import Path
from urllib.parse import unquote

ROOT = Path("site").resolve()
LIMIT = 8192  # octets of a head; somebody will send more
END = b"\r\n\r\n"
TEXT = "text/plain; charset=utf-8"


def read(path: str) -> tuple[str, bytes, str]:
    """Return status, body and media type for a path whose escapes have been undone."""
    try:
        file = (ROOT / path.lstrip("/")).resolve()
        if file.is_dir():
            file = (file / "index.html").resolve()
        # resolve() has followed links and dots, so this sees where they lead. A regular file, as a
        # FIFO would keep us waiting for somebody who writes to it.
        if file.is_relative_to(ROOT) and file.is_file():
            media_type = guess_type(file.name)[0] or "application/octet-stream"
            return "200 OK", file.read_bytes(), media_type
    except (OSError, RuntimeError, ValueError):
        pass  # a name too long, links in a circle, a NUL, a file that we may not read
    return "404 Not Found", b"Not found.\n", TEXT


def response(status: str, body: bytes, media_type: str = TEXT, *, persists: bool = False) -> bytes:
    """Return a response that says how long it is, and whether another one may follow."""
    lines = [
        f"HTTP/1.1 {status}",
        "Server: lesson",
        f"Content-Type: {media_type}",
        f"Content-Length: {len(body)}",
        *([] if persists else ["Connection: close"]),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def respond(head: bytes) -> bytes:
    """Return the response to a head, or to what has come instead of one."""
    if END not in head:
        return response("431 Request Header Fields Too Large", b"Too long.\n")
    # In Latin-1 every octet is a character, so that nothing can be raised here.
    words = head.partition(b"\r\n")[0].decode("latin-1").split(" ")
    if len(words) != 3 or not words[1].startswith("/") or not words[2].startswith("HTTP/1."):
        return response("400 Bad Request", b"No request.\n")
    method, target, _ = words
    if method not in {"GET", "HEAD"}:
        return response("501 Not Implemented", b"GET and HEAD only.\n")
    path = unquote(target.partition("?")[0], errors="surrogateescape")
    octets = response(*read(path))
    return octets if method == "GET" else octets[: octets.index(END) + len(END)]
