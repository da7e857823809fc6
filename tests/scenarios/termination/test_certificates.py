"""TLS of one run: a server that nobody knows, and a client that does not mind."""

import ssl

from ei.scenarios.termination.certificates import client_context, server_context


def test_the_two_ends_agree_on_tls_1_3() -> None:
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = server_context().wrap_bio(to_server, to_client, server_side=True)
    client = client_context().wrap_bio(to_client, to_server, server_hostname="web")

    for end in (client, server, client, server):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue

    assert client.version() == server.version() == "TLSv1.3"
