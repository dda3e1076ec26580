"""Commands, server and a real client together: what was compressed arrives as it was."""

import shutil
import subprocess
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import maybeDeferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.utils import getProcessOutputAndValue

from tests.support import write_tree
from tinyhttp.commands.compress import main as compress
from tinyhttp.commands.manifest import main as write_manifest
from tinyhttp.commands.manifest import verify
from tinyhttp.server.server import Server
from tinyhttp.site.verification import Contents

from .waiting import asynchronous

CURL = shutil.which("curl")
TEXT = b"".join(b"The %d brown foxes jump over\n" % n for n in range(5000))

pytestmark = pytest.mark.skipif(CURL is None, reason="curl is not installed")


def codings() -> list[str]:
    """Return the codings that the curl which is installed can undo."""
    if CURL is None:
        return []
    features = subprocess.run([CURL, "--version"], capture_output=True, check=True, text=True)
    names = {"brotli": "br", "zstd": "zstd", "libz": "gzip"}
    return [names[name] for name in names if name in features.stdout.lower()]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "root", {"a.txt": TEXT, "index.html": TEXT[:500]})


class Served:
    """A server on a port of its own."""

    def __init__(self, root: Path, **options: Any):
        from twisted.internet import reactor

        self.server = Server(root, reactor=reactor, **options)
        self._endpoint = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")

    async def __aenter__(self) -> "Served":
        self._port = await self._endpoint.listen(self.server)
        return self

    async def __aexit__(self, *error: object) -> None:
        await maybeDeferred(self._port.stopListening)
        await self.server.stop(0)

    async def fetch(self, path: str, *options: str) -> tuple[dict[str, str], bytes]:
        """Return fields (names in lower case) and body that curl gets."""
        assert CURL is not None
        url = f"http://127.0.0.1:{self._port.getHost().port}{path}"
        arguments = ["-sS", "--max-time", "20", "-D", "-", *options, url]
        out, err, status = await getProcessOutputAndValue(CURL, arguments)
        assert (err, status) == (b"", 0)
        head, _, body = out.partition(b"\r\n\r\n")
        lines = (line.partition(": ") for line in head.decode().split("\r\n")[1:])
        return {name.lower(): value for name, _, value in lines}, body


@asynchronous
@pytest.mark.parametrize("coding", codings())
@pytest.mark.parametrize("how", ["sidecars", "on demand"])
async def test_curl_undoes_it(root: Path, how: str, coding: str) -> None:
    if how == "sidecars":
        assert compress([str(root), "--quiet", "--level", "fast"]) == 0

    async with Served(root, compress=[coding] if how == "on demand" else []) as served:
        accept = ("-H", f"Accept-Encoding: {coding}")
        for _ in range(2):
            fields, body = await served.fetch("/a.txt", "--compressed", *accept)
            assert fields["content-encoding"] == coding
            assert body == TEXT
            assert int(fields["content-length"]) < len(TEXT) / 3
        _, part = await served.fetch("/a.txt", "-r", "100-199")
        assert part == TEXT[100:200]


@asynchronous
async def test_a_build_with_a_manifest(root: Path) -> None:
    assert compress([str(root), "--quiet", "--codings", "gzip"]) == 0
    assert write_manifest([str(root), "--quiet"]) == 0
    differences = verify(str(root), root / ".tinyhttp-manifest.json")
    assert not differences
    contents = Contents(differences.certain)
    encoded = (root / "a.txt.gz").read_bytes()
    want = ("-H", "Want-Repr-Digest: sha-256=10")

    async with Served(root, contents=contents) as served:
        for content, options in ((TEXT, ()), (encoded, ("-H", "Accept-Encoding: gzip"))):
            fields, body = await served.fetch("/a.txt", *want, *options)
            assert body == content
            digest = sha256(content)
            assert fields["repr-digest"] == f"sha-256=:{b64encode(digest.digest()).decode()}:"
            assert fields["etag"].startswith(f'"{digest.hexdigest()[:32]}')
        fields, body = await served.fetch("/", *want)
        assert body == TEXT[:500]
        assert "repr-digest" in fields
        assert contents.changed == set()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever proxy this machine may have, it is not asked."""
    monkeypatch.setenv("no_proxy", "*")
