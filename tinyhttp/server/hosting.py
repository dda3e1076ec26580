"""Which site answers to which name.

Floor: server. A server has one site for everybody, and perhaps others for those who ask for them by
name. Each has its own tree and its own policy; memory for their files is counted for each.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from ..core.known_files import KnownFiles
from ..core.policy import Policy
from ..core.redirects import plain_host
from ..site.coding import select
from ..site.files import Files, NoFiles
from ..site.releases import Earlier
from ..site.site import Capacity, Site
from ..site.tree import Tree
from .forms import Forms

if TYPE_CHECKING:
    from ..site.verification import Contents

__all__ = ["Host", "Hosts", "SiteOptions", "make_host", "make_hosts"]

_log = Logger()


@dataclass(slots=True, frozen=True)
class SiteOptions:
    """What makes a site: see `tinyhttp.server.server.Server`, whose arguments these are."""

    root: str | os.PathLike[str] | None
    index: Sequence[str] = ("index.html",)
    hidden_files: bool = False
    follow_symlinks: bool = False
    media_types: Mapping[bytes, bytes] = field(default_factory=dict)
    compress: Sequence[str] = ()
    contents: "Contents | None" = None
    policy: Policy = field(default_factory=Policy)
    keep_releases: float = 0
    earlier: Sequence[Earlier] = ()


@dataclass(slots=True, frozen=True, eq=False)
class Host:
    """A site at work."""

    site: Site
    policy: Policy
    forms: Forms
    files: KnownFiles | None
    """What the policy says of files that are there; ``None``: nothing."""


def make_host(
    options: SiteOptions,
    reactor: Any,
    threads: int,
    clock: Callable[[], float],
    capacity: Capacity | None,
) -> Host:
    """Return the site that ``options`` describe.

    Raises ``OSError`` if its root can't be opened, ``ValueError`` for a coding that there is no
    encoder for.
    """
    on_demand = select(options.compress)
    files: Files | NoFiles = NoFiles(clock)
    if options.root is not None:
        files = Files(
            Tree(options.root, follow_links=options.follow_symlinks),
            clock,
            index=options.index,
            hidden_files=options.hidden_files,
            media_types=options.media_types,
            contents=options.contents,
            on_demand=on_demand,
            keep=options.keep_releases,
            before=options.earlier,
            tell=lambda error: reactor.callFromThread(_tell, options, error),
        )
    site = Site(files, clock, capacity)
    forms = Forms(reactor, threads, site)
    policy = options.policy
    return Host(site, policy, forms, None if policy.is_plain else KnownFiles(policy))


def _tell(options: SiteOptions, error: OSError | None) -> None:
    """Log that another release is served, or that none can be had; see `Releases`."""
    if error is not None:
        _log.warn(
            "{root}: {reason}; what was there before is served until that changes",
            root=options.root,
            reason=error.strerror,
        )
        return
    _log.info("{root} leads to another directory now, which is served", root=options.root)
    if options.contents is not None:
        _log.warn("the manifest does not apply to it, and is not used any more")


def make_hosts(
    default: SiteOptions,
    others: Mapping[bytes, SiteOptions],
    make: Callable[[SiteOptions], Host],
) -> "Hosts":
    """Return the sites that `make_host` (``make``) makes of ``default`` and of ``others``, by name.

    Those that have the same options are one. Raises as `make_host` does; nothing is open then.
    """
    made: dict[int, Host] = {}
    try:
        for options in (default, *others.values()):
            if id(options) not in made:
                made[id(options)] = make(options)
    except BaseException:
        for host in made.values():
            host.site.close()
        raise
    return Hosts(made[id(default)], {name: made[id(each)] for name, each in others.items()})


class Hosts:
    """The ``default``, and others by their names, which are in lower case and have no port."""

    def __init__(self, default: Host, others: Mapping[bytes, Host]):
        self.default = default
        self._others = dict(others)
        self.every = [default, *dict.fromkeys(self._others.values())]
        """All of them, each once."""

    def of(self, authority: bytes) -> Host:
        """Return the one that answers to ``authority``, which may have a port."""
        if not self._others:
            return self.default
        return self._others.get(plain_host(authority) or b"", self.default)
