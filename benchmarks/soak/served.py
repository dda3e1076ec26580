"""tinyhttp, that also says what it holds: a line of JSON on descriptor 2 for each SIGUSR2.

Run like ``python -m tinyhttp``. What can be seen from outside, such as descriptors, is left to
whoever looks; timers and objects can't be.
"""

import gc
import json
import os
import signal
import sys
import threading


def tell(number: int, frame: object) -> None:
    """Say what this process holds."""
    from twisted.internet import reactor

    gc.collect()
    timers = len(reactor.getDelayedCalls())  # type: ignore[attr-defined]
    held = {"timers": timers, "objects": len(gc.get_objects()), "threads": threading.active_count()}
    os.write(2, b"SOAK " + json.dumps(held).encode() + b"\n")


def main() -> None:
    """Serve as the arguments say."""
    from tinyhttp.__main__ import main as serve

    signal.signal(signal.SIGUSR2, tell)
    serve(sys.argv[1:])


if __name__ == "__main__":
    main()
