"""Programs that people really download with, compared byte by byte."""

import gzip
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.support import OLD, write_tree

from .processes import PATIENCE, environment, same, start

LARGE = Random(3).randbytes(8 * 1024 * 1024)
TEXT = b"All work and no play makes Jack a dull boy.\n" * 2000


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server, without a slash at the end."""
    site = write_tree(
        tmp_path_factory.mktemp("site"),
        {
            "large.bin": LARGE,
            "text.txt": TEXT,
            "text.txt.gz": gzip.compress(TEXT, mtime=0),
            "empty": b"",
            "a name with spaces & a plus+.bin": b"found",
            "directory/index.html": b"in a directory",
        },
    )
    listen = "tcp:0:interface=127.0.0.1"
    with start("twistd", "--port", listen, "--path", str(site), cwd=site) as server:
        yield f"http://127.0.0.1:{server.port()}"


def run(*command: str, cwd: Path) -> bytes:
    """Run ``command`` without anybody's settings, and return what it writes."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environment(HOME=str(cwd), no_proxy="*"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, (done.stdout, done.stderr)
    return done.stdout


def curl(*arguments: str, cwd: Path) -> bytes:
    return run("curl", "--silent", "--show-error", "--fail", *arguments, cwd=cwd)


@needs("curl")
def test_curl_gets_a_file(url: str, tmp_path: Path) -> None:
    assert same(curl(f"{url}/large.bin", cwd=tmp_path), LARGE)


@needs("curl")
def test_curl_gets_many_on_one_connection(url: str, tmp_path: Path) -> None:
    said = curl(
        f"{url}/large.bin", "-o", "1", f"{url}/text.txt", "-o", "2", f"{url}/empty", "-o", "3",
        "--write-out", "%{http_code} %{num_connects}\n", cwd=tmp_path,
    )  # fmt: skip
    assert said == b"200 1\n200 0\n200 0\n"
    assert same((tmp_path / "1").read_bytes(), LARGE)
    assert same((tmp_path / "2").read_bytes(), TEXT)
    assert (tmp_path / "3").read_bytes() == b""


@needs("curl")
@pytest.mark.parametrize("already", [1, 65536, len(LARGE) - 1])
def test_curl_resumes(already: int, url: str, tmp_path: Path) -> None:
    part = tmp_path / "large.bin"
    part.write_bytes(LARGE[:already])
    said = curl(
        "-C", "-", "-o", "large.bin", "--write-out", "%{http_code} %{size_download}",
        f"{url}/large.bin", cwd=tmp_path,
    )  # fmt: skip
    assert said.decode() == f"206 {len(LARGE) - already}"
    assert same(part.read_bytes(), LARGE)


@needs("curl")
@pytest.mark.parametrize(
    ("wanted", "span"),
    [("0-0", slice(0, 1)), ("100000-4999999", slice(100000, 5000000)), ("-9", slice(-9, None))],
)
def test_curl_gets_a_range(wanted: str, span: slice, url: str, tmp_path: Path) -> None:
    assert same(curl("--range", wanted, f"{url}/large.bin", cwd=tmp_path), LARGE[span])


@needs("curl")
def test_curl_gets_several_ranges(url: str, tmp_path: Path) -> None:
    body = curl("--range", "0-9,5000000-5000009", f"{url}/large.bin", cwd=tmp_path)
    size = len(LARGE)
    assert f"Content-Range: bytes 0-9/{size}\r\n\r\n".encode() + LARGE[:10] in body
    assert (
        f"Content-Range: bytes 5000000-5000009/{size}\r\n\r\n".encode() + LARGE[5000000:5000010]
        in body
    )


@needs("curl")
def test_curl_unpacks_what_comes_compressed(url: str, tmp_path: Path) -> None:
    said = curl(
        "--compressed", "-o", "text", "--write-out", "%{size_download}", f"{url}/text.txt",
        cwd=tmp_path,
    )  # fmt: skip
    assert int(said) == len(gzip.compress(TEXT, mtime=0)) < len(TEXT)
    assert same((tmp_path / "text").read_bytes(), TEXT)


@needs("curl")
def test_curl_over_http_1_0(url: str, tmp_path: Path) -> None:
    assert same(curl("--http1.0", f"{url}/large.bin", cwd=tmp_path), LARGE)


@needs("curl")
def test_curl_gets_only_what_is_newer(url: str, tmp_path: Path) -> None:
    first = ["--etag-save", "tag", f"{url}/text.txt"]
    assert same(curl(*first, cwd=tmp_path), TEXT)
    again = ["--etag-compare", "tag", "--write-out", "%{http_code}", f"{url}/text.txt"]
    assert curl(*again, cwd=tmp_path) == b"304"


@needs("curl")
def test_curl_follows_a_directory_to_its_slash(url: str, tmp_path: Path) -> None:
    assert curl("--location", f"{url}/directory?a=b", cwd=tmp_path) == b"in a directory"


@needs("curl")
def test_curl_finds_a_name_that_has_to_be_escaped(url: str, tmp_path: Path) -> None:
    target = "/a%20name%20with%20spaces%20%26%20a%20plus+.bin"
    assert curl(url + target, cwd=tmp_path) == b"found"


@needs("curl")
def test_curl_is_spared_an_upload_in_vain(url: str, tmp_path: Path) -> None:
    """With a body so large curl asks first, and sends none of it after a refusal."""
    (tmp_path / "upload").write_bytes(bytes(2 * 1024 * 1024))
    said = run(
        "curl", "--silent", "--show-error", "-X", "PUT", "--data-binary", "@upload",
        "-H", "Expect: 100-continue", "-o", "answer",
        "--write-out", "%{http_code} %{size_upload}", f"{url}/text.txt", cwd=tmp_path,
    )  # fmt: skip
    assert said == b"405 0"


@needs("wget")
def test_wget_gets_a_file_and_its_age(url: str, tmp_path: Path) -> None:
    run("wget", "--no-proxy", "--no-verbose", f"{url}/large.bin", cwd=tmp_path)
    assert same((tmp_path / "large.bin").read_bytes(), LARGE)
    assert (tmp_path / "large.bin").stat().st_mtime == OLD


@needs("wget")
@pytest.mark.parametrize("already", [1, 3_000_000, len(LARGE)])
def test_wget_resumes(already: int, url: str, tmp_path: Path) -> None:
    part = tmp_path / "large.bin"
    part.write_bytes(LARGE[:already])
    run("wget", "--no-proxy", "--no-verbose", "--continue", f"{url}/large.bin", cwd=tmp_path)
    assert same(part.read_bytes(), LARGE)


@needs("aria2c")
def test_aria2_gets_a_file_in_eight_ranges_at_a_time(url: str, tmp_path: Path) -> None:
    run(
        "aria2c", "--no-conf", "--quiet", "--max-connection-per-server=8", "--split=8",
        "--min-split-size=1M", "--file-allocation=none", f"{url}/large.bin", cwd=tmp_path,
    )  # fmt: skip
    assert same((tmp_path / "large.bin").read_bytes(), LARGE)
