"""A refused endpoint is explained with its remedy."""

import errno

import pytest

from ei.daemons.binding import bind_error
from ei.errors import ConfigError, ConflictError, DeniedError, LocalError


@pytest.mark.parametrize(
    ("number", "kind", "remedy"),
    [
        (errno.EADDRINUSE, ConflictError, "sport = :3535"),
        (errno.EACCES, DeniedError, "CAP_NET_BIND_SERVICE"),
        (errno.EADDRNOTAVAIL, ConfigError, "ip -brief address"),
    ],
)
def test_each_refusal_has_its_kind_and_remedy(
    number: int, kind: type[LocalError], remedy: str
) -> None:
    error = bind_error("127.0.0.1:3535", OSError(number, "x"))

    assert type(error) is kind
    assert "127.0.0.1:3535" in str(error)
    assert remedy in error.remedy


def test_an_unknown_refusal_says_what_the_system_said() -> None:
    assert "weird" in str(bind_error("x:1", OSError(999, "weird")))


def test_a_tcp_port_in_use_is_looked_for_among_those_of_tcp() -> None:
    error = bind_error("127.0.0.1:9464", OSError(errno.EADDRINUSE, "x"), protocol="TCP")

    assert "TCP port 9464 is in use" in str(error)
    assert "ss -ltnp 'sport = :9464'" in error.remedy
