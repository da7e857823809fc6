"""A host that takes one stream after the other over plain datagrams."""

import socket
from threading import Thread

import pytest

from ei._core import PlainQuicForwarder
from ei.bench.quic_taker import PlainLink, Taker
from ei.bench.splicing_load import HERE, give
from ei.bench.splicing_node import HOST, NODE

AMOUNT = 300_000


@pytest.mark.slow
def test_it_takes_one_stream_after_the_other_to_its_end() -> None:
    with socket.create_server((HERE, 0)) as giving:
        forwarder = PlainQuicForwarder(
            f"{HERE}:0",
            f"{HERE}:{giving.getsockname()[1]}",
            identity_key=NODE.identity_secret,
            peer_key=HOST.identity_key,
        )
        forwarder.start()
        link = PlainLink(forwarder.endpoint)
        taker = Taker(link)
        taken: list[int] = []

        for _ in range(2):
            giver = Thread(target=give, args=(giving, AMOUNT))
            giver.start()
            taken.append(taker.take())
            giver.join(10.0)

        link.close()
        forwarder.stop()
    assert taken == [AMOUNT, AMOUNT]
