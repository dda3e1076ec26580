"""Opens files beneath the root, and nothing else.

Floor: site. Everything starts at a descriptor of the root directory and goes down name by name,
each opened relative to the one before it and without following symbolic links (``openat`` with
``O_NOFOLLOW``). There is no path that is checked first and opened later, so nothing can be
swapped in between. Links are followed by hand: the names in a link are walked like those of a
request, and the walk can't climb above the descriptor that it started from.

Runs in any thread; keeps no state but the root's descriptor.
"""

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

__all__ = ["Outside", "Tree"]

_MAX_LINKS = 40  # Linux gives up after as many
# What leads somewhere else for each process, and in a moment: these are opened once.
_OF_THE_PROCESS = (b"/proc/", b"/dev/fd/")
_TRIES = 3
"""How often the root is opened until its real path is that of what was opened."""

# O_PATH asks for the right to pass through a directory only, not for that to list it.
_DIRECTORY = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
_NAMES = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# O_NONBLOCK: opening a FIFO does not wait for its writer. O_NOCTTY: nor does it become our
# terminal. Neither has any effect on a regular file.
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class Outside(OSError):  # noqa: N818 (named after where the way leads)
    """The way leads out of the root, through a symbolic link, or round in circles."""


class Tree:
    """A directory tree that is served.

    ``root`` is opened at once, links in its own path followed: raises ``OSError``. With
    ``follow_links`` symbolic links inside may lead anywhere.
    """

    def __init__(self, root: str | bytes | os.PathLike[str], *, follow_links: bool = False):
        # Absolute, as a daemon changes its directory; but as it is: "link/.." is not ".".
        given = os.fsencode(root)
        self._path = given if os.path.isabs(given) else os.path.join(os.getcwdb(), given)
        self._root, real = _open_root(root, self._path)
        # What an absolute link inside may begin with: the root as it was given, and as it is.
        self._roots = tuple(
            path.rstrip(b"/") + b"/" for path in (real, os.path.abspath(self._path))
        )
        self._number = _number(os.fstat(self._root))
        self._follow_links = follow_links

    def close(self) -> None:
        """Close the root's descriptor; open files stay open."""
        os.close(self._root)

    def is_replaced(self) -> bool:
        """Return whether the path of the root leads to another directory by now.

        One system call, as long as it does not. Never for what is a link of the process's own, such
        as ``/dev/fd/3``. Raises ``OSError`` if it leads to none.
        """
        if self._path.startswith(_OF_THE_PROCESS):
            return False
        state = os.stat(self._path)
        if _number(state) == self._number:
            return False
        if not stat.S_ISDIR(state.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        # Some file systems number a directory anew: overlays do, when they make it their own.
        self._number = _number(os.fstat(self._root))
        return _number(state) != self._number

    def opened_again(self) -> "Tree":
        """Return the tree to which the path of the root leads now.

        Raises ``OSError`` if it can't be opened, or not be entered.
        """
        tree = Tree(self._path, follow_links=self._follow_links)
        try:
            os.stat(b".", dir_fd=tree._root)
        except BaseException:
            tree.close()
            raise
        return tree

    @property
    def number(self) -> tuple[int, int]:
        """Device and inode of the root."""
        return self._number

    def beside(self, path: str) -> "Tree":
        """Return the tree at ``path``, where links that begin with our path lead inside, too.

        Raises ``OSError`` as `opened_again`.
        """
        tree = Tree(path, follow_links=self._follow_links)
        tree._roots = (*tree._roots, *self._roots[1:])
        return tree

    def is_same(self, other: "Tree") -> bool:
        """Return whether the roots are one directory; both have to be open."""
        return self._number == other._number

    def state(self, names: Sequence[bytes]) -> os.stat_result | None:
        """Return the state of what ``names`` lead to, ``None`` if they lead nowhere.

        Only to be compared with the state of a file that was opened before: it is one system
        call, which follows the links on the way wherever they lead.
        """
        try:
            return os.stat(b"/".join(names), dir_fd=self._root, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None

    @contextmanager
    def directory(self, names: Sequence[bytes]) -> Iterator["Place"]:
        """Give the directory that ``names`` lead to from the root.

        Raises ``OSError`` as ``open`` does, `Outside` among them.
        """
        place = Place([os.dup(self._root)], self._roots, follow_links=self._follow_links)
        try:
            place.walk(names)
            yield place
        finally:
            place.close()


def _open_root(root: str | bytes | os.PathLike[str], path: bytes) -> tuple[int, bytes]:
    """Return a descriptor of ``root``, the absolute ``path`` of which may be a link, and its place.

    It is seen to that the two belong together, as the link may be switched in between.
    """
    for _ in range(_TRIES):
        descriptor = os.open(root, _DIRECTORY)
        real = os.path.realpath(path)
        if _leads_to(real, descriptor):
            break
        os.close(descriptor)
    else:  # a link of the kernel's own, such as those in /proc: what they say may be no path
        descriptor = os.open(root, _DIRECTORY)
    return descriptor, real


def _leads_to(path: bytes, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except OSError:
        return False


def _number(state: os.stat_result) -> tuple[int, int]:
    """Return what tells a directory from every other, as long as it is open."""
    return state.st_dev, state.st_ino


class Place:
    """A directory, with the descriptors of all directories between the root and itself."""

    def __init__(self, descriptors: list[int], roots: tuple[bytes, ...], *, follow_links: bool):
        self._descriptors = descriptors
        self._roots = roots
        self._follow_links = follow_links
        self._nofollow = 0 if follow_links else os.O_NOFOLLOW
        self._links = 0

    def close(self) -> None:
        """Close every descriptor."""
        while self._descriptors:
            os.close(self._descriptors.pop())

    @property
    def descriptor(self) -> int:
        """What leads to this directory in calls with ``dir_fd``, until it is closed."""
        return self._descriptors[-1]

    def state(self) -> os.stat_result:
        """Return the state of this directory."""
        return os.fstat(self._descriptors[-1])

    def entries(self) -> list[tuple[bytes, bool]]:
        """Return the names of directories (with ``True``), regular files and links, in order."""
        descriptor = os.open(b".", _NAMES, dir_fd=self._descriptors[-1])
        try:
            with os.scandir(descriptor) as entries:
                return sorted(
                    (os.fsencode(entry.name), entry.is_dir(follow_symlinks=False))
                    for entry in entries
                    if entry.is_dir(follow_symlinks=False)
                    or entry.is_file(follow_symlinks=False)
                    or entry.is_symlink()
                )
        finally:
            os.close(descriptor)

    def holds(self, name: bytes) -> bool:
        """Return whether there is anything of that ``name``, be it a link that leads nowhere."""
        try:
            os.stat(name, dir_fd=self._descriptors[-1], follow_symlinks=False)
        except OSError:
            return False
        return True

    def is_directory(self, name: bytes) -> bool:
        """Return whether ``name`` in this directory is a directory that may be entered."""
        with self._copy() as place:
            try:
                place.walk((name,))
            except (NotADirectoryError, FileNotFoundError):
                return False
            return True

    def open_directory(self) -> int:
        """Return a descriptor of this directory by which its names can be read.

        Raises ``OSError``, as the right to pass through a directory is not the right to read it.
        """
        return os.open(b".", _NAMES, dir_fd=self._descriptors[-1])

    def look(self, name: bytes) -> os.stat_result:
        """Return the state of what ``name`` in this directory leads to, without opening it.

        Raises ``OSError``: `Outside` for a link that leads out of the root.
        """
        here = self._descriptors[-1]
        state = os.stat(name, dir_fd=here, follow_symlinks=self._follow_links)
        if not stat.S_ISLNK(state.st_mode):
            return state
        with self._copy() as place:
            *way, last = place.read_link(name)
            place.walk(way)
            if last in (b"", b".", b".."):
                place.walk((last,))
                return place.state()
            return place.look(last)

    def open_file(self, name: bytes) -> int | None:
        """Return a descriptor of the regular file ``name`` in this directory.

        ``None`` if it is a directory, FIFO, socket or device: those are never opened, as opening
        alone may have an effect. Raises ``OSError``.
        """
        here = self._descriptors[-1]
        mode = os.stat(name, dir_fd=here, follow_symlinks=self._follow_links).st_mode
        if stat.S_ISLNK(mode):
            with self._copy() as place:
                *way, last = place.read_link(name)
                place.walk(way)
                return place.open_file(last) if last not in (b"", b".", b"..") else None
        if not stat.S_ISREG(mode):
            return None
        descriptor = os.open(name, _FILE | self._nofollow, dir_fd=here)
        try:
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # another one has taken the name since
        return None

    def walk(self, names: Sequence[bytes]) -> None:
        """Go down (or up, for ``..``) name by name."""
        pending = list(reversed(names))
        while pending:
            name = pending.pop()
            if name in (b"", b"."):
                continue
            if name == b"..":
                self._up()
                continue
            try:
                down = os.open(name, _DIRECTORY | self._nofollow, dir_fd=self._descriptors[-1])
            except OSError as error:  # ENOTDIR or ELOOP, by system, where the name is a link
                if self._follow_links or not self._is_link(name):
                    raise error
                pending += reversed(self.read_link(name))
            else:
                self._descriptors.append(down)

    def read_link(self, name: bytes) -> list[bytes]:
        """Return the names to walk from here for the link ``name``; goes to the root if need be.

        An absolute link is beneath the root if it begins with the root's path.
        """
        self._links += 1
        if self._links > _MAX_LINKS:
            raise Outside("too many symbolic links")
        target = os.readlink(name, dir_fd=self._descriptors[-1])
        if target.startswith(b"/"):
            beneath = [root for root in self._roots if (target + b"/").startswith(root)]
            if not beneath:
                raise Outside("a symbolic link leads out of the root")
            target = (target + b"/")[len(beneath[0]) : -1]
            while len(self._descriptors) > 1:
                self._up()
        return target.split(b"/")

    def _up(self) -> None:
        if len(self._descriptors) == 1:
            raise Outside("a symbolic link leads out of the root")
        os.close(self._descriptors.pop())

    def _is_link(self, name: bytes) -> bool:
        state = os.stat(name, dir_fd=self._descriptors[-1], follow_symlinks=False)
        return stat.S_ISLNK(state.st_mode)

    @contextmanager
    def _copy(self) -> Iterator["Place"]:
        """Give a place to walk on from, while this one stays where it is."""
        place = Place([], self._roots, follow_links=self._follow_links)
        place._links = self._links
        try:
            for descriptor in self._descriptors:
                place._descriptors.append(os.dup(descriptor))
            yield place
        finally:
            place.close()
