"""What is there to be served: a directory, a mapping, a zip file; and files too big to write.

Floor: testing. All of it ends as a directory, so that a test gets what a real server makes of real
files. Files made here have one age, and so have the same validators in every run.
"""

import os
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from random import Random
from typing import Any, TypeAlias

from .mistakes import ScriptError

__all__ = ["Content", "Generated", "Prepared", "generated", "prepare"]

MADE = 1_577_836_800
"""When every file made here was last modified, in epoch seconds: with the year 2020."""
WRITTEN = 1024 * 1024
"""Octets up to which a generated file is written out; a bigger one is made while it is sent."""
UNPACKED = 1024 * 1024 * 1024
"""Octets that a zip file may unpack to."""
PERIOD = 65_521
"""Octets of a block of a generated file. A prime, so that a client that is wrong by a power of two
gets other octets than it should."""
_STAMP = 8
_STEP = 1024 * 1024


class Generated:
    """The octets of a file of ``size`` that look random and are the same in every run.

    Another ``seed`` makes other octets. No more than a part of them is ever in memory: block
    after block is the same but for its number, with which it begins.
    """

    __slots__ = ("_block", "seed", "size")

    def __init__(self, size: int, seed: int = 0):
        if size < 0:
            raise ScriptError(f"generated({size}): a size can't be negative")
        self.size = size
        self.seed = seed
        self._block = b""

    def __repr__(self) -> str:
        return f"generated({self.size}, seed={self.seed})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Generated):
            return NotImplemented
        return (self.size, self.seed) == (other.size, other.seed)

    def __hash__(self) -> int:
        return hash((self.size, self.seed))

    def octets(self, start: int = 0, stop: int | None = None) -> bytes:
        """Return the octets from ``start`` to ``stop`` (not included), as far as there are any."""
        stop = self.size if stop is None else min(stop, self.size)
        if start >= stop:
            return b""
        if not self._block:
            self._block = Random(self.seed).randbytes(PERIOD - _STAMP)  # noqa: S311 (no secret)
        first = start // PERIOD
        blocks = (
            number.to_bytes(_STAMP, "big") + self._block
            for number in range(first, (stop - 1) // PERIOD + 1)
        )
        return b"".join(blocks)[start - first * PERIOD : stop - first * PERIOD]

    def sha256(self) -> str:
        """Return the digest of all octets, in hex, as ``sha256sum`` writes it."""
        digest = sha256()
        for start in range(0, self.size, _STEP):
            digest.update(self.octets(start, start + _STEP))
        return digest.hexdigest()


def generated(size: int, seed: int = 0) -> Generated:
    """Return the content of a file of ``size`` octets, however many; see `Generated`."""
    return Generated(size, seed)


Content: TypeAlias = str | os.PathLike[str] | Mapping[str, str | bytes | Generated]
"""A directory, a zip file, or what is to be found at each path. Text is sent as UTF-8."""


@dataclass(frozen=True)
class Prepared:
    """A directory to serve."""

    root: str
    temporary: bool
    """Whether it was made here, and goes with the server."""
    generated: Mapping[str, Generated] = field(default_factory=dict)
    """The files, by their paths beneath the root, that are holes on the disk."""

    def remove(self) -> None:
        """Remove the directory, if it was made here."""
        if self.temporary:
            shutil.rmtree(self.root, ignore_errors=True)

    def open_generated(self) -> dict[tuple[int, int], Generated]:
        """Return what is in the files that are holes, by device and inode."""
        found = {}
        for name, content in self.generated.items():
            state = os.stat(os.path.join(self.root, name))
            found[state.st_dev, state.st_ino] = content
        return found

    def names(self, most: int) -> Iterator[str]:
        """Give the paths of up to ``most`` files, each with a slash in front."""
        for directory, _, files in os.walk(self.root):
            beneath = os.path.relpath(directory, self.root)
            for name in files:
                if most <= 0:
                    return
                most -= 1
                yield "/" + os.path.normpath(os.path.join(beneath, name)).replace(os.sep, "/")

    def write(self, path: str, content: str | bytes, age: int) -> None:
        """Replace what is at ``path`` by ``content``, modified ``age`` seconds after the others."""
        if not self.temporary:
            raise ScriptError(f"write({path!r}): {self.root} is not ours to write to")
        name = _name_of(path)
        if name in self.generated:
            raise ScriptError(f"write({path!r}): that file is generated, and stays as it is")
        _write(self.root, name + ".new", content, MADE + age)
        os.replace(os.path.join(self.root, name + ".new"), os.path.join(self.root, name))

    def plain(self) -> dict[str, Any]:
        """Return this as something that JSON can say."""
        files = [(name, content.size, content.seed) for name, content in self.generated.items()]
        return {"root": self.root, "temporary": self.temporary, "generated": files}

    @staticmethod
    def from_plain(plain: Mapping[str, Any]) -> "Prepared":
        """Return what `plain` was made from."""
        files = {name: Generated(size, seed) for name, size, seed in plain["generated"]}
        return Prepared(plain["root"], plain["temporary"], files)


def prepare(content: Content) -> Prepared:
    """Return the directory that holds ``content``; raises `ScriptError` if there can't be one."""
    if isinstance(content, Mapping):
        return _in_a_directory_of_its_own(lambda root: _write_all(root, content))
    path = os.path.abspath(content)
    if os.path.isdir(path):
        return Prepared(path, temporary=False)
    if zipfile.is_zipfile(path):
        return _in_a_directory_of_its_own(lambda root: _unpack(root, path))
    what = "is neither a directory nor a zip file" if os.path.exists(path) else "does not exist"
    raise ScriptError(f"{path} {what}; content is one of these, or a dict of paths")


def _in_a_directory_of_its_own(fill: Any) -> Prepared:
    root = tempfile.mkdtemp(prefix="tinyhttp-")
    try:
        return Prepared(root, temporary=True, generated=fill(root))
    except BaseException:
        shutil.rmtree(root, ignore_errors=True)
        raise


def _write_all(
    root: str, content: Mapping[str, str | bytes | Generated]
) -> Mapping[str, Generated]:
    holes = {}
    for path, what in content.items():
        name = _name_of(path)
        if isinstance(what, Generated) and what.size > WRITTEN:
            holes[name] = what
            _make_hole(root, name, what.size)
        elif isinstance(what, Generated):
            _write(root, name, what.octets(), MADE)
        elif isinstance(what, str | bytes):
            _write(root, name, what, MADE)
        else:
            raise ScriptError(
                f"{path!r}: a file is str, bytes or generated(size), not {type(what).__name__}"
            )
    return holes


def _name_of(path: str) -> str:
    """Return ``path``, with or without a slash in front, as a name beneath the root."""
    name = path.removeprefix("/")
    parts = name.split("/")
    if "\0" in name or any(part in ("", ".", "..") for part in parts):
        raise ScriptError(f"{path!r} is not the path of a file: write it like '/docs/a.txt'")
    return name


def _place(root: str, name: str) -> str:
    path = os.path.join(root, name)
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise ScriptError(f"'/{name}' lies beneath something that is a file") from None
    if os.path.isdir(path):
        raise ScriptError(f"'/{name}' is a directory, as there are files beneath it")
    return path


def _write(root: str, name: str, content: str | bytes, mtime: float) -> None:
    path = _place(root, name)
    with open(path, "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
    os.utime(path, (mtime, mtime))


def _make_hole(root: str, name: str, size: int) -> None:
    path = _place(root, name)
    with open(path, "wb") as file:
        file.truncate(size)
    os.utime(path, (MADE, MADE))


def _unpack(root: str, path: str) -> Mapping[str, Generated]:
    with zipfile.ZipFile(path) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        if sum(entry.file_size for entry in entries) > UNPACKED:
            raise ScriptError(f"{path} unpacks to more than {UNPACKED} octets")
        for entry in entries:
            if stat.S_ISLNK(entry.external_attr >> 16):
                raise ScriptError(f"{path}: {entry.filename!r} is a symbolic link")
            if entry.flag_bits & 1:
                raise ScriptError(f"{path}: {entry.filename!r} is encrypted")
            target = _place(root, _name_of(entry.filename))
            with archive.open(entry) as packed, open(target, "wb") as file:
                shutil.copyfileobj(packed, file)
            os.utime(target, (MADE, MADE))
    return {}
