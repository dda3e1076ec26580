"""What a series leaves behind: JSON, the chart, and its part of docs/performance.md."""

import json
from pathlib import Path
from typing import Any

from . import chart, tables
from .curve import draw_curve
from .facts import describe
from .results import Results

__all__ = ["load_json", "to_json", "write_documents"]

_DOCS = Path(__file__).parent.parent / "docs"
_BEGIN = "<!-- measured: written by python -m benchmarks --write-docs -->"
_END = "<!-- end of what is measured -->"


def to_json(results: Results, facts: dict[str, object]) -> str:
    """Return everything that was measured and what it was measured on."""
    document = {"facts": facts, "measurements": results.to_json()}
    return json.dumps(document, indent=1) + "\n"


def load_json(path: Path) -> tuple[Results, dict[str, Any]]:
    """Return the results and the facts that `to_json` has written."""
    document = json.loads(path.read_text())
    return Results.from_json(document["measurements"]), document["facts"]


def write_documents(results: Results, facts: dict[str, object]) -> list[Path]:
    """Write the results into docs/performance/ and docs/performance.md; return what was written.

    Raises ValueError if docs/performance.md does not say where.
    """
    folder = _DOCS / "performance"
    folder.mkdir(exist_ok=True)
    table = f"{describe(facts)}\n\n{tables.plain_text(results)}"
    contents = {
        folder / "results.json": to_json(results, facts),
        folder / "results.txt": table,
        folder / "ratios.svg": chart.draw(results),
        folder / "clients.svg": draw_curve(results),
        _DOCS / "performance.md": _refreshed(_DOCS / "performance.md", results, facts),
    }
    for path, text in contents.items():
        path.write_text(text)
    return list(contents)


def _refreshed(page: Path, results: Results, facts: dict[str, object]) -> str:
    """Return the page with what is between the two markers made anew."""
    text = page.read_text()
    if text.count(_BEGIN) != 1 or text.count(_END) != 1:
        raise ValueError(f"{page.name} must hold this line once, {_BEGIN}, and this, {_END}")
    before, _, rest = text.partition(_BEGIN)
    after = rest.partition(_END)[2]
    return before + _BEGIN + _measured(results, facts) + _END + after


def _measured(results: Results, facts: dict[str, object]) -> str:
    """Return the part of the page that is measured."""
    how = f"Medians of {_rounds(results)}, {facts['seconds']} s each. "
    return "\n\n".join(
        [
            "",
            how + describe(facts) + " " + _versions(facts),
            "![Processor time per request, tinyhttp to nginx](performance/ratios.svg)",
            tables.markdown_targets(results),
            "Medians, smaller is better; -: not something that the server does. Requests a second, "
            "latencies, errors and the spread of the rounds are in "
            "[results.txt](performance/results.txt), every sample in "
            "[results.json](performance/results.json).",
            tables.markdown_cases(results),
            "![Processor time per request by number of clients](performance/clients.svg)",
            "",
        ]
    )


def _rounds(results: Results) -> str:
    """Return how many rounds there were; not all cases need have the same."""
    counts = {len(samples) for samples in results.samples.values()} or {0}
    fewest, most = min(counts), max(counts)
    number = str(most) if fewest == most else f"{fewest} to {most}"
    return f"{number} round" + ("" if most == 1 else "s")


def _versions(facts: dict[str, object]) -> str:
    servers = facts["servers"]
    assert isinstance(servers, dict)
    return "; ".join(f"{name}: {version}" for name, version in servers.items()) + "."
