"""What nodes say of a packet counts as far as it is proven, and as far as they are on the way."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ei.attachment import Explain, Explained
from ei.attachment.statements import STATEMENTS, Fate, Statement
from ei.host.inquiries import MAX_OPEN, MAX_REFUSALS, MAX_STATEMENTS, Account, Inquiries
from ei.records.issuer import Issuer
from ei.records.keys import Keys, make_keys
from ei.records.record_set import verify_records
from ei.sdk import Address

D = make_keys(b"d" * 32)
ALICE = make_keys(b"a" * 32).address(1)
BOB = make_keys(b"b" * 32).address(3)
DOMAINS = {
    name: Issuer(name, number, D, expires_unix_s=2_000)
    for number, name in enumerate(("isp-a", "isp-b", "isp-c"), 1)
}
KEYS = {
    name: make_keys(name.encode() * 4) for name in ("a1.isp-a", "b1.isp-b", "b2.isp-b", "c1.isp-c")
}
STRANGER = make_keys(b"s" * 32)


def node_record(name: str, keys: Keys) -> bytes:
    domain = DOMAINS[name.partition(".")[2]]
    return domain.node(keys, name, endpoints=("192.0.2.1:3535",), services=(16,))


RECORDS = verify_records(
    [
        *(domain.domain() for domain in DOMAINS.values()),
        *(node_record(name, keys) for name, keys in KEYS.items()),
    ],
    trust=dict.fromkeys(DOMAINS, D.identity_key),
    unix_s=1_000,
)
AT = RECORDS.names


class Asking:
    """One question about a packet that was handed to a1."""

    def __init__(self) -> None:
        numbers = iter(range(100, 10**6))
        self.inquiries = Inquiries(ALICE, records=lambda: RECORDS, draw=lambda: next(numbers))
        self.question = self.inquiries.ask(AT["a1.isp-a"], 16, 9)

    def hear(
        self,
        name: str,
        fate: Fate,
        to: str | bytes = b"",
        *,
        keys: Keys | None = None,
        **other: object,
    ) -> bool:
        """Take what `name` says by way of a1."""
        node = STRANGER.address(2) if name == "stranger" else AT[name]
        fields: dict[str, Any] = {
            "node": node, "number": self.question.number, "source": ALICE, "service": 16,
            "connection": 9, "fate": fate, "to": AT[to] if isinstance(to, str) else to,
        } | other  # fmt: skip
        sealed = STATEMENTS.seal(Statement(**fields), keys or KEYS.get(name, STRANGER))
        return self.inquiries.take(AT["a1.isp-a"], Explained(self.question.number, sealed))

    @property
    def account(self) -> Account:
        return self.inquiries.account(self.question.number)

    def way(self) -> list[tuple[str, str]]:
        return [(RECORDS.name_of(said.node), said.fate) for said in self.account.statements]


def test_a_question_goes_to_the_node_that_got_the_packet() -> None:
    assert Asking().question == Explain(100, ALICE, 16, 9)


def test_what_the_nodes_say_is_put_in_the_order_of_the_way() -> None:
    asking = Asking()

    assert asking.hear("a1.isp-a", "forwarded", "b1.isp-b")
    assert asking.hear("b1.isp-b", "forwarded", "c1.isp-c")
    assert asking.hear("c1.isp-c", "forwarded", BOB)

    assert asking.way() == [
        ("a1.isp-a", "forwarded"), ("b1.isp-b", "forwarded"), ("c1.isp-c", "forwarded"),
    ]  # fmt: skip
    assert asking.account.refused == ()


def test_a_drop_is_known_with_who_says_so_and_why() -> None:
    asking = Asking()
    asking.hear("a1.isp-a", "forwarded", "b1.isp-b")
    asking.hear("b1.isp-b", "dropped", reason="unknown_destination")

    assert asking.account.is_dropped
    assert asking.account.last is not None
    assert asking.account.last.reason == "unknown_destination"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"keys": STRANGER}, "signed by another key than its own"),
        ({"keys": KEYS["a1.isp-a"]}, "signed by another key than its own"),
        ({"number": 99}, "answers another question"),
        ({"connection": 8}, "about another packet"),
        ({"source": BOB}, "about another packet"),
        ({"service": 17}, "about another packet"),
    ],
    ids=["stranger's", "another node's", "replayed", "connection", "source", "service"],
)
def test_a_statement_that_is_forged_or_replayed_is_refused(
    changed: dict[str, Any], why: str
) -> None:
    asking = Asking()
    asking.hear("a1.isp-a", "forwarded", "b1.isp-b")

    is_taken = asking.hear("b1.isp-b", "dropped", **changed)

    assert not is_taken
    assert asking.way() == [("a1.isp-a", "forwarded")]
    assert why in asking.account.refused[0]
    assert asking.inquiries.dropped == {"bad_statement": 1}


@pytest.mark.parametrize("name", ["b2.isp-b", "c1.isp-c", "a1.isp-a"])
def test_a_node_that_is_not_on_the_way_cannot_speak(name: str) -> None:
    asking = Asking()
    asking.hear("a1.isp-a", "forwarded", "b1.isp-b")

    assert not asking.hear(name, "dropped")

    assert asking.account.refused == (f"a statement of {name}, which is not the next on the way",)


def test_a_node_without_a_record_cannot_speak() -> None:
    asking = Asking()
    asking.hear("a1.isp-a", "forwarded", STRANGER.address(2))

    assert not asking.hear("stranger", "dropped")

    assert "of which there is no record" in asking.account.refused[0]


def test_nobody_speaks_after_the_end_of_a_packet() -> None:
    asking = Asking()
    asking.hear("a1.isp-a", "dropped")

    assert not asking.hear("b1.isp-b", "forwarded", "c1.isp-c")

    assert asking.account.is_dropped


def test_the_node_that_was_asked_speaks_first() -> None:
    asking = Asking()

    assert not asking.hear("b1.isp-b", "dropped")


def test_a_domain_that_names_no_nodes_says_more_later() -> None:
    asking = Asking()
    asking.hear("a1.isp-a", "forwarded", "b1.isp-b")
    asking.hear("b1.isp-b", "forwarded", AT["b1.isp-b"][:6])

    assert asking.hear("b1.isp-b", "forwarded", AT["c1.isp-c"][:6])
    assert asking.hear("c1.isp-c", "forwarded", BOB)

    assert [name for name, _ in asking.way()] == ["a1.isp-a", "b1.isp-b", "c1.isp-c"]


def test_a_node_cannot_let_anybody_follow_by_naming_less_than_a_domain() -> None:
    asking = Asking()
    asking.hear("a1.isp-a", "forwarded", b"\xfd\x35")

    assert not asking.hear("c1.isp-c", "dropped")


def test_after_a_domain_that_says_nothing_others_may_speak_but_not_its_own() -> None:
    asking = Asking()
    asking.hear("a1.isp-a", "forwarded", "b1.isp-b")
    asking.hear("b1.isp-b", "withheld")

    assert not asking.hear("b2.isp-b", "dropped")
    assert asking.hear("c1.isp-c", "dropped")


def test_an_answer_counts_only_from_the_node_that_was_asked_while_it_is_awaited() -> None:
    asking = Asking()
    said = Statement(AT["a1.isp-a"], asking.question.number, ALICE, 16, 9, "dropped")
    answer = Explained(asking.question.number, STATEMENTS.seal(said, KEYS["a1.isp-a"]))

    assert not asking.inquiries.take(AT["b1.isp-b"], answer)
    asking.inquiries.close(asking.question.number)
    assert not asking.inquiries.take(AT["a1.isp-a"], answer)

    assert asking.inquiries.dropped == {"not_asked": 2}


def test_a_node_that_answers_without_end_fills_no_memory() -> None:
    asking = Asking()

    for _ in range(MAX_STATEMENTS + 9):
        asking.hear("c1.isp-c", "dropped")

    assert len(asking.account.refused) == MAX_REFUSALS
    assert asking.inquiries.dropped == {"bad_statement": MAX_STATEMENTS, "not_asked": 9}


def test_of_too_many_questions_the_oldest_is_given_up() -> None:
    asking = Asking()

    for connection in range(MAX_OPEN):
        _ = asking.inquiries.ask(AT["a1.isp-a"], 16, connection)

    assert not asking.hear("a1.isp-a", "dropped")


@given(some.binary(max_size=300))
def test_any_bytes_are_counted_and_nothing_more(received: bytes) -> None:
    asking = Asking()

    assert not asking.inquiries.take(
        Address(AT["a1.isp-a"]), Explained(asking.question.number, received)
    )

    assert asking.account.statements == ()
