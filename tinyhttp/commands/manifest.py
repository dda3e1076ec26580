"""``tinyhttp manifest DIR``: what every file of a tree holds, written down or checked.

Exit status: 0, the manifest is written, or the tree is as it says; 1, the tree differs, or a file
can't be read; 2, the command line is wrong, DIR can't be opened, or what was to be checked is no
manifest; 130 and 143, ended by INT and TERM.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from secrets import token_hex
from typing import TypeVar

from ..core.path import SitePath, is_hidden
from ..site.manifest import MANIFEST, Malformed, Manifest, load, render
from ..site.tree import Tree
from ..site.verification import Audit, Differences
from ..site.walk import Names
from .parallel import Stop, in_threads, usable_processors
from .terminal import Progress, amount, complain, endable, say, shown

__all__ = ["describe", "main", "verify"]

T = TypeVar("T")
R = TypeVar("R")

_MOST_NAMED = 10


def verify(
    directory: str, manifest: str | os.PathLike[str], *, follow_links: bool = False, jobs: int = 0
) -> Differences:
    """Return how ``directory`` differs from the manifest in a file.

    Reads in ``jobs`` threads, as many as there are processors if 0. Raises
    `tinyhttp.site.manifest.Malformed` and ``OSError``.
    """
    wanted = load(manifest)
    tree = Tree(directory, follow_links=follow_links)
    try:
        return _audit(tree, jobs or usable_processors(), wait=time.sleep).differences(wanted)
    finally:
        tree.close()


def describe(differences: Differences, most: int = _MOST_NAMED) -> list[str]:
    """Return a line for each of the first ``most`` files that differ, and one with the count."""
    kinds = (
        ("changed", differences.changed),
        ("missing", differences.missing),
        ("added", differences.added),
        ("can't be read", differences.unreadable),
    )
    lines = [f"{kind}: {shown(names)}" for kind, files in kinds for names in files[:most]][:most]
    counts = ", ".join(f"{len(files)} {kind}" for kind, files in kinds if files)
    return [*lines, f"the tree differs from its manifest: {counts}"]


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit status."""
    options = _parser().parse_args(arguments)
    output = options.output or os.path.join(options.directory, os.fsdecode(MANIFEST))
    try:
        with endable():
            if options.check:
                return _check(options, output)
            return _write(options, output)
    except Malformed as error:
        complain(f"tinyhttp manifest: {output}: {error}")
    except OSError as error:
        complain(f"tinyhttp manifest: {error.filename or output}: {error.strerror or error}")
    return 2


def _audit(
    tree: Tree,
    jobs: int,
    progress: Progress | None = None,
    wait: Callable[[float], object] = int,
) -> Audit:
    stop = Stop()

    def each(function: Callable[[T], R], items: Iterable[T], /) -> Iterator[R]:
        for result in in_threads(function, items, jobs, stop):
            if progress is not None:
                progress.step()
            yield result

    return Audit(tree, time.time, each=each, pause=stop.look, wait=wait)


def _check(options: argparse.Namespace, output: str) -> int:
    wanted = load(output)
    progress = Progress("check", len(wanted.entries), quiet=options.quiet)
    tree = Tree(options.directory, follow_links=options.follow_symlinks)
    try:
        differences = _audit(tree, options.jobs, progress).differences(wanted)
    finally:
        tree.close()
        progress.clear()
    if differences:
        for line in describe(differences, options.most):
            say(line)
        return 1
    if not options.quiet:
        say("the tree is as its manifest says")
    return 0


def _write(options: argparse.Namespace, output: str) -> int:
    if not _may_lie_there(options, output):
        complain(
            f"tinyhttp manifest: --output {output}: it would be a file of the tree itself; a name "
            "that starts with a dot is wanted, or one outside"
        )
        return 2
    began = time.monotonic()
    tree = Tree(options.directory, follow_links=options.follow_symlinks)
    try:
        manifest, failures = _survey(tree, options)
    finally:
        tree.close()
    if failures:
        complain("tinyhttp manifest: nothing is written, as not all files could be read")
        return 1
    _replace(output, render(manifest))
    if not options.quiet:
        size = amount(sum(entry.size for entry in manifest.entries.values()))
        seconds = time.monotonic() - began
        say(f"{len(manifest.entries)} files, {size}; {seconds:.1f} s")
    return 0


def _survey(tree: Tree, options: argparse.Namespace) -> tuple[Manifest, int]:
    """Return what ``tree`` holds, and how many of its files could not be read."""
    failures: list[Names] = []

    def report(names: Names, error: OSError) -> None:
        failures.append(names)
        complain(f"{shown(names)}: {error.strerror or error}")

    hidden_files = options.hidden_files
    files = list(Audit(tree, time.time).files(report, hidden_files=hidden_files))
    progress = Progress("manifest", len(files), quiet=options.quiet)
    try:
        entries = dict(_audit(tree, options.jobs, progress).entries(files, report))
    finally:
        progress.clear()
    return Manifest(entries, hidden_files), len(failures)


def _may_lie_there(options: argparse.Namespace, output: str) -> bool:
    """Return whether a manifest at ``output`` is none of the files that it is about."""
    directory = os.path.realpath(os.path.dirname(output) or ".")
    way = os.path.relpath(directory, os.path.realpath(options.directory))
    if way == os.pardir or way.startswith(os.pardir + os.sep):
        return True
    names = tuple(os.fsencode(os.path.join(way, os.path.basename(output))).split(b"/"))
    names = names[1:] if names[0] == b"." else names
    hidden = is_hidden(SitePath(names, False)) and not options.hidden_files
    return hidden or names == (MANIFEST,)


def _replace(output: str, content: bytes) -> None:
    """Write the file ``output``; nobody sees it half written."""
    temporary = os.path.join(os.path.dirname(output), f".tinyhttp-{token_hex(8)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        os.rename(temporary, output)
    except BaseException:
        os.unlink(temporary)
        raise


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tinyhttp manifest",
        description="Write down size and SHA-256 of every file in DIR, or check them.",
        epilog="Exit status: 0, it is written, or the tree is as it says; 1, the tree differs or "
        "can't be read; 2, wrong usage, or no manifest.",
    )
    add = parser.add_argument
    add("directory", metavar="DIR", help="directory that is to be served")
    add(
        "--output",
        metavar="FILE",
        help=f"the manifest, to be written or checked [DIR/{os.fsdecode(MANIFEST)}]",
    )
    add("--check", action="store_true", help="write nothing; tell what differs")
    add("--hidden-files", action="store_true", help="names that start with a dot too")
    add(
        "--follow-symlinks",
        action="store_true",
        help="files that a link outside leads to too, as the server's option does",
    )
    add(
        "--jobs",
        type=_count,
        default=usable_processors(),
        metavar="N",
        help="threads [%(default)s]",
    )
    add("--most", type=_count, default=_MOST_NAMED, metavar="N",
        help="files that --check names [%(default)s]")  # fmt: skip
    add("--quiet", action="store_true", help="say only what is wrong")
    return parser


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r}: a number from 1 on is wanted")
    return int(text)
