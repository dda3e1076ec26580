"""Starts the twistd named on the command line, and asks tinyhttp under it for one page."""

import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

LIMIT = 60
"""Seconds for all of it."""
PAGE = b"<!doctype html><title>From the wheel</title>\n"

with tempfile.TemporaryDirectory() as root:
    (Path(root) / "index.html").write_bytes(PAGE)
    server = subprocess.Popen(  # noqa: S603 (the command is the caller's)
        [sys.argv[1], "-n", "--pidfile=", "tinyhttp", "--port", "0", "--path", root],
        stdout=subprocess.PIPE,
        text=True,
    )
    limit = threading.Timer(LIMIT, server.kill)
    limit.start()
    try:
        assert server.stdout is not None
        log = []
        url = ""
        for line in server.stdout:
            log.append(line)
            if "listening on port" in line:
                url = line[line.index("http://") :].rstrip(")\n")
                break
        else:
            sys.exit(f"it does not listen:\n{''.join(log)}")
        with build_opener(ProxyHandler({})).open(url, timeout=LIMIT) as response:
            status, body = response.status, response.read()
        server.send_signal(signal.SIGTERM)
        log.append(server.stdout.read())
        ended = server.wait()
    finally:
        limit.cancel()
        server.kill()
        server.wait()

if (status, body) != (200, PAGE):
    sys.exit(f"GET {url}: status {status}, body {body!r}")
if ended != 0:
    sys.exit(f"it ended with status {ended}:\n{''.join(log)}")
print(f"GET {url}: {status}, {len(body)} octets, every one right; ended with status 0")  # noqa: T201
