"""A worker serves while its member owns the state, and refuses else."""

import io
import socket
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.runtime.test_replication import BOTH, ME, OTHER, Member

from ei.cluster.link import See
from ei.cluster.ownership import Ownership
from ei.runtime.batches import EffectBatch, EventBatch, Outcome, PeersMeasured
from ei.runtime.codec import Codec
from ei.runtime.environment import Environment
from ei.runtime.faults import FaultReporter
from ei.runtime.replicated import ReplicatedWorker
from ei.runtime.stores import ReplicatedStore
from ei.runtime.worker import socket_pair
from ei.sdk import Address, AttachmentOf, HoldPacket, PeerChanged, Started
from ei.testing.toys import toy, toy_packet


class Rig:
    """A worker, with both of its ends in hand."""

    def __init__(self, folder: Path) -> None:
        self.member = Member(folder, copies=1)
        self.ours, self.theirs = socket_pair()
        self.made: list[dict[Address, float]] = []
        self.toy = toy()
        self.worker = ReplicatedWorker(
            self.member.replication,
            [self.theirs],
            make=self._make,
            codec=Codec(()),
            reporter=FaultReporter("toy", io.StringIO()),
        )

    def _make(self, peers: dict[Address, float]) -> Environment:
        self.made.append(dict(peers))
        store = ReplicatedStore(self.member.rows, self.member.replication, limit_bytes=10_000)
        return Environment(self.toy, node=ME, seed=b"1", stable=store, peers=peers)

    def serve(self, *batches: EventBatch) -> list[EffectBatch]:
        """Serve these, then hang up; return what was answered."""
        for batch in batches:
            _ = self.ours.send(msgspec.msgpack.encode(batch))
        self.ours.shutdown(socket.SHUT_WR)
        self.worker.serve()
        self.ours.settimeout(0)
        replies: list[EffectBatch] = []
        while True:
            try:
                received = self.ours.recv(1 << 20)
            except BlockingIOError:
                return replies
            replies.append(msgspec.msgpack.decode(received, type=EffectBatch))

    def close(self) -> None:
        self.ours.close()
        self.theirs.close()
        self.member.close()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path)
    yield made
    made.close()


def batch(sequence: int, *items: object) -> EventBatch:
    return EventBatch(sequence, 0, 1.0, 1e9, items)  # type: ignore[arg-type]


def test_packets_are_refused_where_the_state_is_not_owned(rig: Rig) -> None:
    (reply,) = rig.serve(batch(1, Started(), toy_packet()))

    assert [(answer.outcome, answer.reason) for answer in reply.answers] == [
        (Outcome.NONE, ""),
        (Outcome.DROPPED, "not_owner"),
    ]


def test_an_owner_serves_and_knows_the_peers_that_came_before(rig: Rig) -> None:
    rig.member.own(ME)

    replies = rig.serve(
        batch(1, PeersMeasured({OTHER: 0.5}), PeerChanged(ME, is_up=True)), batch(2, toy_packet())
    )

    assert [reply.sequence for reply in replies] == [1, 2]
    assert all(answer.reason != "not_owner" for reply in replies for answer in reply.answers)
    assert rig.made == [{OTHER: 0.5, ME: 0.0}]


def test_what_an_owner_held_is_given_up_when_it_owns_no_more(rig: Rig) -> None:
    rig.member.own(ME)
    rig.toy = toy(on_packet=lambda _event, _ctx: (HoldPacket(AttachmentOf(ME)),))
    rig.member.tell(See(Ownership(2, OTHER, (OTHER,), 4), BOTH, frozenset()))

    first, second = rig.serve(batch(1, toy_packet()))

    assert first.answers[0].outcome is Outcome.HELD
    assert [(answer.outcome, answer.reason) for answer in second.answers] == [
        (Outcome.DROPPED, "hold_timeout")
    ]
