"""Certificates for tests: made on the spot, signed by themselves."""

import os
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from tinyhttp.server.key_pair import KeyPair

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

KEY: Final = ec.generate_private_key(ec.SECP256R1())
OTHER_KEY: Final = ec.generate_private_key(ec.SECP256R1())
PEM: Final = serialization.Encoding.PEM


def certificate(
    *names: str,
    now: float,
    age: float = 1,
    days: float = 90,
    key: Key = KEY,
    common_name: str = "a test",
) -> bytes:
    """Return a certificate for ``names``, made ``age`` days ago, good for ``days`` from ``now``."""
    today = datetime.fromtimestamp(now, timezone.utc)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - timedelta(days=age))
        .not_valid_after(today + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    if names:
        alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(alternatives, critical=False)
    digest = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, digest).public_bytes(PEM)


def private_key(
    key: Key = KEY,
    *,
    passphrase: bytes = b"",
    form: serialization.PrivateFormat = serialization.PrivateFormat.PKCS8,
) -> bytes:
    """Return ``key`` in PEM."""
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        encryption = serialization.BestAvailableEncryption(passphrase)
    return key.private_bytes(PEM, form, encryption)


def write_pair(
    directory: Path,
    *names: str,
    now: float,
    age: float = 1,
    days: float = 90,
    key: Key = KEY,
    name: str = "server",
) -> KeyPair:
    """Write a certificate and its key into two files of ``directory``; replace those there are."""
    directory.mkdir(exist_ok=True)
    pair = KeyPair(str(directory / f"{name}.pem"), str(directory / f"{name}.key"))
    replace(pair.certificate, certificate(*names, now=now, age=age, days=days, key=key))
    replace(pair.key, private_key(key))
    return pair


def replace(file: str, content: bytes) -> None:
    """Put ``content`` in the place of ``file`` at once, as careful programs do."""
    new = Path(f"{file}.new")
    new.write_bytes(content)
    os.replace(new, file)
