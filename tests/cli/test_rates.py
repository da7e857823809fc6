from ei.cli.rates import Sample, rates_between
from ei.node.admin import RunningStatus
from ei.node.status import NodeStatus, PeerStatus


def sample(now_s: float, *, received: int, dropped: int, sent_bytes: int, pid: int = 1) -> Sample:
    peers = tuple(
        PeerStatus(
            address="fd35::1", name=name, kind="host", is_up=is_up, rtt_s=rtt_s, endpoint=None,
            sent=0, received=0, sent_bytes=sent_bytes, received_bytes=0,
        )
        for name, is_up, rtt_s in (("a", True, 0.002), ("b", True, 0.01), ("c", False, 9.0))
    )  # fmt: skip
    node = NodeStatus(
        name="sn1", address="fd35::2", domain="isp-a", received=received, forwarded=received // 2,
        delivered=0, consumed=0, missed=0, dropped={"replayed": dropped}, services=(), peers=peers,
        refused_records={},
    )  # fmt: skip
    running = RunningStatus(pid=pid, uptime_s=now_s, endpoints=(), node=node, workers=())
    return Sample("sn1", now_s, running)


def test_rates_are_per_second_between_two_looks() -> None:
    before = sample(10.0, received=100, dropped=0, sent_bytes=0)
    after = sample(12.0, received=300, dropped=10, sent_bytes=250_000)

    rates = rates_between(before, after)

    assert rates.received == 100
    assert rates.forwarded == 50
    assert rates.dropped == 5
    assert rates.megabits == 3.0
    assert rates.peers == "2/3"
    assert rates.rtt_s == 0.01


def test_a_node_that_was_started_again_counts_from_zero() -> None:
    before = sample(10.0, received=1_000, dropped=5, sent_bytes=10**9, pid=1)
    after = sample(11.0, received=20, dropped=0, sent_bytes=0, pid=2)

    assert rates_between(before, after).received == 20
    assert rates_between(before, after).megabits == 0


def test_a_node_that_does_not_answer_says_why() -> None:
    rates = rates_between(None, Sample("sn1", 1.0, None, "no daemon answers at /x"))

    assert rates.trouble == "no daemon answers at /x"
    assert rates.received == 0
