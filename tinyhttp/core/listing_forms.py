"""In which form the client gets a listing.

Floor: core (pure). HTML, or JSON for programs that ask for it (RFC 9110 section 12.5.1). Either is
a representation like that of a file, whose tag is a digest of its octets: conditions and ranges
are answered in the same way.
"""

from hashlib import blake2s
from json import dumps

from .accept import HTML, JSON, preferred
from .fields import EntityTag
from .listing import Entry, Listing, href
from .listing_page import LISTING_POLICY, listing_page, rfc3339
from .page import HTML_TYPE
from .resource import Representation

__all__ = ["form_fields", "listing_form", "listing_json", "represent"]

_VARY = (b"Vary", b"Accept")


def listing_form(accept: bytes | None) -> bytes:
    """Return the media type that a client gets: ``text/html`` if it does not prefer JSON."""
    return preferred(accept, (HTML, JSON))


def represent(listing: Listing, form: bytes) -> Representation:
    """Return ``listing`` in the ``form`` that `listing_form` has chosen.

    It takes some milliseconds for a full page, and so belongs where the names are read.
    """
    content = listing_json(listing) if form == JSON else listing_page(listing)
    content_type = JSON if form == JSON else HTML_TYPE
    return Representation(len(content), _tag(content), None, content_type, b"", content)


def form_fields(form: bytes) -> list[tuple[bytes, bytes]]:
    """Return the fields of a listing besides those that every file has."""
    return [_VARY] if form == JSON else [_VARY, LISTING_POLICY]


def _tag(content: bytes) -> EntityTag:
    """A strong one (section 8.8.1): other octets make another tag."""
    return b'"%s"' % blake2s(content, digest_size=16).hexdigest().encode()


def listing_json(listing: Listing) -> bytes:
    """Return the listing for programs; `docs/listing.md` describes it."""
    names = [name.decode("utf-8", "replace") for name in listing.path.segments]
    document = {
        "path": "/" + "".join(name + "/" for name in names),
        "page": listing.view.page,
        "pages": listing.pages,
        "total": listing.total,
        "entries": [_object(entry) for entry in listing.entries],
    }
    return dumps(document, separators=(",", ":")).encode() + b"\n"


def _object(entry: Entry) -> dict[str, str | int | None]:
    return {
        "name": entry.name.decode("utf-8", "replace"),
        "type": "directory" if entry.is_directory else "file",
        "size": None if entry.is_directory else entry.size,
        "modified": None if entry.modified is None else rfc3339(entry.modified),
        "href": href(entry.name, is_directory=entry.is_directory),
    }
