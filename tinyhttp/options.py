"""The command line: twistd's way of reading it, for the settings in `tinyhttp.settings`.

Everything is checked here that can be checked without opening anything; whatever is wrong is told
in one line.
"""

import getopt
import os
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from twisted.python import usage

from .configuration import (
    TABLES,
    Configuration,
    Given,
    Layer,
    Mistake,
    choose,
    environment,
    file,
    guess,
    nothing,
    printed,
)
from .settings import GRACE, SETTINGS, SITE, Setting, port

__all__ = ["GRACE", "CannotStart", "Options"]

_NEGATED = {f"--no-{each.name}": each.name for each in SETTINGS if each.flag}

_ELSEWHERE = {
    **dict.fromkeys(("root", "directory", "dir", "document-root"), "path"),
    **dict.fromkeys(("bind", "host", "address", "interface"), "listen"),
    **dict.fromkeys(("cert", "certificate", "ssl-cert"), "tls-cert"),
    **dict.fromkeys(("ssl-key", "private-key"), "tls-key"),
    **dict.fromkeys(("autoindex", "browse"), "listing"),
    **dict.fromkeys(("single", "fallback"), "spa"),
    **dict.fromkeys(("gzip", "brotli"), "compress"),
}
"""What other servers call our settings."""


class CannotStart(SystemExit, Exception):  # noqa: N818 (it is both, and says what it means)
    """The service can't start, for the reason given in one line.

    As a ``SystemExit`` it ends the process with that line and status 1 instead of a traceback; as
    an ``Exception`` it is passed on by twistd from a daemon to the terminal that started it.
    """

    def __init__(self, reason: str):
        super().__init__(f"tinyhttp: {reason}")


def _completer(setting: Setting) -> usage.Completer:
    if setting.path == "directory":
        return usage.CompleteDirs(descr=setting.about.rstrip(".").lower())
    if setting.path:
        return usage.CompleteFiles(descr=" or ".join(["file", *setting.words]))
    return usage.Completer(descr=setting.hint or "number")


def _about(setting: Setting) -> str:
    default = setting.shown or setting.default
    return setting.about if default in ("", "-") else f"{setting.about} [default: {default}]"


class Options(usage.Options):
    """Options of ``twistd tinyhttp``.

    Once parsed, it is a dict of the values of all settings by their names, and of ``endpoints``
    (where to listen) and ``mime-types`` (extension to field value). Paths are relative to
    ``directory``: the current one, unless told otherwise.
    """

    synopsis = "[options] [DIRECTORY]"
    longdesc = (
        "Serves the files of a directory over HTTP/1.1. Every option may stand in the environment "
        "(--max-head as TINYHTTP_MAX_HEAD) and in a configuration file as well; a switch is "
        "switched off by --no- before its name."
    )

    optParameters: ClassVar[list[list[Any]]] = [
        ["config", None, None, "Configuration file (TOML), with the same names."],
        *([each.name, None, None, _about(each)]
          for each in SETTINGS if not each.flag and not each.several),
    ]  # fmt: skip

    optFlags: ClassVar[list[list[Any]]] = [
        ["check", None, "Check everything that would be needed, and exit."],
        ["print-config", None, "Print the configuration as it comes out, and exit."],
        *([each.name, None, each.about] for each in SETTINGS if each.flag),
    ]

    compData = usage.Completions(
        multiUse=[each.name for each in SETTINGS if each.several],
        optActions={
            "config": usage.CompleteFiles("*.toml", descr="configuration"),
            **{each.name: _completer(each) for each in SETTINGS if not each.flag},
        },
    )

    def __init__(self, directory: str | None = None) -> None:
        super().__init__()
        self.directory = os.getcwd() if directory is None else directory
        self.arguments: list[str] = []
        """As they were parsed, to parse them anew."""
        self.given: dict[str, Given] = {}
        """What was heard, and of whom."""
        self.configuration = nothing()
        """What the file says."""
        self._collected: dict[str, list[str]] = {}
        self._switched_off: set[str] = set()

    def parseOptions(self, options: list[str] | None = None) -> None:
        """Parse ``options``; raise `CannotStart` with one clear line for whatever is wrong."""
        self.arguments = list(sys.argv[1:] if options is None else options)
        self._switched_off = {_NEGATED[a] for a in self.arguments if a in _NEGATED}
        try:
            heard = [a for a in self.arguments if a not in _NEGATED]
            super().parseOptions(self._options_first(heard))
        except (usage.UsageError, Mistake) as error:
            raise CannotStart(f"{_helpful(str(error))} (--help lists the options)") from None

    def _options_first(self, arguments: list[str]) -> list[str]:
        """Return ``arguments`` with the words behind the options: they may stand between them."""
        try:
            found, words = getopt.gnu_getopt(arguments, self.shortOpt, self.longOpt)
        except getopt.GetoptError as error:
            raise usage.UsageError(str(error)) from None
        taking = {f"--{each}" for each in self.longOpt if each.endswith("=")}
        options = [f"{o}={value}" if f"{o}=" in taking else o + value for o, value in found]
        return [*options, "--", *words]

    def parseArgs(self, *words: str) -> None:  # noqa: N802 (Twisted's name)
        """Take the directory."""
        if len(words) > 1:
            raise usage.UsageError(f"one directory is wanted, not {len(words)}: {' '.join(words)}")
        if words and self["path"] is not None:
            raise usage.UsageError(f"{words[0]!r}: --path says already what to serve")
        if words:
            self["path"] = words[0]

    def again(self) -> "Options":
        """Return what the same arguments, the environment and the file say now."""
        options = Options(self.directory)
        options.parseOptions(self.arguments)
        return options

    def collect(self, name: str, text: str) -> None:
        """Note one of several values of the setting ``name``."""
        self._collected.setdefault(name, []).append(text)

    def opt_version(self) -> None:
        """Display the versions of tinyhttp and Twisted, and exit."""
        from twisted import __version__ as twisted_version

        from . import __version__

        print(f"tinyhttp {__version__}, Twisted {twisted_version}")
        raise SystemExit(0)

    def postOptions(self) -> None:
        """Hear the three layers, and check what can be checked without opening anything."""
        self.given = choose(self._layers())
        self.update(_values(SETTINGS, self.given, self.directory))
        self["mime-types"] = dict(self["mime-type"])
        self.update({name: self.configuration.tables.get(name, []) for name in TABLES})
        self["hosts"] = [
            (names, {**_values(SITE, host.layer, self.directory), **_tables(host)})
            for names, host in self.configuration.hosts
        ]
        for name in ("proxy-from", "trusted-proxy", "exempt"):
            self[name] = [network for networks in self[name] for network in networks]
        self["endpoints"] = list(self["listen"])
        if "listen" not in self.given or "port" in self.given:
            self["endpoints"].append(self["port"])
        self["tls-pairs"] = _pairs(self["tls-cert"], self["tls-key"])
        self["tls-endpoints"] = [_port_of(each) for each in self["tls-port"]]
        if self["tls-endpoints"] and not self["tls-pairs"]:
            raise usage.UsageError("--tls-port: no certificate is given; --tls-cert names one")
        if self["tls-pairs"] and not self["tls-endpoints"]:
            self["tls-endpoints"], self["endpoints"] = self["endpoints"], []
        everywhere = [*self["endpoints"], *self["tls-endpoints"]]
        _check_proxied(self["proxy-from"], everywhere)
        _check_encrypted_once(self["tls-endpoints"])
        if self["print-config"]:
            print(printed(self.given))
            if unprinted := self.configuration.unprinted:
                print(f"# and, as they stand in the file: {', '.join(unprinted)}")
            raise SystemExit(0)

    def _layers(self) -> list[Layer]:
        layers = [self._command_line(), environment(os.environ, self.directory)]
        config = self["config"] or os.environ.get("TINYHTTP_CONFIG")
        if config:
            self.configuration = file(os.path.join(self.directory, config))
            layers.append(self.configuration.layer)
        return layers

    def _command_line(self) -> Layer:
        texts = dict(self._collected)
        for setting in SETTINGS:
            name = setting.name
            if name in self._switched_off:
                texts[name] = ["false"]
            elif setting.flag and self[name]:
                texts[name] = ["true"]
            elif not setting.flag and not setting.several and self[name] is not None:
                texts[name] = [self[name]]
        return {name: Given(each, f"--{name}", self.directory) for name, each in texts.items()}


def _values(settings: Sequence[Setting], layer: Layer, base: str) -> dict[str, Any]:
    """Return the values of ``settings``, by name, as ``layer`` says or by default."""
    values = {}
    for setting in settings:
        default = Given(setting.default_texts, f"--{setting.name}", base)
        values[setting.name] = layer.get(setting.name, default).value(setting)
    return values


def _tables(host: Configuration) -> dict[str, Any]:
    return {name: host.tables.get(name, []) for name in TABLES}


def _collector(setting: Setting) -> Callable[[Options, str], None]:
    """Return the method by which ``usage.Options`` takes an option as often as it comes."""

    def collect(self: Options, text: str) -> None:
        self.collect(setting.name, text)

    collect.__doc__ = setting.about
    return collect


for _setting in SETTINGS:
    if _setting.several:
        setattr(Options, f"opt_{_setting.name.replace('-', '_')}", _collector(_setting))


def _helpful(complaint: str) -> str:
    """Return ``complaint``, and for an option that there is not the one that is probably meant."""
    m = re.fullmatch(r"option --(\S+) not recognized", complaint)
    if m is None:
        return complaint
    if m[1] in _ELSEWHERE:
        return f"{complaint}; --{_ELSEWHERE[m[1]]} is meant for that"
    return complaint + guess(f"--{m[1]}", [f"--{each.name}" for each in SETTINGS])


def _pairs(certificates: list[str], keys: list[str]) -> list[tuple[str, str]]:
    """Return each certificate with its key, which is empty if it is in the same file."""
    if len(keys) > len(certificates):
        raise usage.UsageError(f"--tls-key {keys[-1]!r}: there is no --tls-cert for it")
    return list(zip(certificates, [*keys, *[""] * (len(certificates) - len(keys))], strict=True))


def _port_of(said: str) -> str | int:
    try:
        return port(said)
    except ValueError as error:
        raise usage.UsageError(f"--tls-port {said!r}: {error}") from None


def _check_encrypted_once(endpoints: list[str | int]) -> None:
    for endpoint in endpoints:
        if isinstance(endpoint, str) and endpoint.startswith(("ssl:", "tls:")):
            raise usage.UsageError(
                f"--tls-cert does not go with {endpoint}, which speaks TLS by itself; "
                "listen with tcp: instead, or leave --tls-cert out"
            )


def _check_proxied(networks: list[str], endpoints: list[str | int]) -> None:
    """Refuse endpoints that expect TLS before the PROXY header, which comes first."""
    for endpoint in endpoints if networks else ():
        if isinstance(endpoint, str) and endpoint.startswith(("ssl:", "tls:", "haproxy:")):
            raise usage.UsageError(
                f"--proxy-from does not go with {endpoint}: the PROXY header comes before TLS; "
                "listen with tcp:, and let --tls-cert or the balancer see to TLS"
            )
