"""Which media type a file name stands for.

Floor: core (pure). RFC 9110 section 8.3. The table is our own and fixed, so that a file has the
same type on every machine: the operating system's tables differ, and some call a script text.
A name that is not here is ``application/octet-stream``, which a browser saves and never runs.
"""

from collections.abc import Mapping

__all__ = ["MEDIA_TYPES", "UNKNOWN", "is_compressible", "media_type", "with_charset"]

UNKNOWN = b"application/octet-stream"

# Text formats come without a charset here; `with_charset` adds UTF-8.
_TABLE = """
text/plain                txt text log conf ini cfg def list in diff patch
text/html                 html htm xhtm shtml
text/css                  css
text/csv                  csv
text/tab-separated-values tsv
text/javascript           js mjs cjs
text/markdown             md markdown
text/calendar             ics ifb
text/vcard                vcf vcard
text/vtt                  vtt
text/xml                  xml xsl xslt
text/x-python             py pyi
text/x-c                  c h
text/x-shellscript        sh
text/x-rst                rst
text/x-diff               dif
text/jsx                  jsx
text/yaml                 yaml yml
application/json          json map jsonld har
application/ld+json       ldjson
application/geo+json      geojson
application/feed+json     jsonfeed
application/schema+json   jsonschema
application/manifest+json webmanifest
application/toml          toml
application/xhtml+xml     xhtml xht
application/atom+xml      atom
application/rss+xml       rss
application/rdf+xml       rdf
application/mathml+xml    mathml
application/gpx+xml       gpx
application/vnd.google-earth.kml+xml kml
application/vnd.google-earth.kmz kmz
application/dash+xml      mpd
application/vnd.apple.mpegurl m3u8 m3u
application/wasm          wasm
application/pdf           pdf
application/postscript    ps eps ai
application/rtf           rtf
application/epub+zip      epub
application/msword        doc
application/vnd.ms-excel  xls
application/vnd.ms-powerpoint ppt
application/vnd.openxmlformats-officedocument.wordprocessingml.document docx
application/vnd.openxmlformats-officedocument.spreadsheetml.sheet xlsx
application/vnd.openxmlformats-officedocument.presentationml.presentation pptx
application/vnd.oasis.opendocument.text odt
application/vnd.oasis.opendocument.spreadsheet ods
application/vnd.oasis.opendocument.presentation odp
application/vnd.oasis.opendocument.graphics odg
application/gzip          gz tgz
application/zstd          zst
application/zip           zip
application/x-brotli      br
application/x-bzip2       bz2
application/x-xz          xz
application/x-7z-compressed 7z
application/vnd.rar       rar
application/x-tar         tar
application/java-archive  jar war ear
application/vnd.debian.binary-package deb
application/x-rpm         rpm
application/vnd.android.package-archive apk
application/x-apple-diskimage dmg
application/x-iso9660-image iso
application/x-bittorrent  torrent
application/metalink4+xml meta4
application/pgp-signature asc sig
application/vnd.sqlite3   sqlite sqlite3 db
application/vnd.apache.parquet parquet
application/vnd.ms-fontobject eot
application/protobuf      pb
application/x-x509-ca-cert crt pem der
application/wsdl+xml      wsdl
font/woff                 woff
font/woff2                woff2
font/ttf                  ttf
font/otf                  otf
font/collection           ttc
image/apng                apng
image/avif                avif
image/bmp                 bmp
image/gif                 gif
image/heic                heic
image/heif                heif
image/jp2                 jp2
image/jpeg                jpg jpeg jpe jfif
image/jxl                 jxl
image/png                 png
image/svg+xml             svg
image/tiff                tif tiff
image/vnd.adobe.photoshop psd
image/webp                webp
image/x-icon              ico cur
audio/aac                 aac
audio/flac                flac
audio/midi                mid midi
audio/mp4                 m4a
audio/mpeg                mp3
audio/ogg                 oga ogg opus
audio/wav                 wav
audio/webm                weba
model/gltf-binary         glb
model/gltf+json           gltf
model/obj                 obj
model/stl                 stl
model/vnd.usdz+zip        usdz
video/3gpp                3gp
video/mp2t                m2ts
video/mp4                 mp4 m4v
video/mpeg                mpeg mpg
video/ogg                 ogv
video/quicktime           mov qt
video/webm                webm
video/x-matroska          mkv
video/x-msvideo           avi
"""

_TEXT = ("application/xhtml+xml", "application/atom+xml", "application/rss+xml")

# Besides text, JSON and XML: what is written without compression. Images, sound, films, archives,
# woff and office documents bring their own.
_COMPRESSIBLE = frozenset(
    b"""
    application/json application/postscript application/rtf
    application/toml application/vnd.apple.mpegurl application/vnd.ms-fontobject
    application/wasm application/xml font/collection font/otf font/ttf image/bmp
    image/x-icon model/obj
    model/stl
    """.split()
)


def with_charset(media_type: str) -> bytes:
    """Return ``media_type`` as a field value, with ``charset=utf-8`` where text has none.

    JSON is left alone: its charset is always UTF-8 and the parameter is undefined (RFC 8259).
    """
    textual = media_type.startswith("text/") or media_type in _TEXT
    if textual and "charset=" not in media_type.lower():
        media_type += "; charset=utf-8"
    return media_type.encode("ascii")


def _read_table(table: str) -> dict[bytes, bytes]:
    types = {}
    for line in table.strip().splitlines():
        media_type, *extensions = line.split()
        for extension in extensions:
            types[extension.encode()] = with_charset(media_type)
    return types


MEDIA_TYPES: Mapping[bytes, bytes] = _read_table(_TABLE)


def media_type(name: bytes, extra: Mapping[bytes, bytes]) -> bytes:
    """Return the type for a file called ``name``; ``extra`` goes before the table.

    Both map an extension, in lower case and without its dot, to a field value. A name without an
    extension, or with nothing before the dot (``.profile``), has an unknown type.
    """
    stem, dot, extension = name.rpartition(b".")
    if not dot or not stem:
        return UNKNOWN
    extension = extension.lower()
    return extra.get(extension) or MEDIA_TYPES.get(extension, UNKNOWN)


def is_compressible(content_type: bytes) -> bool:
    """Return whether content of a type is likely to get smaller by a content coding."""
    essence = content_type.partition(b";")[0].strip().lower()
    return (
        essence.startswith(b"text/")
        or essence.endswith((b"+json", b"+xml"))
        or (essence in _COMPRESSIBLE)
    )
