"""Stage 3, mended: a process for each connection, and none of them for ever."""

import mimetypes
import sys
from contextlib import suppress
from multiprocessing import active_children, get_context
from multiprocessing.connection import wait
from socket import AF_INET, SO_REUSEADDR, SOCK_STREAM, SOL_SOCKET, socket
from time import sleep

from stage2_converse import converse

MOST = 128  # processes


def serve(listener: socket, connection: socket) -> None:
    """Do all that one process does."""
    listener.close()  # a copy too: it would keep the port if the parent ended before us
    with suppress(KeyboardInterrupt):
        converse(connection)


def main() -> None:
    """Accept for ever."""
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    listener = socket(AF_INET, SOCK_STREAM)
    listener.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(128)
    print(f"listening on 127.0.0.1:{listener.getsockname()[1]}", flush=True)
    mimetypes.init()  # else every child would read the tables of types anew
    fork = get_context("fork")  # a child begins as a copy of its parent, open sockets and all
    while True:
        # active_children() also waits for those that have ended, which would stay zombies.
        while len(children := active_children()) >= MOST:
            wait([child.sentinel for child in children])
        try:
            connection, _ = listener.accept()
            # Ours is closed when the block ends. Else the client would never see the end of the
            # response, as a connection ends with its last copy, and we would run out of them.
            with connection:
                fork.Process(target=serve, args=(listener, connection), daemon=True).start()
        except OSError as error:  # neither a lack of descriptors nor of processes ends us
            print(error.strerror, file=sys.stderr)
            sleep(0.1)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
