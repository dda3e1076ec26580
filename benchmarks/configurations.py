"""The configuration files of the servers that have such files."""

from .launch import Job

__all__ = ["CACHING", "NOPUSH", "lighttpd", "nginx"]

_NGINX = """
daemon off;
pid {work}/nginx.pid;
error_log {work}/errors crit;
worker_processes 1;
worker_rlimit_nofile {descriptors};
events {{ worker_connections {room}; }}
http {{
    types {{ text/html html; application/octet-stream bin; }}
    sendfile on;
    keepalive_timeout 300s;
    keepalive_requests 1000000000;
    client_body_temp_path {work}/body;
    proxy_temp_path {work}/proxy;
    fastcgi_temp_path {work}/fastcgi;
    uwsgi_temp_path {work}/uwsgi;
    scgi_temp_path {work}/scgi;
    access_log {log};
    {more}
    server {{
        listen 127.0.0.1:{port}{ssl};
        {certificate}
        root {root};
    }}
}}
"""
CACHING = "open_file_cache max=8192 inactive=60s; open_file_cache_valid 1s;"
"""It remembers open files for a second."""
NOPUSH = "tcp_nopush on;"
"""Head and file go out in the same segments, as Debian's nginx.conf has it."""

_LIGHTTPD = """
server.bind = "127.0.0.1"
server.port = {port}
server.document-root = "{root}"
server.max-connections = {room}
server.max-fds = {descriptors}
server.max-keep-alive-idle = 300
server.max-keep-alive-requests = 1000000000
server.errorlog = "{work}/errors"
mimetype.assign = ( ".html" => "text/html", ".bin" => "application/octet-stream" )
{log}
{tls}
"""

_FILES = 16_384
"""Descriptors beside those of connections, for those that keep files open."""


def nginx(job: Job, more: str = "") -> str:
    """Return nginx.conf: one worker, sendfile, and whatever is asked for besides."""
    tls = job.tls
    return _NGINX.format(
        work=job.work,
        root=job.root,
        port=job.port,
        room=job.room,
        descriptors=job.room + _FILES,
        log=job.log or "off",
        more=more,
        ssl=" ssl" if tls else "",
        certificate=f"ssl_certificate {tls[0]}; ssl_certificate_key {tls[1]};" if tls else "",
    )


def lighttpd(job: Job) -> str:
    """Return lighttpd.conf: one process."""
    log, tls = "", ""
    if job.log:
        log = f'server.modules += ( "mod_accesslog" )\naccesslog.filename = "{job.log}"'
    if job.tls:
        certificate, key = job.tls
        tls = (
            'server.modules += ( "mod_openssl" )\nssl.engine = "enable"\n'
            f'ssl.pemfile = "{certificate}"\nssl.privkey = "{key}"'
        )
    return _LIGHTTPD.format(
        work=job.work,
        root=job.root,
        port=job.port,
        room=job.room,
        descriptors=job.room + _FILES,
        log=log,
        tls=tls,
    )
