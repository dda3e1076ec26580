"""Tells twistd about tinyhttp. Imported at every start of twistd, so it imports nothing of ours."""

from twisted.application.service import ServiceMaker

tinyhttp = ServiceMaker(
    "tinyhttp",
    "tinyhttp.service",
    "A static file server over HTTP/1.1.",
    "tinyhttp",
)
