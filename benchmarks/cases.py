"""What is measured."""

from collections.abc import Collection
from dataclasses import dataclass

from .content import GIB, KIB, LARGE, MIB, SMALL
from .measuring import Beside, Measure, Octets, Requests
from .standing import BesideIdle, IdleMemory, base_memory, start_up

__all__ = ["CASES", "CLIENTS", "Case", "clients_case"]

CLIENTS = (1, 4, 16, 64, 256, 1024, 4096)
"""How many ask at the same time, for the curve."""

_SMALL = f"/{SMALL}"
_IDLE_ROOM = 12_000


@dataclass(frozen=True)
class Case:
    """One thing that is measured, for every server that can do it."""

    name: str
    title: str
    measure: Measure
    unit: str = "us/request"
    needs: Collection[str] = ()
    """What a server must be able to do: see `Server.able`."""
    files: Collection[str] = ()
    """Large files that must lie in the page cache."""
    room: int = 1024
    """Connections that a server must be able to hold."""
    quick: bool = True
    """Whether it is measured when no cases are named."""


def clients_case(clients: int) -> str:
    """Return the name of the case with so many clients."""
    return f"clients-{clients}"


CASES = (
    Case("simple", "1 KiB, simple head", Requests(_SMALL, KIB)),
    Case("browser", "1 KiB, browser's head, all unique", Requests(_SMALL, KIB, script="browser")),
    Case("files", "3,000 files of 2 KiB", Requests("/f0000.html", 2 * KIB, script="files")),
    Case("304", "304, not modified", Requests(_SMALL, 0, 304, conditional=True)),
    Case("404", "404, not found", Requests("/missing.html", status=404)),
    Case(
        "range",
        "1,000 octets out of 10 MiB",
        Requests("/10m.bin", 1000, 206, {"Range": "bytes=5000000-5000999"}),
        needs={"large"},
        files={"10m.bin"},
    ),
    Case("close", "connection per request", Requests(_SMALL, KIB, fields={"Connection": "close"})),
    Case(
        "pipelined",
        "32 requests pipelined",
        Requests(_SMALL, KIB, script="pipelined", keeps_open=True),
    ),
    Case("100k", "100 KiB", Octets("/100k.bin", 100 * KIB)),
    Case("10m", "10 MiB", Octets("/10m.bin", 10 * MIB), needs={"large"}, files={"10m.bin"}),
    Case(
        "1g",
        "1 GiB, single stream",
        Octets("/1g.bin", GIB, connections=1),
        needs={"large"},
        files={"1g.bin"},
        quick=False,
    ),
    Case("log", "1 KiB, access log on", Requests(_SMALL, KIB), needs={"log"}),
    Case(
        "rules",
        "1 KiB, simple head, 2,000 redirects and 100 rules for fields",
        Requests(_SMALL, KIB),
        needs={"rules"},
        quick=False,
    ),
    Case(
        "rules-browser",
        "1 KiB, browser's head, all unique, the same rules",
        Requests(_SMALL, KIB, script="browser"),
        needs={"rules"},
        quick=False,
    ),
    Case(
        "rules-files",
        "3,000 files of 2 KiB, the same rules",
        Requests("/f0000.html", 2 * KIB, script="files"),
        needs={"rules"},
        quick=False,
    ),
    Case("tls", "1 KiB over TLS", Requests(_SMALL, KIB), needs={"tls"}),
    Case(
        "tls-10m",
        "10 MiB over TLS",
        Octets("/10m.bin", 10 * MIB),
        needs={"large", "tls"},
        files={"10m.bin"},
    ),
    Case(
        "mixed",
        "1 KiB beside 16 downloads of 100 MiB",
        Beside(_SMALL, 16),
        unit="us p99",
        needs={"large"},
        files=LARGE,
        quick=False,
    ),
    Case("start-up", "start to first response", start_up, unit="ms"),
    Case("memory", "resident after the first response", base_memory, unit="MiB"),
    Case(
        "idle-memory",
        "memory of one of 2,000 idle connections",
        IdleMemory(2000),
        unit="KiB each",
        room=_IDLE_ROOM,
        quick=False,
    ),
    Case(
        "idle-memory-10k",
        "memory of one of 10,000 idle connections",
        IdleMemory(10_000),
        unit="KiB each",
        needs={"many"},
        room=_IDLE_ROOM,
        quick=False,
    ),
    *(
        Case(
            name,
            f"1 KiB beside {f'{idle:,}' if idle else 'no'} idle connections",
            BesideIdle(idle, Requests(_SMALL, KIB, keeps_open=True)),
            needs={"many"},
            room=_IDLE_ROOM,
            quick=False,
        )
        for name, idle in (("idle-0", 0), ("idle-1k", 1000), ("idle-10k", 10_000))
    ),
    *(
        Case(
            clients_case(clients),
            f"1 KiB, {clients:,} client{'' if clients == 1 else 's'}",
            Requests(_SMALL, KIB, connections=clients, keeps_open=True),
            needs={"many"},
            room=_IDLE_ROOM,
            quick=False,
        )
        for clients in CLIENTS
    ),
)
"""In the order in which they are measured and shown."""
