"""The secrets of the sandbox, made here: those that Vault and the object store are started with, and their certificate.

They stay in one file that only its owner reads, so that a second run finds what the first made. What the platform asks
of Vault is not among them: that is made in Vault, as everywhere.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from constructs_lib.base.errors import ConfigError
from operations.secrets.entries import new_password
from operations.trying.place import BACKUPS, SOURCE

LASTS = timedelta(days=365)
"""For how long the certificate is good; the sandbox is not meant to get as old."""


class Keys(NamedTuple):
    """The token of Vault's root, the keys of the object store, the passphrase of the state, and a certificate in PEM.

    The store's own key may do all, and is used from here alone. In the cluster each bucket has a key of its own.
    """

    vault_token: str
    access_key_id: str
    secret_access_key: str
    source_key_id: str
    source_secret: str
    backups_key_id: str
    backups_secret: str
    state_passphrase: str
    ca: str
    certificate: str
    private_key: str

    @property
    def of_buckets(self) -> dict[str, tuple[str, str]]:
        """The key of each bucket that something in the cluster has: its ID and its secret."""
        return {SOURCE: (self.source_key_id, self.source_secret), BACKUPS: (self.backups_key_id, self.backups_secret)}


def kept_keys(path: Path, hosts: tuple[str, ...]) -> Keys:
    """Return the keys in a file; if there is none, make them, with a certificate for `hosts`, and write it."""
    if path.exists():
        try:
            return Keys(**json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError):
            raise ConfigError(f"{path}: is not as `try` wrote it; run `bin/operations try --remove`") from None
    keys = Keys._make((*(new_password() for _ in range(8)), *signed(hosts)))
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(keys._asdict(), file)
    part.rename(path)
    return keys


def signed(hosts: tuple[str, ...]) -> tuple[str, str, str]:
    """Return a CA, and a certificate of it for hosts, the machine's own too, with its key: all in PEM.

    The CA's own key is thrown away: it signs nothing else.
    """
    ca_key, key = generate_private_key(SECP256R1()), generate_private_key(SECP256R1())
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "operations try")])
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, hosts[0])])
    names = [x509.DNSName(host) for host in (*hosts, "localhost")]
    ca = _begun(issuer, issuer, ca_key)
    ca = ca.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    own = _begun(issuer, subject, key)
    own = own.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    own = own.add_extension(
        x509.SubjectAlternativeName([*names, x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
    )
    own = own.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
    signed_ca, signed_own = (builder.sign(ca_key, SHA256()) for builder in (ca, own))
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return _text(signed_ca.public_bytes(Encoding.PEM)), _text(signed_own.public_bytes(Encoding.PEM)), _text(private)


def _text(pem: bytes) -> str:
    return pem.decode("ascii")


def _begun(issuer: x509.Name, subject: x509.Name, key: EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .subject_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + LASTS)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
