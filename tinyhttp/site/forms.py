"""How a form of a file is made that somebody asks for.

Floor: site. Encodes, which takes up to some tens of milliseconds, and may read the file; so it
belongs into a thread.
"""

import os
from hashlib import sha256

from ..core.resource import OnDemand, OpenFile, Representation
from .coding import QUICK, encode

__all__ = ["make_form"]

_LEAST_SHARE = 20
"""One part in so many has to be saved, or it is not worth the client's work."""


def make_form(plain: Representation, form: OnDemand) -> Representation | None:
    """Return ``form``, made from the file itself.

    ``None`` if nothing is gained, or if the file has been changed since it was found.
    """
    content = plain.content if isinstance(plain.content, bytes) else _read(plain, plain.content)
    if content is None:
        return None
    octets = encode(content, form.coding, QUICK[form.coding])
    if (len(content) - len(octets)) * _LEAST_SHARE < len(content):
        return None
    return Representation(
        len(octets),
        form.etag,
        form.last_modified,
        plain.content_type,
        form.coding,
        octets,
        None if plain.sha256 is None else sha256(octets).digest(),
        divisible=False,
    )


def _read(plain: Representation, file: OpenFile) -> bytes | None:
    """Return what ``file`` holds, if it is what ``plain`` was made from."""
    before = os.fstat(file.descriptor)
    blocks = []
    size = 0
    while size < plain.size and (block := file.read(plain.size - size, size)):
        blocks.append(block)
        size += len(block)
    after = os.fstat(file.descriptor)
    if (before.st_mtime_ns, before.st_ctime_ns) != (after.st_mtime_ns, after.st_ctime_ns):
        return None
    dated = plain.last_modified in (None, after.st_mtime_ns // 10**9)
    return b"".join(blocks) if size == after.st_size and dated else None
