"""Starlette's static files on uvicorn: PORT DIRECTORY [--log] [--html] [--tls CERTIFICATE KEY]."""

from argparse import ArgumentParser, Namespace
from importlib import import_module
from typing import Any


def parse_options() -> Namespace:
    """Return what is wished: ``tls`` is a certificate and its key, or None."""
    parser = ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("directory")
    parser.add_argument("--log", action="store_true")
    parser.add_argument("--html", action="store_true", help="index.html stands for its directory")
    parser.add_argument("--tls", nargs=2)
    return parser.parse_args()


def main() -> None:
    """Serve until it is ended."""
    uvicorn: Any = import_module("uvicorn")  # by name: whoever checks types may not have it
    starlette: Any = import_module("starlette.applications").Starlette
    mount: Any = import_module("starlette.routing").Mount
    static_files: Any = import_module("starlette.staticfiles").StaticFiles
    options = parse_options()
    certificate, key = options.tls or (None, None)
    files = static_files(directory=options.directory, html=options.html)
    uvicorn.run(
        starlette(routes=[mount("/", files)]),
        host="127.0.0.1",
        port=options.port,
        lifespan="off",
        access_log=options.log,
        log_level="info" if options.log else "critical",
        timeout_keep_alive=300,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )


if __name__ == "__main__":
    main()
