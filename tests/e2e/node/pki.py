"""The certificates of a cluster, and the kubeconfig of each who uses them."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Iterable
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


class Authority:
    """A certificate authority that keeps what it signs in one folder: `<name>.crt` and `<name>.key`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self._key = generate_private_key(SECP256R1())
        self._name = _name("e2e-ca", ())
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        made = self._builder(self._name, self._key).add_extension(constraints, critical=True).sign(self._key, SHA256())
        self._write("ca", made, self._key)

    @property
    def certificate(self) -> Path:
        """The authority's own certificate."""
        return self.folder / "ca.crt"

    def issue(
        self, file: str, user: str, *groups: str, names: Iterable[str] = (), addresses: Iterable[str] = ()
    ) -> None:
        """Write a certificate for a user and its groups that also serves these names and addresses."""
        key = generate_private_key(SECP256R1())
        uses = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        hosts = [x509.DNSName(name) for name in (file, *names)]
        numbers = [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
        made = (
            self._builder(_name(user, groups), key)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(uses, critical=False)
            .add_extension(x509.SubjectAlternativeName([*hosts, *numbers]), critical=False)
            .sign(self._key, SHA256())
        )
        self._write(file, made, key)

    def kubeconfig(self, file: str, server: str) -> Path:
        """Write the kubeconfig of whoever has the certificate `file`."""
        user = {"client-certificate": str(self.folder / f"{file}.crt"), "client-key": str(self.folder / f"{file}.key")}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": "e2e", "cluster": {"server": server, "certificate-authority": str(self.certificate)}}
            ],
            "users": [{"name": file, "user": user}],
            "contexts": [{"name": "e2e", "context": {"cluster": "e2e", "user": file}}],
            "current-context": "e2e",
        }
        path = self.folder / f"{file}.conf"
        path.write_text(yaml.safe_dump(config))
        path.chmod(0o600)
        return path

    def service_account_key(self) -> tuple[Path, Path]:
        """Write the key that signs the tokens of service accounts, and return its file and that of its public half."""
        key = rsa.generate_private_key(65537, 2048)
        private, public = self.folder / "sa.key", self.folder / "sa.pub"
        private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
        public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        return private, public

    def _builder(self, subject: x509.Name, key: EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        start, end = now - datetime.timedelta(minutes=5), now + datetime.timedelta(days=1)
        return x509.CertificateBuilder(self._name, subject, key.public_key(), x509.random_serial_number(), start, end)

    def _write(self, file: str, certificate: x509.Certificate, key: EllipticCurvePrivateKey) -> None:
        (self.folder / f"{file}.crt").write_bytes(certificate.public_bytes(Encoding.PEM))
        private = self.folder / f"{file}.key"
        private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        private.chmod(0o600)


def _name(user: str, groups: Iterable[str]) -> x509.Name:
    organisations = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    return x509.Name([*organisations, x509.NameAttribute(NameOID.COMMON_NAME, user)])
