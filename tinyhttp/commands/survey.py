"""What in a tree can't be served, or not as its author may think.

Directory by directory, as `tinyhttp.site.walk` goes; what is remembered is the names of one
directory, and which ones are still to be looked at.
"""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..core.media_types import MEDIA_TYPES
from ..core.path import SitePath, is_hidden
from ..core.rules import RULES_FILES
from ..site.coding import BEST, EXTENSIONS, LIBRARIES, is_available
from ..site.tree import Outside, Place, Tree
from ..site.walk import Names
from .findings import ERROR, NOTE, WARNING, Findings
from .parallel import Stop
from .sidecars import Change, Rules, Sidecars
from .terminal import Progress, shown

__all__ = ["Survey"]

_MOST_EXTENSIONS = 10
_FRAME = len(b"GET  HTTP/1.1")


@dataclass(slots=True, frozen=True)
class _Entry:
    """A name in a directory."""

    name: bytes
    kind: str
    """"file", "directory", "link" or "other"."""


class Survey:
    """Looks at the whole of ``tree`` as a site with these ``values`` of settings would serve it."""

    def __init__(
        self,
        tree: Tree,
        values: Mapping[str, Any],
        longest: int,
        findings: Findings,
        *,
        quiet: bool,
    ):
        self._tree = tree
        self._hidden_files = values["hidden-files"]
        self._listing = values["listing"]
        self._clean_urls = values["clean-urls"]
        self._rules = values["dialect"] != "none"
        self._index = [os.fsencode(name) for name in values["index"] or ["index.html"]]
        self._known = frozenset(MEDIA_TYPES) | frozenset(dict(values["mime-type"]))
        self._longest = longest - _FRAME
        self._findings = findings
        # Measures nothing, as nothing is to be written: a sidecar is right, or it is not.
        as_is = Rules(dict(BEST), min_size=0, max_size=-1, check=True)
        self._sidecars = Sidecars(tree, as_is, Stop())
        self._extensions: Counter[bytes] = Counter()
        self._unchecked: Counter[bytes] = Counter()
        self._progress = Progress("check", 0, quiet=quiet)
        self.files = self.directories = 0

    def run(self) -> None:
        """Look at everything."""
        pending: list[Names] = [()]
        try:
            while pending:
                pending += reversed(self._directory(pending.pop()))
        finally:
            self._progress.clear()
        self._tell_types()
        for coding, count in self._unchecked.items():
            text = (
                f"{count} {EXTENSIONS[coding].decode()} can't be decoded here without the library"
            )
            self._findings.add("sidecars", NOTE, f"{text} {LIBRARIES[coding]}")

    def _directory(self, way: Names) -> list[Names]:
        """Look at one directory; return those beneath it."""
        try:
            with self._tree.directory(way) as place:
                entries = [each for each in _entries(place) if self._is_shown(way, each)]
                self.directories += 1
                names = {each.name for each in entries}
                for entry in entries:
                    self._entry(place, (*way, entry.name), entry.kind, names)
        except OSError as error:
            text = f"{shown(way)}/: the directory can't be read: {error.strerror or error}"
            self._findings.add("files", ERROR, text)
            return []
        if entries and not names.intersection(self._index):
            self._tell_no_index(way)
        return [(*way, each.name) for each in entries if each.kind == "directory"]

    def _is_shown(self, way: Names, entry: _Entry) -> bool:
        names = (*way, entry.name)
        return self._hidden_files or not is_hidden(SitePath(names, entry.kind == "directory"))

    def _tell_no_index(self, way: Names) -> None:
        if self._listing:
            return
        severity = NOTE if way else WARNING
        text = f"/{shown(way)}/ has no index, and listing is off" if way else "/ has no index"
        self._findings.add("directories", severity, text)

    # One name.

    def _entry(self, place: Place, names: Names, kind: str, siblings: set[bytes]) -> None:
        self._check_name(names, siblings)
        if kind == "directory":
            return
        self._progress.step(shown(names))
        if kind == "other":
            text = f"{shown(names)}: neither file nor directory, and not served"
            self._findings.add("files", WARNING, text)
            return
        if self._opens(place, names, is_link=kind == "link"):
            self.files += 1
            self._check_type(names, siblings)
            self._check_sidecars(names, siblings)

    def _check_name(self, names: Names, siblings: set[bytes]) -> None:
        name, add = names[-1], self._findings.add
        if len(SitePath(names, False).escaped(directory=False)) > self._longest:
            text = f"{shown(names)[:200]}...: can't be asked for within max-request-line"
            add("names", WARNING, text)
        try:
            name.decode()
        except UnicodeDecodeError:
            add("names", NOTE, f"{shown(names)}: not UTF-8; links have to escape its octets")
        if self._rules and len(names) > 1 and name in RULES_FILES:
            add("names", WARNING, f"{shown(names)}: rules are read at the root alone")
        if self._clean_urls and name.endswith(b".html") and name[:-5] in siblings and name[:-5]:
            text = f"{shown(names)}: clean-urls sends who asks for it to a name that is taken"
            add("names", WARNING, text)

    def _opens(self, place: Place, names: Names, *, is_link: bool) -> bool:
        """Return whether there is a file that can be read."""
        add = self._findings.add
        try:
            descriptor = place.open_file(names[-1])
        except Outside as error:
            add("links", WARNING, f"{shown(names)}: {error}, and is not served")
        except FileNotFoundError:
            what = "leads nowhere" if is_link else "is gone meanwhile"
            add("links" if is_link else "files", WARNING, f"{shown(names)}: {what}")
        except OSError as error:
            add("files", ERROR, f"{shown(names)}: can't be read: {error.strerror or error}")
        else:
            if descriptor is None:
                return False  # a link to a directory
            os.close(descriptor)
            return True
        return False

    def _check_type(self, names: Names, siblings: set[bytes]) -> None:
        name = names[-1]
        if len(names) == 1 and self._rules and name in RULES_FILES:
            return
        if any(name.endswith(e) and name[: -len(e)] in siblings for e in EXTENSIONS.values()):
            return
        stem, dot, extension = name.rpartition(b".")
        extension = extension.lower() if stem and dot else b""
        if extension not in self._known:
            if len(self._extensions) >= 1000 and extension not in self._extensions:
                extension = b"..."
            self._extensions[extension] += 1

    def _tell_types(self) -> None:
        if not self._extensions:
            return
        frequent = self._extensions.most_common(_MOST_EXTENSIONS)
        said = [f"{_extension(each)} ({count})" for each, count in frequent]
        if len(self._extensions) > len(frequent):
            said.append("others")
        text = f"{self._extensions.total()} served as application/octet-stream: {', '.join(said)}"
        self._findings.add("media types", NOTE, f"{text}; mime-type names their type")

    def _check_sidecars(self, names: Names, siblings: set[bytes]) -> None:
        for coding, extension in EXTENSIONS.items():
            if names[-1] + extension not in siblings:
                continue
            if not is_available(coding):
                self._unchecked[coding] += 1
                continue
            change = self._sidecars.update(names, coding)
            sidecar = shown((*names[:-1], names[-1] + extension))
            if change.change is Change.STALE:
                text = f"{sidecar}: does not hold what its file does, and is sent for it"
                self._findings.add("sidecars", ERROR, text)
            elif change.change is Change.FAILED:
                self._findings.add("sidecars", ERROR, f"{sidecar}: {change.reason}")


def _extension(extension: bytes) -> str:
    return f".{shown((extension,))}" if extension else "without extension"


def _entries(place: Place) -> Iterator[_Entry]:
    """Give what is in a directory, by name."""
    descriptor = place.open_directory()
    try:
        with os.scandir(descriptor) as entries:
            found = [_Entry(os.fsencode(each.name), _kind(each)) for each in entries]
    finally:
        os.close(descriptor)
    yield from sorted(found, key=lambda each: each.name)


def _kind(entry: "os.DirEntry[str]") -> str:
    if entry.is_symlink():
        return "link"
    if entry.is_dir(follow_symlinks=False):
        return "directory"
    return "file" if entry.is_file(follow_symlinks=False) else "other"
