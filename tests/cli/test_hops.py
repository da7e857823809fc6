"""What nodes state of a packet is shown in words, with who asked for what and who says nothing."""

from ei.cli.hops import hops_of
from ei.host.verbs_explain import Explained, HopSaid, ModulePart

DELIVERY = ModulePart("delivery@0.1.0", "source")
SHIELD = ModulePart("shield@1.2.0", "receiver")
TELEMETRY = ModulePart("telemetry@0.3.0", "operator")


def said(  # noqa: PLR0913 a statement has many fields
    node: str,
    to: str = "",
    *,
    fate: str = "forwarded",
    reason: str = "",
    how: str = "cached",
    parts: tuple[ModulePart, ...] = (DELIVERY,),
) -> HopSaid:
    return HopSaid(node, fate, reason, to, how, 4, parts)


def explained(*hops: HopSaid, is_whole: bool = True) -> Explained:
    return Explained("sn1.isp-a", hops, is_whole, ())


def test_a_hop_says_what_became_of_the_packet_and_who_decided() -> None:
    [hop] = hops_of(explained(said("sn1.isp-a", "sn1.isp-b")), source="alice.isp-a")

    assert (hop.node, hop.how, hop.verdict, hop.to) == (
        "sn1.isp-a", "cached", "forwarded", "sn1.isp-b",
    )  # fmt: skip
    assert (hop.modules, hop.spent_s, hop.is_signed) == (("delivery@0.1.0",), 4e-6, True)


def test_it_is_said_who_asked_for_each_service() -> None:
    parts = (TELEMETRY, DELIVERY, SHIELD)

    [hop] = hops_of(explained(said("sn1.isp-b", "bob.isp-b", parts=parts)), source="alice.isp-a")

    assert hop.reasons[:3] == (
        "telemetry@0.3.0: interposed by the operator of isp-b (node.toml)",
        "delivery@0.1.0: named by the source, alice.isp-a",
        "shield@1.2.0: a guard that the receiver, bob.isp-b, asked for",
    )
    assert hop.reasons[3] == "a cached decision answered; no service ran"


def test_a_service_that_runs_further_on_was_put_there_by_nobody() -> None:
    parts = (ModulePart("reach@0.1.0", "operator"),)

    [hop] = hops_of(explained(said("sn1.isp-a", "sn1.isp-b", parts=parts)), source="alice.isp-a")

    assert hop.reasons[0] == "reach@0.1.0: its service does not run at sn1.isp-a, but further on"


def test_a_drop_is_explained_by_its_reason() -> None:
    dropped = said("sn1.isp-b", fate="dropped", reason="worker_lost", how="dropped")

    hop = hops_of(explained(said("sn1.isp-a", "sn1.isp-b"), dropped), source="a")[-1]

    assert (hop.node, hop.verdict) == ("sn1.isp-b", "worker_lost")
    assert hop.reasons[-1].startswith("worker_lost: ")


def test_a_packet_that_is_held_waits_for_the_directory() -> None:
    held = said("sn1.isp-a", fate="waiting", reason="held", how="decided")

    [hop] = hops_of(explained(held), source="a")

    assert (hop.verdict, hop.reasons[-1]) == (
        "held",
        "the service keeps it until the directory answers",
    )


def test_what_a_domain_does_not_reveal_is_a_row_that_says_so() -> None:
    withheld = said("sn1.isp-b", fate="withheld", how="", parts=())

    hop = hops_of(explained(said("sn1.isp-a", "sn1.isp-b"), withheld), source="a")[1]

    assert (hop.verdict, hop.how, hop.reasons) == ("not revealed by isp-b", "", ())
    assert hop.is_signed


def test_a_node_that_says_nothing_is_the_last_row() -> None:
    hops = hops_of(explained(said("sn1.isp-a", "sn1.isp-b"), is_whole=False), source="a")

    assert [(hop.node, hop.verdict, hop.is_signed) for hop in hops] == [
        ("sn1.isp-a", "forwarded", True),
        ("sn1.isp-b", "says nothing", False),
    ]
    [silent] = hops_of(explained(is_whole=False), source="a")
    assert (silent.node, silent.verdict) == ("sn1.isp-a", "says nothing")


def test_after_a_domain_that_reveals_nothing_nobody_is_said_to_be_silent() -> None:
    withheld = said("sn1.isp-b", fate="withheld", how="", parts=())

    hops = hops_of(explained(withheld, is_whole=False), source="a")

    assert [hop.node for hop in hops] == ["sn1.isp-b"]
