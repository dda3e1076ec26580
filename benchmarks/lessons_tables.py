"""The tables of docs/lessons, in both languages, from the figures and from the attacks."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

__all__ = ["STAGES", "write"]

STAGES = {
    "stage1_one_file": 1,
    "stage2_threads_flawed": 2,
    "stage2_threads": 2,
    "stage3_processes_flawed": 3,
    "stage3_processes": 3,
    "stage5_twisted": 5,
    "stage6_lines": 6,
    "stage7_threads": 7,
    "stage8_plugin": 8,
    "stage9_tinyhttp": 9,
    "tinyhttp": 9,
}
"""Every server that is measured, and the stage whose page shows it first."""

_BEGIN = "<!-- measured: {kind}; written by python -m benchmarks.lessons --write-docs -->"
_END = "<!-- end of what is measured -->"
_REGION = re.compile(
    re.escape(_BEGIN).replace(re.escape("{kind}"), r"(\w+)(?: (\d))?") + ".*?" + re.escape(_END),
    re.DOTALL,
)

_ENGLISH = {
    "stages": (
        "server",
        "CPU per request, us",
        "the same, one connection, us",
        "memory with {silent} silent clients, MiB (PSS; RSS)",
        "each, KiB",
        "processes, threads",
        "held for, s",
        "others served",
    ),
    "options": ("option", "at first", "to set it, us"),
    "attacks": ("request",),
    "falls": "**falls**",
    "chance": "by chance",
    "holds": "holds",
    "yes": "yes",
    "no": "**no**",
    "for ever": "for ever",
    "none": "(none)",
    "machine": "Medians of {rounds} rounds of {requests} requests for 1 KiB. {processor} "
    "({machine}), {cores} cores, {memory_gib} GiB, {system}, {python}; {day}.",
}
_CHINESE = {
    "stages": (
        "服务器",
        "每个请求的 CPU 时间，us",
        "同上，复用一个连接，us",
        "{silent} 个沉默客户端时的内存，MiB（PSS；RSS）",
        "每个，KiB",
        "进程数，线程数",
        "占用多久，s",
        "别人还能得到服务吗",
    ),
    "options": ("选项", "初始值", "设置一次，us"),
    "attacks": ("请求",),
    "falls": "**失守**",
    "chance": "看运气",
    "holds": "守住",
    "yes": "能",
    "no": "**不能**",
    "for ever": "永远",
    "none": "（空）",
    "machine": "{rounds} 轮的中位数，每轮 {requests} 个请求，文件为 1 KiB。{processor}"
    "（{machine}），{cores} 核，{memory_gib} GiB，{system}，{python}；{day}。",
}


def write(docs: Path, figures: dict[str, Any], attacks: list[dict[str, Any]]) -> Iterator[Path]:
    """Fill the marked places of every page, and give the pages."""
    for folder, words in ((docs, _ENGLISH), (docs / "zh", _CHINESE)):
        for page in sorted(folder.glob("[0-9][0-9]-*.md")):
            fill = _filler(figures, attacks, words)
            page.write_text(_REGION.sub(fill, page.read_text()))
            yield page


def _filler(
    figures: dict[str, Any], attacks: list[dict[str, Any]], words: dict[str, Any]
) -> Callable[[re.Match[str]], str]:
    """Return what makes a marked place anew."""

    def fill(found: re.Match[str]) -> str:
        kind, number = found[1], found[2]
        below = ""
        if kind == "stages":
            rows = _stages(figures, int(number), words)
            below = "\n\n" + words["machine"].format(**figures["facts"])
        elif kind == "options":
            rows = _options(figures, words)
        else:
            rows = _attacks(attacks, words)
        named = f"{kind} {number}" if number else kind
        return f"{_BEGIN.format(kind=named)}\n\n{_table(rows)}{below}\n\n{_END}"

    return fill


def _table(rows: list[list[str]]) -> str:
    rows = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _stages(figures: dict[str, Any], last: int, words: dict[str, Any]) -> list[list[str]]:
    """Return a row for each server up to a stage."""
    silent = figures["facts"]["silent"]
    rows = [[head.format(silent=silent) for head in words["stages"]]]
    for name, figure in figures["stages"].items():
        if STAGES[name] <= last:
            rows.append(
                [
                    f"`{name}`",
                    _number(figure["close_us"]),
                    _number(figure["persist_us"]),
                    f"{_number(figure['idle_pss_mib'])}; {_number(figure['idle_rss_mib'])}",
                    _number(figure["silent_kib"]),
                    f"{figure['processes']:.0f}, {figure['threads']:.0f}",
                    _number(figure["held_s"]) if figure["held_s"] else words["for ever"],
                    words["yes" if figure["others_served"] else "no"],
                ]
            )
    return rows


def _number(value: float | None) -> str:
    """Return three figures of a number, or a dash."""
    if value is None:
        return "-"
    if value < 0.05:
        return "0"
    return f"{value:.3g}" if value < 100 else f"{value:,.0f}"


def _options(figures: dict[str, Any], words: dict[str, Any]) -> list[list[str]]:
    rows = [list(words["options"])]
    for name, option in figures["options"].items():
        default = str(option["default"]) or words["none"]
        rows.append([f"`{name}`", default, _number(option["set_us"])])
    return rows


_ATTACKED = (
    "stage2_threads_flawed",
    "stage3_processes_flawed",
    "stage2_threads",
    "stage3_processes",
    "stage5_twisted",
    "stage6_lines",
)


def _attacks(attacks: list[dict[str, Any]], words: dict[str, Any]) -> list[list[str]]:
    """Return a row for each attack; the stages after the sixth stand as it does."""
    rows = [[*words["attacks"], *(f"`{name}`" for name in _ATTACKED)]]
    for attack in attacks:
        row = [attack["zh" if words is _CHINESE else "name"]]
        for name in _ATTACKED:
            kinds = [kind for kind in ("falls", "chance") if name in attack.get(kind, ())]
            row.append(words[kinds[0] if kinds else "holds"])
        rows.append(row)
    return rows
