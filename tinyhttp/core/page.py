"""What all pages that we write ourselves have in common.

Floor: core (pure). HTML for people, without scripts and with nothing from elsewhere. Each page
comes with a policy (Content Security Policy Level 3) that allows its own style, by its digest, and
nothing else: even if a name in it got past the escaping, no browser would run it.
"""

import re
from base64 import b64encode
from hashlib import sha256
from html import escape

__all__ = ["COLOURS", "HTML_TYPE", "document", "one_line", "policy", "visible"]

HTML_TYPE = b"text/html; charset=utf-8"

COLOURS = """\
:root{color-scheme:light dark;--back:#f5f6f8;--card:#fff;--text:#1b1f24;--soft:#59636e;\
--line:#dfe3e8;--over:#f0f5fe;--link:#0a58ca}
@media(prefers-color-scheme:dark){:root{--back:#0f1216;--card:#171b21;--text:#e6eaf0;\
--soft:#9ba7b4;--line:#2a313a;--over:#1f2733;--link:#82b1ff}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--text);\
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",sans-serif}
"""
"""For light and dark; every text has a contrast of 4.5 at least on what it stands on (WCAG AA)."""

_DOCUMENT = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>{style}</style>
{body}
"""


def one_line(style: str) -> str:
    """Return ``style`` without the line ends that are there for its reader."""
    return style.replace("\n", "")


def document(title: str, style: str, body: str) -> bytes:
    """Return a page; ``body`` is HTML, ``title`` is not."""
    return _DOCUMENT.format(title=escape(title), style=style, body=body).encode()


def policy(style: str) -> tuple[bytes, bytes]:
    """Return the field by which a browser applies ``style`` and nothing else."""
    digest = b64encode(sha256(style.encode()).digest())
    return (
        b"Content-Security-Policy",
        b"default-src 'none'; style-src 'sha256-%s'; base-uri 'none'; form-action 'none'; "
        b"frame-ancestors 'none'" % digest,
    )


# What would change the look of its surroundings or hide: the controls, those of direction that
# open an embedding, override or isolate (U+202A to U+202E, U+2066 to U+2069), and the ends of
# lines and paragraphs. The mere marks of direction belong to names in some scripts.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def visible(name: bytes) -> str:
    """Return ``name`` for people: U+FFFD for what is not UTF-8, and signs for what is not seen.

    Not HTML yet.
    """
    return _UNSEEN.sub(_sign, name.decode("utf-8", "replace"))


def _sign(unseen: re.Match[str]) -> str:
    code = ord(unseen[0])
    if code < 0x20:
        return chr(0x2400 + code)  # the pictures of control characters
    return "\u2421" if code == 0x7F else "\ufffd"
