"""Stage 2, mended: who answers. A thread for each connection, and none of them for ever."""

import sys
from contextlib import suppress
from socket import AF_INET, SO_REUSEADDR, SOCK_STREAM, SOL_SOCKET, socket
from threading import BoundedSemaphore, Thread
from time import sleep

from stage2_converse import converse

MOST = 128  # threads


def listen() -> socket:
    """Ask for a port until there is one that can be had."""
    listener = socket(AF_INET, SOCK_STREAM)
    listener.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
    while True:
        port = input("Input the port you want:")
        # isascii(): other scripts have digits too. len(): int() refuses thousands of them.
        if port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65535:
            try:
                listener.bind(("127.0.0.1", int(port)))
            except OSError as error:
                print(error.strerror, file=sys.stderr)
            else:
                listener.listen(128)
                return listener


def serve(connection: socket, room: BoundedSemaphore) -> None:
    """Do all that one thread does."""
    try:
        converse(connection)
    finally:
        room.release()


def main() -> None:
    """Accept for ever."""
    listener = listen()
    print(f"listening on 127.0.0.1:{listener.getsockname()[1]}", flush=True)
    room = BoundedSemaphore(MOST)
    while True:
        room.acquire()  # whoever comes now waits in the kernel, where waiting is cheap
        try:
            connection, _ = listener.accept()
        except OSError as error:  # no descriptor left, say: it passes, and we go on
            print(error.strerror, file=sys.stderr)
            room.release()
            sleep(0.1)
        else:
            Thread(target=serve, args=(connection, room), daemon=True).start()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt, EOFError):
        main()
