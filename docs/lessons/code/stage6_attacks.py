"""Stage 6: sends what is in attacks.json to a server on 127.0.0.1 that serves ./site.

stage6_attacks.py PORT [WORD]: with a word, only those whose name begins with it.
"""

import json
import re
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any

PATIENCE = 4.0  # seconds until a server that has not ended is taken to wait for ever
STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3}) ")
Attack = dict[str, Any]


def load() -> list[Attack]:
    """Return the attacks, in the order of the file."""
    return list(json.loads(Path(__file__).with_name("attacks.json").read_text()))


def to_octets(piece: Any) -> bytes:
    """Return a piece of a request: a text in Latin-1, or a list of text and how many times."""
    text, times = (piece, 1) if isinstance(piece, str) else piece
    return str(text).encode("latin-1") * int(times)


def replay(attack: Attack, port: int) -> tuple[str, bytes]:
    """Return what came back as words, such as "200 closed", and in octets."""
    received, end = b"", "closed"
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        deadline = monotonic() + PATIENCE
        with suppress(ConnectionError):  # refused half-way; the answer may still be there
            for piece in attack["send"]:
                connection.sendall(to_octets(piece))
                sleep(attack.get("pause", 0))  # so that each piece is a segment of its own
        connection.settimeout(max(0.01, deadline - monotonic()))
        try:
            while octets := connection.recv(65536):
                received += octets
        except TimeoutError:
            end = "open"
        except ConnectionError:
            pass  # reset: closed as well
    return " ".join([*map(bytes.decode, STATUS.findall(received)), end]), received


def withstood(attack: Attack, outcome: str, received: bytes) -> bool:
    """Return whether the server did one of the things that are right."""
    holds, never = (to_octets(attack.get(name, "")) for name in ("holds", "never"))
    if outcome not in attack["right"] or (never and never in received):
        return False
    return holds in received or not outcome.startswith("200")


def replay_all(attacks: list[Attack], port: int) -> list[tuple[str, bytes]]:
    """Return the results. They begin one by one: with a backlog of 0 some would get lost."""
    with ThreadPoolExecutor(len(attacks) or 1) as pool:
        under_way = []
        for attack in attacks:
            sleep(0.03)
            under_way.append(pool.submit(replay, attack, port))
    return [result.result() for result in under_way]


def main() -> None:
    """Replay them all, and print a line for each."""
    attacks = [one for one in load() if one["name"].startswith(" ".join(sys.argv[2:]))]
    for attack, result in zip(attacks, replay_all(attacks, int(sys.argv[1])), strict=True):
        word = "ok  " if withstood(attack, *result) else "FALL"
        print(f"{word} {attack['name']}: {result[0]}")


if __name__ == "__main__":
    main()
