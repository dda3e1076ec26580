"""Settings of what is served, and how."""

from ..core.access import parse_auth
from ..core.caching import parse_cache_rule
from ..core.cors import parse_origin
from .readers import (
    canonical_host,
    codings,
    dialect,
    directory,
    error_page,
    file_name,
    hsts,
    https_port,
    media_type,
    seconds,
    text,
    trailing_slash,
)
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
    flag("listing", "Show what is in a directory that has no index. Without it: not found."),
    flag(
        "clean-urls",
        "Answer /about with about.html, and send whoever asks for the latter to the former.",
    ),
    Setting(
        "trailing-slash",
        trailing_slash,
        "keep",
        "What pages end with: add or remove the slash, or keep what is there.",
        hint="add, remove or keep",
    ),
    flag(
        "spa",
        "Answer for pages that are no files with the index of the root, which makes them itself.",
    ),
    Setting(
        "error-page",
        error_page,
        "",
        "STATUS=PATH: the page for a status, such as 404=/404.html. May be repeated.",
        several=True,
        hint="STATUS=PATH",
    ),
    Setting(
        "dialect",
        dialect,
        "netlify",
        "How _redirects and _headers in the directory are read: netlify, cloudflare, or none.",
        hint="netlify, cloudflare or none",
    ),
    flag(
        "caching",
        "Say how long files may be kept: those whose names hold a hash of their content for a "
        "year, pages until they have changed.",
    ),
    Setting(
        "cache-control",
        parse_cache_rule,
        "",
        "GLOB=VALUE: Cache-Control of the files that GLOB names; the last that matches counts. "
        "May be repeated.",
        several=True,
        hint="GLOB=VALUE",
    ),
    Setting(
        "auth",
        parse_auth,
        "",
        "PATH=FILE: ask for a password for PATH and all beneath; FILE is made by 'htpasswd -B', "
        "or env. May be repeated.",
        several=True,
        path="behind =",
        words=("env",),
        hint="PATH=FILE",
    ),
    Setting("auth-realm", text, "", "What clients are told that the password is for.", hint="text"),
    Setting(
        "cors",
        parse_origin,
        "",
        "Origin whose pages may read what is served, such as https://example.org; * for all. May "
        "be repeated.",
        several=True,
        hint="origin",
    ),
    flag("security-headers", "Send fields that keep browsers from more than pages usually need."),
    Setting(
        "canonical-host",
        canonical_host,
        "",
        "Send whoever asks for another host to this one.",
        hint="host",
    ),
    Setting(
        "https-redirect",
        https_port,
        "",
        "Send whoever comes without TLS to this port of https, such as 443.",
        hint="port",
    ),
    Setting(
        "hsts",
        hsts,
        "",
        "Have browsers ask over TLS only, for so many seconds: 31536000, or "
        "'31536000; includeSubDomains'.",
        hint="seconds",
    ),
    Setting(
        "keep-releases",
        seconds(0),
        "0",
        "Seconds for which fingerprinted files of earlier releases are still found, after --path "
        "was switched to another.",
    ),
)
