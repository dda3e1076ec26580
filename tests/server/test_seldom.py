"""Lines that strangers may cause."""

from typing import Any

from twisted.internet.address import IPv4Address, UNIXAddress

from tests.support import FakeReactor
from tinyhttp.server.seldom import SILENCE, Seldom


def test_one_line_in_a_while_says_how_many_there_were() -> None:
    reactor, lines = FakeReactor(0), []

    def log(text: str, **fields: Any) -> None:
        lines.append(text.format(**fields))

    seldom = Seldom(log, "{count} from {peer}: {reason}", reactor.seconds)
    seldom.tell(IPv4Address("TCP", "192.0.2.1", 1), "first")
    for number in range(5):
        reactor.advance(SILENCE / 10)
        seldom.tell(IPv4Address("TCP", "192.0.2.2", 1), number)
    assert lines == ["1 from 192.0.2.1: first"]
    reactor.advance(SILENCE / 2)
    seldom.tell(UNIXAddress(None), "last")
    assert lines[1:] == ["6 from a UNIX socket: last"]
    reactor.advance(SILENCE)
    seldom.tell(None, "another")
    assert lines[2:] == ["1 from a UNIX socket: another"]
