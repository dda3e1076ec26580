"""``tinyhttp check [options] [DIR]``: what is wrong with a site before anybody visits it.

Configuration, rules, passwords, certificates, and every file. Nothing is written or served.

Exit status: 0, there are no errors (with ``--strict``: no warnings either); 1, there are; 2, the
options or the configuration file can't be understood, so that nothing else was looked at.
"""

import json
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from twisted.python import usage

from ..assembly import make_server
from ..core.rules import ERROR as RULE_ERROR
from ..options import CannotStart, Options
from ..policies import make_policy, problems_of
from ..server.server import Server
from ..site.files import Files
from ..site.tree import Tree
from .findings import ERROR, NOTE, WARNING, Findings
from .rehearsal import Waiting
from .rule_targets import check_error_pages, check_targets
from .survey import Survey
from .terminal import complain, endable, say

__all__ = ["main"]


class _Options(Options):
    """The server's options, and how to tell what was found."""

    synopsis = "Usage: tinyhttp check [options of the server] [--json] [--quiet] [--strict] [DIR]"
    longdesc = (
        "Checks configuration, rules, passwords, certificates and files without serving. Exit "
        "status: 0, no errors; 1, errors; 2, the options can't be understood."
    )
    optFlags: ClassVar[list[list[Any]]] = [
        ["json", None, "Print JSON."],
        ["quiet", None, "Print errors and warnings alone."],
        ["strict", None, "Let warnings count as errors for the exit status."],
    ]
    optParameters: ClassVar[list[list[Any]]] = [
        ["most", None, "20", "Findings of one kind that are told one by one; others are counted."],
    ]

    def parseArgs(self, *words: str) -> None:  # noqa: N802 (Twisted's name)
        """Take the directory, and look at the options of this command."""
        super().parseArgs(*words)
        if not re.fullmatch("[0-9]{1,6}", self["most"]):
            raise usage.UsageError(f"--most {self['most']!r}: a number is wanted")


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit status."""
    options = _Options()
    try:
        options.parseOptions(list(arguments))
    except CannotStart as error:
        complain(str(error).replace("tinyhttp:", "tinyhttp check:", 1))
        return 2
    findings = Findings(int(options["most"]))
    with endable():
        check = _Check(options, findings)
        check.run()
    if options["json"]:
        _print_json(findings, check)
    else:
        findings.report(quiet=options["quiet"])
        if not options["quiet"]:
            places = f"{check.directories} directories, {check.files} files"
            say(f"{places}: {findings.summary()}")
    bad = findings.count(ERROR) + (findings.count(WARNING) if options["strict"] else 0)
    return 1 if bad else 0


class _Check:
    """One check of everything that ``options`` name."""

    def __init__(self, options: Options, findings: Findings):
        self._options = options
        self._findings = findings
        self._reactor = Waiting()
        self.files = self.directories = 0

    @property
    def _sites(self) -> Iterator[Mapping[str, Any]]:
        yield self._options
        yield from (values for _, values in self._options["hosts"])

    def run(self) -> None:
        """Look at everything."""
        for values in self._sites:
            self._check_site(values)
        self._check_certificates()
        server = None if self._findings.count(ERROR) else self._server()
        if server is None:
            text = "where rules lead was not looked at, as there are errors"
            self._findings.add("rules", NOTE, text)
        else:
            self._check_policies(server)
        quiet = self._options["quiet"] or self._options["json"]
        for values in self._sites:
            self._survey(values, quiet=quiet)

    def _check_site(self, values: Mapping[str, Any]) -> None:
        problems = problems_of(values)
        for problem in problems:
            severity = ERROR if problem.severity == RULE_ERROR else WARNING
            self._findings.add("rules", severity, str(problem).replace(f"{severity}: ", "", 1))
        if not any(problem.severity == RULE_ERROR for problem in problems):
            try:
                make_policy(values)
            except CannotStart as error:
                self._configuration(error)
        for source in dict.fromkeys(source for _, source in values["auth"]):
            self._check_passwords(source)

    def _configuration(self, error: CannotStart) -> None:
        for line in str(error).removeprefix("tinyhttp: ").splitlines():
            self._findings.add("configuration", ERROR, line)

    def _check_passwords(self, source: str) -> None:
        # Here, as it costs memory that a site without passwords does without.
        from ..server.disk import Disk
        from ..server.password_tables import CannotLoad
        from ..server.passwords import Passwords

        disk = Disk(self._reactor, 0)  # type: ignore[arg-type]
        try:
            passwords = Passwords([source], reactor=self._reactor, disk=disk, environ=os.environ)
        except CannotLoad as error:
            for line in str(error).splitlines():
                self._findings.add("passwords", ERROR, line.replace(": error: ", ": ", 1))
            return
        for problem in passwords.warnings:
            line = str(problem).replace(": warning: ", ": ", 1)
            self._findings.add("passwords", WARNING, line)

    def _check_certificates(self) -> None:
        pairs = self._options["tls-pairs"]
        if not pairs:
            return
        try:
            from ..server.certificates import AHEAD
            from ..server.key_pair import BadCertificate, KeyPair, date_of, load
        except ModuleNotFoundError as error:
            self._findings.add("certificates", ERROR, f"{error.name} is missing")
            return
        now = time.time()
        for certificate, key in pairs:
            try:
                loaded = load(KeyPair(certificate, key), now)
            except BadCertificate as error:
                self._findings.add("certificates", ERROR, str(error))
            else:
                days = int(loaded.not_after - now) // 86400
                ahead = min(AHEAD, (loaded.not_after - loaded.not_before) / 3)
                text = f"{certificate}: good until {date_of(loaded.not_after)}, {days} days"
                severity = WARNING if loaded.not_after - now < ahead else NOTE
                self._findings.add("certificates", severity, text)

    def _server(self) -> Server | None:
        """Return the server that the options describe, ``None`` if it can't be had."""
        log, threads = self._options["access-log"], self._options["threads"]
        self._options["access-log"], self._options["threads"] = "none", 0
        try:
            return make_server(self._reactor, self._options)
        except CannotStart as error:
            self._configuration(error)
            return None
        finally:
            self._options["access-log"], self._options["threads"] = log, threads

    def _check_policies(self, server: Server) -> None:
        try:
            for host in server.hosts.every:
                if isinstance(host.site.files, Files):
                    check_error_pages(host.policy, host.site.files, self._findings)
                    check_targets(host.policy, host.site.files, time.time(), self._findings)
        finally:
            _ = server.stop(grace=0)

    def _survey(self, values: Mapping[str, Any], *, quiet: bool) -> None:
        try:
            tree = Tree(values["path"], follow_links=values["follow-symlinks"])
        except OSError as error:
            self._findings.add("files", ERROR, f"{values['path']}: {error.strerror}")
            return
        try:
            longest = self._options["max-request-line"]
            survey = Survey(tree, values, longest, self._findings, quiet=quiet)
            survey.run()
            self.files += survey.files
            self.directories += survey.directories
        finally:
            tree.close()


def _print_json(findings: Findings, check: _Check) -> None:
    groups = {
        group: [
            {"severity": severity, "count": count, "first": texts}
            for severity, count, texts in kinds
        ]
        for group, kinds in findings.groups()
    }
    counts = {f"{each}s": findings.count(each) for each in (ERROR, WARNING, NOTE)}
    told = {"directories": check.directories, "files": check.files, **counts, "groups": groups}
    say(json.dumps(told, indent=2))
