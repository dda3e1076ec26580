"""A headless Chromium, driven through its DevTools protocol.

The protocol goes over descriptors 3 and 4 (``--remote-debugging-pipe``): messages are JSON, and
each ends with a NUL. So there is no port, no WebSocket, and nothing that outlives the test. Every
wait has a limit, and what it waits for is an event, never a time.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from ..processes import PATIENCE

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

_OPTIONS = [
    "--headless=new",
    "--no-sandbox",  # needs privileges that containers lack; the pages are the tests' own
    "--remote-debugging-pipe",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--no-proxy-server",
]

# Chromium wants the pipes under these very numbers. -I and -S: nothing of the tests' goes with it.
_LAUNCH = [
    *(sys.executable, "-I", "-S", "-c"),
    "import os, sys; s = int(sys.argv[1]); os.dup2(s, 3); os.dup2(s, 4); "
    "os.execv(sys.argv[2], sys.argv[2:])",
]

Json = dict[str, Any]


class BrowserError(Exception):
    """What Chromium refuses to do, or what a script in it has thrown."""


class Browser:
    """A Chromium with an empty profile."""

    def __init__(self, profile: Path):
        assert CHROMIUM is not None
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [
                    *_LAUNCH,
                    str(theirs.fileno()),
                    CHROMIUM,
                    *_OPTIONS,
                    f"--user-data-dir={profile}",
                    "about:blank",
                ],
                env={**os.environ, "HOME": str(profile)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._socket = ours
        self._rest = b""
        self._calls = 0
        self._pages: dict[str, Page] = {}

    def close(self) -> None:
        """End it, with all of its processes."""
        with suppress(BrowserError, OSError):
            self.call("Browser.close")
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(PATIENCE)
        self._socket.close()

    @contextmanager
    def page(self) -> Iterator["Page"]:
        """Open a page with a cache, cookies and a history of its own."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        try:
            wanted = {"url": "about:blank", "browserContextId": context}
            target = self.call("Target.createTarget", wanted)["targetId"]
            attached = self.call("Target.attachToTarget", {"targetId": target, "flatten": True})
            session: str = attached["sessionId"]
            page = self._pages[session] = Page(self, session)
            for domain in ("Page", "Runtime", "Log", "Network"):
                page.call(f"{domain}.enable")
            yield page
        finally:
            with suppress(BrowserError):
                self.call("Target.disposeBrowserContext", {"browserContextId": context})

    def call(self, method: str, params: Json | None = None, session: str | None = None) -> Json:
        """Have Chromium do something, and return what comes of it."""
        self._calls += 1
        number = self._calls
        message: Json = {"id": number, "method": method, "params": params or {}}
        if session is not None:
            message["sessionId"] = session
        self._socket.sendall(json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + PATIENCE
        while True:
            answer = self.receive(deadline)
            if answer.get("id") == number:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error']['message']}")
                result: Json = answer["result"]
                return result

    def receive(self, deadline: float) -> Json:
        """Return the next message; an event of a page is put to its events, too."""
        while b"\0" not in self._rest:
            self._socket.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                received = self._socket.recv(1 << 20)
            except TimeoutError:
                pytest.fail("Chromium does not answer")
            if not received:
                raise BrowserError("Chromium has ended")
            self._rest += received
        octets, _, self._rest = self._rest.partition(b"\0")
        message: Json = json.loads(octets)
        page = self._pages.get(message.get("sessionId", ""))
        if "method" in message and page is not None:
            page.events.append(message)
        return message


class Page:
    """A tab."""

    def __init__(self, browser: Browser, session: str):
        self._browser = browser
        self._session = session
        self.events: list[Json] = []

    def call(self, method: str, **params: Any) -> Json:
        return self._browser.call(method, params, self._session)

    def evaluate(self, script: str) -> Any:
        """Return what an expression, or the promise that it is, comes to."""
        done = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in done:
            raise BrowserError(f"{script}: {done['exceptionDetails']}")
        return done["result"].get("value")

    def go(self, url: str) -> int:
        """Go to a page, wait until all of it is loaded, and return its status."""
        begun = len(self.events)
        failed = self.call("Page.navigate", url=url).get("errorText")
        if failed:
            raise BrowserError(f"{url}: {failed}")
        return self._loaded(begun)

    def reload(self) -> int:
        """Do what the button does, and return the status of the page."""
        begun = len(self.events)
        self.call("Page.reload")
        return self._loaded(begun)

    def _loaded(self, begun: int) -> int:
        self._wait("Page.loadEventFired", begun)
        documents = [
            event["params"]["response"]["status"]
            for event in self.events[begun:]
            if event["method"] == "Network.responseReceived"
            and event["params"]["type"] == "Document"
        ]
        status: int = documents[-1]
        return status

    def _wait(self, method: str, begun: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while all(event["method"] != method for event in self.events[begun:]):
            self._browser.receive(deadline)

    def click(self, selector: str) -> None:
        self.evaluate(f"document.querySelector({json.dumps(selector)}).click()")

    def follow(self, selector: str) -> int:
        """Click a link to another page, wait until that is loaded, and return its status."""
        begun = len(self.events)
        self.click(selector)
        return self._loaded(begun)

    def heading(self, wanted: str) -> None:
        """Wait until the page's heading is ``wanted``."""
        self.shows("document.querySelector('h1')?.textContent", wanted)

    def shows(self, expression: str, wanted: object) -> None:
        """Wait until the page has changed so that ``expression`` is ``wanted``."""
        shown = self.evaluate(
            f"""new Promise((resolve) => {{
                const look = () => {{
                    const shown = {expression};
                    if (shown === {json.dumps(wanted)}) {{
                        watching.disconnect();
                        resolve(shown);
                    }}
                }};
                const watching = new MutationObserver(look);
                const all = {{ childList: true, subtree: true, characterData: true }};
                watching.observe(document, all);
                setTimeout(() => resolve({expression}), {PATIENCE * 500});
                look();
            }})"""
        )
        assert shown == wanted

    @property
    def path(self) -> str:
        shown: str = self.evaluate("location.pathname + location.search + location.hash")
        return shown

    @property
    def complaints(self) -> list[str]:
        """What a developer would see in red: errors, broken policies, uncaught exceptions."""
        self.evaluate("0")  # what Chromium has said before has arrived now
        return [text for event in self.events if (text := _complaint(event))]

    def look_like(self, *, width: int, dark: bool) -> None:
        """Have a screen of that width, and a system with light or dark colours."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=844,
            deviceScaleFactor=2,
            mobile=True,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])


def _complaint(event: Json) -> str:
    params = event["params"]
    match event["method"]:
        case "Log.entryAdded" if params["entry"]["level"] in ("error", "warning"):
            entry = params["entry"]
            return f"{entry['text']} {entry.get('url', '')}"
        case "Runtime.exceptionThrown":
            return str(params["exceptionDetails"])
        case "Runtime.consoleAPICalled" if params["type"] in ("error", "warning", "assert"):
            return str(params["args"])
    return ""
