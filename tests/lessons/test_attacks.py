"""Every stage is sent every attack: who falls is what attacks.json says, and the table of page 6.

What a stage that falls answers may be anything but right, and one that stands must be right.
"""

import importlib.util
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from .stages import CODE, started


def _attacks() -> ModuleType:
    """Import stage6_attacks.py, which is in no package."""
    spec = importlib.util.spec_from_file_location("stage6_attacks", CODE / "stage6_attacks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TOOL = _attacks()
ATTACKS: list[dict[str, Any]] = TOOL.load()
STAGES = (
    "stage2_threads_flawed",
    "stage2_threads",
    "stage3_processes_flawed",
    "stage3_processes",
    "stage5_twisted",
    "stage6_lines",
    "stage7_threads",
    "stage8_plugin",
    "stage9_tinyhttp",
)

Outcomes = dict[str, list[tuple[str, bytes]]]


@pytest.fixture(scope="module")
def outcomes(code: Path) -> Iterator[Outcomes]:
    """Return what came back from each stage, attack by attack; all stages are asked at once."""
    with ExitStack() as stack:
        running = [stack.enter_context(started(name, code)) for name in STAGES]
        ports = [stage.port() for stage in running]
        with ThreadPoolExecutor(len(STAGES)) as pool:
            found = pool.map(lambda port: TOOL.replay_all(ATTACKS, port), ports)
            yield dict(zip(STAGES, found, strict=True))


@pytest.mark.parametrize("number", range(len(ATTACKS)), ids=[one["name"] for one in ATTACKS])
def test_who_falls(outcomes: Outcomes, number: int) -> None:
    attack = ATTACKS[number]
    named = {name: outcomes[name][number] for name in STAGES}
    fallen = [name for name in STAGES if not TOOL.withstood(attack, *named[name])]
    chance = attack.get("chance", [])
    assert sorted(set(fallen) - set(chance)) == sorted(attack["falls"]), named


def test_there_is_something_to_learn_and_to_be_proud_of() -> None:
    """The flawed fall to most, the mended to smuggling alone, and nobody after stage 5."""
    falls = {name: {one["name"] for one in ATTACKS if name in one["falls"]} for name in STAGES}
    assert all(len(falls[f"{name}_flawed"]) > 18 for name in ("stage2_threads", "stage3_processes"))
    for name in ("stage2_threads", "stage3_processes", "stage5_twisted"):
        assert {fallen.split(":")[0] for fallen in falls[name]} == {"smuggling"}
    assert not any(falls[name] for name in STAGES[5:])


def test_every_stage_that_is_named_exists() -> None:
    named = {name for one in ATTACKS for name in (*one["falls"], *one.get("chance", []))}
    assert named <= set(STAGES)
