"""Settings of where it listens, and of TLS."""

from ..server.listening import BACKLOG
from ..server.socket_options import read_option
from .readers import networks, port, text, up_to
from .setting import Setting, flag

DEFAULT_PORT = "8000"

LISTENING: tuple[Setting, ...] = (
    Setting(
        "port",
        port,
        DEFAULT_PORT,
        "Port to listen on, on IPv4 and IPv6, or an endpoint string such as "
        "tcp:8000:interface=127.0.0.1. Without it and without --listen: the environment's PORT, "
        f"else {DEFAULT_PORT}.",
        shown="-",
        also="PORT",
        hint="port or endpoint",
    ),
    Setting(
        "listen",
        text,
        "",
        "Endpoint to listen on, e.g. unix:/run/tinyhttp.sock. May be repeated.",
        several=True,
        hint="endpoint",
    ),
    Setting(
        "backlog",
        up_to(65535),
        str(BACKLOG),
        "Connections that the kernel holds until they are accepted, unless an endpoint says.",
        hint="number",
    ),
    Setting(
        "socket-option",
        read_option,
        "",
        "NAME=VALUE: an option of the listening sockets, such as SO_KEEPALIVE=1. May be repeated.",
        several=True,
        hint="NAME=VALUE",
    ),
    Setting(
        "proxy-from",
        networks,
        "",
        "Expect PROXY headers, and only these balancers: CIDR,... or unix. May be repeated.",
        several=True,
        hint="networks",
    ),
    Setting(
        "tls-cert",
        text,
        "",
        "Certificate in PEM, with its chain. May be repeated; the client's name decides.",
        several=True,
        path="file",
    ),
    Setting(
        "tls-key",
        text,
        "",
        "Key of a --tls-cert that does not hold it; the first of the first, and so on.",
        several=True,
        path="file",
    ),
    Setting(
        "tls-port",
        text,
        "",
        "Port, or endpoint string, that speaks TLS beside the others, which stay plain. Without it "
        "all of them speak TLS.",
        several=True,
        hint="port or endpoint",
    ),
    flag(
        "plain-transport",
        "Use Twisted's own transport. Slower; to find out whether ours is at fault.",
    ),
)
