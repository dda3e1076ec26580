"""The results as tables: aligned plain text, and Markdown."""

from collections.abc import Iterable, Sequence

from .cases import CASES, Case
from .results import Results, Summary
from .servers import MEASURED, SERVERS
from .targets import TARGETS

__all__ = ["markdown_cases", "markdown_targets", "measured_cases", "plain_text"]

_COLUMNS = (
    "server",
    "",
    "to nginx",
    "spread",
    "requests/s",
    "p50 us",
    "p99 us",
    "load us",
    "errors",
)


def measured_cases(results: Results) -> list[Case]:
    """Return the cases of which there are results, in their order."""
    seen = {case for case, _ in [*results.samples, *results.notes]}
    return [case for case in CASES if case.name in seen]


def plain_text(results: Results) -> str:
    """Return a block for each case: a line for each server."""
    blocks = [_block(results, case) for case in measured_cases(results)]
    return "\n\n".join(blocks) + "\n"


def _block(results: Results, case: Case) -> str:
    head = [case.unit if column == "" else column for column in _COLUMNS]
    rows, remarks = [head], []
    for server in SERVERS:
        summary = results.summary(case.name, server.name)
        note = results.notes.get((case.name, server.name))
        if summary is not None:
            rows.append([server.name, *_cells(summary)])
        if note is not None:
            remarks.append(f"  {server.name}: {note}")
    return "\n".join([f"{case.name}: {case.title}", *_aligned(rows), *remarks])


def _cells(summary: Summary) -> list[str]:
    return [
        _figure(summary.value),
        _figure(summary.ratio),
        f"{summary.spread:.0%}",
        _count(summary.per_second),
        _count(summary.p50),
        _count(summary.p99),
        _figure(summary.load),
        str(summary.errors),
    ]


def _aligned(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    """Return the rows as lines: names to the left, figures to the right of their columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *figures in rows:
        cells = [figure.rjust(width) for figure, width in zip(figures, widths[1:], strict=True)]
        yield "  " + "  ".join([name.ljust(widths[0]), *cells])


def _figure(value: float | None) -> str:
    """Return a measured figure with three digits that mean something."""
    if value is None:
        return "-"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _count(value: float | None) -> str:
    """Return a figure in whole numbers, unless it is a small one."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 10 else f"{value:.2f}"


def markdown_targets(results: Results) -> str:
    """Return what is to be reached beside what was measured."""
    rows = [["figure", "measured", "must", "reach for", ""]]
    for target in TARGETS:
        sign = ">=" if target.at_least else "<="
        must, reach = (f"{sign} {bound:g}" for bound in (target.bounds.must, target.bounds.reach))
        measured = _figure(target.measured(results))
        rows.append([target.title, measured, must, reach, target.verdict(results)])
    return _markdown(rows)


def markdown_cases(results: Results) -> str:
    """Return the medians: a row for each case, a column for each server."""
    servers = [server.name for server in SERVERS if _was_measured(results, server.name)]
    rows = [["case", "in", *servers, f"{MEASURED} / nginx"]]
    for case in measured_cases(results):
        values = [_figure(results.value(case.name, server)) for server in servers]
        ratio = _figure(results.ratio(case.name, MEASURED))
        rows.append([case.title, case.unit, *values, f"**{ratio}**"])
    return _markdown(rows)


def _was_measured(results: Results, server: str) -> bool:
    return any(name == server for _, name in results.samples)


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    head, *rest = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([head, "|---" * len(rows[0]) + "|", *rest])
