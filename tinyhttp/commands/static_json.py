"""What a ``static.json`` comes to.

Above the floors. That is the configuration of Heroku's buildpack for static sites, which made one
for nginx of it.
"""

from typing import Any

from .imported import Imported, pattern
from .toml_text import Value

__all__ = ["import_static_json"]

_PASSWORD = ("basic_auth_username", "basic_auth_password")
_NO_EQUIVALENT = ("proxies",)
_KNOWN = (
    *("root", "canonical_host", "encoding", "clean_urls", "logging", "routes", "redirects"),
    *("error_page", "https_only", "headers", "basic_auth", *_PASSWORD, *_NO_EQUIVALENT),
)


def import_static_json(config: dict[str, Any]) -> Imported:
    """Return what ``config``, a document of JSON, comes to."""
    imported = Imported()
    _settings(config, imported)
    _redirects(config.get("redirects", {}), imported)
    _routes(config.get("routes", {}), imported)
    _headers(config.get("headers", {}), imported)
    for key, value in config.items():
        if key not in _KNOWN:
            imported.miss(key, "not a key of static.json that is known")
        elif key in _NO_EQUIVALENT and value:
            imported.miss(key)
        elif key in _PASSWORD and value:
            imported.miss(key, "passwords are for the environment or a file: see --auth")
    return imported


def _settings(config: dict[str, Any], imported: Imported) -> None:
    settings = imported.settings
    if root := imported.text("root", config.get("root", "public_html")):
        settings["path"] = root.rstrip("/") or root
    if "canonical_host" in config and (
        host := imported.text("canonical_host", config["canonical_host"])
    ):
        settings["canonical-host"] = host
    if "clean_urls" in config:
        imported.flag("clean_urls", config["clean_urls"], "clean-urls")
    if "https_only" in config:
        imported.https_redirect("https_only", config["https_only"])
    if "basic_auth" in config:
        imported.basic_auth("basic_auth", config["basic_auth"])
    if "error_page" in config and (page := imported.text("error_page", config["error_page"])):
        settings["error-page"] = [f"404=/{page.lstrip('/')}"]
    encoding = config.get("encoding", "UTF-8")
    if not isinstance(encoding, str) or encoding.lower() not in ("utf-8", "utf8"):
        imported.miss("encoding", "text is always said to be UTF-8")
    if "logging" in config:
        imported.miss("logging", "see the option --access-log")


def _redirects(redirects: object, imported: Imported) -> None:
    if not isinstance(redirects, dict):
        imported.miss("redirects", "an object is wanted")
        return
    for path, redirect in redirects.items():
        where = f"redirects.{path}"
        if not isinstance(redirect, dict) or "url" not in redirect:
            imported.miss(where, "there is no url")
        elif (url := imported.text(where, redirect["url"])) is not None:
            rule: dict[str, Value] = {"from": path, "to": url}
            rule["status"] = redirect.get("status") or 301
            imported.redirect(where, rule)


def _routes(routes: object, imported: Imported) -> None:
    """What a path gets for which there is no file."""
    if not isinstance(routes, dict):
        imported.miss("routes", "an object is wanted")
        return
    for glob, target in routes.items():
        where = f"routes.{glob}"
        file = imported.text(where, target)
        from_ = pattern(glob)
        if file is None:
            continue
        file = "/" + file.lstrip("/")
        if glob == "/**" and file == "/index.html":
            imported.settings["spa"] = True
        elif from_ is None:
            imported.miss(where, "such a pattern can't be written here")
        else:
            imported.redirect(where, {"from": from_, "to": file, "status": 200})


def _headers(headers: object, imported: Imported) -> None:
    if not isinstance(headers, dict):
        imported.miss("headers", "an object is wanted")
        return
    for glob, fields in headers.items():
        where = f"headers.{glob}"
        for_ = pattern(glob, inner_splat=True)
        if for_ is None:
            imported.miss(where, "such a pattern can't be written here")
        elif not isinstance(fields, dict):
            imported.miss(where, "an object is wanted")
        else:
            values = {n: v for n, v in fields.items() if imported.text(f"{where}.{n}", v)}
            imported.header(where, for_, values)
    if len(headers) > 1:
        imported.miss(
            "headers", "there the last rule that matches counts alone; here all do, in their order"
        )
