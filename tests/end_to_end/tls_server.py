"""A server over TLS, made of the library's parts.

Run as a program: ``tls_server.py ROOT TRANSPORT PROXY CERTIFICATE KEY [CERTIFICATE KEY ...]``.
TRANSPORT is "own" or "stock", and PROXY is "proxy" if connections begin with a PROXY header. It
says where it listens, and logs requests to standard output. It looks at the files ten times a
second.
"""

import sys
from typing import Any

from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.logger import globalLogBeginner, textFileLogObserver

from tinyhttp import Server
from tinyhttp.core.networks import Networks
from tinyhttp.server.acceptor import take_over
from tinyhttp.server.access_log import AccessLog
from tinyhttp.server.certificates import Certificates
from tinyhttp.server.disk import Disk
from tinyhttp.server.key_pair import BadCertificate, KeyPair
from tinyhttp.server.proxy_gate import GateKeeper
from tinyhttp.server.tls import TLSFactory


def main(root: str, transport: str, proxy: str, *files: str) -> None:
    loop: Any = reactor
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stdout)], redirectStandardIO=False)
    server = Server(root, reactor=loop, access_log=AccessLog(loop, Disk(loop, 1), 1))
    pairs = [KeyPair(*files[place : place + 2]) for place in range(0, len(files), 2)]
    try:
        certificates = Certificates(pairs, reactor=loop, disk=server.disk, check=0.1)
    except BadCertificate as error:
        raise SystemExit(f"tls_server: {error}") from None
    factory: Any = TLSFactory(server, certificates, server.deadlines)
    if proxy == "proxy":
        factory = GateKeeper(factory, Networks(["127.0.0.1"]), server.deadlines)

    def bound(port: Any) -> None:
        if transport == "own":
            assert take_over(port, factory, server.room, loop) is not None
        sys.stdout.write(f"listening on https://127.0.0.1:{port.getHost().port}/\n")
        sys.stdout.flush()

    TCP4ServerEndpoint(loop, 0, 1024, "127.0.0.1").listen(factory).addCallback(bound)
    loop.addSystemEventTrigger("before", "shutdown", server.stop)
    loop.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
