"""A node that splices what it is told to, and says what that took."""

import socket
from pathlib import Path
from threading import Thread

import pytest

from ei.bench.children import Child, python
from ei.bench.splicing_load import HERE, give, take
from ei.bench.splicing_node import HOST, NODE, SpliceOrder
from ei.errors import LocalError

DEADLINE_S = 10.0
AMOUNT = 100_000


def test_node_and_host_are_two() -> None:
    assert len(NODE.address) == len(HOST.address) == 16
    assert NODE.address != HOST.address
    assert NODE.pipe_key != HOST.pipe_key
    assert NODE.identity_key != HOST.identity_key


@pytest.mark.slow
def test_it_splices_two_servers_and_says_what_that_took(tmp_path: Path) -> None:
    with (
        socket.create_server((HERE, 0)) as giving,
        socket.create_server((HERE, 0)) as taking,
        Child("node", python("ei.bench.splicing_node"), cpu=None, log=tmp_path / "log") as node,
    ):
        _ = node.hear(deadline_s=DEADLINE_S)
        Thread(target=give, args=(giving, AMOUNT)).start()

        node.tell(SpliceOrder(giving.getsockname()[1], taking.getsockname()[1]))

        assert take(taking.accept()[0]) == AMOUNT
        assert int(str(node.hear(deadline_s=DEADLINE_S)["streams_ns"])) > 0


@pytest.mark.slow
def test_a_server_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with Child("node", python("ei.bench.splicing_node"), cpu=None, log=tmp_path / "log") as node:
        _ = node.hear(deadline_s=DEADLINE_S)

        node.tell(SpliceOrder(1, 2))

        with pytest.raises(LocalError, match="a stream was closed as refused, refused"):
            _ = node.hear(deadline_s=DEADLINE_S)
