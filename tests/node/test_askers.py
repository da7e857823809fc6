"""Whose wish each service of a packet's chain was."""

from ei.attachment.statements import Part
from ei.bundles import Bundle, Rows
from ei.bundles import Part as Named
from ei.node.askers import parts_of, who_asked

SMALL = Rows(
    Bundle(id=112, name="small", version="1.0.0", summary="x", services=(Named(name="delivery"),)),
    first=(91, 37, 16),
    later=(91, 37, 16),
    to_nodes=(37,),
    to_hosts=(),
    visited=frozenset({37, 16}),
    behind=frozenset({37}),
)


def test_the_named_service_has_the_operators_before_it_and_the_receivers_behind() -> None:
    assert who_asked(16, (91, 16, 90), guards=(90,)) == ("operator", "source", "receiver")
    assert who_asked(16, (91, 16, 90)) == ("operator", "source", "operator")
    assert who_asked(16, (90, 16), guards=(90,)) == ("operator", "source")
    assert who_asked(16, (91,)) == ("operator",)
    assert who_asked(16, ()) == ()


def test_a_bundle_asks_for_its_own_services_on_both_sides_of_the_one_that_sends() -> None:
    asked = who_asked(112, (91, 37, 16, 37, 90), guards=(90,), rows=SMALL)

    assert asked == ("operator", "bundle", "bundle", "bundle", "receiver")
    assert who_asked(112, (91, 37), rows=SMALL) == ("operator", "bundle")


def test_a_bundle_is_named_before_the_first_of_its_services() -> None:
    parts = parts_of(
        112, (91, 37, 16), guards=(), bundles={112: SMALL}, title=lambda number: f"s{number}"
    )

    assert parts == (
        Part("s91", "operator"),
        Part("small@1.0.0", "source"),
        Part("s37", "bundle"),
        Part("s16", "bundle"),
    )


def test_a_packet_that_came_to_no_service_of_a_bundle_has_the_operators_alone() -> None:
    parts = parts_of(112, (91,), guards=(), bundles={112: SMALL}, title=str)

    assert parts == (Part("91", "operator"),)
