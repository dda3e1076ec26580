"""Settings of times, sizes, memory and limits."""

from dataclasses import fields
from typing import Any

from ..core.request import Limits
from ..server.quotas import Quotas
from ..server.server import Timeouts
from ..site.site import Capacity
from .readers import at_least, limit_or_none, networks, octets, rate, seconds
from .setting import Setting, quantity

GRACE = 25
"""Seconds that responses under way get at the end: under the 30 s that Heroku, Kubernetes and
others allow before they kill."""

_TIMES, _SIZES, _MEMORY = Timeouts(), Limits(), Capacity()
_QUOTAS: dict[str, Any] = {each.name: each.default for each in fields(Quotas)}


LIMITS: tuple[Setting, ...] = (
    quantity(
        "head-timeout",
        seconds(0.5),
        _TIMES.head,
        "Seconds for a whole request head, and as many again for a body.",
    ),
    quantity("idle-timeout", seconds(0.5), _TIMES.idle, "Seconds to wait for the next request."),
    quantity(
        "stall-timeout",
        seconds(0.5),
        _TIMES.stall,
        "Seconds for a client that takes nothing of its response.",
    ),
    quantity(
        "linger-timeout",
        seconds(0.5),
        _TIMES.linger,
        "Seconds for a client to close after its last response.",
    ),
    quantity(
        "grace", seconds(0), GRACE, "Seconds that responses under way get when it is to stop."
    ),
    quantity(
        "shutdown-delay",
        seconds(0),
        0,
        "Seconds to go on listening when it is to stop, so that balancers notice.",
    ),
    quantity(
        "max-request-line",
        octets(64),
        _SIZES.request_line,
        "Octets of a request line; longer: 414.",
    ),
    quantity("max-head", octets(128), _SIZES.head, "Octets of a request head; longer: 431."),
    quantity("max-fields", at_least(1), _SIZES.fields, "Field lines of a request; more: 431."),
    quantity(
        "max-body",
        octets(0),
        _SIZES.body,
        "Octets of a request's body that are read to keep the connection.",
    ),
    Setting(
        "max-connections",
        limit_or_none,
        "",
        "Connections in all; 0: no limit. Without it: as many as there are descriptors for.",
        hint="number",
    ),
    quantity(
        "client-connections",
        at_least(0),
        _QUOTAS["client_connections"],
        "Connections of one client (IPv6: of one /64); 0: no limit.",
    ),
    quantity(
        "client-rate",
        rate,
        _QUOTAS["client_rate"],
        "Requests per second of one client; 0: no limit.",
    ),
    quantity(
        "client-burst",
        at_least(0),
        _QUOTAS["client_burst"],
        "Requests that one client may make at once; 0: a second's worth.",
    ),
    quantity(
        "bandwidth",
        octets(0),
        _QUOTAS["bandwidth"],
        "Octets per second of bodies on one connection; 0: no limit.",
    ),
    quantity(
        "min-receive-rate",
        octets(0),
        _QUOTAS["receive_rate"],
        "Octets per second at which a request has to arrive; 0: none.",
    ),
    quantity(
        "receive-grace",
        seconds(0),
        _QUOTAS["receive_grace"],
        "Seconds before --min-receive-rate counts.",
    ),
    quantity(
        "min-send-rate",
        octets(0),
        _QUOTAS["send_rate"],
        "Octets per second that a client has to take of a response; 0: none.",
    ),
    quantity(
        "send-window",
        seconds(1),
        _QUOTAS["send_window"],
        "Seconds over which --min-send-rate is measured.",
    ),
    Setting(
        "exempt",
        networks,
        "",
        "Networks of clients that --client-connections and --client-rate do not count. May be "
        "repeated.",
        several=True,
        hint="networks",
    ),
    quantity("cache-files", at_least(1), _MEMORY.files, "Small files that are remembered."),
    quantity("cache-size", octets(0), _MEMORY.octets, "Octets of their content."),
    quantity(
        "cache-descriptors", at_least(1), _MEMORY.descriptors, "Large files that are kept open."
    ),
    quantity(
        "cache-encoded",
        octets(0),
        _MEMORY.encoded,
        "Octets of text that was encoded on demand.",
    ),
    quantity("cache-misses", at_least(1), _MEMORY.others, "Paths remembered that lead to no file."),
)
