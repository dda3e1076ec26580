"""A server with limits, as a program of its own: ``limited.py ROOT DESCRIPTORS JSON [stock]``.

It lets itself have so many descriptors, serves ROOT on a free port of 127.0.0.1, says which, and
ends when it is killed. JSON has the members of `Quotas`; with "stock" Twisted's transport is used.
"""

import json
import resource
import sys

from twisted.internet import reactor, tcp

from tinyhttp.server.acceptor import take_over
from tinyhttp.server.quotas import Quotas
from tinyhttp.server.server import Server


def main(root: str, descriptors: str, quotas: str, *rest: str) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (int(descriptors), hard))
    server = Server(root, reactor=reactor, quotas=Quotas(**json.loads(quotas)))
    port = tcp.Port(0, server, 4096, "127.0.0.1", reactor)
    port.startListening()
    if not rest:
        take_over(port, server, server.room, reactor)
    sys.stdout.write(f"port {port.getHost().port} places {server.crowd.most}\n")
    sys.stdout.flush()
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
