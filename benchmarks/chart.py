"""The chart: for each case a bar, as long as tinyhttp's processor time is to nginx's."""

from html import escape

from .cases import CASES, Case
from .results import Results
from .servers import MEASURED
from .targets import RATIOS, Bounds

__all__ = ["draw"]

_LABELS = 280
"""Where the bars begin; all lengths are in pixels."""
_PLOT = 470
_ROW = 30
_BAR = 16
_CUT = 3.0
"""The ratio at which bars are cut."""
_TOP = 78
_BOTTOM = 62
_WIDTH = _LABELS + _PLOT + 70

_STYLE = """
  text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; fill: #24292f; }
  .title { font-size: 16px; font-weight: 600; }
  .quiet { fill: #57606a; font-size: 12px; }
  .figure { font-weight: 600; font-variant-numeric: tabular-nums; }
  .grid { stroke: #d0d7de; stroke-width: 1; }
  .nginx { stroke: #24292f; stroke-width: 1.5; stroke-dasharray: 4 3; }
  .less { fill: #2da44e; } .more { fill: #bf8700; }
  .bound { stroke: #cf222e; stroke-width: 2.5; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; } .quiet { fill: #9198a1; }
    .grid { stroke: #30363d; } .nginx { stroke: #e6edf3; }
    .less { fill: #3fb950; } .more { fill: #d29922; } .bound { stroke: #ff7b72; }
  }
"""


def draw(results: Results) -> str:
    """Return the chart as SVG, for light and for dark backgrounds."""
    bars = [
        (case, ratio)
        for case in CASES
        if case.unit == "us/request" and not case.name.startswith("clients-")
        if (ratio := results.ratio(case.name, MEASURED)) is not None
    ]
    longest = _axis_end(bars)
    height = _TOP + _ROW * len(bars) + _BOTTOM
    rows = [_row(number, case, ratio, longest) for number, (case, ratio) in enumerate(bars)]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
            f'width="{_WIDTH}" height="{height}" role="img" aria-labelledby="title">',
            '<title id="title">Processor time per request, tinyhttp to nginx</title>',
            f"<style>{_STYLE}</style>",
            _text(16, 28, "Processor time per request: tinyhttp / nginx", "title"),
            _text(16, 48, "shorter is better: green is cheaper than nginx", "quiet"),
            *_axis(longest, height),
            *rows,
            _legend(height - 16),
            "</svg>\n",
        ]
    )


def _axis_end(bars: list[tuple[Case, float]]) -> float:
    """Return the ratio at the right end, in halves: room for all bars but the very long ones."""
    shown = [ratio for _, ratio in bars]
    shown += [RATIOS[case.name].must for case, _ in bars if case.name in RATIOS]
    return min(_CUT, max(1.5, (int(max(shown, default=1) * 2 + 0.999)) / 2))


def _x(ratio: float, longest: float) -> float:
    return round(_LABELS + _PLOT * min(ratio, longest) / longest, 1)


def _axis(longest: float, height: int) -> list[str]:
    """Return a line with its number every quarter, or half where there are many; nginx's at 1."""
    step = 0.25 if longest <= 2 else 0.5
    bottom = height - _BOTTOM + 4
    marks = []
    for number in range(int(longest / step) + 1):
        ratio = number * step
        x = _x(ratio, longest)
        kind = "nginx" if ratio == 1 else "grid"
        marks.append(f'<line class="{kind}" x1="{x}" y1="{_TOP - 8}" x2="{x}" y2="{bottom}"/>')
        marks.append(_text(x, bottom + 16, f"{ratio:g}", "quiet", "middle"))
    marks.append(_text(_x(1, longest), _TOP - 14, "nginx", "quiet", "middle"))
    return marks


def _row(number: int, case: Case, ratio: float, longest: float) -> str:
    """Return a bar with its name before it, its figure behind it, and its bound across it."""
    top = _TOP + _ROW * number + (_ROW - _BAR) / 2
    middle = top + _BAR - 3.5
    kind = "less" if ratio <= 1 else "more"
    end = _x(ratio, longest)
    bounds = RATIOS.get(case.name)
    parts = [
        _text(_LABELS - 12, middle, case.title, "", "end"),
        f'<rect class="{kind}" x="{_LABELS}" y="{top}" width="{end - _LABELS:g}" '
        f'height="{_BAR}" rx="2"/>',
        _arrow(kind, end, top) if ratio > longest else "",
        _bound(bounds, top, longest) if bounds else "",
        _text(_figure_at(ratio, bounds, longest), middle, f"{ratio:.2f}", "figure"),
    ]
    return "".join(parts)


def _arrow(kind: str, end: float, top: float) -> str:
    """Return the point of a bar that goes on beyond the axis."""
    half, bottom = top + _BAR / 2, top + _BAR
    return f'<path class="{kind}" d="M{end - 2} {top}L{end + 10} {half}L{end - 2} {bottom}Z"/>'


def _bound(bounds: Bounds, top: float, longest: float) -> str:
    x = _x(bounds.must, longest)
    return f'<line class="bound" x1="{x}" y1="{top - 4}" x2="{x}" y2="{top + _BAR + 4}"/>'


def _figure_at(ratio: float, bounds: Bounds | None, longest: float) -> float:
    """Return where the figure begins: behind its bar, and not across a line."""
    at = _x(ratio, longest) + (16 if ratio > longest else 7)
    lines = {1.0, bounds.must} if bounds else {1.0}
    for line in sorted(_x(line, longest) for line in lines):
        if at - 6 < line < at + 36:
            at = line + 7
    return at


def _legend(y: float) -> str:
    tick = f'<line class="bound" x1="{_LABELS + 4}" y1="{y - 12}" x2="{_LABELS + 4}" y2="{y + 3}"/>'
    return tick + _text(_LABELS + 14, y, "must not be longer than this", "quiet")


def _text(x: float, y: float, text: str, kind: str, anchor: str = "start") -> str:
    return f'<text x="{x}" y="{y}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>'
