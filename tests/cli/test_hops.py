from ei.cli.hops import in_order
from ei.node.traces import Module, TraceRecord

DELIVERY = Module(16, "delivery", "0.1.0")
SHIELD = Module(90, "shield", "1.2.0")
TELEMETRY = Module(91, "telemetry", "0.3.0")


def record(
    node: str,
    to: str,
    *,
    modules: tuple[Module, ...] = (DELIVERY,),
    now_ns: int = 0,
    how: str = "cached",
) -> TraceRecord:
    return TraceRecord(
        node=node, now_ns=now_ns, source="fd35::a", source_name="alice.isp-a", service=16,
        connection=7, how=how, verdict="forwarded" if to else "no_route", to=to, spent_ns=4_000,
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


def test_a_packet_that_ended_nowhere_is_the_last_hop() -> None:
    hops = in_order([record("sn1.isp-a", "sn2.isp-b"), record("sn2.isp-b", "")])

    assert [(hop.node, hop.verdict) for hop in hops][-1] == ("sn2.isp-b", "no_route")


def test_nothing_remembered_is_no_hop() -> None:
    assert in_order([]) == []
