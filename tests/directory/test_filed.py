"""What the file says needs no question."""

from tests.directory.net import LATER_S, UNIX_S, World

from ei.directory import Addressed, Attached, Named, Query
from ei.directory.filed import filed
from ei.directory.statements import Statement
from ei.records.addresses import make_group_address
from ei.records.envelope import seal_record
from ei.records.kinds import GroupRecord

WORLD = World(domains=1)
BOB = WORLD.add_host("bob.isp-a")
OWNER = WORLD.keys[BOB]
SN1 = WORLD.names["sn1.isp-a"]
CLUB = make_group_address(1, OWNER.identity_key, "club.isp-a")
GROUP = seal_record(GroupRecord(CLUB, "club.isp-a", OWNER.identity_key, (SN1,), 1, LATER_S), OWNER)


def look(query: Query, unix_s: float = UNIX_S) -> Statement | None:
    return filed(query, WORLD.records("isp-a", GROUP), now_s=5.0, unix_s=unix_s)


def test_a_host_comes_with_its_enrolment_and_a_group_with_that_of_its_owner() -> None:
    enrolment = WORLD.private["isp-a"][0]

    by_name, by_address = look(Named("bob.isp-a")), look(Addressed(BOB))
    group = look(Named("club.isp-a"))

    assert by_name is not None
    assert by_name.envelopes == (enrolment,)
    assert by_name == by_address
    assert group is not None
    assert group.envelopes == (enrolment, GROUP)
    assert group == look(Addressed(CLUB))


def test_a_node_comes_without_an_envelope() -> None:
    found = look(Named("sn1.isp-a"))

    assert found is not None
    assert found.record is not None
    assert found.envelopes == ()


def test_the_file_is_silent_on_strangers_attachments_and_what_has_expired() -> None:
    assert look(Named("al.isp-a")) is None
    assert look(Attached(BOB)) is None
    assert look(Named("bob.isp-a"), unix_s=LATER_S) is None
