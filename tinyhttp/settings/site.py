"""Settings of what is served, and how."""

from .readers import codings, directory, file_name, media_type, text
from .setting import Setting, flag

SITE: tuple[Setting, ...] = (
    Setting("path", directory, ".", "Directory to serve.", path="directory"),
    Setting(
        "index",
        file_name,
        "",
        "File that stands for its directory. May be repeated. [default: index.html].",
        several=True,
        hint="file name",
    ),
    Setting(
        "mime-type",
        media_type,
        "",
        "EXT=TYPE: the media type of files with that extension. May be repeated.",
        several=True,
        hint="EXT=TYPE",
    ),
    flag(
        "hidden-files",
        "Serve names that start with a dot too. Without it they are not found, but for "
        "/.well-known/.",
    ),
    flag(
        "follow-symlinks",
        "Follow symbolic links that lead out of the directory. Without it they are not found.",
    ),
    Setting(
        "compress",
        codings,
        "",
        "Codings in which text without sidecars is sent, such as br,zstd,gzip; the preferred one "
        "first.",
        hint="codings",
    ),
    Setting(
        "manifest",
        text,
        "",
        "Manifest that the directory has to agree with, as tinyhttp manifest makes it. ETags are "
        "made of content then.",
        path="file",
    ),
)
