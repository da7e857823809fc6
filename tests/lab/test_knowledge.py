"""What was found equals the table, or the promise is broken and says where."""

import pytest

from ei.lab.canaries import Hit, text_canary
from ei.lab.knowledge import Looked, Place, joined, show
from ei.lab.promises import Promise
from ei.sdk.knowledge import Fact, Knows, Party

CANARIES = {
    fact: text_canary(fact, f"the {fact}", f"canary-{fact}")
    for fact in ("client", "target", "payload")
}
TABLE: Knows = {"first_node": ("client",), "last_node": ("target", "payload"), "middle_link": ()}


def at(party: Party, *facts: Fact, place: str = "log") -> Looked:
    hits = tuple(Hit(CANARIES[fact], "utf-8", 7) for fact in facts)
    return Looked(party, (Place("file", place, 100, hits),))


def shown(*looked: Looked, table: Knows = TABLE) -> dict[str, Promise]:
    together: list[tuple[Party, Party]] = [("first_node", "last_node")]
    promises = show(looked, table, CANARIES.values(), together=together)
    return {each.name.removeprefix("who knows what: "): each for each in promises}


EQUAL = (
    at("first_node", "client"),
    at("last_node", "target", "payload"),
    at("middle_link"),
)


def test_what_equals_the_table_is_kept_and_says_where_it_was() -> None:
    promises = shown(*EQUAL)

    assert {each.status for each in promises.values()} == {"ok"}
    assert promises["first_node"].measured == "client"
    assert promises["middle_link"].measured == "nothing"
    assert "client: the client (utf-8) in file log at 7" in promises["first_node"].note
    assert "looked through 100 B of file" in promises["first_node"].note


def test_those_who_work_together_know_what_each_knows() -> None:
    assert shown(*EQUAL)["first_node and last_node together"].measured == "client, target, payload"


def test_a_leak_breaks_its_promise_with_the_place() -> None:
    leak = at("last_node", "client", "target", "payload", place="queries.db")

    promise = shown(EQUAL[0], leak, EQUAL[2])["last_node"]

    assert promise.status == "broken"
    assert promise.measured == "client, target, payload"
    assert "client: the client (utf-8) in file queries.db at 7" in promise.note


@pytest.mark.parametrize("party", ["first_node", "last_node"])
def test_a_fact_of_the_table_that_is_never_seen_breaks_it_too(party: Party) -> None:
    looked = [each if each.party != party else at(party) for each in EQUAL]

    promises = shown(*looked)

    assert promises[party].status == "broken"
    unseen = promises["canaries that nobody has"]
    assert unseen.status == "broken"
    assert str(unseen.measured).startswith("the ")


def test_a_party_without_a_line_in_the_table_must_know_nothing() -> None:
    promises = shown(*EQUAL, at("issuer", "client"), at("first_link"))

    assert promises["issuer"].status == "broken"
    assert promises["first_link"].status == "ok"


def test_what_could_not_be_looked_at_shows_nothing_and_says_why() -> None:
    hidden = Looked("middle_link", (), (("the link", "listening needs CAP_NET_RAW"),))

    promises = shown(*EQUAL[:2], hidden)

    assert promises["middle_link"].status == "unsupported"
    assert promises["middle_link"].note == "the link: listening needs CAP_NET_RAW"
    assert shown(*EQUAL[:2])["middle_link"].note == "nobody looked"


def test_a_bug_report_has_nothing_that_its_party_may_know_itself() -> None:
    hit = Hit(CANARIES["client"], "utf-8", 7)
    report = Looked("first_node", (Place("bugreport", "status.json", 100, (hit,)),))

    promises = shown(report, *EQUAL[1:])

    assert promises["first_node"].status == "ok"
    assert promises["canaries in bug reports, which others read"].measured == "the client"


def test_together_with_one_who_could_not_be_looked_at_nothing_is_shown() -> None:
    hidden = Looked("last_node", (), (("memory of 7", "not for this user"),))

    promises = shown(EQUAL[0], hidden, EQUAL[2])

    assert promises["first_node and last_node together"].status == "unsupported"
    # It may have the canaries that nobody else has.
    assert promises["canaries that nobody has"].status == "unsupported"


def test_what_could_not_be_looked_at_once_was_not_looked_at() -> None:
    hidden = Looked("middle_link", (), (("the link", "3 packets were lost"),))

    assert joined(hidden, at("middle_link")).missing == hidden.missing


def test_what_was_seen_once_stays_seen() -> None:
    during, after = at("last_node", "target", place="42 [heap]"), at("last_node", place="log")

    both = joined(during, after)

    assert both.facts == ("target",)
    assert [place.name for place in both.places] == ["log", "42 [heap]"]


def test_what_was_left_out_is_said_with_the_reason() -> None:
    looked = Looked("middle_link", (), (), (("tables of the kernel", "are shared"),))

    assert (
        "excluded tables of the kernel: are shared" in shown(*EQUAL[:2], looked)["middle_link"].note
    )
