"""Which tree is served now, and which were before.

Floor: site. The root is named by a path, and that may come to lead to another directory: a link
that is switched to the next release, or a name that another directory has taken by a rename. Every
look-up asks whether it does. Who has begun in a tree finishes in it, and the last one closes it.

While the path leads nowhere, the tree that it led to goes on being served: a moment without a
directory is how some people replace one.
"""

import errno
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import NamedTuple

from .tree import Tree

__all__ = ["LASTING", "MOST", "Earlier", "Release", "Releases"]

MOST = 3
"""Earlier releases that are kept open at most."""
LASTING = 5.0
"""Seconds after which a path that leads nowhere is worth a word."""


class Earlier(NamedTuple):
    """What another server served before."""

    path: str
    """Without links on the way."""
    number: tuple[int, int]
    """Device and inode, as another directory may have taken the name."""
    until: float
    """The epoch second at which it is of no more use."""


class Release:
    """A tree that is, or was, served; counts who uses it."""

    __slots__ = ("number", "tree", "until", "users")

    def __init__(self, tree: Tree, number: int):
        self.tree = tree
        self.number = number
        """How many there were before."""
        self.until = 0.0
        """The epoch second at which it is of no more use, if it is an earlier one."""
        self.users = 1  # the one who keeps it in mind


class Releases:
    """The trees that the path of ``tree`` leads to, one after the other; takes over ``tree``.

    ``clock`` gives epoch seconds. For ``keep`` seconds after a switch the release before it is
    among the `earlier` ones, and so are those of ``before``, the latest first. ``tell`` is called,
    in any thread, with ``None`` after a switch, and with the error if the path leads nowhere for a
    while (`LASTING`), once.
    """

    def __init__(
        self,
        tree: Tree,
        clock: Callable[[], float],
        *,
        keep: float = 0,
        before: Sequence[Earlier] = (),
        tell: Callable[[OSError | None], object] = id,
    ):
        self._clock = clock
        self._keep = keep
        self._tell = tell
        self._current = Release(tree, 0)
        self._earlier = list(self._reopened(before))  # the latest first
        self._closed = False
        self._lost_since: float | None = None
        self._is_told = False
        # Of all this. Nobody asks the disk for anything while holding it, as the reactor waits for
        # it, too. The other one is for the threads that have seen a switch: one of them opens.
        self._lock = Lock()
        self._opening = Lock()

    def _reopened(self, before: Sequence[Earlier]) -> Iterator[Release]:
        """Give those of ``before`` that are still there and of use."""
        now, current = self._clock(), self._current.tree
        for place, each in enumerate(before[:MOST], 1):
            if not now < each.until <= now + self._keep:
                continue
            try:
                tree = current.beside(each.path)
            except OSError:  # it was removed
                continue
            if tree.number != each.number or tree.is_same(current):
                tree.close()
                continue
            release = Release(tree, -place)
            release.until = each.until
            yield release

    @property
    def number(self) -> int:
        """Of the current release, as far as anybody has seen."""
        return self._current.number

    def close(self) -> None:
        """Close every tree, as soon as nobody uses it any more."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            kept, self._earlier = [self._current, *self._earlier], []
        for release in kept:
            self.let_go(release)

    @contextmanager
    def current(self) -> Iterator[Release]:
        """Give the release that the path leads to now; it may have to be opened.

        Raises ``OSError`` if all is closed.
        """
        release = self._hold()
        if self._is_replaced(release):
            try:
                self._follow(release)
            finally:
                self.let_go(release)
            release = self._hold()
        try:
            yield release
        finally:
            self.let_go(release)

    def still(self, number: int) -> Release | None:
        """Return the release of that ``number``, to be let go of; ``None`` if it is an earlier one.

        Looks at the path alone, which the kernel keeps in memory. Raises ``OSError`` as `current`.
        """
        release = self._hold()
        if release.number == number and not self._is_replaced(release):
            return release
        self.let_go(release)
        return None

    @contextmanager
    def earlier(self) -> Iterator[list[Release]]:
        """Give the earlier releases that are still of use, the latest first."""
        self._drop()
        with self._lock:
            releases = list(self._earlier)
            for release in releases:
                release.users += 1
        try:
            yield releases
        finally:
            for release in releases:
                self.let_go(release)

    def let_go(self, release: Release) -> None:
        """Count out somebody who has used ``release``."""
        with self._lock:
            release.users -= 1
            is_last = release.users == 0
        if is_last:
            release.tree.close()

    def _hold(self) -> Release:
        """Return the release that was the current one when somebody last looked."""
        with self._lock:
            if self._closed:
                raise OSError(errno.EBADF, "the root is closed")
            self._current.users += 1
            return self._current

    # Switches.

    def _is_replaced(self, release: Release) -> bool:
        """Return whether the path leads to another directory than the root of ``release``."""
        if self._earlier:
            self._drop()
        try:
            is_replaced = release.tree.is_replaced()
        except OSError as error:
            self._note(error)
            return False
        if not is_replaced and self._lost_since is not None:
            self._lost_since, self._is_told = None, False
        return is_replaced

    def _follow(self, outdated: Release) -> None:
        """Open what the path leads to now, unless another thread has, or that is not possible."""
        with self._opening:
            if self._current is not outdated:
                return
            try:
                tree = outdated.tree.opened_again()
            except OSError as error:
                self._note(error)
                return
            if tree.is_same(outdated.tree):  # it was switched back
                tree.close()
                return
            self._install(tree)
        self._tell(None)

    def _install(self, tree: Tree) -> None:
        """Make ``tree`` the current one, and the one before it an earlier one."""
        now = self._clock()
        with self._lock:
            after = Release(tree, self._current.number + 1)
            useless = [after]
            if not self._closed:
                before = [self._current, *self._earlier]
                self._current.until = now + self._keep
                self._current = after
                self._lost_since, self._is_told = None, False
                wanted = [
                    each
                    for each in before
                    if self._is_of_use(each, now) and not each.tree.is_same(tree)
                ]
                self._earlier = wanted[:MOST]
                useless = [each for each in before if each not in self._earlier]
        for release in useless:
            self.let_go(release)

    def _drop(self) -> None:
        """Let go of the earlier releases that are of no more use."""
        now = self._clock()
        with self._lock:
            useless = [each for each in self._earlier if not self._is_of_use(each, now)]
            self._earlier = [each for each in self._earlier if each not in useless]
        for release in useless:
            self.let_go(release)

    def _is_of_use(self, release: Release, now: float) -> bool:
        return now < release.until <= now + self._keep  # later: the clock was set back

    def _note(self, error: OSError) -> None:
        """Note that the path leads nowhere; tell it once if it has done so for a while."""
        now = self._clock()
        with self._lock:
            if self._lost_since is None or now < self._lost_since:
                self._lost_since = now
            is_news = not self._is_told and now - self._lost_since >= LASTING
            self._is_told = self._is_told or is_news
        if is_news:
            self._tell(error)
