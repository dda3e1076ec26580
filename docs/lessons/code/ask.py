"""Sends lines as they are, and shows what comes back: ask.py PORT LINE...

A line end is put behind each line, and an empty line behind the last. Nothing is added to them: a
client that helps would hide what is being learnt here.
"""

import sys
from socket import create_connection

PATIENCE = 2.0  # seconds without a sign from the server


def main() -> None:
    """Talk to the port of 127.0.0.1 that the command line names."""
    port, *lines = sys.argv[1:]
    received = b""
    state = "(closed)"
    with create_connection(("127.0.0.1", int(port)), PATIENCE) as connection:
        connection.sendall("".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1"))
        try:
            while octets := connection.recv(65536):
                received += octets
        except TimeoutError:
            state = "(still open)"
        except ConnectionResetError:
            state = "(reset)"
    if received:
        print(received.decode(errors="backslashreplace").replace("\r\n", "\n").rstrip("\n"))
    print(state)


if __name__ == "__main__":
    main()
