"""What a line looks like, and that no client can make it look like another one."""

import json
import re
import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import NOW, incoming
from tinyhttp.core.request import Head, noted_fields
from tinyhttp.server.log_fields import fields, format_timestamp
from tinyhttp.server.log_format import (
    JSON_FIELDS,
    Combined,
    Format,
    Formatted,
    combined,
    make_format,
)
from tinyhttp.server.trace import Trace

# The form of a line.


def line(request: bytes = b"GET / HTTP/1.1", **changes: Any) -> bytes:
    arguments: dict[str, Any] = {
        "client": b"192.0.2.1",
        "timestamp": format_timestamp(int(changes.pop("when", NOW))),
        "line": request,
        "status": 200,
        "octets": 5,
        "referer": None,
        "agent": None,
        **changes,
    }
    client, timestamp = arguments.pop("client"), arguments.pop("timestamp")
    return b"%s - - [%s] %s" % (client, timestamp, combined(**arguments))


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (
            line(),
            b'192.0.2.1 - - [21/Sep/2026:14:13:20 +0000] "GET / HTTP/1.1" 200 5 "-" "-"\n',
        ),
        (
            line(referer=b"https://example.com/", agent=b"curl/8.0", status=206, octets=0),
            b'192.0.2.1 - - [21/Sep/2026:14:13:20 +0000] "GET / HTTP/1.1" 206 0 '
            b'"https://example.com/" "curl/8.0"\n',
        ),
        (
            line(when=0.9, client=b"2001:db8::1"),
            b'2001:db8::1 - - [01/Jan/1970:00:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "-"\n',
        ),
        (
            line(b'GET /" HTTP/1.1'),
            b'192.0.2.1 - - [21/Sep/2026:14:13:20 +0000] "GET /\\x22 HTTP/1.1" 200 5 "-" "-"\n',
        ),
        (
            line(agent=b'a"b\\c\r\nd\te\x1b[31m\x7f\xc3\xbc\0'),
            b'192.0.2.1 - - [21/Sep/2026:14:13:20 +0000] "GET / HTTP/1.1" 200 5 "-" '
            b'"a\\x22b\\x5cc\\x0d\\x0ad\\x09e\\x1b[31m\\x7f\\xc3\\xbc\\x00"\n',
        ),
        (
            line(referer=b'\n192.0.2.9 - - [x] "GET /forged HTTP/1.1" 200'),
            b'192.0.2.1 - - [21/Sep/2026:14:13:20 +0000] "GET / HTTP/1.1" 200 5 '
            b'"\\x0a192.0.2.9 - - [x] \\x22GET /forged HTTP/1.1\\x22 200" "-"\n',
        ),
        (
            line(referer=b"", agent=b""),
            b'192.0.2.1 - - [21/Sep/2026:14:13:20 +0000] "GET / HTTP/1.1" 200 5 "-" "-"\n',
        ),
    ],
    ids=["plain", "with fields", "epoch", "quote", "control octets", "a forged line", "empty"],
)
def test_a_line(made: bytes, expected: bytes) -> None:
    assert made == expected


def test_a_field_is_cut() -> None:
    assert len(line(agent=b"a" * 30_000, referer=b"\0" * 30_000)) < 4096 * 5 + 200


@given(st.binary(), st.binary(), st.binary())
def test_whatever_comes_it_is_one_line_of_ascii(
    request: bytes, referer: bytes, agent: bytes
) -> None:
    made = line(request, referer=referer, agent=agent)
    assert made.endswith(b'"\n')
    assert all(0x20 <= octet < 0x7F for octet in made[:-1])
    assert made.count(b'"') == 6


# What is remembered of a line is what follows the time.


def said(form: Combined) -> list[bytes]:
    """Return the tails that ``form`` remembers: how many that are cannot be seen from outside."""
    return list(form._said.values())


def tell(
    form: Format,
    line: bytes,
    status: int = 200,
    octets: int = 5,
    noted: tuple[bytes, ...] = (),
    host: str = "192.0.2.1",
) -> bytes:
    """Return a line without its end, which it must have."""
    made = form.line(incoming(host), Head((line,), noted), line, status, octets, b"")
    assert made.endswith(b"\n")
    return made[:-1]


def make_combined(clock: Any = lambda: NOW) -> Combined:
    form = make_format("combined", clock=clock)
    assert isinstance(form, Combined)
    return form


PREFIX = b"192.0.2.1 - - [21/Sep/2026:14:13:20 +0000] "


def test_what_is_remembered_is_neither_client_nor_time() -> None:
    now = iter([NOW, NOW + 0.9, NOW + 1, NOW + 2])
    form = make_combined(lambda: next(now))
    made = [
        tell(form, b"GET / HTTP/1.1", noted=(b"User-Agent: x",), host=host)
        for host in ("192.0.2.1", "192.0.2.1", "192.0.2.2", "2001:db8::1")
    ]
    assert said(form) == [b'"GET / HTTP/1.1" 200 5 "-" "x"\n']
    assert made == [
        b'192.0.2.1 - - [21/Sep/2026:14:13:20 +0000] "GET / HTTP/1.1" 200 5 "-" "x"',
        b'192.0.2.1 - - [21/Sep/2026:14:13:20 +0000] "GET / HTTP/1.1" 200 5 "-" "x"',
        b'192.0.2.2 - - [21/Sep/2026:14:13:21 +0000] "GET / HTTP/1.1" 200 5 "-" "x"',
        b'2001:db8::1 - - [21/Sep/2026:14:13:22 +0000] "GET / HTTP/1.1" 200 5 "-" "x"',
    ]


@pytest.mark.parametrize(
    "other",
    [
        (b"GET /a HTTP/1.0", 200, 5, (b"Referer: r",)),
        (b"GET /a HTTP/1.1", 206, 5, (b"Referer: r",)),
        (b"GET /a HTTP/1.1", 200, 6, (b"Referer: r",)),
        (b"GET /a HTTP/1.1", 200, 5, (b"Referer: s",)),
        (b"GET /a HTTP/1.1", 200, 5, (b"User-Agent: r",)),
        (b"GET /a HTTP/1.1", 200, 5, (b"Referer: r", b"User-Agent: r")),
        (b"GET /a HTTP/1.1", 200, 5, ()),
    ],
    ids=["line", "status", "octets", "value", "name", "one more", "none"],
)
def test_what_differs_is_another_tail(other: Any) -> None:
    form = make_combined()
    one = (b"GET /a HTTP/1.1", 200, 5, (b"Referer: r",))
    lines = [tell(form, *about) for about in (one, other) * 2]
    assert lines[0] == lines[2] == PREFIX + b'"GET /a HTTP/1.1" 200 5 "r" "-"'
    assert lines[1] == lines[3] != lines[0]


def test_a_request_that_was_refused_unread() -> None:
    made = make_combined().line(incoming(None), None, b"nonsense", 400, 47, b"")
    assert made == b'unix: - - [21/Sep/2026:14:13:20 +0000] "nonsense" 400 47 "-" "-"\n'


def test_the_number_of_tails_is_bounded() -> None:
    form = make_combined()
    most = 0
    for number in range(3000):
        line = b"GET /%d HTTP/1.1" % number
        expected = b'"%s" 404 14 "-" "-"' % line
        assert tell(form, line, 404, 14) == PREFIX + expected
        most = max(most, len(said(form)))
        assert said(form)[-1] == expected + b"\n"
    assert most == 1024


@pytest.mark.parametrize(
    ("request_", "noted", "is_remembered"),
    [
        (b"x" * 1024, (), True),
        (b"x" * 1025, (), False),
        (b"x" * 24, (b"Referer: " + b"y" * 491, b"User-Agent: " + b"z" * 488), True),
        (b"x" * 24, (b"Referer: " + b"y" * 491, b"User-Agent: " + b"z" * 489), False),
        (b"x", (b"User-Agent: " + b"z" * 30_000,), False),
    ],
)
def test_the_length_of_tails_is_bounded(
    request_: bytes, noted: tuple[bytes, ...], is_remembered: bool
) -> None:
    form = make_combined()
    first, second = (tell(form, request_, noted=noted) for _ in range(2))
    assert (said(form) != []) is is_remembered
    assert first == second
    values = [line.partition(b": ")[2][:4096] for line in noted]
    assert first.startswith(PREFIX + b'"' + request_ + b'" 200 5 ')
    assert all(b'"' + value + b'"' in first for value in values)


answers = st.tuples(
    st.sampled_from([b"GET / HTTP/1.1", b"GET /x HTTP/1.1", b'"\n\\', b"", b"x" * 1020]),
    st.sampled_from([200, 404]),
    st.integers(0, 2),
    st.lists(
        st.sampled_from(
            [b"Referer: r", b"referer:r", b"Referer:", b"User-Agent: a", b'USER-AGENT: "\xff"']
        ),
        max_size=3,
    ).map(tuple),
)


@given(st.lists(answers, max_size=10))
def test_lines_are_as_they_would_be_without_memory(told: list[Any]) -> None:
    form = make_combined()
    made = [tell(form, *about) for about in told * 3]
    expected = []
    for request, status, octets, noted in told * 3:
        values = noted_fields(noted)
        referer, agent = values.get(b"referer"), values.get(b"user-agent")
        expected.append(PREFIX + combined(request, status, octets, referer, agent)[:-1])
    assert made == expected


# JSON and format strings.

BROWSER = Head(
    (b"GET /a?b HTTP/1.1", b"Host: example.com:80", b"Range: bytes=0-1"),
    (b"Referer: http://a/", b'User-Agent: a "b" c\\'),
)
TRACE = Trace(1.5, b"abc-1", b"", lambda: 1.75)
GZIP = b"\r\nVary: Accept-Encoding\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\n"


def made(
    form: str,
    head: Head | None = BROWSER,
    trace: Trace | None = TRACE,
    *,
    line: bytes | None = None,
    worker: int | None = 3,
    when: float = NOW + 0.25,
) -> str:
    """Return the line about an answer to ``head``, without its end."""
    connection = incoming("2001:db8::1")
    connection.trace = trace
    request = line if line is not None else head.decisive[0] if head is not None else b""
    wanted = make_format(form, clock=lambda: when, worker=worker)
    result = wanted.line(connection, head, request, 206, 5, GZIP)
    assert result.endswith(b"\n")
    return result[:-1].decode("ascii")


TIME = "2026-09-21T14:13:20.250Z"


def test_json() -> None:
    line = made("json")
    assert json.loads(line) == {
        "time": TIME,
        "address": "2001:db8::1",
        "peer": "2001:db8::1",
        "method": "GET",
        "target": "/a?b",
        "version": "HTTP/1.1",
        "status": 206,
        "bytes": 5,
        "duration": 0.25,
        "coding": "gzip",
        "referer": "http://a/",
        "agent": 'a "b" c\\',
        "host": "example.com:80",
        "scheme": "http",
        "tls": None,
        "request_id": "abc-1",
        "worker": 3,
    }
    assert '"duration":0.250000,' in line
    assert tuple(json.loads(line)) == JSON_FIELDS


def test_json_of_which_little_is_known() -> None:
    told = json.loads(made("json", None, None, line=b"\x16\x03\x01 \r\n", worker=None))
    assert {name for name, value in told.items() if value is None} == {
        *("method", "version", "duration", "referer", "agent", "host", "tls", "request_id"),
        "worker",
    }
    assert told["target"] == "\x16\x03\x01 \r\n"


def test_what_is_empty_is_not_what_is_missing() -> None:
    told = json.loads(made("json", Head((b"GET / HTTP/1.0",), (b"Referer:",))))
    assert (told["referer"], told["agent"]) == ("", None)


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (
            '{address} {time} "{method} {target}" {status} {bytes} {duration}',
            f'2001:db8::1 {TIME} "GET /a?b" 206 5 0.250000',
        ),
        ("[{common_time}]", "[21/Sep/2026:14:13:20 +0000]"),
        ("{status}", "206"),
        ("{{{status}}}", "{206}"),
        ("{{status}} {status}", "{status} 206"),
        ("100 % %s {status}%d", "100 % %s 206%d"),
        ('{{"agent": "{agent}"}}', r'{"agent": "a \x22b\x22 c\x5c"}'),
        ("{agent}", r"a\x20\x22b\x22\x20c\x5c"),
        ("{version};{host};{referer};{coding}", "HTTP/1.1;example.com:80;http://a/;gzip"),
        ("{tls} {request_id} {worker} {peer}", "- abc-1 3 2001:db8::1"),
        ("{status}\t{bytes}", "206\t5"),
    ],
)
def test_format_strings(form: str, expected: str) -> None:
    assert made(form) == expected


def test_text_beyond_ascii_in_a_format_string() -> None:
    line = make_format("ü {status}", clock=lambda: NOW).line(incoming(), None, b"", 200, 0, b"")
    assert line == "ü 200\n".encode()


def test_what_is_not_known_is_a_dash() -> None:
    form = "{method} {version} {duration} {referer} {agent} {host} {tls} {request_id} {worker}"
    assert made(form, None, None, line=b"x", worker=None) == "- - - - - - - - -"


@pytest.mark.parametrize(
    ("form", "message"),
    [
        (
            "{addres} {status}",
            "'{addres} {status}': no field is called 'addres'; {address} is meant, perhaps",
        ),
        ("{user_agent}", "'{user_agent}': no field is called 'user_agent'; {agent} is meant"),
        ("{zzz}", "'{zzz}': no field is called 'zzz'; there are time, common_time, address, "),
        ("{}", "'{}': no field is called ''; there are time, "),
        ("{status!r}", "'{status!r}': no field is called 'status!r'; {status} is meant"),
        ("{status:>5}", "'{status:>5}': no field is called 'status:>5'; {status} is meant"),
        ("{status", "'{status': '{' stands alone; {{ and }} write braces"),
        ("{status}}", "'{status}}': '}' stands alone; {{ and }} write braces"),
        ("{{status}", "'{{status}': '}' stands alone; {{ and }} write braces"),
        ("{a{status}}", "'{a{status}}': '{' stands alone; {{ and }} write braces"),
        ("{status}\n{bytes}", "a line can't hold control characters other than tabs"),
        ("{status}\x1b[0m", "a line can't hold control characters other than tabs"),
        ("common", "'common': 'combined', 'json' or a text with {fields} is wanted"),
        ("", "'': 'combined', 'json' or a text with {fields} is wanted"),
    ],
)
def test_mistakes_in_a_format_string(form: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        make_format(form, clock=lambda: NOW)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("form", "wants"),
    [
        ("combined", set()),
        ("json", set(JSON_FIELDS)),
        ("{status} {duration} {status}", {"status", "duration"}),
    ],
)
def test_what_a_format_wants_is_known(form: str, wants: set[str]) -> None:
    assert make_format(form, clock=lambda: NOW).wants == wants


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"GET / HTTP/1.1", ("GET", "/", "HTTP/1.1")),
        (b"GET / HTTP/3.7", ("GET", "/", "HTTP/3.7")),
        (b"GET /a b HTTP/1.1", (None, "/a b HTTP/1.1", None)),
        (b"GET /", (None, "GET /", None)),
        (b"GET / FTP/1.1", (None, "GET / FTP/1.1", None)),
        (b"", (None, "", None)),
    ],
)
def test_of_what_is_no_request_line_nothing_is_lost(line: bytes, expected: Any) -> None:
    told = json.loads(made("json", None, line=line))
    if expected[0] is None:
        expected = (None, line.decode("latin-1"), None)
    assert (told["method"], told["target"], told["version"]) == expected


def test_the_clock_may_run_backwards() -> None:
    trace = Trace(2.0, b"", b"", lambda: 1.0)
    assert made("{duration} {request_id}", trace=trace) == "0.000000 -"


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (NOW + 0.9999, "2026-09-21T14:13:20.999Z"),
        (NOW + 1, "2026-09-21T14:13:21.000Z"),
    ],
)
def test_times(when: float, expected: str) -> None:
    assert made("{time}", when=when) == expected


# Of these, too, what is made of the head alone is remembered.


@pytest.mark.parametrize("form", ["json", '{target} "{agent}" {host} {status} {address}'])
@pytest.mark.parametrize(
    "other",
    [
        Head((b"GET /b HTTP/1.1", *BROWSER.decisive[1:]), BROWSER.noted),
        Head((BROWSER.decisive[0], b"Host: example.org"), BROWSER.noted),
        Head(BROWSER.decisive, (b"User-Agent: another",)),
        None,
    ],
    ids=["line", "host", "agent", "no head"],
)
def test_another_head_makes_another_line(form: str, other: Head | None) -> None:
    wanted = make_format(form, clock=lambda: NOW)
    told = [
        wanted.line(incoming(), head, head.decisive[0] if head else b"x", 200, 5, b"")
        for head in (BROWSER, other) * 2
    ]
    assert told[0] == told[2] != told[1] == told[3]
    fresh = make_format(form, clock=lambda: NOW)
    line = b"x" if other is None else other.decisive[0]
    assert fresh.line(incoming(), other, line, 200, 5, b"") == told[1]


def test_what_is_not_of_the_head_is_said_anew() -> None:
    wanted = make_format("{target} {status} {bytes} {coding} {address} {time}", clock=lambda: NOW)
    line = BROWSER.decisive[0]
    assert wanted.line(incoming(), BROWSER, line, 200, 5, GZIP).startswith(b"/a?b 200 5 gzip 192.")
    assert wanted.line(incoming("::7"), BROWSER, line, 206, 6, b"").startswith(b"/a?b 206 6 - ::7 ")


def test_percent_signs_are_what_they_are() -> None:
    head = Head((b"GET /%s%d%% HTTP/1.1",), (b"User-Agent: %(x)s",))
    for _ in range(2):
        assert made('%s {target} "{agent}" {status}', head) == '%s /%s%d%% "%(x)s" 206'


def test_what_is_remembered_of_other_formats_is_bounded() -> None:
    form = make_format("{target} {status}", clock=lambda: NOW)
    assert isinstance(form, Formatted)
    most = 0
    for number in range(3000):
        line = b"GET /%d HTTP/1.1" % number
        assert form.line(incoming(), Head((line,), ()), line, 404, 14, b"") == b"/%d 404\n" % number
        most = max(most, len(form._said))
    assert most == 1024
    before = dict(form._said)
    for head in (None, Head((b"x", b"Host: " + b"x" * 1024), ()), Head((b"x",), (b"y" * 1024,))):
        form.line(incoming(), head, b"x" if head else b"x" * 1025, 404, 14, b"")
    assert form._said == before


# What a client may send anywhere.

hostile = st.binary(max_size=40) | st.text(alphabet='"\\\r\n\t\x1b {}%,:=-/ü', max_size=20).map(
    str.encode
)


def hostile_head(line: bytes, referer: bytes, agent: bytes, host: bytes) -> Head:
    """Return a head of octets that no parser lets through, or not all of them."""
    clean = [re.sub(rb"[^\t\x20-\x7e\x80-\xff]", b"", value) for value in (referer, agent, host)]
    return Head((line, b"Host: " + clean[2]), (b"Referer: " + clean[0], b"User-Agent: " + clean[1]))


def latin(value: bytes) -> str:
    return value.strip(b" \t").decode("latin-1")


@given(hostile, hostile, hostile, hostile, st.integers(100, 999), st.integers(0, 2**60))
def test_json_gives_everything_back(
    line: bytes, referer: bytes, agent: bytes, host: bytes, status: int, octets: int
) -> None:
    head = hostile_head(line, referer, agent, host)
    form = make_format("json", clock=lambda: NOW)
    result = form.line(incoming(), head, line, status, octets, b"")
    assert all(0x20 <= octet < 0x7F for octet in result[:-1])
    told = json.loads(result)
    words = [told["method"], told["target"], told["version"]]
    assert " ".join(word for word in words if word is not None) == line.decode("latin-1")
    values = noted_fields((*head.noted, head.decisive[1]))
    assert told["referer"] == latin(values[b"referer"])
    assert told["agent"] == latin(values[b"user-agent"])
    assert told["host"] == latin(values[b"host"])
    assert (told["status"], told["bytes"]) == (status, octets)
    assert tuple(told) == JSON_FIELDS


EVERYTHING = " ".join(f"{{{name}}}" for name in fields() if name != "common_time")


@given(hostile, hostile, hostile, hostile)
def test_columns_stay_columns(line: bytes, referer: bytes, agent: bytes, host: bytes) -> None:
    head = hostile_head(line, referer, agent, host)
    result = make_format(EVERYTHING, clock=lambda: NOW).line(incoming(), head, line, 200, 5, b"")
    assert all(0x20 <= octet < 0x7F for octet in result[:-1])
    assert b'"' not in result
    columns = result[:-1].split(b" ")
    assert len(columns) == len(fields()) - 1
    assert columns[6:8] == [b"200", b"5"]


@given(hostile, hostile, hostile, hostile)
def test_quotes_stay_quotes(line: bytes, referer: bytes, agent: bytes, host: bytes) -> None:
    """For whoever reads backslashes as what they are in a shell, and for whoever does not."""
    head = hostile_head(line, referer, agent, host)
    form = '"{target}" "{referer}" "{agent}" "{host}" {status}'
    result = make_format(form, clock=lambda: NOW).line(incoming(), head, line, 200, 5, b"")
    assert all(0x20 <= octet < 0x7F for octet in result[:-1])
    assert result.count(b'"') == 8
    assert len(shlex.split(result.decode())) == 5
    assert result.endswith(b'" 200\n')


@pytest.mark.parametrize(
    ("sent", "in_json", "in_quotes", "bare"),
    [
        (b"a\nb", r"a\u000ab", r"a\x0ab", r"a\x0ab"),
        (b"a\r\n1.2.3.4 x", r"a\u000d\u000a1.2.3.4 x", r"a\x0d\x0a1.2.3.4 x", None),
        (b'", "status": 200', r"\u0022, \u0022status\u0022: 200", None, None),
        (b"\x1b[2J", r"\u001b[2J", r"\x1b[2J", r"\x1b[2J"),
        (b"a b", "a b", "a b", r"a\x20b"),
        (b"\\", r"\u005c", r"\x5c", r"\x5c"),
        (b"\\x0a", r"\u005cx0a", r"\x5cx0a", r"\x5cx0a"),
        (b"\xc3\xbc\xff", r"\u00c3\u00bc\u00ff", r"\xc3\xbc\xff", r"\xc3\xbc\xff"),
        (b"\0\x7f", r"\u0000\u007f", r"\x00\x7f", r"\x00\x7f"),
        (b"{status}%s%%", "{status}%s%%", "{status}%s%%", "{status}%s%%"),
        (b"\t|", r"\u0009|", r"\x09|", r"\x09|"),
    ],
)
def test_attempts_at_forging(
    sent: bytes, in_json: str, in_quotes: str | None, bare: str | None
) -> None:
    assert f'"target":"{in_json}",' in made("json", None, line=sent)
    if in_quotes is not None:
        assert made('"{target}"', None, line=sent) == f'"{in_quotes}"'
    if bare is not None:
        assert made("{target}", None, line=sent) == bare


@pytest.mark.parametrize("form", ["json", '"{agent}" {target}'])
def test_fields_are_cut_in_every_format(form: str) -> None:
    head = Head((b"x",), (b"User-Agent: " + b"\xff" * 30_000,))
    line = made(form, head, line=b"a" * 8000)
    assert "a" * 4096 in line
    assert "a" * 4097 not in line
    assert line.count("ff") == 4096
