"""Settings of processes, the log, and those who watch."""

from .readers import (
    forwarded_by,
    health_path,
    log_format,
    networks,
    text,
    unready_status,
    up_to,
    workers,
)
from .setting import Setting, flag

OPERATIONS: tuple[Setting, ...] = (
    # How.
    Setting(
        "threads",
        up_to(1000),
        "4",
        "Threads that wait for the disk, so that the others do not have to. With 0 the reactor "
        "waits itself.",
        hint="number",
    ),
    Setting(
        "workers",
        workers,
        "1",
        "Processes that serve: a number, or auto for one on each core.",
        also="WEB_CONCURRENCY",
        hint="number",
    ),
    Setting(
        "access-log",
        text,
        "-",
        "File to append a line per answer to; '-': standard output; 'none': nothing; or "
        "syslog, syslog:/PATH, syslog:HOST[:PORT].",
        path="file",
        words=("-", "none", "syslog"),
    ),
    Setting(
        "access-log-format",
        log_format,
        "combined",
        "combined, json, or a text with fields, such as '{address} {time} {status}'.",
        hint="format",
    ),
    flag("request-id", "Answer with X-Request-ID: a trusted proxy's, or one of our own."),
    Setting(
        "trusted-proxy",
        networks,
        "",
        "Believe what proxies of these networks say of the client: CIDR,... or unix. May be "
        "repeated.",
        several=True,
        hint="networks",
    ),
    Setting(
        "forwarded-by",
        forwarded_by,
        "x-forwarded",
        "Fields in which trusted proxies say it: x-forwarded (X-Forwarded-For and -Proto), or "
        "forwarded.",
        hint="x-forwarded or forwarded",
    ),
    # Who watches.
    Setting(
        "admin",
        text,
        "",
        "Endpoint of /metrics, /livez and /readyz, such as tcp:9100:interface=127.0.0.1.",
        hint="endpoint",
    ),
    Setting(
        "agent-check",
        text,
        "",
        "Endpoint at which HAProxy's agent-check hears whether clients are wanted.",
        hint="endpoint",
    ),
    Setting(
        "health-path",
        health_path,
        "",
        "Path that is answered like /readyz on every port, such as /healthz.",
        hint="path",
    ),
    Setting(
        "unready-status",
        unready_status,
        "503",
        "Status of /readyz and of the health path when no clients are wanted: 503 or 404.",
        hint="503 or 404",
    ),
)
