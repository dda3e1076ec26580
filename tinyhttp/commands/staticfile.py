"""What a ``Staticfile`` comes to.

Above the floors. That is the configuration of Cloud Foundry's buildpack for static sites. It is
YAML, of which only what such a file holds is read: ``key: value``, and one level of the same,
indented.
"""

import re

from .imported import Imported

__all__ = ["import_staticfile", "read_staticfile"]

_COMMENT = re.compile(r"(?:^|\s)#.*$")

_HSTS = "http_strict_transport_security"
_SWITCHES = {
    "directory": "listing",
    "pushstate": "spa",
    "host_dot_files": "hidden-files",
}
_ON = ("true", "yes", "on", "enabled", "visible")
_OFF = ("false", "no", "off", "disabled", "")


def read_staticfile(text: str) -> tuple[dict[str, str | dict[str, str]], list[str]]:
    """Return keys with their value, or the keys beneath them; and the lines that are not read."""
    config: dict[str, str | dict[str, str]] = {}
    left_out: list[str] = []
    above = ""
    for number, raw in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        line = _COMMENT.sub("", raw).rstrip()
        if not line or line in ("---", "..."):
            continue
        key, colon, value = (_unquoted(part) for part in line.partition(":"))
        beneath = config.get(above)
        if not colon or not key or key.startswith(("-", "[", "{")):
            left_out.append(f"line {number}: not understood: {line.strip()[:80]!r}")
        elif not line.startswith(" "):
            above = key
            config[key] = value or {}
        elif isinstance(beneath, dict):
            beneath[key] = value
        else:
            left_out.append(f"line {number}: nothing that it could belong to")
    return config, left_out


def _unquoted(text: str) -> str:
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    return text


def import_staticfile(text: str) -> Imported:
    """Return what ``text`` comes to."""
    imported = Imported()
    config, imported.missing = read_staticfile(text)
    for key, value in config.items():
        if key == "status_codes":
            _error_pages(value, imported)
        elif isinstance(value, dict):
            if value or key not in (*_SWITCHES, "force_https"):
                imported.miss(key, "a value is wanted" if not value else "there is no equivalent")
        elif key == "root":
            imported.settings["path"] = value
        elif key in _SWITCHES or key == "force_https":
            _switch(key, value, imported)
        elif not key.startswith(_HSTS) and value.lower() not in _OFF:
            imported.miss(key)
    _transport_security(config, imported)
    return imported


def _switch(key: str, value: str, imported: Imported) -> None:
    if value.lower() in _ON and key == "force_https":
        imported.https_redirect(key, True)
    elif value.lower() in _ON:
        imported.settings[_SWITCHES[key]] = True
    elif value.lower() not in _OFF:
        imported.miss(key, f"{value!r} is neither on nor off")


def _error_pages(value: str | dict[str, str], imported: Imported) -> None:
    if not isinstance(value, dict):
        imported.miss("status_codes", "statuses with their pages are wanted")
        return
    pages = []
    for status, page in value.items():
        if re.fullmatch("[45][0-9][0-9]", status) and page:
            pages.append(f"{status}=/{page.lstrip('/')}")
        else:
            imported.miss(f"status_codes.{status}", "one status from 400 to 599 is wanted")
    if pages:
        imported.settings["error-page"] = pages


def _transport_security(config: dict[str, str | dict[str, str]], imported: Imported) -> None:
    """RFC 6797 section 6.1, with the year that the buildpack says."""

    def is_on(key: str) -> bool:
        return str(config.get(key, "")).lower() in _ON

    if not is_on(_HSTS):
        return
    value = "max-age=31536000"
    if is_on(f"{_HSTS}_include_subdomains"):
        value += "; includeSubDomains"
    if is_on(f"{_HSTS}_preload"):
        value += "; preload"
    imported.header(_HSTS, "/*", {"Strict-Transport-Security": value})
