"""What systemd is told: that the service is ready, reloads, stops, and is alive.

Floor: server. sd_notify(3): datagrams of ``NAME=VALUE`` lines to the socket that ``NOTIFY_SOCKET``
names. Nothing here may fail the service: a message that can't be sent is not sent.
"""

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from twisted.internet.interfaces import IDelayedCall

__all__ = ["Notifier", "without_notification"]

_NAMES = frozenset(
    ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID")
)


def without_notification(variables: Mapping[str, str]) -> dict[str, str]:
    """Return ``variables`` without those by which systemd speaks to one process alone."""
    return {name: value for name, value in variables.items() if name not in _NAMES}


class Notifier:
    """Tells the service manager named in ``variables``; does nothing if there is none."""

    def __init__(self, reactor: Any, variables: Mapping[str, str]):
        self._reactor = reactor
        self._address = variables.get("NOTIFY_SOCKET", "")
        self._socket: socket.socket | None = None
        self._alive: IDelayedCall | None = None
        self._interval = _watchdog(variables) / 2
        if self._address.startswith("@"):  # not in the file system
            self._address = "\0" + self._address[1:]
        if self._address and hasattr(socket, "AF_UNIX"):
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)

    def ready(self, status: str) -> None:
        """Say that requests are answered; ``status`` is for people who ask ``systemctl status``."""
        self._send("READY=1", f"STATUS={status}")
        if self._socket is not None and self._interval and self._alive is None:
            self._say_alive()

    def reloading(self) -> None:
        """Say that the configuration is read anew; `ready` says that this has been done."""
        # systemd.service(5), Type=notify-reload: the time tells this reload from the one before.
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Say that the end has begun; from now on nobody has to be alive in time."""
        self._send("STOPPING=1", "STATUS=finishing the responses under way")

    def close(self) -> None:
        """Say no more."""
        if self._alive is not None:
            self._alive.cancel()
            self._alive = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _say_alive(self) -> None:
        self._send("WATCHDOG=1")
        self._alive = self._reactor.callLater(self._interval, self._say_alive)

    def _send(self, *lines: str) -> None:
        if self._socket is not None:
            with suppress(OSError):
                self._socket.sendto("\n".join(lines).encode(errors="replace"), self._address)


def _watchdog(variables: Mapping[str, str]) -> float:
    """Return the seconds within which the manager wants to hear of us; 0: it does not."""
    pid, said = variables.get("WATCHDOG_PID", ""), variables.get("WATCHDOG_USEC", "")
    if pid not in ("", str(os.getpid())) or not said.isdecimal():
        return 0
    return int(said) / 1_000_000
