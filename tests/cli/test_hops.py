from ei.cli.hops import in_order
from ei.node.traces import Module, TraceRecord

DELIVERY = Module(16, "delivery", "0.1.0")
SHIELD = Module(90, "shield", "1.2.0")
TELEMETRY = Module(91, "telemetry", "0.3.0")


def record(  # noqa: PLR0913 a record has many fields
    node: str,
    to: str,
    *,
    modules: tuple[Module, ...] = (DELIVERY,),
    now_ns: int = 0,
    how: str = "cached",
    verdict: str = "no_route",
    spent_ns: int = 4_000,
) -> TraceRecord:
    return TraceRecord(
        node=node, now_ns=now_ns, source="fd35::a", source_name="alice.isp-a", service=16,
        connection=7, how=how, verdict="forwarded" if to else verdict, to=to, spent_ns=spent_ns,
        modules=modules,
    )  # fmt: skip


def test_hops_are_ordered_by_who_sent_to_whom_not_by_clocks() -> None:
    records = [
        record("sn2.isp-b", "bob.isp-b", now_ns=5),
        record("sn1.isp-a", "sn2.isp-b", now_ns=900),
    ]

    assert [hop.node for hop in in_order(records)] == ["sn1.isp-a", "sn2.isp-b"]


def test_only_the_newest_packet_of_a_connection_is_shown() -> None:
    records = [
        record("sn1.isp-a", "sn1.isp-b", now_ns=1, how="decided"),
        record("sn1.isp-a", "sn2.isp-b", now_ns=2, how="cached"),
    ]

    (hop,) = in_order(records)

    assert (hop.to, hop.how, hop.spent_s) == ("sn2.isp-b", "cached", 4e-6)


def test_a_loop_of_packets_ends() -> None:
    records = [record("a.x", "b.x"), record("b.x", "a.x")]

    assert [hop.node for hop in in_order(records)] == ["a.x", "b.x"]


def test_it_is_said_who_asked_for_each_service() -> None:
    modules = (TELEMETRY, DELIVERY, SHIELD)

    (hop,) = in_order([record("sn1.isp-b", "bob.isp-b", modules=modules)])

    assert hop.modules == ("telemetry@0.3.0", "delivery@0.1.0", "shield@1.2.0")
    assert hop.reasons[:3] == (
        "telemetry@0.3.0: interposed by the operator of isp-b (chains in node.toml)",
        "delivery@0.1.0: named by the source, alice.isp-a",
        "shield@1.2.0: a guard that the receiver, bob.isp-b, asked for",
    )


def test_the_steps_of_one_packet_are_one_hop_with_all_its_services() -> None:
    steps = [
        record("sn1.isp-a", "", modules=(TELEMETRY,), now_ns=9, spent_ns=0, how="queued"),
        record("sn1.isp-a", "", modules=(TELEMETRY,), now_ns=309, spent_ns=300, how="decided"),
        record("sn1.isp-a", "", modules=(DELIVERY,), now_ns=309, spent_ns=300, how="queued"),
        record("sn1.isp-a", "sn1.isp-b", now_ns=709, spent_ns=700, how="decided"),
    ]

    (hop,) = in_order(steps)

    assert (hop.how, hop.to, hop.spent_s) == ("decided", "sn1.isp-b", 700e-9)
    assert hop.modules == ("telemetry@0.3.0", "delivery@0.1.0")
    assert hop.reasons[:2] == (
        "telemetry@0.3.0: interposed by the operator of isp-a (chains in node.toml)",
        "delivery@0.1.0: named by the source, alice.isp-a",
    )


def test_a_packet_of_which_a_part_was_decided_was_not_answered_by_the_cache_alone() -> None:
    steps = [
        record("sn1.isp-a", "", modules=(TELEMETRY,), now_ns=309, spent_ns=300, how="decided"),
        record("sn1.isp-a", "sn1.isp-b", now_ns=310, spent_ns=301, how="cached"),
    ]

    (hop,) = in_order(steps)

    assert (hop.how, hop.modules) == ("decided", ("telemetry@0.3.0", "delivery@0.1.0"))


def test_a_drop_is_the_last_hop_with_its_reason_explained() -> None:
    steps = [
        record("sn1.isp-a", "sn1.isp-b"),
        record("sn1.isp-b", "", how="queued", verdict="missed", now_ns=4_001),
        record("sn1.isp-b", "", how="dropped", verdict="worker_lost", now_ns=5_001, spent_ns=5_000),
    ]

    last = in_order(steps)[-1]

    assert (last.node, last.how, last.verdict) == ("sn1.isp-b", "dropped", "worker_lost")
    assert last.reasons[-1].startswith("worker_lost: ")


def test_a_packet_dropped_before_the_named_service_met_no_guard() -> None:
    steps = [record("sn1.isp-a", "", modules=(TELEMETRY,), how="dropped", verdict="service_down")]

    (hop,) = in_order(steps)

    assert hop.reasons[0].startswith("telemetry@0.3.0: interposed by the operator")


def test_a_packet_that_ended_nowhere_is_the_last_hop() -> None:
    hops = in_order([record("sn1.isp-a", "sn2.isp-b"), record("sn2.isp-b", "")])

    assert [(hop.node, hop.verdict) for hop in hops][-1] == ("sn2.isp-b", "no_route")


def test_nothing_remembered_is_no_hop() -> None:
    assert in_order([]) == []
