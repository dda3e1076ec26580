"""Stage 9: the factory of tinyhttp in a program of your own, in the place of stage 7's."""

import sys
from typing import Any

from twisted.internet.endpoints import TCP4ServerEndpoint

from tinyhttp import Server
from tinyhttp.server.server import Timeouts


def say_where(port: Any) -> None:
    """Print the address, as all stages do."""
    print(f"listening on 127.0.0.1:{port.getHost().port}", flush=True)


def main() -> None:
    """Listen on 127.0.0.1, and hand the thread to the reactor until Ctrl-C."""
    from twisted.internet import reactor

    loop: Any = reactor
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    # The time for a head is that of the other stages; by default it is 30 seconds.
    server = Server("site", reactor=loop, timeouts=Timeouts(head=3))
    endpoint = TCP4ServerEndpoint(loop, port, interface="127.0.0.1")
    _ = endpoint.listen(server).addCallback(say_where)
    # The files and threads that it holds are let go of, and responses under way are finished.
    loop.addSystemEventTrigger("before", "shutdown", server.stop, 25)
    loop.run()


if __name__ == "__main__":
    main()
