"""What a ``serve.json`` comes to.

Above the floors. That is the configuration of the ``serve`` of npm. What it does by itself, and
tinyhttp does not, is written out.
"""

import re
from typing import Any

from .imported import Imported, alternatives, pattern

__all__ = ["import_serve_json"]

_KNOWN = (
    *("public", "cleanUrls", "rewrites", "redirects", "headers", "directoryListing"),
    *("unlisted", "trailingSlash", "renderSingle", "symlinks", "etag", "$schema"),
)


def import_serve_json(config: dict[str, Any]) -> Imported:
    """Return what ``config``, a document of JSON, comes to."""
    imported = Imported()
    _settings(config, imported)
    _redirects(config, imported)
    _rewrites(config, imported)
    _headers(config, imported)
    for key in config:
        if key not in _KNOWN:
            imported.miss(key, "not a key of serve.json that is known")
    if config.get("unlisted"):
        imported.miss("unlisted")
    if config.get("renderSingle"):
        imported.miss("renderSingle")
    if config.get("etag") is False:
        imported.miss("etag", "files always have an ETag")
    return imported


def _settings(config: dict[str, Any], imported: Imported) -> None:
    settings = imported.settings
    if "public" in config and (path := imported.text("public", config["public"])):
        settings["path"] = path
    for key, ours in (("cleanUrls", "clean-urls"), ("directoryListing", "listing")):
        value = config.get(key, True)
        if isinstance(value, list):
            settings[ours] = True
            imported.miss(key, "it can't be limited to some paths; it is on for all")
        else:
            imported.flag(key, value, ours)
    if "trailingSlash" in config:
        settings["trailing-slash"] = "add" if config["trailingSlash"] else "remove"
    if "symlinks" in config:
        imported.flag("symlinks", config["symlinks"], "follow-symlinks")


def _members(config: dict[str, Any], key: str, imported: Imported) -> list[tuple[str, Any, str]]:
    """Return where it stands, the object, and its source, for every rule in ``config[key]``."""
    members = config.get(key, [])
    if not isinstance(members, list):
        imported.miss(key, "an array is wanted")
        return []
    found = []
    for index, member in enumerate(members):
        where = f"{key}[{index}]"
        if not isinstance(member, dict) or not isinstance(member.get("source"), str):
            imported.miss(where, "there is no source")
        else:
            found.append((where, member, member["source"]))
    return found


def _redirects(config: dict[str, Any], imported: Imported) -> None:
    """They come before the files there."""
    for where, member, source in _members(config, "redirects", imported):
        target = imported.text(where, member.get("destination"))
        if target is None or _has_number(target, where, imported):
            continue
        from_ = pattern(source)
        if from_ is None:
            imported.miss(where, f"{source!r} can't be written here")
            continue
        status = member.get("type") or 301
        to = target if "://" in target else "/" + target.lstrip("/")
        imported.redirect(where, {"from": from_, "to": to, "status": status, "force": True})


def _rewrites(config: dict[str, Any], imported: Imported) -> None:
    for where, member, source in _members(config, "rewrites", imported):
        target = imported.text(where, member.get("destination"))
        if target is None or _has_number(target, where, imported):
            continue
        target = "/" + target.lstrip("/")
        from_ = pattern(source)
        if from_ == "/*" and target == "/index.html":
            imported.settings["spa"] = True
        elif from_ is None:
            imported.miss(where, f"{source!r} can't be written here")
        else:
            imported.redirect(where, {"from": from_, "to": target, "status": 200})


def _has_number(target: str, where: str, imported: Imported) -> bool:
    """Return whether ``target`` has a number for what a star stands for: that is text here."""
    if re.search(r"/:[0-9]", target) is None:
        return False
    imported.miss(where, f"{target!r}: a number for a part; say :splat, or :name in both")
    return True


def _headers(config: dict[str, Any], imported: Imported) -> None:
    for where, member, source in _members(config, "headers", imported):
        values = _values(where, member.get("headers"), imported)
        for glob in alternatives(source):
            for_ = pattern(glob, inner_splat=True)
            if for_ is None:
                imported.miss(where, f"{glob!r} can't be written here")
            else:
                imported.header(where, for_, values)


def _values(where: str, pairs: object, imported: Imported) -> dict[str, str]:
    """Return values by name; ``null`` removes a field, which is an empty value here."""
    values: dict[str, str] = {}
    for pair in pairs if isinstance(pairs, list) else [None]:
        if not isinstance(pair, dict) or not isinstance(pair.get("key"), str):
            imported.miss(f"{where}.headers", "an array of objects with key and value is wanted")
        elif pair.get("value") is None:
            values[pair["key"]] = ""
        elif (value := imported.text(f"{where}.{pair['key']}", pair["value"])) is not None:
            values[pair["key"]] = value
    return values
