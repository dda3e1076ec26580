"""Who vouches for a server that exists for one test? An authority made on the spot.

Floor: testing. ``cryptography`` makes certificates and Twisted serves with them; both are imported
when they are needed.
"""

import ipaddress
import tempfile
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from .mistakes import Missing

__all__ = ["Trust", "make_trust"]

_NAMES = ("localhost",)
_ADDRESSES = ("127.0.0.1", "::1")
_DAYS = 2


@dataclass(frozen=True, slots=True)
class Trust:
    """A certificate for ``localhost`` and its addresses, and the authority that has signed it."""

    ca_pem: bytes
    """What a client has to trust."""
    server_pem: bytes = field(repr=False)
    """What the server proves itself with: key and certificate."""

    def server_context(self) -> Any:
        """Return what ``TLSMemoryBIOFactory`` makes the connections of a server with.

        From a file, as every version of pyOpenSSL takes it so; what Twisted hands over is
        deprecated, which ends tests to which warnings are errors.
        """
        from OpenSSL import SSL

        context = SSL.Context(SSL.TLS_METHOD)
        with tempfile.NamedTemporaryFile() as file:
            file.write(self.server_pem)
            file.flush()
            context.use_certificate_chain_file(file.name)
            context.use_privatekey_file(file.name)
        return ServerContext(context)

    def trust_root(self) -> Any:
        """Return what Twisted's clients want of whom to trust."""
        from twisted.internet.ssl import Certificate, trustRootFromCertificates

        return trustRootFromCertificates([Certificate.loadPEM(self.ca_pem)])


class ServerContext:
    """Makes the connections of a server.

    An ``IOpenSSLServerConnectionCreator``; declared by whoever hands it to Twisted, so that nothing
    of Twisted is imported here.
    """

    def __init__(self, context: Any):
        self._context = context

    def serverConnectionForTLS(self, protocol: Any) -> Any:
        """Return the connection of ``protocol``."""
        from OpenSSL import SSL

        return SSL.Connection(self._context, None)


def make_trust() -> Trust:
    """Return a new authority and a certificate; raises `Missing` without ``cryptography``."""
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives.asymmetric import ec
        from twisted.protocols import tls  # noqa: F401 (pyOpenSSL)
    except ImportError:
        raise Missing("https needs more: pip install 'twisted-tinyhttp[tls]'") from None
    authority, key = (
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP256R1()),
    )
    name = _name("tinyhttp.testing")
    root = _sign(_authority(_draft(name, name, authority.public_key()), authority), authority)
    leaf = _draft(_name("localhost"), name, key.public_key())
    names: list[x509.GeneralName] = [x509.DNSName(n) for n in _NAMES]
    names += [x509.IPAddress(ipaddress.ip_address(a)) for a in _ADDRESSES]
    leaf = leaf.add_extension(x509.SubjectAlternativeName(names), critical=False)
    leaf = leaf.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    leaf = leaf.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), critical=False
    )
    return Trust(_pem(root), _key_pem(key) + _pem(_sign(leaf, authority)))


def _draft(subject: Any, issuer: Any, key: Any) -> Any:
    from cryptography import x509

    now = datetime.now(timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=_DAYS))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _authority(draft: Any, key: Any) -> Any:
    """Add what RFC 5280 section 4.2.1 wants of an authority; strict clients look."""
    from cryptography import x509

    usage = dict.fromkeys(
        (
            *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
            *("key_agreement", "encipher_only", "decipher_only"),
        ),
        False,
    )
    return draft.add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    ).add_extension(x509.KeyUsage(key_cert_sign=True, crl_sign=True, **usage), critical=True)


def _sign(draft: Any, key: Any) -> Any:
    from cryptography.hazmat.primitives import hashes

    return draft.sign(key, hashes.SHA256())


def _name(common: str) -> Any:
    from cryptography import x509

    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common)])


def _pem(certificate: Any) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return bytes(certificate.public_bytes(Encoding.PEM))


def _key_pem(key: Any) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
