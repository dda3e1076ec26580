"""Stage 8: what twistd needs to know: which options there are, and which service they make."""

from stage5_twisted import Answers
from stage7_threads import Patient
from twisted.application import strports
from twisted.application.service import Service
from twisted.python import usage


def port(text: str) -> int:
    """Return the port; what is raised here becomes a line that names the option."""
    if not text.isascii() or not text.isdigit() or len(text) > 5 or int(text) > 65535:
        raise ValueError("a number from 0 to 65535 is wanted")
    return int(text)


class Options(usage.Options):
    """The options behind the name of the command."""

    optParameters = [["port", "p", 8000, "The port of 127.0.0.1 to listen on.", port]]  # noqa: RUF012


def makeService(options: Options) -> Service:
    """Return something to start and stop; twistd has the log, the daemon and the signals."""
    from twisted.internet import reactor  # late: the user may have asked for another one

    where = f"tcp:{options['port']}:interface=127.0.0.1"
    return strports.service(where, Answers(reactor, Patient))
