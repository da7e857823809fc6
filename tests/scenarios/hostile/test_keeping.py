from ei.lab.canaries import Hit, text_canary
from ei.lab.knowledge import Looked, Place
from ei.scenarios.hostile.keeping import STORED, judge, reachable

CANARY = text_canary("payload", "what was stored", STORED)
HIT = Hit(CANARY, "utf-8", 5)
OWN = Place("memory", "41 [heap] 5000", 100, (HIT,))
HOSTILE = Place("memory", "42 [heap] 5000", 100)
STATUS = Place("admin", "status", 10)
STORE = Place("file", "state/honest.sqlite", 10, (HIT,))
LOOKED = Looked("first_node", (OWN, HOSTILE, STATUS, STORE))


def test_hostile_modules_have_their_own_memory_and_anybody_what_a_node_says() -> None:
    assert reachable(LOOKED, [42, 0]) == [HOSTILE, STATUS]


def test_a_secret_that_is_only_where_it_belongs_is_kept() -> None:
    promises = judge(LOOKED, reachable(LOOKED, [42]), [CANARY], sent=[b"nothing"])

    assert [each.status for each in promises] == ["ok", "ok"]


def test_a_secret_in_the_memory_of_a_hostile_module_is_a_broken_promise() -> None:
    kept, _ = judge(LOOKED, reachable(LOOKED, [41]), [CANARY], sent=[b"nothing"])

    assert kept.status == "broken"
    assert kept.note.startswith("what was stored in memory 41 [heap] 5000")


def test_a_secret_that_is_nowhere_shows_nothing() -> None:
    nowhere = Looked("first_node", (HOSTILE, STATUS))

    _, here = judge(nowhere, [HOSTILE], [CANARY], sent=[b"nothing"])

    assert here.status == "broken"


def test_a_module_that_did_not_snoop_shows_nothing() -> None:
    kept, _ = judge(LOOKED, [HOSTILE], [CANARY], sent=[])

    assert kept.status == "invalid"


def test_memory_that_could_not_be_read_shows_nothing() -> None:
    unread = Looked("first_node", (), (("memory of 42", "not for this user"),))

    assert [each.status for each in judge(unread, [], [CANARY], sent=[])] == ["unsupported"]
