"""How long a file may be kept without asking again.

Floor: core (pure). RFC 9111 section 5.2.2 (Cache-Control), RFC 8246 (immutable).

In this order: what the operator says for a glob; a file whose name holds a hash of its content is
never another one; a page is asked for again each time, as it names the others. Of the rest nothing
is said, so that a cache asks when it likes.

A name taken for a hash by mistake would freeze a file for a year in every browser; one that is
overlooked costs a 304. So names are doubted: see `is_fingerprinted`. Where it is the other way
round there is `may_be_fingerprinted`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from .fields import TOKEN
from .globs import Glob, parse_glob
from .path import SitePath
from .reasons import Added, Tell
from .rules import Mistake, octets, suggestion

__all__ = [
    "IMMUTABLE",
    "NO_CACHE",
    "CacheRule",
    "Caching",
    "is_fingerprinted",
    "may_be_fingerprinted",
    "parse_cache_rule",
]

IMMUTABLE = b"public, max-age=31536000, immutable"
"""For a year, which is as good as for ever."""
NO_CACHE = b"no-cache"
"""May be stored, but is asked for each time (RFC 9111 section 5.2.2.4)."""

_PAGES = (b"text/html", b"application/xhtml+xml")

# What bundlers write. Not documents, data and archives: people name those, with dates and numbers.
_CODE = rb"(?:js|mjs|cjs|css|wasm)(?:\.map)?|woff2?|ttf|otf|eot"
_MEDIA = rb"png|jpe?g|gif|svg|webp|avif|ico|mp4|webm|mp3|ogg"
_IS_ASSET = re.compile(rb".+\.(?:" + _CODE + b"|" + _MEDIA + rb")")

# Directories in which a framework keeps nothing but files that never change.
_FROZEN_DIRECTORIES = (
    (b"_next", b"static"),
    (b"_app", b"immutable"),
    (b"_astro",),
    (b"_nuxt",),
)
_NEXT_IN_DEVELOPMENT = (b"_next", b"static", b"development")

# webpack, Parcel, Hugo, Django: a hash in hex behind a dot, perhaps with a word behind it.
_DOTTED_HEX = re.compile(
    rb".*\.([0-9a-f]{8,64})(?:\.(?:chunk|bundle|min|worker|module|esm|modern|legacy))?\.(?:"
    + _CODE
    + b"|"
    + _MEDIA
    + b")"
)
# Sprockets, Rollup 3: behind a hyphen. People number pictures like that, but not with 16 digits.
_HYPHENED_HEX = re.compile(
    rb".*[-_](?:([0-9a-f]{8,64})\.(?:" + _CODE + rb")|([0-9a-f]{16,64})\.(?:" + _MEDIA + b"))"
)
_UUID = re.compile(rb".*[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\..*")
# Vite, Rollup: 8 of base64url. esbuild: 8 of base32. Behind a hyphen, last of all.
_HYPHENED_8 = re.compile(rb".*-([A-Za-z0-9_-]{8})\.(?:" + _CODE + b"|" + _MEDIA + b")")
# Any of these, or a word of that length.
_PERHAPS = re.compile(
    rb".*[-_.][A-Za-z0-9_-]{8,64}(?:\.[a-z]{3,8})?\.(?:" + _CODE + b"|" + _MEDIA + b")"
)

_BASE32 = re.compile(rb"[A-Z2-7]{8}")
_RUNS = re.compile(rb"[A-Z]?[a-z]+|[A-Z]+|[0-9]+|[_-]")
_WORD_OR_NUMBER = re.compile(rb"[a-z]{3}|[A-Z]{4}|[0-9]{4}")


def is_fingerprinted(path: SitePath) -> bool:
    """Return whether the name of a file is that of one content alone.

    Dates are hex too, and some words: so letters and digits have to alternate. In base64url there
    have to be five runs of small letters, capitals and digits, and no word or number among them,
    for which about half of the hashes are overlooked.
    """
    if not path.segments or path.directory:
        return False
    if not _is_asset(path.segments[-1]):
        return False
    directories = path.segments[:-1]
    if directories[:3] == _NEXT_IN_DEVELOPMENT:
        return False
    if any(directories[: len(frozen)] == frozen for frozen in _FROZEN_DIRECTORIES):
        return True
    return _has_hash(path.segments[-1])


def may_be_fingerprinted(path: SitePath) -> bool:
    """Return whether the name of a file may be that of one content alone.

    For where a hash that is overlooked breaks a page, and a word that is taken for one does not.
    """
    if is_fingerprinted(path):
        return True
    if not path.segments or path.directory:
        return False
    name = path.segments[-1]
    return _is_asset(name) and _PERHAPS.fullmatch(name) is not None


def _is_asset(name: bytes) -> bool:
    return len(name) <= 255 and _IS_ASSET.fullmatch(name) is not None


def _has_hash(name: bytes) -> bool:
    if _UUID.fullmatch(name):
        return False  # the name of a record, whose picture may change
    if m := _DOTTED_HEX.fullmatch(name):
        return _is_mixed(m[1])
    if (m := _HYPHENED_HEX.fullmatch(name)) and _is_mixed(m[1] or m[2]):
        return True
    return (m := _HYPHENED_8.fullmatch(name)) is not None and _looks_random(m[1])


def _is_mixed(text: bytes) -> bool:
    """Return whether hex is more than a date, a word, or one behind the other: ``cafe2026``."""
    return len(_RUNS.findall(text)) >= 3


def _looks_random(text: bytes) -> bool:
    runs = _RUNS.findall(text)
    if _BASE32.fullmatch(text):
        return len(runs) >= 3 and not _WORD_OR_NUMBER.search(text)
    small, capital = text.upper() != text, text.lower() != text
    return small and capital and len(runs) >= 5 and not _WORD_OR_NUMBER.search(text)


@dataclass(slots=True, frozen=True)
class CacheRule:
    """What is said of the files that ``glob`` names."""

    glob: Glob
    value: bytes


# RFC 9111 section 5.2.2 and the registry it has set up; those that take seconds come last.
_PLAIN = (
    *("public", "private", "no-cache", "no-store", "no-transform", "must-revalidate"),
    *("proxy-revalidate", "must-understand", "immutable"),
)
_SECONDS = ("max-age", "s-maxage", "stale-while-revalidate", "stale-if-error")

_DIRECTIVE = re.compile(
    "(" + TOKEN.decode() + r")(?:=(" + TOKEN.decode() + r'|"[\t !#-\[\]-~]*"))?'
)


def parse_cache_rule(text: str) -> CacheRule:
    """Return the rule in ``GLOB=VALUE``, the value being that of Cache-Control; or raise `Mistake`.

    The glob ends at the first ``=``.
    """
    glob, equals, value = text.partition("=")
    if not equals or not glob:
        raise Mistake(f"{text!r}: 'GLOB=VALUE' is wanted, such as '*.css=max-age=3600'")
    return CacheRule(parse_glob(glob.strip()), _checked_value(value))


def _checked_value(value: str) -> bytes:
    """Return ``value``, checked; a misspelt directive would be passed over by every cache."""
    directives = [part.strip(" \t") for part in value.split(",")]
    if not any(directives):
        raise Mistake("there is no value: what is Cache-Control to be?")
    for directive in directives:
        match = _DIRECTIVE.fullmatch(directive)
        if match is None:
            raise Mistake(f"{directive!r} is no directive of Cache-Control")
        _check_directive(match[1].lower(), match[2])
    return octets(", ".join(directives))


def _check_directive(name: str, argument: str | None) -> None:
    if name in _SECONDS:
        if argument is None or not re.fullmatch("[0-9]{1,10}", argument):
            raise Mistake(f"{name} wants whole seconds, such as {name}=3600")
    elif name in _PLAIN:
        if argument is not None and name not in ("private", "no-cache"):
            raise Mistake(f"{name} takes no value")
    elif hint := suggestion(name.replace("_", "-"), (*_PLAIN, *_SECONDS)):
        raise Mistake(f"{name!r} is no directive of Cache-Control{hint}")


class Caching:
    """What Cache-Control says, by ``rules``; of those that match the last counts.

    The last and not the first, so that a default for all can be given once, in a configuration, and
    what is added behind it is an exception. ``fingerprints``: whether names are looked at.
    """

    def __init__(self, rules: Iterable[CacheRule] = (), *, fingerprints: bool = True):
        self._rules = tuple(reversed(list(rules)))
        self._fingerprints = fingerprints

    def cache_control(
        self,
        path: SitePath,
        content_type: bytes,
        tell: Tell | None = None,
        *,
        renamed: bool = False,
    ) -> bytes | None:
        """Return the value for the file at ``path``, or ``None`` to say nothing.

        ``path`` is the file's own; for a directory's index that is with the name of the index.
        ``renamed``: it was asked for by another, at which there may be another file tomorrow.
        """
        for rule in self._rules:
            if rule.glob.match(path):
                return _told(tell, rule, rule.value)
        if content_type.partition(b";")[0].strip().lower() in _PAGES:
            return _told(tell, "caching, as it is a page", NO_CACHE)
        if self._fingerprints and not renamed and is_fingerprinted(path):
            return _told(tell, "caching, as its name holds a hash of its content", IMMUTABLE)
        return None


def _told(tell: Tell | None, why: str | CacheRule, value: bytes) -> bytes:
    if tell is not None:
        if isinstance(why, CacheRule):
            why = f"cache-control, for the glob {'/'.join(why.glob.names)}"
        tell(Added(why, [(b"Cache-Control", value)]))
    return value
