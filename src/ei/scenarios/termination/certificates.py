"""A certificate for one run, that nobody trusts: to see what TLS from end to end takes."""

import datetime as dt
import ssl
from functools import cache
from tempfile import NamedTemporaryFile

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID

FIRST_DAY = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
LAST_DAY = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)


@cache
def server_context() -> ssl.SSLContext:
    """Return what a server needs for TLS 1.3."""
    key = Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "web")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, FIRST_DAY, LAST_DAY)
    ).sign(key, None)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with NamedTemporaryFile() as file:
        _ = file.write(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        file.flush()
        context.load_cert_chain(file.name)
    return context


def client_context() -> ssl.SSLContext:
    """Return what a client needs that believes whoever answers."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
