"""What a server is to serve, and the command line that makes it do so."""

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Command", "Job"]


@dataclass(frozen=True)
class Job:
    """What one server is asked to do, for one measurement."""

    port: int
    """On 127.0.0.1."""
    root: Path
    """The directory to serve."""
    work: Path
    """A directory of its own, for what it has to write."""
    log: Path | None = None
    """Where to write a line per answer."""
    tls: tuple[Path, Path] | None = None
    """Certificate and key; without them, no TLS."""
    rules: Path | None = None
    """A configuration full of rules, of which none is about the files asked for."""
    room: int = 1024
    """How many connections it must be able to hold."""


@dataclass(frozen=True)
class Command:
    """How a server is started; its streams lead to nowhere unless something is said of them."""

    line: list[str]
    typed: str = ""
    """What it reads from its standard input."""
    stdout: Path | None = None
    stderr: Path | None = None
