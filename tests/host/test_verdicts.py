"""What is said of a message is what is known of it: no more than nodes have stated."""

import pytest

from ei.attachment.statements import Fate, Statement
from ei.host.inquiries import Account
from ei.host.verdicts import Receipt, is_whole, judge, judge_message, place_of
from ei.records.issuer import Issuer
from ei.records.keys import make_keys
from ei.records.record_set import verify_records
from ei.sdk import Address

D, A1, B1, ALICE, BOB = (make_keys(letter * 32) for letter in (b"d", b"1", b"2", b"a", b"b"))
ISP_A = Issuer("isp-a", 1, D, expires_unix_s=2_000)
ISP_B = Issuer("isp-b", 2, D, expires_unix_s=2_000)
RECORDS = verify_records(
    [
        ISP_A.domain(), ISP_B.domain(), ISP_B.enrol(BOB, "bob.isp-b"),
        ISP_A.node(A1, "a1.isp-a", endpoints=("192.0.2.1:1",), services=(16,)),
        ISP_B.node(B1, "b1.isp-b", endpoints=("192.0.2.2:1",), services=(16,)),
    ],
    trust={"isp-a": D.identity_key, "isp-b": D.identity_key},
    unix_s=1_000,
)  # fmt: skip
AT = RECORDS.names


def said(name: str, fate: Fate, to: bytes = b"", reason: str = "") -> Statement:
    return Statement(AT[name], 1, ALICE.address(1), 16, 9, fate, reason, to)


def account(*statements: Statement) -> Account:
    return Account(AT["a1.isp-a"], statements)


FORWARDED = said("a1.isp-a", "forwarded", AT["b1.isp-b"])


@pytest.mark.parametrize(
    ("statements", "sentence"),
    [
        ((), "a1.isp-a was handed it, and no answer about it came"),
        ((FORWARDED,), "a1.isp-a handed it on to b1.isp-b, where nothing is said of it"),
        (
            (FORWARDED, said("b1.isp-b", "forwarded", AT["b1.isp-b"][:6])),
            "b1.isp-b handed it on to isp-b, where nothing is said of it",
        ),
        (
            (FORWARDED, said("b1.isp-b", "forwarded", AT["bob.isp-b"])),
            "b1.isp-b handed it to bob.isp-b, who has not confirmed it",
        ),
        (
            (FORWARDED, said("b1.isp-b", "unseen")),
            "b1.isp-b knows nothing of it: lost after a1.isp-a, under way, or forgotten",
        ),
        (
            (said("a1.isp-a", "unseen"),),
            "a1.isp-a knows nothing of it: lost, under way, or forgotten",
        ),
        ((said("a1.isp-a", "waiting", reason="held"),), "it waits at a1.isp-a (held)"),
        (
            (FORWARDED, said("b1.isp-b", "withheld")),
            "b1.isp-b does not say what became of it",
        ),
        ((said("a1.isp-a", "refused"),), "its service gives no receipts, says a1.isp-a"),
        ((said("a1.isp-a", "answered"),), "it ended at a1.isp-a"),
    ],
)
def test_what_is_unknown_is_said_with_what_is_known(
    statements: tuple[Statement, ...], sentence: str
) -> None:
    receipt = judge_message(account(*statements), RECORDS)

    assert (receipt.outcome, receipt.reason) == ("unknown", sentence)
    assert receipt.is_signed == bool(statements)


def test_a_drop_is_who_says_so_and_why() -> None:
    told = account(FORWARDED, said("b1.isp-b", "dropped", reason="unknown_destination"))

    receipt = Receipt("dropped", "unknown_destination", "b1.isp-b", is_signed=True)
    assert judge_message(told, RECORDS) == judge(told, RECORDS) == receipt


def test_what_no_host_will_confirm_is_accepted_by_who_took_it_last() -> None:
    told = account(FORWARDED, said("b1.isp-b", "answered"))

    assert judge(told, RECORDS) == Receipt("accepted", "", "b1.isp-b", is_signed=True)
    assert judge(account(said("a1.isp-a", "unseen")), RECORDS).outcome == "unknown"


@pytest.mark.parametrize(
    ("last", "is_last"),
    [
        (said("a1.isp-a", "dropped"), True),
        (said("a1.isp-a", "waiting"), True),
        (said("a1.isp-a", "unseen"), True),
        (said("a1.isp-a", "refused"), True),
        (said("a1.isp-a", "forwarded", AT["bob.isp-b"]), True),
        (FORWARDED, False),
        (said("a1.isp-a", "forwarded", AT["b1.isp-b"][:6]), False),
        (said("a1.isp-a", "withheld"), False),
    ],
)
def test_it_is_known_when_nobody_is_left_that_could_say_more(
    last: Statement, *, is_last: bool
) -> None:
    assert is_whole(account(last), RECORDS) == is_last


def test_nothing_is_whole_before_anybody_has_spoken() -> None:
    assert not is_whole(account(), RECORDS)


def test_a_place_is_a_peer_or_a_domain() -> None:
    unknown = Address(bytes.fromhex("fd3500000009"))

    assert place_of(AT["b1.isp-b"], RECORDS) == "b1.isp-b"
    assert place_of(AT["b1.isp-b"][:6], RECORDS) == "isp-b"
    assert place_of(unknown, RECORDS) == "domain 9"
