import dns.flags
import dns.message
import dns.rcode
from dns.edns import EDECode
from dns.rcode import Rcode
from dns.rdatatype import RdataType
from hypothesis import given
from hypothesis import strategies as st
from tests.ways.messages import asked, question, read, reasons, records

from ei.ways.dns_messages import Question, Refused, Said, read_question, write_answer

AT = "fd35:0:1:9c1b::7"


def test_a_question_is_read_in_small_letters_and_answered_as_it_was_written() -> None:
    found = question("Bob.ISP-b.ei.")

    answer = read(write_answer(found, Said(records=((RdataType.AAAA, AT),), ttl_s=60), is_udp=True))

    assert (found.name, found.kind, found.is_internet) == ("bob.isp-b.ei", RdataType.AAAA, True)
    assert records(answer) == [f"Bob.ISP-b.ei. 60 IN AAAA {AT}"]
    assert answer.question[0].name.to_text() == "Bob.ISP-b.ei."
    assert answer.id == read(found.wire).id
    assert answer.flags & dns.flags.AA
    assert answer.flags & dns.flags.RA


def test_an_answer_without_records_says_for_how_long() -> None:
    said = Said(Rcode.NXDOMAIN, zone="ei", ttl_s=5, text="its domain says that there is none")

    answer = read(write_answer(question("nobody.isp-b.ei."), said, is_udp=True))

    assert answer.rcode() == Rcode.NXDOMAIN
    assert [each.to_text() for each in answer.authority] == [
        "ei. 5 IN SOA ei. nobody.invalid. 1 3600 1200 604800 5"
    ]
    assert reasons(answer) == ["its domain says that there is none"]


def test_who_speaks_no_edns_gets_none() -> None:
    said = Said(Rcode.SERVFAIL, code=EDECode.NETWORK_ERROR, text="why")

    answer = read(write_answer(question("a.b.ei.", edns_bytes=None), said, is_udp=True))

    assert (answer.edns, answer.rcode()) == (-1, Rcode.SERVFAIL)


def test_an_answer_by_udp_is_cut_at_what_the_asker_takes_and_is_whole_by_tcp() -> None:
    many = tuple((RdataType.AAAA, f"fd35::{number:x}") for number in range(1, 100))
    said = Said(records=many, ttl_s=60)
    for edns_bytes, limit in ((None, 512), (600, 600), (4_096, 1_232), (100, 512)):
        wire = write_answer(question("a.b.ei.", edns_bytes=edns_bytes), said, is_udp=True)

        assert len(wire) <= limit
        assert read(wire).flags & dns.flags.TC
    whole = read(write_answer(question("a.b.ei."), said, is_udp=False))
    assert len(records(whole)) == 99


def test_a_newer_edns_is_told_that_ours_is_older() -> None:
    asking = dns.message.make_query("a.b.ei.", "AAAA", use_edns=1)

    found = read_question(asking.to_wire())

    assert isinstance(found, Question)
    assert read(write_answer(found, Said(), is_udp=True)).rcode() == Rcode.BADVERS


def test_what_asks_nothing_is_refused_with_a_reason() -> None:
    whole = asked("bob.isp-b.ei.")
    nothing = whole[:4] + b"\0\0" + whole[6:]
    two = whole[:4] + b"\0\2" + whole[6:]
    answer = whole[:2] + b"\x80\0" + whole[4:]
    update = whole[:2] + b"\x28\0" + whole[4:]

    assert read_question(b"") == read_question(whole[:11]) == Refused("too_short")
    assert read_question(answer) == Refused("no_question")
    for wire, word, rcode in (
        (whole[:20], "malformed", Rcode.FORMERR),
        (nothing, "malformed", Rcode.FORMERR),
        (two, "malformed", Rcode.FORMERR),
        (update, "other_opcode", Rcode.NOTIMP),
    ):
        found = read_question(wire)
        assert isinstance(found, Refused)
        assert found.word == word
        assert found.reply[:2] == whole[:2]
        assert dns.rcode.from_flags(int.from_bytes(found.reply[2:4], "big"), 0) == rcode


@given(st.binary(max_size=300))
def test_no_bytes_are_more_than_a_question_or_a_refusal(wire: bytes) -> None:
    found = read_question(wire)

    if isinstance(found, Question):
        assert write_answer(found, Said(Rcode.NXDOMAIN, zone="ei"), is_udp=True)


@given(st.data())
def test_no_damage_to_a_question_breaks_the_answer(data: st.DataObject) -> None:
    wire = bytearray(asked("bob.isp-b.ei."))
    for _ in range(data.draw(st.integers(1, 4))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    extra = data.draw(st.binary(max_size=40))

    found = read_question(bytes(wire) + extra)

    if isinstance(found, Question):
        said = Said(records=((RdataType.AAAA, AT),), ttl_s=1, text="why")
        assert len(write_answer(found, said, is_udp=True)) <= 1_232
