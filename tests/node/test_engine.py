"""The engine of a node is as its configuration says, or says why it cannot be."""

import socket

import pytest

from ei.errors import EiError
from ei.node.config import NodeConfig
from ei.node.engine import make_engine
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
