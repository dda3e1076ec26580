"""Whether a certificate can be shown, with the key that belongs to it, and for which names.

Floor: server. RFC 5280 (certificates), RFC 6125 section 6.4 and RFC 9525 (names). What the files
say is checked with `cryptography`_, which is imported when the first file is read: who serves
without TLS pays nothing for it. Encrypting is the business of Python's own ``ssl``.

Reading blocks on the disk.

.. _cryptography: https://cryptography.io/
"""

import os
import ssl
import stat
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

__all__ = [
    "CIPHERS",
    "PROTOCOLS",
    "BadCertificate",
    "KeyPair",
    "Loaded",
    "Stamp",
    "date_of",
    "load",
    "stamp_of",
]

CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
)
"""For TLS 1.2: forward secrecy and authenticated encryption, nothing else. TLS 1.3 has no other."""

PROTOCOLS = ("http/1.1", "http/1.0")
"""What may be agreed upon by ALPN (RFC 7301), the one that we prefer first."""

LARGEST = 1024 * 1024
"""Octets of a file that is taken for a certificate or a key. A long chain has 10,000."""

# SSL_OP_PRIORITIZE_CHACHA of openssl/ssl.h, which Python has no name for: of a client that puts
# ChaCha20 first, because it has no AES in hardware, this preference is taken over.
_PRIORITIZE_CHACHA = 1 << 21

_BEGIN, _END = b"-----BEGIN ", b"-----END "


class BadCertificate(Exception):  # noqa: N818 (named after what was found)
    """A certificate or key can't be used, for the reason given in one line."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """Where a certificate, followed by its chain, and its key are; both in PEM."""

    certificate: str
    key: str = ""
    """Empty if the key is in the same file."""

    @property
    def files(self) -> tuple[str, ...]:
        """The files, each once."""
        return (self.certificate, self.key) if self.key else (self.certificate,)


Stamp = tuple[tuple[int, int, int, int] | None, ...]
"""What tells one state of the files of a `KeyPair` from another."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A key pair that was found good."""

    pair: KeyPair
    names: tuple[bytes, ...]
    """The DNS names that it is for, in lower case; ``*.`` before those that stand for a label."""
    not_before: float
    not_after: float
    """When it becomes valid, and when it expires, in seconds since the epoch."""
    context: ssl.SSLContext


def stamp_of(pair: KeyPair) -> Stamp:
    """Return the stamp of the files of ``pair``, links followed; of one that is missing ``None``.

    The inode tells a file that was put in the place of another by a change of links, as certbot
    and Kubernetes do it, even if size and time are the same.
    """
    return tuple(map(_stamp, pair.files))


def _stamp(file: str) -> tuple[int, int, int, int] | None:
    try:
        status = os.stat(file)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino, status.st_dev


def load(pair: KeyPair, now: float) -> Loaded:
    """Return ``pair``, read and checked; raises `BadCertificate`.

    OpenSSL reads the files a second time. If they are changed in between, names and dates may be
    those of the old ones until the stamp, which has to be taken before, is compared again.
    """
    x509, serialization = _cryptography()
    chain = _certificates(x509, pair.certificate)
    certificate = chain[0]
    key_file = pair.key or pair.certificate
    key = _private_key(serialization, key_file)
    _check_key(serialization, pair, key, chain)
    not_before = certificate.not_valid_before_utc.timestamp()
    not_after = certificate.not_valid_after_utc.timestamp()
    if now > not_after:
        raise BadCertificate(f"{pair.certificate}: it has expired on {date_of(not_after)}")
    if now < not_before:
        raise BadCertificate(f"{pair.certificate}: it is not valid before {date_of(not_before)}")
    return Loaded(pair, _names(x509, certificate), not_before, not_after, _context(pair))


def date_of(when: float) -> str:
    """Return ``when``, in seconds since the epoch, for people."""
    return datetime.fromtimestamp(when, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")


def _cryptography() -> tuple[Any, Any]:
    try:
        from cryptography import x509  # noqa: PLC0415 (12 MiB of memory, for TLS alone)
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
    except ImportError:
        raise BadCertificate(
            "TLS needs the package cryptography: pip install 'twisted-tinyhttp[tls]'"
        ) from None
    return x509, serialization


def _read(file: str) -> bytes:
    try:
        if not stat.S_ISREG(os.stat(file).st_mode):  # a pipe would have us wait
            raise BadCertificate(f"{file}: a file is wanted, which can be read more than once")
        with open(file, "rb") as opened:
            data = opened.read(LARGEST + 1)
    except OSError as error:
        raise BadCertificate(f"{file}: {error.strerror}") from None
    if len(data) > LARGEST:
        raise BadCertificate(f"{file}: that is too large for a certificate or a key")
    return data


def _blocks(data: bytes, kind: bytes) -> list[bytes]:
    """Return the blocks of PEM in ``data`` whose label ends with ``kind``."""
    blocks = []
    start = data.find(_BEGIN)
    while start >= 0:
        label = data[start + len(_BEGIN) : data.find(b"-----", start + len(_BEGIN))]
        end = data.find(_END + label + b"-----", start)
        if end < 0:
            break
        end += len(_END) + len(label) + 5
        if label.endswith(kind):
            blocks.append(data[start:end] + b"\n")
        start = data.find(_BEGIN, end)
    return blocks


def _certificates(x509: Any, file: str) -> list[Any]:
    blocks = _blocks(_read(file), b"CERTIFICATE")
    if not blocks:
        raise BadCertificate(f"{file}: there is no certificate in it; PEM is wanted")
    try:
        return [x509.load_pem_x509_certificate(block) for block in blocks]
    except ValueError:
        raise BadCertificate(f"{file}: the certificate in it is damaged") from None


def _private_key(serialization: Any, file: str) -> Any:
    blocks = _blocks(_read(file), b"PRIVATE KEY")
    if not blocks:
        raise BadCertificate(f"{file}: there is no private key in it; PEM is wanted")
    try:
        return serialization.load_pem_private_key(blocks[0], None)
    except TypeError:
        raise BadCertificate(
            f"{file}: the key is encrypted, and there is nobody to ask for the passphrase; "
            "'openssl pkey' makes one that is not"
        ) from None
    except Exception:  # ValueError, UnsupportedAlgorithm and what the parser makes of garbage
        raise BadCertificate(
            f"{file}: the private key in it is damaged, or of no kind known"
        ) from None


def _check_key(serialization: Any, pair: KeyPair, key: Any, chain: list[Any]) -> None:
    def octets(public_key: Any) -> Any:
        return public_key.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    wanted = octets(key.public_key())
    found = [octets(certificate.public_key()) == wanted for certificate in chain]
    if found[0]:
        return
    if any(found):
        raise BadCertificate(
            f"{pair.certificate}: the server's own certificate has to be the first in the file"
        )
    raise BadCertificate(
        f"{pair.key or pair.certificate}: the key does not belong to the certificate"
        + (f" in {pair.certificate}" if pair.key else "")
    )


def _names(x509: Any, certificate: Any) -> tuple[bytes, ...]:
    """Return the DNS names; the common name has not counted for a long time (RFC 9525)."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return ()
    found = names.get_values_for_type(x509.DNSName)
    return tuple(dict.fromkeys(n.lower().encode("ascii", "replace") for n in found))


def _context(pair: KeyPair) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= (
        ssl.OP_CIPHER_SERVER_PREFERENCE
        | _PRIORITIZE_CHACHA
        | ssl.OP_NO_COMPRESSION
        | ssl.OP_NO_RENEGOTIATION
    )
    context.set_alpn_protocols(list(PROTOCOLS))
    try:
        context.load_cert_chain(pair.certificate, pair.key or None, _no_passphrase)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise BadCertificate(
            f"{pair.certificate}: OpenSSL does not take it: {_reason(error)}"
        ) from None
    return context


def _no_passphrase() -> bytes:
    """Answer in place of the terminal, which OpenSSL would ask."""
    return b""


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
    return str(reason).replace("_", " ").lower()
