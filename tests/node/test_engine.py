"""The engine of a node is as its configuration says, or says why it cannot be."""

import errno
import socket

import pytest

from ei.errors import ConfigError, ConflictError, DeniedError, EiError, LocalError
from ei.node.config import NodeConfig
from ei.node.engine import make_engine, xdp_error
from ei.records.keys import make_keys

HERE = "127.0.0.1"


def config(port: int) -> NodeConfig:
    return NodeConfig(
        version=1, name="sn1.isp-a", domain_number=1, binds=(f"{HERE}:{port}",), threads=2
    )


def test_it_has_the_threads_and_the_endpoint_of_its_configuration() -> None:
    engine = make_engine(config(0), make_keys(bytes(range(64))), bytes([0xFD, *bytes(15)]))

    assert engine.endpoints[0].startswith(f"{HERE}:")
    engine.stop()


def test_an_endpoint_that_is_taken_is_named() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind((HERE, 0))
        port: int = taken.getsockname()[1]

        with pytest.raises(EiError, match=f"{HERE}:{port}"):
            _ = make_engine(config(port), make_keys(bytes(range(64))), bytes([0xFD, *bytes(15)]))


def test_a_device_that_is_not_there_is_named() -> None:
    made = NodeConfig(
        version=1, name="sn1.isp-a", domain_number=1, binds=(f"{HERE}:0",), xdp=("eth99",)
    )

    with pytest.raises(ConfigError, match="xdp: eth99: cannot find it") as seen:
        _ = make_engine(made, make_keys(bytes(range(64))), bytes([0xFD, *bytes(15)]))

    assert seen.value.remedy == "See which devices there are: ip -brief link"


@pytest.mark.parametrize(
    ("number", "kind", "remedy"),
    [
        (errno.EPERM, DeniedError, "CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF"),
        (errno.EBUSY, ConflictError, "ip -details link show dev eth0"),
        (errno.EADDRNOTAVAIL, ConfigError, "ip -brief address show dev eth0"),
        (errno.ENOBUFS, ConfigError, "ulimit -l"),
        (errno.EOPNOTSUPP, ConfigError, "Or leave xdp out"),
        (errno.EINVAL, ConfigError, "ethtool -i eth0"),
    ],
)
def test_each_refusal_of_a_device_has_its_kind_and_remedy(
    number: int, kind: type[LocalError], remedy: str
) -> None:
    error = xdp_error("eth0", OSError(number, "cannot attach a program to it: x"))

    assert type(error) is kind
    assert str(error).startswith("xdp: eth0: cannot attach a program to it: x")
    assert remedy in error.remedy
