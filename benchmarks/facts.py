"""What the figures were measured on; nothing that says whose machine it is or where."""

import datetime
import os
import platform
from pathlib import Path

from .running import Cores

__all__ = ["describe", "facts"]


def facts(cores: Cores, versions: dict[str, str], seconds: int) -> dict[str, object]:
    """Return the machine's facts, the servers' versions, for how long was measured, and when."""
    return {
        "day": datetime.datetime.now(tz=datetime.timezone.utc).date().isoformat(),
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "pinned": cores.server is not None,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "seconds": seconds,
        "servers": versions,
    }


def _processor() -> str:
    """Return the model of the first processor, as far as the kernel knows it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def describe(known: dict[str, object]) -> str:
    """Return a sentence or two about the machine."""
    pinned = (
        "the server has one core and the load generator another"
        if known["pinned"]
        else "nothing is pinned"
    )
    return (
        f"{known['processor']} ({known['machine']}), {known['cores']} cores, "
        f"{known['memory_gib']} GiB, {known['system']}, {known['python']}; {pinned}; "
        f"{known['day']}."
    )
