"""Certificates of a stack, made on the spot: an authority, and whom it signs for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from order_stack.cluster.ports import ADDRESS
from order_stack.cluster.state import write_privately
from order_stack.problems import StackProblem

AUTHORITY_LIFETIME: Final = timedelta(days=3650)
LIFETIME: Final = timedelta(days=365)
_AUTHORITY: Final = "ordermill embedded stack"


@dataclass(frozen=True, slots=True)
class Certificate:
    """PEM files: a certificate, its key, and both in one as Kafka and MongoDB want them."""

    cert: Path
    key: Path
    both: Path


def certificate_in(folder: Path, name: str) -> Certificate:
    """Return where the files of *name* are."""
    return Certificate(*(folder / f"{name}.{it}" for it in ("crt", "key", "pem")))


def authority_in(folder: Path) -> Path:
    """Return where the certificate is of who signs those of *folder*."""
    return folder / "ca.pem"


class Authority:
    """Signs certificates for servers at 127.0.0.1 and for clients; its own is in `ca`."""

    def __init__(self, folder: Path) -> None:
        """Read the authority that *folder* holds, or make one there."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder, self.ca, key_file = folder, authority_in(folder), folder / "ca.key"
        if not self.ca.exists():
            _make_authority(self.ca, key_file)
        self._subject = x509.load_pem_x509_certificate(self.ca.read_bytes()).subject
        self._key = _read_key(key_file)

    def issue(self, name: str, lifetime: timedelta = LIFETIME) -> Certificate:
        """Write a new certificate, with a new key, in the place of the one that *name* has."""
        key, files = ec.generate_private_key(ec.SECP256R1()), certificate_in(self._folder, name)
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        addresses = [x509.DNSName("localhost"), x509.IPAddress(ip_address(ADDRESS))]
        signed = (
            _builder(_name(name), self._subject, key, lifetime)
            .add_extension(x509.SubjectAlternativeName(addresses), critical=False)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .sign(self._key, SHA256())
        )
        write_privately(files.key, _key_pem(key))
        write_privately(files.cert, _pem(signed))
        write_privately(files.both, _key_pem(key) + _pem(signed))
        return files


def _make_authority(ca: Path, key_file: Path) -> None:
    key, name = ec.generate_private_key(ec.SECP256R1()), _name(_AUTHORITY)
    builder = _builder(name, name, key, AUTHORITY_LIFETIME)
    signed = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    write_privately(key_file, _key_pem(key))
    write_privately(ca, _pem(signed.sign(key, SHA256())))


def _read_key(file: Path) -> ec.EllipticCurvePrivateKey:
    key = load_pem_private_key(file.read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise StackProblem(f"{file} doesn't hold the key that was made there.")
    return key


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, lifetime: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))  # clocks of clients may be behind
        .not_valid_after(now + lifetime)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)
