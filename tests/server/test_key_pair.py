"""Certificates and keys in files: what is taken, and what is said of the rest."""

import os
import re
import ssl
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from tests.certificates import KEY, OTHER_KEY, PEM, Key, certificate, private_key, write_pair
from tests.support import NOW
from tinyhttp.server.key_pair import LARGEST, BadCertificate, KeyPair, load, stamp_of

DAY = 86_400
GOOD = certificate("example.org", now=NOW)
OTHER = certificate("other.example", now=NOW, key=OTHER_KEY)
RSA = rsa.generate_private_key(65537, 2048)
ED25519 = ed25519.Ed25519PrivateKey.generate()
P384 = ec.generate_private_key(ec.SECP384R1())
WEAK = rsa.generate_private_key(65537, 1024)
TRADITIONAL = serialization.PrivateFormat.TraditionalOpenSSL


def pair_of(directory: Path, chain: bytes, key: bytes | None = None) -> KeyPair:
    (directory / "c.pem").write_bytes(chain)
    if key is None:
        return KeyPair(str(directory / "c.pem"))
    (directory / "k.pem").write_bytes(key)
    return KeyPair(str(directory / "c.pem"), str(directory / "k.pem"))


def test_what_is_known_of_a_pair(tmp_path: Path) -> None:
    names = ["Example.org", "*.example.org", "example.org", "xn--bcher-kva.example"]
    loaded = load(write_pair(tmp_path, *names, now=NOW, age=2, days=30), NOW)
    assert loaded.names == (b"example.org", b"*.example.org", b"xn--bcher-kva.example")
    assert (loaded.not_before, loaded.not_after) == (NOW - 2 * DAY, NOW + 30 * DAY)
    assert isinstance(loaded.context, ssl.SSLContext)


def test_the_common_name_does_not_count(tmp_path: Path) -> None:
    chain = certificate(now=NOW, common_name="example.org")
    assert load(pair_of(tmp_path, chain, private_key()), NOW).names == ()


PEM_KEYS = {
    "PKCS 8": (KEY, private_key()),
    "traditional": (KEY, private_key(form=TRADITIONAL)),
    "with parameters": (
        KEY,
        b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
        + private_key(form=TRADITIONAL),
    ),
    "RSA": (RSA, private_key(RSA)),
    "RSA, traditional": (RSA, private_key(RSA, form=TRADITIONAL)),
    "P-384": (P384, private_key(P384)),
    "Ed25519": (ED25519, private_key(ED25519)),
    "with a text before": (KEY, b"Bag Attributes\n  friendlyName: a\n" + private_key()),
    "with CRLF": (KEY, private_key().replace(b"\n", b"\r\n")),
}


@pytest.mark.parametrize(("key", "pem"), PEM_KEYS.values(), ids=PEM_KEYS)
@pytest.mark.parametrize("where", ["apart", "before", "behind"])
def test_keys(tmp_path: Path, key: Key, pem: bytes, where: str) -> None:
    chain = certificate("a.test", now=NOW, key=key)
    pair = {
        "apart": lambda: pair_of(tmp_path, chain + OTHER, pem),
        "before": lambda: pair_of(tmp_path, pem + chain + OTHER),
        "behind": lambda: pair_of(tmp_path, chain + OTHER + pem),
    }[where]()
    assert load(pair, NOW).names == (b"a.test",)


BAD = {
    "no PEM": (b"\x30\x82\x01", private_key(), "c.pem: there is no certificate in it; PEM is"),
    "empty": (b"", private_key(), "c.pem: there is no certificate in it"),
    "a key alone": (private_key(), None, "c.pem: there is no certificate in it"),
    "damaged": (GOOD.replace(b"M", b"N"), private_key(), "c.pem: the certificate in it is damaged"),
    "cut off": (GOOD[:-40], private_key(), "c.pem: there is no certificate in it"),
    "chain damaged": (
        GOOD + b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        private_key(),
        "c.pem: the certificate in it is damaged",
    ),
    "no key": (GOOD, b"# nothing\n", "k.pem: there is no private key in it; PEM is wanted"),
    "no key either": (GOOD, None, "c.pem: there is no private key in it; PEM is wanted"),
    "public key": (
        GOOD,
        KEY.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
        "k.pem: there is no private key in it",
    ),
    "key damaged": (
        GOOD,
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        "k.pem: the private key in it is damaged, or of no kind known",
    ),
    "encrypted": (
        GOOD,
        private_key(passphrase=b"secret"),
        "k.pem: the key is encrypted, and there is nobody to ask",
    ),
    "encrypted, traditional": (
        GOOD,
        private_key(passphrase=b"secret", form=TRADITIONAL),
        "k.pem: the key is encrypted, and there is nobody to ask",
    ),
    "another's key": (
        GOOD,
        private_key(OTHER_KEY),
        "k.pem: the key does not belong to the certificate in .*c.pem$",
    ),
    "of another kind": (GOOD, private_key(RSA), "k.pem: the key does not belong"),
    "another's key inside": (GOOD + private_key(OTHER_KEY), None, "c.pem: the key does not bel"),
    "chain first": (OTHER + GOOD, private_key(), "c.pem: the server's own certificate has to be"),
    "expired": (
        certificate("a.test", now=NOW, age=9, days=-1),
        private_key(),
        r"c.pem: it has expired on 2026-09-20 14:13:20 UTC",
    ),
    "not yet": (
        certificate("a.test", now=NOW, age=-1),
        private_key(),
        r"c.pem: it is not valid before 2026-09-22 14:13:20 UTC",
    ),
    "weak": (
        certificate("a.test", now=NOW, key=WEAK),
        private_key(WEAK),
        "c.pem: OpenSSL does not take it: ee key too small",
    ),
    "huge": (b"x" * (LARGEST + 1), private_key(), "c.pem: that is too large"),
}


@pytest.mark.parametrize(("chain", "key", "message"), BAD.values(), ids=BAD)
def test_what_is_wrong_is_said_in_one_line(
    tmp_path: Path, chain: bytes, key: bytes | None, message: str
) -> None:
    with pytest.raises(BadCertificate, match=message) as caught:
        load(pair_of(tmp_path, chain, key), NOW)
    line = str(caught.value)
    assert line.startswith(str(tmp_path))
    assert re.fullmatch(r"[\x20-\x7e]+", line)


def test_files_that_can_not_be_read(tmp_path: Path) -> None:
    pair = write_pair(tmp_path, "a.test", now=NOW)
    for missing in (KeyPair(f"{tmp_path}/no.pem", pair.key), KeyPair(pair.certificate, "/no/key")):
        with pytest.raises(BadCertificate, match=r"/no.*: No such file or directory$"):
            load(missing, NOW)
    with pytest.raises(BadCertificate, match=f"{tmp_path}: a file is wanted"):
        load(KeyPair(str(tmp_path)), NOW)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(BadCertificate, match="pipe: a file is wanted, which can be read more than"):
        load(KeyPair(pair.certificate, str(pipe)), NOW)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    pair = write_pair(tmp_path, "a.test", now=NOW)
    os.chmod(pair.key, 0)
    with pytest.raises(BadCertificate, match=r"server.key: Permission denied$"):
        load(pair, NOW)


def test_without_the_package_that_reads_certificates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = write_pair(tmp_path, "a.test", now=NOW)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(BadCertificate, match=r"pip install 'twisted-tinyhttp\[tls\]'"):
        load(pair, NOW)


# Stamps.


def test_a_stamp_is_the_same_until_something_changes(tmp_path: Path) -> None:
    pair = write_pair(tmp_path, "a.test", now=NOW)
    assert stamp_of(pair) == stamp_of(pair)
    assert len(stamp_of(KeyPair(pair.certificate))) == 1


def test_another_content_another_stamp(tmp_path: Path) -> None:
    pair = write_pair(tmp_path, "a.test", now=NOW)
    before = stamp_of(pair)
    with open(pair.key, "ab") as file:
        file.write(b"\n")
    assert stamp_of(pair) != before


def test_another_file_of_equal_size_and_time_is_seen(tmp_path: Path) -> None:
    pair = write_pair(tmp_path, "a.test", now=NOW)
    before = stamp_of(pair)
    status = os.stat(pair.key)
    (tmp_path / "new").write_bytes(Path(pair.key).read_bytes())
    os.utime(tmp_path / "new", ns=(status.st_atime_ns, status.st_mtime_ns))
    os.replace(tmp_path / "new", pair.key)
    assert stamp_of(pair) != before


def test_links_are_followed(tmp_path: Path) -> None:
    """As certbot has them for each file, and Kubernetes for the directory."""
    for version in ("1", "2"):
        write_pair(tmp_path / version, "a.test", now=NOW)
        os.utime(tmp_path / version / "server.pem", (NOW, NOW))
    (tmp_path / "data").symlink_to("1")
    (tmp_path / "server.pem").symlink_to("data/server.pem")
    pair = KeyPair(f"{tmp_path}/server.pem")
    before = stamp_of(pair)
    (tmp_path / "new").symlink_to("2")
    os.replace(tmp_path / "new", tmp_path / "data")
    assert stamp_of(pair) != before


def test_a_file_that_goes_and_comes_back_is_seen_twice(tmp_path: Path) -> None:
    pair = write_pair(tmp_path, "a.test", now=NOW)
    before = stamp_of(pair)
    os.rename(pair.key, tmp_path / "away")
    assert stamp_of(pair) == (before[0], None)
    os.rename(tmp_path / "away", pair.key)
    assert stamp_of(pair) == before
