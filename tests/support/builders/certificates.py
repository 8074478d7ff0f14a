"""Certificates made on the spot, for servers at 127.0.0.1 and for clients."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Certificate:
    """PEM files: a certificate, its key, and both in one as Kafka and MongoDB want them."""

    cert: Path
    key: Path
    both: Path


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """A certificate that signs itself, and its key, in two files."""

    cert: Path
    key: Path

    def write(self, password: str = "") -> None:
        """Make a new certificate with a new key, which *password* encrypts."""
        key, name = _new_key(), _name("localhost")
        self.cert.write_bytes(_pem(_builder(name, name, key).sign(key, SHA256())))
        self.key.write_bytes(_key_pem(key, password))

    def trusting(self) -> ssl.SSLContext:
        """Return what a client trusts that trusts this certificate alone."""
        return ssl.create_default_context(cafile=str(self.cert))


def certificate_files(folder: Path) -> CertificateFiles:
    files = CertificateFiles(folder / "tls.crt", folder / "tls.key")
    files.write()
    return files


class Authority:
    """Signs certificates for 127.0.0.1 and for clients; its own is in `ca`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self.ca = folder, folder / "ca.pem"
        self._key, self._name = _new_key(), _name("authority of a test")
        own = _builder(self._name, self._name, self._key)
        self.ca.write_bytes(_pem(own.sign(self._key, SHA256())))

    def issue(self, name: str) -> Certificate:
        """Return a certificate for *name*, which may be a server at 127.0.0.1 or a client."""
        key = _new_key()
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = _builder(_name(name), self._name, key, ca=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        cert, secret = _pem(builder.sign(self._key, SHA256())), _key_pem(key)
        files = Certificate(*(self._folder / f"{name}.{it}" for it in ("crt", "key", "pem")))
        files.cert.write_bytes(cert)
        files.key.write_bytes(secret)
        files.both.write_bytes(secret + cert)
        return files


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, *, ca: bool = True
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    addresses = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectAlternativeName(addresses), critical=False)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )


def _new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _key_pem(key: ec.EllipticCurvePrivateKey, password: str = "") -> bytes:
    encryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)
