"""What is an endpoint here is one for the datapath as well."""

from ipaddress import ip_address

import pytest

from ei._core import Datapath
from ei.errors import LocalError
from ei.records.endpoints import first_reachable, parse_endpoint

GOOD = [
    ("192.0.2.1:3535", "192.0.2.1", 3535),
    ("127.0.0.1:0", "127.0.0.1", 0),
    ("192.0.2.1:65535", "192.0.2.1", 65_535),
    ("192.0.2.1:00080", "192.0.2.1", 80),
    ("[::]:3535", "::", 3535),
    ("[2001:DB8::1]:3535", "2001:db8::1", 3535),
    ("[::ffff:192.0.2.1]:1", "::ffff:192.0.2.1", 1),
]
BAD = (
    "", ":", "192.0.2.1", "192.0.2.1:", ":3535", "192.0.2.1:65536", "192.0.2.1:+80",
    "192.0.2.1:-1", "192.0.2.1: 80", "192.0.2.1:80\n", "192.0.2.1:\u0661", "192.0.2.01:80",
    "192.0.2:80", "localhost:80", "2001:db8::1:80", "2001:db8::1", "[2001:db8::1]",
    "[192.0.2.1]:80", "[fe80::1%eth0]:80", "[::1::]:80", "nonsense",
)  # fmt: skip


@pytest.mark.parametrize(("text", "address", "port"), GOOD)
def test_an_endpoint_is_parsed_and_the_datapath_takes_it(
    text: str, address: str, port: int
) -> None:
    datapath = Datapath(role="node", address=bytes(16), private_key=b"n" * 32)

    assert parse_endpoint(text) == (ip_address(address), port)
    datapath.add_peer(b"p" * 16, b"p" * 32, kind="node", endpoint=text)


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_endpoint_is_refused_with_examples(text: str) -> None:
    with pytest.raises(LocalError, match=r"is not IP:PORT, such as 192\.0\.2\.1:3535 or \["):
        _ = parse_endpoint(text)


BOTH = ("[2001:db8::1]:1", "192.0.2.1:1", "192.0.2.2:1")


@pytest.mark.parametrize(
    ("own", "found"),
    [
        (("0.0.0.0:0",), "192.0.2.1:1"),
        (("[::]:0",), "[2001:db8::1]:1"),
        (("127.0.0.1:1", "[::1]:1"), "[2001:db8::1]:1"),
        ((), None),
    ],
)
def test_a_peer_is_called_at_its_first_endpoint_of_an_own_ip_family(
    own: tuple[str, ...], found: str | None
) -> None:
    assert first_reachable(BOTH, own=own) == found


def test_a_peer_of_another_ip_family_alone_cannot_be_called() -> None:
    assert first_reachable(("[2001:db8::1]:1",), own=("0.0.0.0:0",)) is None
