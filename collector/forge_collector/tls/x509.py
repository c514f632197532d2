"""Certificates as bytes: made, and read. Imported only when the collector speaks TLS: 10 MB."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from forge_collector.tls import rules
from forge_collector.tls.rules import Certificate

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_COMMON_NAME: Final = 64  # X.520

# The only names that are looked at; a subject is for people.
_SUBJECT: Final = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Forge Fleet collector")])
_NO_USAGE: Final = {
    "digital_signature": False,
    "content_commitment": False,
    "key_encipherment": False,
    "data_encipherment": False,
    "key_agreement": False,
    "key_cert_sign": False,
    "crl_sign": False,
    "encipher_only": False,
    "decipher_only": False,
}


class Pair(NamedTuple):
    """A certificate and its private key, both PEM."""

    certificate: str
    key: str


def make_authority(host: str, now_ms: int) -> Pair:
    """Make an authority of its own for this collector. ``host``: the machine, for people."""
    key = ec.generate_private_key(ec.SECP256R1())
    serial = x509.random_serial_number()
    # Two authorities of one machine must not share a name, or OpenSSL may take one for the other.
    mark = f"{serial:040x}"[:8]
    room = _MAX_COMMON_NAME - len(f"Forge Fleet on  ({mark})")
    name = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, f"Forge Fleet on {host[:room]} ({mark})")]
    )
    builder = (
        _builder(name, name, serial, key.public_key())
        .not_valid_before(_moment(now_ms - rules.AUTHORITY_BACKDATED_MS))
        .not_valid_after(_moment(now_ms + rules.AUTHORITY_LIFETIME_MS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(**{**_NO_USAGE, "key_cert_sign": True}), critical=True)
    )
    return _signed(builder, key, key)


def issue(authority: Pair, names: frozenset[str], now_ms: int) -> Pair:
    """Make a certificate for a server that goes by these names, with a new key."""
    issuer = x509.load_pem_x509_certificate(authority.certificate.encode())
    issuer_key = _loaded_key(authority.key)
    key = ec.generate_private_key(ec.SECP256R1())
    begins_ms, ends_ms = rules.lifetime_ms(now_ms, _read(issuer))
    builder = (
        _builder(issuer.subject, _SUBJECT, x509.random_serial_number(), key.public_key())
        .not_valid_before(_moment(begins_ms))
        .not_valid_after(_moment(ends_ms))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**{**_NO_USAGE, "digital_signature": True}), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
        .add_extension(
            x509.SubjectAlternativeName([_general(name) for name in sorted(names)]), critical=False
        )
    )
    return _signed(builder, key, issuer_key)


def read(pem: str) -> Certificate:
    """Read the first certificate of a chain; raises ValueError."""
    return _read(x509.load_pem_x509_certificates(pem.encode())[0])


def fingerprint(pem: str) -> bytes:
    """Return the SHA-256 of a certificate (DER); raises ValueError."""
    return x509.load_pem_x509_certificate(pem.encode()).fingerprint(hashes.SHA256())


def is_pair(pair: Pair) -> bool:
    """Tell whether the key is the certificate's; raises ValueError when either cannot be read."""
    certificate = x509.load_pem_x509_certificate(pair.certificate.encode())
    return _loaded_key(pair.key).public_key() == certificate.public_key()


def is_issued_by(pem: str, authority: Pair) -> bool:
    """Tell whether a certificate was issued by the authority; raises ValueError."""
    certificate = x509.load_pem_x509_certificate(pem.encode())
    try:
        certificate.verify_directly_issued_by(
            x509.load_pem_x509_certificate(authority.certificate.encode())
        )
    except (ValueError, TypeError, InvalidSignature):  # another name, kind of key, or hand
        return False
    return True


def _read(certificate: x509.Certificate) -> Certificate:
    try:
        named = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        named = x509.SubjectAlternativeName([])
    hosts = named.get_values_for_type(x509.DNSName)
    addresses = named.get_values_for_type(x509.IPAddress)
    return Certificate(
        frozenset({*map(str.lower, hosts), *map(str, addresses)}),
        _unix_ms(certificate.not_valid_before_utc),
        _unix_ms(certificate.not_valid_after_utc),
    )


def _builder(
    issuer: x509.Name, subject: x509.Name, serial: int, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .subject_name(subject)
        .serial_number(serial)
        .public_key(key)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _signed(
    builder: x509.CertificateBuilder,
    key: ec.EllipticCurvePrivateKey,
    issuer_key: ec.EllipticCurvePrivateKey,
) -> Pair:
    certificate = builder.sign(issuer_key, hashes.SHA256())
    return Pair(
        certificate.public_bytes(serialization.Encoding.PEM).decode(),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode(),
    )


def _loaded_key(pem: str) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("it is no key of the collector's making")  # noqa: TRY004
    return key


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _moment(unix_ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=unix_ms)


def _unix_ms(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)
