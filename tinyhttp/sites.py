"""What a server has to know of its sites, read from their directories: rules, manifests.

Reading takes time: of a manifest, as long as reading the whole tree. So it is done before there is
a server, or in a thread.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

from twisted.logger import Logger

from .core.redirects import plain_host
from .options import CannotStart, Options
from .policies import make_policy
from .roots import Before
from .server.hosting import SiteOptions

__all__ = ["Sites", "read_sites"]

Sites: TypeAlias = tuple[dict[str, Any], dict[bytes, SiteOptions]]
"""Arguments of `Server` for its own site, and the further ones by name."""

_log = Logger()


def read_sites(reactor: Any, options: Options, before: Before | None = None) -> Sites:
    """Return what ``options`` and the directories of the sites say; raise `CannotStart`.

    ``before`` are the releases that were served a while ago. May be called in any thread.
    """
    before = before or {}
    return _site(reactor, options, before), _hosts(reactor, options, before)


def _site(
    reactor: Any, values: Mapping[str, Any], before: Before, place: str = ""
) -> dict[str, Any]:
    """Return what `Server` and `SiteOptions` want to know of a site.

    ``place`` stands before what mistakes are in.
    """
    return {
        "root": values["path"],
        "index": values["index"] or ["index.html"],
        "hidden_files": values["hidden-files"],
        "follow_symlinks": values["follow-symlinks"],
        "media_types": dict(values["mime-type"]),
        "compress": values["compress"],
        "contents": _contents(reactor, values),
        "policy": make_policy(values, place),
        "keep_releases": values["keep-releases"],
        "earlier": before.get(values["path"], ()),
    }


def _hosts(reactor: Any, options: Options, before: Before) -> dict[bytes, SiteOptions]:
    hosts: dict[bytes, SiteOptions] = {}
    for names, values in options["hosts"]:
        site = SiteOptions(**_site(reactor, values, before, f"[[hosts]] {names[0]} "))
        for name in names:
            if hosts.setdefault(plain_host(name.encode()) or b"", site) is not site:
                raise CannotStart(f"[[hosts]]: {name} is the name of two")
    return hosts


def _contents(reactor: Any, options: Mapping[str, Any]) -> Any:
    """Return what is known of the files beforehand, if the directory agrees with the manifest."""
    name = options["manifest"]
    if not name:
        return None
    # Here, as it costs memory that a server without a manifest does without.
    from .commands.manifest import describe, verify
    from .commands.terminal import shown
    from .site.manifest import Malformed
    from .site.verification import Contents

    try:
        differences = verify(options["path"], name, follow_links=options["follow-symlinks"])
    except Malformed as error:
        raise CannotStart(f"--manifest {name}: {error}") from None
    except OSError as error:
        raise CannotStart(f"--manifest {name}: {error.strerror}") from None
    if differences:
        raise CannotStart("\n".join([f"--manifest {name}:", *describe(differences)]))

    def tell(names: Any) -> None:
        text = "{name} was changed since the start; its tag is made from its time"
        reactor.callFromThread(_log.warn, text, name=shown(names))

    return Contents(differences.certain, tell)
