"""By which other paths people ask for a file.

Floor: core (pure). ``/about`` for ``about.html``, and ``/docs/`` for ``docs/index.html``.
"""

from typing import TYPE_CHECKING

from .path import SitePath

if TYPE_CHECKING:
    from .policy import Policy

__all__ = ["as_directory", "shorter", "with_html"]

HTML = b".html"


def with_html(policy: "Policy", path: SitePath) -> SitePath | None:
    """Return the path of the page for which ``path`` may stand."""
    if not policy.clean_urls or not path.segments:
        return None
    return SitePath((*path.segments[:-1], path.segments[-1] + HTML), False)


def as_directory(path: SitePath) -> SitePath | None:
    """Return ``path`` with a slash at its end, if it has none."""
    return None if path.directory else SitePath(path.segments, True)


def shorter(policy: "Policy", path: SitePath) -> SitePath | None:
    """Return the path by which the file at ``path`` should be asked for, if that is another."""
    if policy.trailing_slash == "remove" and path.directory and path.segments:
        return SitePath(path.segments, False)
    if not policy.clean_urls or path.directory or not path.segments[-1].endswith(HTML):
        return None
    *way, name = path.segments
    stem = name.removesuffix(HTML)
    if name == policy.index[0]:
        return SitePath(tuple(way), not (policy.trailing_slash == "remove" and way))
    return SitePath((*way, stem), policy.trailing_slash == "add") if stem else None
