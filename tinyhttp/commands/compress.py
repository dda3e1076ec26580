"""``tinyhttp compress DIR``: precompressed sidecars beside every file that gets smaller.

Exit status: 0, all sidecars are as they should be; 1, some are not (``--check`` found what is
missing or stale, a file failed, or a wrong sidecar was left); 2, the command line is wrong or DIR
can't be read; 130 and 143, ended by INT and TERM.
"""

import argparse
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from ..core.media_types import is_compressible, media_type
from ..site.coding import BEST, CODINGS, EXTENSIONS, LEVELS, LIBRARIES, QUICK, is_available
from ..site.tree import Tree
from ..site.walk import Names, walk
from .parallel import Stop, in_threads, usable_processors
from .sidecars import Change, Outcome, Rules, Sidecars
from .terminal import Progress, amount, complain, endable, say, shown

__all__ = ["main"]

_DONE = frozenset((Change.WRITTEN, Change.CURRENT))
_BAD = frozenset((Change.MISSING, Change.STALE, Change.LEFT, Change.FAILED))
_TOLD = _BAD | {Change.TOO_LARGE, Change.PRUNED}
_SIZE = re.compile(r"([0-9]{1,12})([KMG]?)(?:iB)?", re.IGNORECASE)
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit status."""
    options = _parser().parse_args(arguments)
    codings, left_out = _available(options.codings)
    for coding in left_out:
        complain(
            f"tinyhttp compress: {coding.decode()} is left out: it needs the library "
            f"{LIBRARIES[coding]} (pip install 'twisted-tinyhttp[compress]')"
        )
    if not codings:
        return 2
    try:
        tree = Tree(options.directory)
    except OSError as error:
        complain(f"tinyhttp compress: {options.directory}: {error.strerror}")
        return 2
    try:
        with endable():
            return _Run(tree, options, codings).run()
    finally:
        tree.close()


def _available(wanted: Iterable[bytes] | None) -> tuple[list[bytes], list[bytes]]:
    codings = CODINGS if wanted is None else tuple(wanted)
    return (
        [coding for coding in codings if is_available(coding)],
        [coding for coding in codings if not is_available(coding)],
    )


class _Run:
    """One run over ``tree``."""

    def __init__(self, tree: Tree, options: argparse.Namespace, codings: Sequence[bytes]):
        self._tree = tree
        self._options = options
        self._codings = codings
        self._types = dict.fromkeys(options.also, b"text/plain")
        self._changes: Counter[tuple[bytes, Change]] = Counter()
        self._before: Counter[bytes] = Counter()
        self._after: Counter[bytes] = Counter()
        self._unreadable: set[Names] = set()
        levels = {**BEST, **dict(options.level)}
        self._rules = Rules(
            levels, options.min_size, options.max_size, options.check, options.prune
        )

    def run(self) -> int:
        began = time.monotonic()
        tasks = [(names, coding) for names in self._files() for coding in self._codings]
        stop = Stop()
        sidecars = Sidecars(self._tree, self._rules, stop)
        progress = Progress("compress", len(tasks), quiet=self._options.quiet)
        try:
            for outcome in in_threads(
                lambda task: sidecars.update(*task), tasks, self._options.jobs, stop
            ):
                self._count(outcome, progress)
        finally:
            progress.clear()
        if not self._options.quiet:
            self._summarise(time.monotonic() - began)
        bad = sum(count for (_, change), count in self._changes.items() if change in _BAD)
        return 1 if bad or self._unreadable else 0

    def _files(self) -> Iterator[Names]:
        """Give the files that may be worth it, by their names alone."""
        for names in walk(self._tree, self._report, hidden_files=self._options.hidden_files):
            if is_compressible(media_type(names[-1], self._types)):
                yield names

    def _report(self, names: Names, error: OSError) -> None:
        self._unreadable.add(names)
        complain(f"{shown(names)}: {error.strerror or error}")

    def _count(self, outcome: Outcome, progress: Progress) -> None:
        self._changes[outcome.coding, outcome.change] += 1
        if outcome.change in _DONE:
            self._before[outcome.coding] += outcome.before
            self._after[outcome.coding] += outcome.after
        if outcome.change in _TOLD:
            self._tell(outcome, progress)
        progress.step(shown(outcome.names))

    def _tell(self, outcome: Outcome, progress: Progress) -> None:
        if self._options.quiet and outcome.change not in _BAD:
            return
        progress.clear()
        if outcome.change is Change.FAILED:
            if outcome.names not in self._unreadable:  # not once more for each coding
                self._unreadable.add(outcome.names)
                complain(f"{shown(outcome.names)}: {outcome.reason}")
            return
        name = (*outcome.names[:-1], outcome.names[-1] + EXTENSIONS[outcome.coding])
        advice = "; --prune removes it" if outcome.change is Change.LEFT else ""
        say(f"{outcome.change.value}: {shown(name)}{advice}")

    def _summarise(self, seconds: float) -> None:
        rows = [("coding", "sidecars", "before", "after", "share")]
        for coding in self._codings:
            count = sum(self._changes[coding, change] for change in _DONE)
            before, after = self._before[coding], self._after[coding]
            share = f"{100 * after / before:.0f} %" if before else "-"
            rows.append((coding.decode(), str(count), amount(before), amount(after), share))
        for first, *others in rows:
            say(f"{first:8}" + "".join(f"{cell:>12}" for cell in others))
        totals: Counter[Change] = Counter()
        for (_, change), count in self._changes.items():
            if change is not Change.NO_FILE:
                totals[change] += count
        said = [f"{totals[change]} {change.value}" for change in Change if totals[change]]
        say(f"{', '.join(said) or 'no files to compress'}; {seconds:.1f} s")


# The command line.


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tinyhttp compress",
        description="Write sidecars (.br, .zst, .gz) beside the files of DIR that get smaller by "
        "them. Those that are up to date are left alone.",
        epilog="Exit status: 0, all is as it should be; 1, something is missing, stale or has "
        "failed; 2, wrong usage.",
    )
    add = parser.add_argument
    add("directory", metavar="DIR", help="directory that is to be served")
    add("--codings", type=_codings, metavar="br,zstd,gzip", help="codings to make [all of them]")
    add(
        "--level",
        type=_level,
        action="extend",
        default=[],
        metavar="fast|best|CODING=N",
        help="how hard to try; may be repeated [best: br=11, zstd=19, gzip=9]",
    )
    add(
        "--jobs",
        type=_count,
        default=usable_processors(),
        metavar="N",
        help="threads [%(default)s]",
    )
    add("--min-size", type=_octets, default=Rules.min_size, metavar="OCTETS",
        help="smaller files are left alone [256]")  # fmt: skip
    add("--max-size", type=_octets, default=Rules.max_size, metavar="OCTETS",
        help="larger files are left alone [128M]")  # fmt: skip
    add("--also", type=_extension, action="append", default=[], metavar="EXT",
        help="extension of files that are worth it too; may be repeated")  # fmt: skip
    add("--hidden-files", action="store_true", help="names that start with a dot too")
    add("--prune", action="store_true", help="remove sidecars that would not be written")
    add("--check", action="store_true", help="write nothing; list what is missing or stale")
    add("--quiet", action="store_true", help="say only what is wrong")
    return parser


def _codings(text: str) -> list[bytes]:
    chosen = []
    for name in text.split(","):
        coding = name.strip().encode("ascii", "replace")
        if coding not in CODINGS:
            raise argparse.ArgumentTypeError(f"{name!r} is none of br, zstd and gzip")
        if coding not in chosen:
            chosen.append(coding)
    return chosen


def _level(text: str) -> list[tuple[bytes, int]]:
    presets = {"fast": QUICK, "best": BEST}
    if text in presets:
        return list(presets[text].items())
    name, _, number = text.partition("=")
    levels = LEVELS.get(name.encode("ascii", "replace"))
    if levels is None:
        raise argparse.ArgumentTypeError(f"{text!r}: fast, best or CODING=N is wanted, as br=9")
    if not re.fullmatch("[0-9]{1,2}", number) or int(number) not in levels:
        wanted = f"a level from {levels[0]} to {levels[-1]} is wanted"
        raise argparse.ArgumentTypeError(f"{text!r}: {wanted}")
    return [(name.encode(), int(number))]


def _count(text: str) -> int:
    if not re.fullmatch("[1-9][0-9]{0,2}", text):
        raise argparse.ArgumentTypeError(f"{text!r}: a number from 1 to 999 is wanted")
    return int(text)


def _octets(text: str) -> int:
    m = _SIZE.fullmatch(text)
    if m is None:
        raise argparse.ArgumentTypeError(f"{text!r}: octets are wanted, such as 1024 or 64K")
    return int(m[1]) * _UNITS[m[2].upper()]


def _extension(text: str) -> bytes:
    if not re.fullmatch(r"\.?[^./\s]+", text):
        raise argparse.ArgumentTypeError(f"{text!r}: an extension is wanted, such as dat")
    return text.removeprefix(".").lower().encode("utf-8", "surrogateescape")
