"""What benchmarks send is what a host would send."""

import pytest
from tests.native.rig import DATAGRAMS, DELIVERY, NODE, Rig, address, pump_until

from ei._core import Salvo

pytestmark = pytest.mark.slow


def test_a_salvo_arrives_as_if_it_had_been_sent_one_by_one() -> None:
    with Rig() as rig:
        worker = rig.attach()
        alice, bob = rig.pair(worker)

        salvo = Salvo(
            alice.datapath, 1_000, peer=address(NODE), service=DELIVERY, connection=7,
            connections=4, metadata=bob.address, payload_bytes=100, protection=DATAGRAMS,
        )  # fmt: skip
        assert len(salvo) == 1_000
        sent = 0
        while len(salvo):
            sent += salvo.send(alice.socket, seconds=0.01, packets_per_s=20_000)
            bob.pump()
            worker.pump()
        pump_until(lambda: len(bob.payloads) == 1_000, alice, bob, worker)

        assert sent == 1_000
        assert set(bob.payloads) == {bytes(100)}
        rig.check_books()


def test_without_a_pipe_there_is_no_salvo() -> None:
    with Rig() as rig:
        alice = rig.host(1)

        with pytest.raises(ValueError, match="peer_unreachable"):
            _ = Salvo(
                alice.datapath, 1, peer=address(3), service=DELIVERY, connection=7,
                connections=1, metadata=b"", payload_bytes=1, protection=DATAGRAMS,
            )  # fmt: skip
