"""The small languages inside field values: dates, entity tags, lists, weights, integers.

Floor: core (pure). RFC 9110 sections 5.6 (common rules), 8.8.3 (entity tags) and 12.4.2
(weights). Every parser here takes the bytes of a field value and returns what they mean, or
``None`` where they mean nothing; what a meaningless field leads to is decided by the caller.

No ``int()`` is applied to bytes from the wire before a pattern has shown that they are a short
run of ASCII digits: ``int`` also takes signs, underscores, spaces and the digits of other
scripts.
"""

import re
from calendar import timegm
from datetime import datetime
from time import gmtime

__all__ = [
    "TOKEN",
    "EntityTag",
    "HTTPDate",
    "elements",
    "format_http_date",
    "matches",
    "parse_decimal",
    "parse_entity_tags",
    "parse_http_date",
    "parse_weight",
    "parse_weights",
]

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # RFC 9110 section 5.6.2

HTTPDate = int
"""Seconds since the epoch, whole: all that an HTTP date can say."""

# An entity tag as it stands in a field, weakness mark and quotes included.
EntityTag = bytes

_DAYS = (b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun")
_MONTHS = (
    *(b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun"),
    *(b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"),
)
_MONTH_NUMBER = {name: number for number, name in enumerate(_MONTHS, 1)}

_MONTH = b"(?P<month>" + b"|".join(_MONTHS) + b")"
_TIME = rb"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_DAY_NAME = rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_DAY_NAME_LONG = rb"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"

# RFC 9110 section 5.6.7: one format to send, all three to read.
_IMF_FIXDATE = re.compile(
    _DAY_NAME + rb", (?P<day>[0-9]{2}) " + _MONTH + rb" (?P<year>[0-9]{4}) " + _TIME + rb" GMT"
)
_RFC850_DATE = re.compile(
    _DAY_NAME_LONG + rb", (?P<day>[0-9]{2})-" + _MONTH + rb"-(?P<year>[0-9]{2}) " + _TIME + rb" GMT"
)
_ASCTIME_DATE = re.compile(
    _DAY_NAME + rb" " + _MONTH + rb" (?P<day>[0-9]{2}| [0-9]) " + _TIME + rb" (?P<year>[0-9]{4})"
)

_ENTITY_TAG = rb'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_NEXT_ENTITY_TAG = re.compile(rb"[ \t,]*(" + _ENTITY_TAG + rb")[ \t]*(?=,|\Z)")

_QVALUE = rb"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?"
_WEIGHT = re.compile(_QVALUE)
_WEIGHTED = re.compile(rb"(" + TOKEN + rb")[ \t]*(?:;[ \t]*[qQ]=(" + _QVALUE + rb"))?")

_DECIMAL = re.compile(rb"[0-9]{1,18}")


def parse_decimal(value: bytes) -> int | None:
    """Return the number that ``value`` writes in 1 to 18 ASCII digits; else ``None``.

    Eighteen digits hold every size that a file can have and keep the result within 64 bits.
    """
    return int(value) if _DECIMAL.fullmatch(value) else None


def elements(value: bytes) -> list[bytes]:
    """Return the members of a comma-separated list of tokens (RFC 9110 section 5.6.1).

    Empty members are skipped, as section 5.6.1.2 asks of a recipient. Not for lists whose
    members may hold a quoted comma.
    """
    return [member for part in value.split(b",") if (member := part.strip(b" \t"))]


def format_http_date(when: HTTPDate) -> bytes:
    """Return ``when`` as an IMF-fixdate, the only format that may be sent (section 5.6.7)."""
    t = gmtime(when)
    return b"%s, %02d %s %04d %02d:%02d:%02d GMT" % (
        _DAYS[t.tm_wday],
        t.tm_mday,
        _MONTHS[t.tm_mon - 1],
        t.tm_year,
        t.tm_hour,
        t.tm_min,
        t.tm_sec,
    )


def parse_http_date(value: bytes, now: float) -> HTTPDate | None:
    """Return the time that ``value`` names in one of the three formats of section 5.6.7.

    ``now`` (seconds since the epoch) settles the century of the obsolete two-digit year: a year
    that seems to lie more than 50 years ahead belongs to the past.
    """
    if m := _IMF_FIXDATE.fullmatch(value):
        return _seconds(m, int(m["year"]))
    if m := _RFC850_DATE.fullmatch(value):
        today = gmtime(now)
        century = today.tm_year - today.tm_year % 100
        date = _seconds(m, century + int(m["year"]))
        if date is not None and gmtime(date)[:6] > (today.tm_year + 50, *today[1:6]):
            date = _seconds(m, century - 100 + int(m["year"]))
        return date
    if m := _ASCTIME_DATE.fullmatch(value):
        return _seconds(m, int(m["year"]))
    return None


def _seconds(m: re.Match[bytes], year: int) -> HTTPDate | None:
    second = min(int(m["second"]), 59)  # 60 is a leap second, which the epoch does not count
    if int(m["second"]) > 60:
        return None
    try:
        moment = datetime(
            year, _MONTH_NUMBER[m["month"]], int(m["day"]), int(m["hour"]), int(m["minute"]), second
        )
    except ValueError:
        return None
    return timegm(moment.timetuple())


def parse_entity_tags(value: bytes) -> list[EntityTag]:
    """Return the entity tags of a list, up to the first member that is not one.

    What follows a malformed member can't be told apart from it, so it is not guessed at.
    """
    tags = []
    position = 0
    while m := _NEXT_ENTITY_TAG.match(value, position):
        tags.append(m[1])
        position = m.end()
    return tags


def matches(tag: EntityTag, other: EntityTag, *, strong: bool) -> bool:
    """Return whether two entity tags match by the strong or weak comparison (section 8.8.3.2)."""
    if strong:
        return tag == other and not tag.startswith(b"W/")
    return tag.removeprefix(b"W/") == other.removeprefix(b"W/")


def parse_weights(value: bytes) -> dict[bytes, int]:
    """Return ``{name in lower case: weight in thousandths}`` (sections 12.4.2 and 12.5.3).

    Members that do not follow the grammar are skipped; of a name given twice the first counts.
    """
    weights: dict[bytes, int] = {}
    for member in elements(value):
        if m := _WEIGHTED.fullmatch(member):
            weights.setdefault(m[1].lower(), _thousandths(m[2]))
    return weights


def parse_weight(value: bytes) -> int | None:
    """Return the weight that ``value`` writes, in thousandths (section 12.4.2)."""
    return _thousandths(value) if _WEIGHT.fullmatch(value) else None


def _thousandths(weight: bytes | None) -> int:
    if weight is None or weight.startswith(b"1"):
        return 1000
    return int(weight[2:].ljust(3, b"0"))
