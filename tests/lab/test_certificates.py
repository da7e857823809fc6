import datetime as dt
import ssl

import pytest
from cryptography import x509

from ei.lab.certificates import Certificate, make_certificate

WEB = make_certificate("www.example.org")


def shake_hands(server: Certificate, client: Certificate, name: str) -> str | None:
    """Let a client meet a server in memory; return the version that they agree on."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    one = client.client_context().wrap_bio(to_client, to_server, server_hostname=name)
    other = server.server_context().wrap_bio(to_server, to_client, server_side=True)
    for end in (one, other, one, other):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
    return other.version()


def test_who_is_given_a_certificate_believes_it() -> None:
    assert shake_hands(WEB, WEB, "www.example.org") == "TLSv1.3"


def test_nobody_else_does_nor_for_another_name() -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        _ = shake_hands(WEB, make_certificate("www.example.org"), "www.example.org")
    with pytest.raises(ssl.SSLCertVerificationError):
        _ = shake_hands(WEB, WEB, "example.org")


def test_it_ends_when_it_is_told_to() -> None:
    last_day = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)

    made = x509.load_pem_x509_certificate(make_certificate("a", last_day=last_day).certificate)

    assert made.not_valid_after_utc == last_day
