"""How a manifest is written and read, whatever is in it."""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tinyhttp.site import manifest as module
from tinyhttp.site.manifest import Entry, Malformed, Manifest, load, parse, render

SHA = "ab" * 32
DIGEST = bytes.fromhex(SHA)


def written(*files: Any, **head: Any) -> bytes:
    document = {"tinyhttp-manifest": 1, "hidden_files": False, "files": list(files), **head}
    return json.dumps(document).encode()


def entry(path: Any = "a.txt", size: Any = 1, sha256: Any = SHA, **others: Any) -> dict[str, Any]:
    return {"path": path, "size": size, "sha256": sha256, **others}


def test_the_format() -> None:
    """It is public: other programs may write it, and compare it line by line."""
    manifest = Manifest(
        {
            (b"index.html",): Entry(12, DIGEST),
            (b"a b", b"\xff"): Entry(0, bytes(32)),
            (b"a",): Entry(1, DIGEST),
            (b"a!",): Entry(2, DIGEST),
        }
    )
    assert render(manifest).decode() == (
        '{"tinyhttp-manifest": 1, "hidden_files": false, "files": [\n'
        f'{{"path": "a", "size": 1, "sha256": "{SHA}"}},\n'
        f'{{"path": "a!", "size": 2, "sha256": "{SHA}"}},\n'
        f'{{"path": "a%20b/%FF", "size": 0, "sha256": "{"00" * 32}"}},\n'
        f'{{"path": "index.html", "size": 12, "sha256": "{SHA}"}}\n'
        "]}\n"
    )


def test_an_empty_tree() -> None:
    assert parse(render(Manifest({}, True))) == Manifest({}, True)


SEGMENTS = st.binary(min_size=1, max_size=8).filter(
    lambda name: name not in (b".", b"..") and not {0, 0x2F} & set(name)
)
ENTRIES = st.dictionaries(
    st.lists(SEGMENTS, min_size=1, max_size=3).map(tuple),
    st.builds(Entry, st.integers(0, 2**63 - 1), st.binary(min_size=32, max_size=32)),
    max_size=5,
)


@given(ENTRIES, st.booleans())
def test_what_is_written_is_read(entries: dict[tuple[bytes, ...], Entry], hidden: bool) -> None:
    manifest = Manifest(entries, hidden)
    data = render(manifest)
    assert parse(data) == manifest
    assert render(Manifest(dict(reversed(entries.items())), hidden)) == data


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is no JSON"),
        (b"\xff", "it is not UTF-8"),
        (b"[" * 100_000, "nested too deep"),
        (b"[" + b"9" * 5000 + b"]", "it is no "),
        (b"[]", "it is no manifest of tinyhttp"),
        (b"null", "it is no manifest of tinyhttp"),
        (b"{}", "it is no manifest of tinyhttp"),
        (b'{"a": 1, "a": 2}', "a name comes twice"),
        (written(**{"tinyhttp-manifest": 2}), "its version is 2; 1 is understood"),
        (written(**{"tinyhttp-manifest": True}), "its version is True"),
        (written(**{"tinyhttp-manifest": "1"}), "its version is '1'"),
        (written(**{"tinyhttp-manifest": [1]}), "its version is a list"),
        (written(hidden_files=0), "a truth value is wanted as hidden_files"),
        (written(files={}), "a list as files"),
        (written(extra=1), "nothing else"),
        (written(1), "file 1: path, size and sha256 are wanted"),
        (written(entry(mtime=1)), "file 1: path, size and sha256 are wanted, and nothing else"),
        (written(entry(), {"path": "b"}), "file 2: path, size and sha256"),
        (written(entry(1)), "file 1: path 1: an escaped path"),
        (written(entry("")), "an escaped path"),
        (written(entry("/a")), "an escaped path"),
        (written(entry("a/")), "an escaped path"),
        (written(entry("a//b")), "an escaped path"),
        (written(entry("../a")), "an escaped path"),
        (written(entry("a/./b")), "an escaped path"),
        (written(entry("%2e%2e/a")), "an escaped path"),
        (written(entry("a%2Fb")), "an escaped path"),
        (written(entry("a%00")), "an escaped path"),
        (written(entry("a%")), "an escaped path"),
        (written(entry("a%41")), "an escaped path"),
        (written(entry("a%c3")), "an escaped path"),
        (written(entry("a b")), "an escaped path"),
        (written(entry("ä")), "an escaped path"),
        (written(entry("\ud800")), "an escaped path"),
        (written(entry("x" * 1000 + " ")), r"path 'x{59}\.\.\.: an escaped path"),
        (written(entry("b"), entry("a")), "file 2: path 'a': it comes twice, or out of order"),
        (written(entry("a"), entry("a")), "file 2: path 'a': it comes twice"),
        (written(entry(size=-1)), "file 1: size -1: a number of octets"),
        (written(entry(size=2**63)), "size too large: a number of octets"),
        (written(entry(size=1.0)), "size 1.0: a number of octets"),
        (written(entry(size=True)), "size True: a number of octets"),
        (written(entry(size=None)), "size None: a number of octets"),
        (written(entry(sha256=SHA[1:])), "64 hex digits are wanted"),
        (written(entry(sha256=SHA.upper())), "64 hex digits are wanted"),
        (written(entry(sha256=SHA + "\n")), "64 hex digits are wanted"),
        (written(entry(sha256=["x"])), "64 hex digits are wanted"),
        (written(entry(size=float("nan"))), "size nan"),
    ],
)
def test_what_is_no_manifest(data: bytes, reason: str) -> None:
    with pytest.raises(Malformed, match=reason) as raised:
        parse(data)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 200


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
DAMAGED = st.fixed_dictionaries(
    {"tinyhttp-manifest": st.just(1), "hidden_files": st.booleans()},
    optional={
        "files": st.lists(
            st.fixed_dictionaries(
                {},
                optional={
                    "path": st.text(max_size=5) | JSON,
                    "size": st.integers() | JSON,
                    "sha256": st.just(SHA) | JSON,
                    "x": JSON,
                },
            )
            | JSON,
            max_size=3,
        )
        | JSON
    },
)


@given(st.binary() | JSON.map(json.dumps).map(str.encode) | DAMAGED.map(json.dumps).map(str.encode))
@example(b'{"tinyhttp-manifest": 1e400}')
def test_nothing_else_is_raised(data: bytes) -> None:
    with suppress(Malformed):
        manifest = parse(data)
        assert parse(render(manifest)) == manifest


# Files.


def test_a_file(tmp_path: Path) -> None:
    manifest = Manifest({(b"a",): Entry(1, DIGEST)})
    (tmp_path / "m").write_bytes(render(manifest))
    assert load(tmp_path / "m") == manifest


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path, tmp_path / "fifo", Path("/dev/zero")):
        with pytest.raises(Malformed, match="not a regular file"):
            load(path)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none")


def test_a_manifest_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = render(Manifest({}))
    (tmp_path / "m").write_bytes(data)
    monkeypatch.setattr(module, "MAX_OCTETS", len(data))
    assert load(tmp_path / "m") == Manifest({})
    monkeypatch.setattr(module, "MAX_OCTETS", len(data) - 1)
    with pytest.raises(Malformed, match="more than"):
        load(tmp_path / "m")
