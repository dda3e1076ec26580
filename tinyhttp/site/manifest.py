"""What the files of a tree ought to hold, and how that is written down.

Floor: site. A manifest is made once, where the tree is built. It is JSON in UTF-8, so laid out
that each line is about one file::

    {"tinyhttp-manifest": 1, "hidden_files": false, "files": [
    {"path": "css/site.css", "size": 1234, "sha256": "9f86d081..."},
    {"path": "index.html", "size": 512, "sha256": "60303ae2..."}
    ]}

A path is escaped as in a URL (RFC 3986), since names are octets; the files come in the order of
the escaped paths. There is no time in it and nothing of the machine.
"""

import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from ..core.path import SitePath, resolve
from ..core.response import Refused
from .walk import Names

__all__ = ["MANIFEST", "Entry", "Malformed", "Manifest", "load", "parse", "render"]

MANIFEST = b".tinyhttp-manifest.json"
"""Name of a manifest in the directory that it is about; hidden, so that it is not served."""

MAX_OCTETS = 64 * 1024 * 1024
"""Of a manifest: about 400,000 files."""

_VERSION = 1
_KIND = "tinyhttp-manifest"
_HEAD = frozenset((_KIND, "hidden_files", "files"))
_ENTRY = frozenset(("path", "size", "sha256"))
_SHA256 = re.compile("[0-9a-f]{64}")
_LARGEST = 2**63
_SHOWN = 60


class Malformed(ValueError):  # noqa: N818 (it is the file that is)
    """The file is no manifest, for the reason given in one line."""


@dataclass(slots=True, frozen=True)
class Entry:
    """What a file ought to hold."""

    size: int
    sha256: bytes


@dataclass(slots=True, frozen=True)
class Manifest:
    """What a tree ought to hold."""

    entries: Mapping[Names, Entry]
    hidden_files: bool = False
    """Whether hidden files are among them (see `walk`)."""


def render(manifest: Manifest) -> bytes:
    """Return ``manifest`` as it is written; equal ones give equal octets."""
    entries = {_escaped(names): entry for names, entry in manifest.entries.items()}
    lines = [
        f'{{"path": "{path}", "size": {entry.size}, "sha256": "{entry.sha256.hex()}"}}'
        for path, entry in sorted(entries.items())
    ]
    hidden = json.dumps(manifest.hidden_files)
    head = f'{{"{_KIND}": {_VERSION}, "hidden_files": {hidden}, "files": ['
    return "\n".join((head, ",\n".join(lines), "]}", "")).encode("ascii")


def _escaped(names: Names) -> str:
    return SitePath(names, False).escaped(directory=False)[1:].decode("ascii")


def load(path: str | os.PathLike[str]) -> Manifest:
    """Return the manifest in the file ``path``. Raises `Malformed` and ``OSError``."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Malformed("that is not a regular file")
        blocks = []
        size = 0
        while block := os.read(descriptor, 1024 * 1024):
            size += len(block)
            if size > MAX_OCTETS:
                raise Malformed(f"it has more than {MAX_OCTETS} octets")
            blocks.append(block)
    finally:
        os.close(descriptor)
    return parse(b"".join(blocks))


def parse(data: bytes) -> Manifest:
    """Return the manifest that ``data`` holds. Raises `Malformed`, and nothing else."""
    try:
        document = json.loads(data.decode("utf-8"), object_pairs_hook=_object)
    except UnicodeDecodeError:
        raise Malformed("it is not UTF-8") from None
    except Malformed:
        raise
    except ValueError as error:  # a number too long for Python is one as well
        raise Malformed(f"it is no JSON: {error}") from None
    except RecursionError:
        raise Malformed("it is no manifest: its JSON is nested too deep") from None
    if not isinstance(document, dict) or _KIND not in document:
        raise Malformed("it is no manifest of tinyhttp")
    version = document[_KIND]
    if not _is_number(version) or version != _VERSION:
        raise Malformed(f"its version is {_brief(version)}; {_VERSION} is understood here")
    hidden_files, files = document.get("hidden_files"), document.get("files")
    if (
        document.keys() != _HEAD
        or not isinstance(hidden_files, bool)
        or not isinstance(files, list)
    ):
        raise Malformed("a truth value is wanted as hidden_files, a list as files, nothing else")
    return Manifest(_entries(files), hidden_files)


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """Python would let the last of a name win; another reader might not."""
    result = dict(members)
    if len(result) < len(members):
        raise Malformed("a name comes twice in one of its objects")
    return result


def _entries(files: list[Any]) -> dict[Names, Entry]:
    entries: dict[Names, Entry] = {}
    before = ""
    for number, each in enumerate(files, 1):
        if not isinstance(each, dict) or each.keys() != _ENTRY:
            raise Malformed(f"file {number}: path, size and sha256 are wanted, and nothing else")
        path, size, sha256 = each["path"], each["size"], each["sha256"]
        if not isinstance(path, str) or (names := _names(path)) is None:
            raise Malformed(
                f"file {number}: path {_brief(path)}: an escaped path is wanted, without a slash "
                "at either end"
            )
        if path <= before:
            raise Malformed(f"file {number}: path {_brief(path)}: it comes twice, or out of order")
        if not _is_number(size) or not 0 <= size < _LARGEST:
            raise Malformed(f"file {number}: size {_brief(size)}: a number of octets is wanted")
        if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
            raise Malformed(f"file {number}: sha256 {_brief(sha256)}: 64 hex digits are wanted")
        before = path
        entries[names] = Entry(size, bytes.fromhex(sha256))
    return entries


def _names(path: str) -> Names | None:
    """Return the names in ``path``, which has to be escaped just as `render` does it."""
    try:
        resolved = resolve(b"/" + path.encode("ascii"))
    except (UnicodeEncodeError, Refused):
        return None
    if resolved is None or not resolved.segments or _escaped(resolved.segments) != path:
        return None
    return resolved.segments


def _is_number(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _brief(value: object) -> str:
    """Return ``value`` as it is shown, whatever it is and however long."""
    if isinstance(value, dict | list):
        return "a list" if isinstance(value, list) else "an object"
    text = ascii(value) if not _is_number(value) or abs(value) < _LARGEST else "too large"
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
