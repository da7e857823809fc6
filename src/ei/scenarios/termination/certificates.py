"""A certificate for one run, that nobody trusts: to see what TLS from end to end takes."""

import ssl
from functools import cache

from ei.lab.certificates import make_certificate


@cache
def server_context() -> ssl.SSLContext:
    """Return what a server needs."""
    return make_certificate("web").server_context()


def client_context() -> ssl.SSLContext:
    """Return what a client needs that believes whoever answers."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
