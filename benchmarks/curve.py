"""The curve: what a request costs, by the number of clients that ask at the same time."""

from html import escape
from math import log

from .cases import CLIENTS, clients_case
from .results import Results
from .servers import SERVERS

__all__ = ["draw_curve"]

_LEFT, _TOP, _WIDTH, _HEIGHT = 56, 62, 560, 300
"""Of the plot; all lengths are in pixels."""
_NAMES = 120
"""Room for the names at the ends of the lines."""
_APART = 16
"""At least so far are names from each other."""
_CUT = 60.0
"""Microseconds at which the axis ends; slower servers are left out, or nothing could be seen."""

_STYLE = """
  text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; fill: #57606a; }
  .title { font-size: 16px; font-weight: 600; fill: #24292f; }
  .grid { stroke: #d0d7de; } polyline { fill: none; stroke-width: 1.75; stroke: #8c959f; }
  circle, .name { fill: #57606a; } .ours polyline { stroke: #2da44e; stroke-width: 3; }
  .ours circle, .ours .name { fill: #1a7f37; font-weight: 600; }
  @media (prefers-color-scheme: dark) {
    text { fill: #9198a1; } .title { fill: #e6edf3; } .grid { stroke: #30363d; }
    polyline { stroke: #656c76; } circle, .name { fill: #9198a1; }
    .ours polyline { stroke: #3fb950; } .ours circle, .ours .name { fill: #3fb950; }
  }
"""

_Line = list[tuple[float, float]]


def draw_curve(results: Results) -> str:
    """Return the curve as SVG, for light and for dark backgrounds."""
    lines = {server.name: _line(results, server.name) for server in SERVERS}
    shown = {name: line for name, line in lines.items() if line and max(y for _, y in line) < _CUT}
    top = max((y for line in shown.values() for _, y in line), default=10.0) * 1.1
    width, height = _LEFT + _WIDTH + _NAMES, _TOP + _HEIGHT + 52
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" role="img" aria-labelledby="curve">',
            '<title id="curve">Processor time per request by number of clients</title>',
            f"<style>{_STYLE}</style>",
            '<text class="title" x="16" y="28">'
            "Processor time per request, by number of clients</text>",
            '<text x="16" y="46">microseconds; 1 KiB, kept-alive; lower is better</text>',
            *_grid(top),
            *_curves(shown, top),
            "</svg>\n",
        ]
    )


def _line(results: Results, server: str) -> _Line:
    """Return number of clients and microseconds of each that was measured."""
    values = [(clients, results.value(clients_case(clients), server)) for clients in CLIENTS]
    return [(clients, value) for clients, value in values if value is not None]


def _x(clients: float) -> float:
    return round(_LEFT + _WIDTH * log(clients) / log(CLIENTS[-1]), 1)


def _y(value: float, top: float) -> float:
    return round(_TOP + _HEIGHT * (1 - value / top), 1)


def _grid(top: float) -> list[str]:
    step = 5 if top <= 40 else 10
    marks = []
    for value in range(0, int(top) + 1, step):
        y = _y(value, top)
        marks.append(f'<line class="grid" x1="{_LEFT}" y1="{y}" x2="{_LEFT + _WIDTH}" y2="{y}"/>')
        marks.append(f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{value}</text>')
    bottom = _TOP + _HEIGHT + 20
    marks += [
        f'<text x="{_x(clients)}" y="{bottom}" text-anchor="middle">{clients:,}</text>'
        for clients in CLIENTS
    ]
    middle = _LEFT + _WIDTH / 2
    marks.append(f'<text x="{middle}" y="{bottom + 20}" text-anchor="middle">clients</text>')
    return marks


def _curves(lines: dict[str, _Line], top: float) -> list[str]:
    """Return the lines, with their names at their ends, none of which hides another."""
    parts = []
    lowest = float("inf")
    for name, line in sorted(lines.items(), key=lambda item: item[1][-1][1]):
        points = [(_x(clients), _y(value, top)) for clients, value in line]
        at = lowest = min(points[-1][1] + 4, lowest - _APART)
        kind = "ours" if name == SERVERS[0].name else "theirs"
        parts.append(
            f'<g class="{kind}"><polyline points="{" ".join(f"{x},{y}" for x, y in points)}"/>'
            + "".join(f'<circle cx="{x}" cy="{y}" r="3"/>' for x, y in points)
            + f'<text class="name" x="{points[-1][0] + 10}" y="{at}">{escape(name)}</text></g>'
        )
    return parts
