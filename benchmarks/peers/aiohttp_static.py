"""aiohttp's static files: PORT DIRECTORY [--log] [--tls CERTIFICATE KEY]."""

import asyncio
import logging
import ssl
from argparse import ArgumentParser, Namespace
from importlib import import_module
from pathlib import Path
from typing import Any


def parse_options() -> Namespace:
    """Return ``port``, ``directory``, ``log`` and ``tls``: a certificate and its key, or None."""
    parser = ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("directory")
    parser.add_argument("--log", action="store_true")
    parser.add_argument("--tls", nargs=2)
    return parser.parse_args()


async def serve() -> None:
    """Serve until it is ended."""
    web: Any = import_module("aiohttp.web")  # by name: whoever checks types may not have it
    options = parse_options()
    context = None
    if options.tls:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*options.tls)
    log = None
    if options.log:
        logging.basicConfig(level=logging.INFO, format="%(message)s")
        log = logging.getLogger("aiohttp.access")
    application = web.Application()
    application.router.add_static("/", Path(options.directory))
    runner = web.AppRunner(application, access_log=log, keepalive_timeout=300)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", options.port, ssl_context=context).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve())
