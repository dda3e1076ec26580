"""Where the server is, and whether it may be tested.

Nobody is to be sent malformed requests who has not asked for them: without a word only addresses
of this machine are taken. The addresses are looked up once, and every connection goes to one that
was checked.
"""

import ipaddress
import re
import socket
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

from .reading import Link

__all__ = ["Place", "Unfit", "find_place"]

_VISIBLE = re.compile(r"[\x21-\x7e]+")


class Unfit(Exception):  # noqa: N818 (the end of the command, in one line)
    """The URL is none that can be tested, or may not; says why."""


@dataclass(frozen=True)
class Place:
    """A server, and the path beneath which the kit lies."""

    url: str
    host: str
    """As the URL has it, without brackets."""
    authority: str
    """As a Host field has it."""
    prefix: str
    """The path, without a slash at its end."""
    address: str
    port: int
    tls: ssl.SSLContext | None

    def connect(self, seconds: float) -> Link:
        """Return a new connection; raises OSError."""
        sock = socket.create_connection((self.address, self.port), seconds)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls is not None:
                sock = self.tls.wrap_socket(sock, server_hostname=self.host)
        except BaseException:
            sock.close()
            raise
        return Link(sock)


def find_place(url: str, may_test: str | None = None, *, insecure: bool = False) -> Place:
    """Return the place of ``url``; raises `Unfit`.

    ``may_test`` is the name of a host that is not this machine, repeated; ``insecure`` believes any
    certificate.
    """
    if not _VISIBLE.fullmatch(url):
        raise Unfit("a URL has no spaces and nothing beyond ASCII in it")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Unfit(f"{url}: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Unfit(f"{url}: a URL of http or https is wanted, as http://127.0.0.1:8000/")
    if parts.query or parts.fragment or parts.username is not None:
        raise Unfit(f"{url}: a URL without user, query and fragment is wanted")
    number = port or {"http": 80, "https": 443}[parts.scheme]
    addresses = _addresses(parts.hostname, number)
    _check(parts.hostname, addresses, may_test)
    return Place(
        url=url,
        host=parts.hostname,
        authority=parts.netloc,
        prefix=parts.path.rstrip("/"),
        address=_that_listens(addresses, number),
        port=number,
        tls=_context(insecure=insecure) if parts.scheme == "https" else None,
    )


def _addresses(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unfit(f"{host}: {error}") from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _check(host: str, addresses: list[str], may_test: str | None) -> None:
    foreign = [address for address in addresses if not _is_here(address)]
    if foreign and (may_test or "").lower() != host.lower():
        raise Unfit(
            f"{host} ({', '.join(foreign)}) is not this machine. Malformed requests are for servers"
            f" of one's own: --i-may-test {host} says that it is one."
        )


def _is_here(address: str) -> bool:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(parsed, "ipv4_mapped", None)
    return (mapped or parsed).is_loopback


def _that_listens(addresses: list[str], port: int) -> str:
    """Return the first address at which somebody listens; raises `Unfit` if nobody does."""
    why = ""
    for address in addresses:
        try:
            socket.create_connection((address, port), 5).close()
        except OSError as error:
            why = error.strerror or str(error)
        else:
            return address
    raise Unfit(f"nobody listens at port {port} of {', '.join(addresses)}: {why}")


def _context(*, insecure: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
