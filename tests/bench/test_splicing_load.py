"""Both ends of a splice: all that is given is taken."""

import socket
from pathlib import Path
from threading import Thread

import pytest

from ei.bench.children import Child, python
from ei.bench.splicing_load import HERE, PIECE, connected, give, take

DEADLINE_S = 10.0
AMOUNT = len(PIECE) + 7


def test_all_that_is_given_is_taken() -> None:
    with socket.create_server((HERE, 0)) as server:
        giver = Thread(target=give, args=(server, AMOUNT))
        giver.start()

        received = take(connected(server.getsockname()[1]))

        giver.join(DEADLINE_S)
    assert received == AMOUNT
    assert not giver.is_alive()


@pytest.mark.slow
def test_it_takes_from_where_it_is_told_to(tmp_path: Path) -> None:
    command = python("ei.bench.splicing_load", str(AMOUNT))
    with Child("load", command, cpu=None, log=tmp_path / "log") as child:
        ports = child.hear(deadline_s=DEADLINE_S)

        child.tell(ports["giving"])

        assert child.hear(deadline_s=DEADLINE_S) == {"received": AMOUNT}
        assert child.end() == 0
