"""Certificates for one run, which those believe that are given them."""

import datetime as dt
import ssl
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

FIRST_DAY = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
LAST_DAY = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate that signs itself, and its key: PEM."""

    name: str
    certificate: bytes
    key: bytes

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write both, each to a file of its own in a folder; return certificate and key."""
        files = folder / f"{self.name}.pem", folder / f"{self.name}.key"
        for file, content in zip(files, (self.certificate, self.key), strict=True):
            _ = file.write_bytes(content)
        files[1].chmod(0o600)
        return files

    def server_context(self) -> ssl.SSLContext:
        """Return what a server needs."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with TemporaryDirectory() as folder:
            context.load_cert_chain(*self.write(Path(folder)))
        return context

    def client_context(self) -> ssl.SSLContext:
        """Return what a client needs that believes this one and no other."""
        return ssl.create_default_context(cadata=self.certificate.decode())


def make_certificate(name: str, *, last_day: dt.datetime = LAST_DAY) -> Certificate:
    """Make one for a name of the DNS; what is not said lasts for longer than any run."""
    key = generate_private_key(SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), 1, FIRST_DAY, last_day)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, SHA256())
    )
    return Certificate(
        name,
        made.public_bytes(Encoding.PEM),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )
