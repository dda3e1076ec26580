"""Options of sockets, by the names that they have in socket(7), ip(7) and tcp(7).

Floor: server. All of them are set on the listening socket before it is bound, as `SO_REUSEPORT` and
`SO_BINDTODEVICE` have to be; what concerns a connection is inherited from there by each that is
accepted, on Linux, and so costs it nothing.
"""

import difflib
import re
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["SocketOption", "apply", "read_option"]

_SWITCHES = (
    *("SO_BROADCAST", "SO_DONTROUTE", "SO_KEEPALIVE", "SO_OOBINLINE"),
    *("SO_REUSEADDR", "SO_REUSEPORT"),
)
_NUMBERS = (
    *("SO_RCVBUF", "SO_SNDBUF", "TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT"),
    *("TCP_FASTOPEN", "TCP_DEFER_ACCEPT"),
)
_NAMES = ("SO_BINDTODEVICE",)
KNOWN = (*_SWITCHES, *_NUMBERS, *_NAMES)

_ON = {"1": 1, "on": 1, "yes": 1, "true": 1, "0": 0, "off": 0, "no": 0, "false": 0}
# Linux: IFNAMSIZ is 16 with the NUL; no slash and no space (dev_valid_name).
_DEVICE = re.compile(r"[^/\s:\0]{1,15}")


@dataclass(frozen=True)
class SocketOption:
    """The option ``name``, to be set to ``value``: a number, or the name of a device."""

    name: str
    value: int | bytes

    def __str__(self) -> str:
        return f"{self.name}={_spoken(self.value)}"

    @property
    def level(self) -> int:
        """What it belongs to: the socket itself or TCP."""
        return socket.SOL_SOCKET if self.name.startswith("SO_") else socket.IPPROTO_TCP

    def fits(self, sock: socket.socket) -> bool:
        """Return whether sockets of that family have it."""
        if sock.family != socket.AF_UNIX:
            return True
        return self.name in ("SO_RCVBUF", "SO_SNDBUF")


def read_option(said: str) -> SocketOption:
    """Return the option that ``NAME=VALUE`` stands for; raises ``ValueError``."""
    name, equals, value = said.partition("=")
    name = name.upper()
    if name not in KNOWN:
        likely = difflib.get_close_matches(name, KNOWN, 1)
        hint = f"did you mean {likely[0]}?" if likely else f"known are {', '.join(KNOWN)}"
        raise ValueError(f"there is no such option; {hint}")
    if getattr(socket, name, None) is None:
        raise ValueError("this system does not have it")
    if not equals:
        raise ValueError(f"a value is wanted, such as {name}={_example(name)}")
    if name in _SWITCHES:
        if value.lower() not in _ON:
            raise ValueError("1 or 0 is wanted")
        return SocketOption(name, _ON[value.lower()])
    if name in _NAMES:
        if not _DEVICE.fullmatch(value):
            raise ValueError("the name of a network device is wanted, such as eth0")
        return SocketOption(name, value.encode())
    if not re.fullmatch("[0-9]{1,9}", value):
        raise ValueError("a number is wanted")
    return SocketOption(name, int(value))


def _example(name: str) -> str:
    return "eth0" if name in _NAMES else "1"


def apply(sock: socket.socket, options: Iterable[SocketOption]) -> Sequence[str]:
    """Set ``options`` and return what they are then, as the kernel says; raises ``OSError``.

    Those that sockets of this family do not have are left out.
    """
    outcome = []
    for option in options:
        if not option.fits(sock):
            continue
        number = getattr(socket, option.name)
        try:
            sock.setsockopt(option.level, number, option.value)
            if isinstance(option.value, bytes):
                now: int | bytes = sock.getsockopt(option.level, number, 16).rstrip(b"\0")
            else:
                now = sock.getsockopt(option.level, number)
        except OSError as error:
            raise OSError(error.errno, f"{option}: {error.strerror}") from None
        outcome.append(f"{option.name}={_spoken(now)}")
    return outcome


def _spoken(value: int | bytes) -> str:
    return value.decode("ascii", "backslashreplace") if isinstance(value, bytes) else str(value)
