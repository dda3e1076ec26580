"""Files that are encoded when somebody asks: who gets what, and who waits for it."""

import gzip
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import brotli
import pytest
import zstandard
from twisted.internet.defer import Deferred
from twisted.logger import globalLogPublisher

from tests.support import (
    Answer,
    Client,
    FakeReactor,
    HeldDisk,
    TurningReactor,
    get,
    make_server,
    open_descriptors,
    pass_time,
    write_tree,
)
from tinyhttp.server import forms as module
from tinyhttp.server.server import Server
from tinyhttp.site.site import Capacity

TEXT = b"".join(b"The %d brown foxes jump over\n" % n for n in range(100))
LONG = TEXT * 100
NOISE = random.Random(1).randbytes(5000)

GZIP = "Accept-Encoding: gzip"
BROWSER = "Accept-Encoding: gzip, deflate, br, zstd"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files: Mapping[str, bytes] = {
        "a.txt": TEXT,
        "b.txt": TEXT.upper(),
        "long.txt": LONG,
        "noise.txt": NOISE,
        "photo.jpg": TEXT,
        "side.txt": TEXT,
        "side.txt.br": brotli.compress(TEXT),
    }
    return write_tree(tmp_path / "root", files)


@pytest.fixture
def server(root: Path) -> Server:
    return make_server(root, compress=["zstd", "br", "gzip"])


@pytest.fixture
def encoder(server: Server) -> HeldDisk:
    """Where forms are made, when they are told to."""
    disk = HeldDisk()
    server.hosts.default.forms.disk = disk
    return disk


def ask(server: Server, target: str, *fields: str, method: str = "GET") -> Answer:
    """Return the answer, which is the same the second time, from memory or not."""
    bodiless = {0, 1} if method == "HEAD" else ()
    request = get(target, *fields, method=method)
    first, again = Client(server).send(request * 2).answers(bodiless)
    assert first == again
    assert Client(server).send(request).answers(bodiless) == [first]
    return first


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        (BROWSER, "zstd"),
        ("Accept-Encoding: gzip, br", "br"),
        (GZIP, "gzip"),
        ("Accept-Encoding: gzip;q=1, br;q=0.5", "gzip"),
        ("Accept-Encoding: gzip;q=0.5, identity", None),
        ("Accept-Encoding: gzip, identity", "gzip"),
        ("Accept-Encoding: *", "zstd"),
        ("Accept-Encoding: deflate", None),
        ("Accept-Encoding: gzip;q=0", None),
        ("Accept-Encoding:", None),
        ("X-None: 1", None),
    ],
)
@pytest.mark.parametrize("name", ["a.txt", "long.txt"])
def test_who_gets_what(server: Server, root: Path, name: str, accepted: str, coding: str) -> None:
    decode: Mapping[str | None, Any] = {
        "zstd": zstandard.decompress, "br": brotli.decompress, "gzip": gzip.decompress, None: bytes
    }  # fmt: skip
    answer = ask(server, f"/{name}", accepted)
    assert answer.status == 200
    assert answer.get("Content-Encoding") == coding
    assert decode[coding](answer.body) == (root / name).read_bytes()
    assert answer["Vary"] == "Accept-Encoding"
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.get("Accept-Ranges") == (None if coding else "bytes")
    head = ask(server, f"/{name}", accepted, method="HEAD")
    assert head.fields == answer.fields


def test_the_choice_does_not_depend_on_what_is_made(server: Server) -> None:
    """Else a client would see the tag change, and its copy grow useless, for no reason."""
    for accepted, coding in ((GZIP, "gzip"), (BROWSER, "zstd"), (GZIP, "gzip")):
        assert ask(server, "/a.txt", accepted)["Content-Encoding"] == coding


def test_a_sidecar_goes_first(server: Server) -> None:
    answer = ask(server, "/side.txt", BROWSER)
    assert answer["Content-Encoding"] == "br"
    assert not answer["ETag"].startswith("W/")
    assert ask(server, "/side.txt", GZIP)["Content-Encoding"] == "gzip"


@pytest.mark.parametrize("name", ["photo.jpg", "noise.txt"])
def test_what_is_not_worth_it(server: Server, root: Path, name: str) -> None:
    answer = ask(server, f"/{name}", BROWSER)
    assert answer.get("Content-Encoding") is None
    assert answer.body == (root / name).read_bytes()


def test_off_unless_asked_for(root: Path) -> None:
    answer = ask(make_server(root), "/a.txt", BROWSER)
    assert (answer.body, answer.get("Vary")) == (TEXT, None)


def test_an_unknown_coding(root: Path) -> None:
    before = open_descriptors()
    with pytest.raises(ValueError, match="'deflate' is no coding"):
        make_server(root, compress=["deflate"])
    assert open_descriptors() == before


# Conditions.


def test_a_copy_is_confirmed_without_making_anything(server: Server, encoder: HeldDisk) -> None:
    """RFC 9110 section 13.1.2: the weak comparison."""
    plain = ask(server, "/a.txt")["ETag"]
    tag = f'W/{plain[:-1]}-gzip"'
    answer = ask(server, "/a.txt", GZIP, f"If-None-Match: {tag}")
    assert (answer.status, answer["ETag"], answer["Vary"]) == (304, tag, "Accept-Encoding")
    assert ask(server, "/a.txt", GZIP, f"If-Match: {tag}").status == 412
    assert encoder.waiting == 0


def test_the_tag_of_one_form_is_not_that_of_another(server: Server) -> None:
    tags = {ask(server, "/a.txt", f"Accept-Encoding: {c}")["ETag"] for c in ("br", "gzip", "")}
    assert len(tags) == 3
    for tag in tags:
        answers = [
            ask(server, "/a.txt", f"Accept-Encoding: {coding}", f"If-None-Match: {tag}").status
            for coding in ("br", "gzip", "")
        ]
        assert sorted(answers) == [200, 200, 304]


# Ranges.


def test_a_range_is_of_the_file_itself(server: Server, encoder: HeldDisk) -> None:
    """What is encoded on demand may become other octets the next time."""
    answer = ask(server, "/a.txt", GZIP, "Range: bytes=4-9")
    assert (answer.status, answer.body) == (206, TEXT[4:10])
    assert answer["Content-Range"] == f"bytes 4-9/{len(TEXT)}"
    assert answer.get("Content-Encoding") is None
    assert not answer["ETag"].startswith("W/")
    assert ask(server, "/a.txt", GZIP, "Range: bytes=9999-").status == 416
    assert encoder.waiting == 0


def test_a_range_of_a_sidecar(server: Server) -> None:
    answer = ask(server, "/side.txt", BROWSER, "Range: bytes=0-3")
    assert (answer.status, answer["Content-Encoding"]) == (206, "br")


def test_resuming(server: Server) -> None:
    plain = ask(server, "/a.txt")
    part = ask(server, "/a.txt", GZIP, "Range: bytes=4-9", f"If-Range: {plain['ETag']}")
    assert (part.status, part.body) == (206, TEXT[4:10])


@pytest.mark.parametrize("by", ["tag", "date", "other tag", "weak tag"])
def test_resuming_what_was_encoded_begins_again(server: Server, by: str) -> None:
    """A date is that of all forms alike: it does not tell which one the client has the start of."""
    encoded = ask(server, "/a.txt", GZIP)
    validator = {
        "tag": encoded["ETag"].removeprefix("W/"),
        "weak tag": encoded["ETag"],
        "date": encoded["Last-Modified"],
        "other tag": '"x"',
    }[by]
    assert ask(server, "/a.txt", GZIP, "Range: bytes=4-9", f"If-Range: {validator}") == encoded


@pytest.mark.parametrize("value", ["bytes=9-4", "lines=1-2", "nonsense"])
def test_a_range_that_is_ignored_changes_nothing(server: Server, value: str) -> None:
    assert ask(server, "/a.txt", GZIP, f"Range: {value}") == ask(server, "/a.txt", GZIP)


def test_a_range_where_the_file_itself_is_ruled_out(server: Server) -> None:
    answer = ask(server, "/a.txt", "Accept-Encoding: gzip, identity;q=0", "Range: bytes=0-1")
    assert (answer.status, answer["Content-Encoding"]) == (200, "gzip")
    assert gzip.decompress(answer.body) == TEXT


# Waiting.


def test_everyone_waits_for_the_same(server: Server, encoder: HeldDisk) -> None:
    clients = [Client(server).send(get("/a.txt", GZIP, f"X-N: {n}")) for n in range(3)]
    assert encoder.waiting == 1
    assert [client.received for client in clients] == [b""] * 3
    clients[0].vanish()
    encoder.complete()
    for client in clients[1:]:
        (answer,) = client.answers()
        assert gzip.decompress(answer.body) == TEXT
    assert Client(server).send(get("/a.txt", GZIP)).answers() == clients[1].answers()
    assert encoder.waiting == 0


def test_others_do_not_wait(server: Server, encoder: HeldDisk) -> None:
    Client(server).send(get("/a.txt", GZIP))
    assert Client(server).send(get("/a.txt")).answers()[0].body == TEXT
    assert Client(server).send(get("/b.txt")).answers()[0].body == TEXT.upper()


def test_if_too_much_is_asked_for(
    server: Server, encoder: HeldDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file goes out as it lies; that is not remembered, as it is only a makeshift."""
    monkeypatch.setattr(module, "MOST", 1)
    first = Client(server).send(get("/b.txt", GZIP))
    (answer,) = Client(server).send(get("/a.txt", GZIP)).answers()
    assert (answer.body, answer["Vary"]) == (TEXT, "Accept-Encoding")
    assert answer.get("Content-Encoding") is None
    encoder.complete()
    assert first.answers()[0]["Content-Encoding"] == "gzip"
    second = Client(server).send(get("/a.txt", GZIP))
    encoder.complete()
    assert second.answers()[0]["Content-Encoding"] == "gzip"


def test_a_form_that_nobody_has_room_for(root: Path) -> None:
    """The newest is kept, however long."""
    server = make_server(root, compress=["gzip"], capacity=Capacity(encoded=0))
    for name, content in (("a.txt", TEXT), ("b.txt", TEXT.upper()), ("a.txt", TEXT)):
        assert gzip.decompress(ask(server, f"/{name}", GZIP).body) == content


def test_an_encoder_that_fails(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[Mapping[str, Any]] = []
    observe: Any = events.append

    def fail(*args: object) -> None:
        raise MemoryError

    globalLogPublisher.addObserver(observe)
    try:
        monkeypatch.setattr(module, "make_form", fail)
        assert ask(server, "/a.txt", GZIP).body == TEXT
    finally:
        globalLogPublisher.removeObserver(observe)
    assert [event["log_format"] for event in events] == [
        "a file could not be encoded, and is sent as it is"
    ]


def test_a_large_file_is_held_until_it_is_encoded(root: Path) -> None:
    before = open_descriptors()
    server = make_server(root, compress=["gzip"], capacity=Capacity(descriptors=1))
    disk = HeldDisk()
    server.hosts.default.forms.disk = disk
    write_tree(root, {"other.bin": LONG})
    client = Client(server).send(get("/long.txt", GZIP))
    Client(server).send(get("/other.bin"))  # takes the only place for an open file
    disk.complete()
    assert gzip.decompress(client.answers()[0].body) == LONG
    _ = server.stop()
    assert open_descriptors() - before == set()


def test_the_end_while_something_is_made(root: Path, server: Server, encoder: HeldDisk) -> None:
    client = Client(server).send(get("/long.txt", GZIP))
    stopped: Deferred[None] = server.stop(0)
    reactor = server._reactor
    assert isinstance(reactor, FakeReactor)
    pass_time(reactor, 1)
    assert stopped.called
    assert client.ended
    encoder.complete()
    assert client.received == b""
    assert not [link for link in open_descriptors() if link.endswith(str(root / "long.txt"))]


def test_a_changed_file_is_encoded_anew(root: Path) -> None:
    reactor = FakeReactor()
    server = make_server(root, reactor, compress=["gzip"])
    assert gzip.decompress(ask(server, "/a.txt", GZIP).body) == TEXT
    write_tree(root, {"new": TEXT.upper()})  # with the same size and time
    (root / "new").rename(root / "a.txt")
    reactor.advance(2)
    assert gzip.decompress(ask(server, "/a.txt", GZIP).body) == TEXT.upper()


def test_a_file_that_is_looked_up_again_is_not_encoded_again(root: Path) -> None:
    reactor = FakeReactor()
    server = make_server(root, reactor, compress=["gzip"])
    disk = HeldDisk()
    server.hosts.default.forms.disk = disk
    client = Client(server).send(get("/a.txt", GZIP))
    disk.complete()
    (answer,) = client.answers()
    (root / "a.txt.zst").write_bytes(b"x")  # so that what was known is known no more
    reactor.advance(2)
    (again,) = Client(server).send(get("/a.txt", GZIP, "X-Other: 1")).answers()
    assert again.body == answer.body
    assert disk.waiting == 0


def test_in_real_threads(root: Path) -> None:
    reactor = TurningReactor()
    server = make_server(root, reactor, compress=["gzip"], threads=2)
    client = Client(server).send(get("/a.txt", GZIP))
    while not client.received:
        reactor.turn()
    assert gzip.decompress(client.answers()[0].body) == TEXT
    server.stopFactory()
    client.vanish()
