"""What was learned stays while it counts and is used."""

from ei.directory import Named
from ei.directory.cache import Cache, Entry
from ei.directory.statements import Statement

BOB, AL, CAROL = (Named(f"{name}.isp-b") for name in ("bob", "al", "carol"))


def entry(*, expires_s: float = 100.0) -> Entry:
    return Entry(Statement(None, (b"e",), (), expires_s), 10.0, None, 0.0)


def test_the_one_that_was_not_used_for_the_longest_makes_room() -> None:
    cache = Cache(limit=2)
    cache.put(BOB, entry())
    cache.put(AL, entry())
    cache.use(BOB, now_s=5.0)

    removed = cache.put(CAROL, entry())

    assert [query for query, _ in removed] == [AL]
    assert [query for query, _ in cache.items()] == [BOB, CAROL]


def test_what_has_expired_is_there_and_does_not_count() -> None:
    cache = Cache()
    cache.put(BOB, entry(expires_s=7.0))

    assert cache.use(BOB, now_s=7.0) is None
    assert cache.look(BOB) is not None
    assert cache.use(AL, now_s=7.0) is None


def test_a_check_comes_when_it_is_due_unless_the_entry_is_gone() -> None:
    cache = Cache()
    for query in (BOB, AL):
        cache.put(query, entry())
        cache.check_at(query, 3.0)
    cache.remove(AL)

    assert cache.checks.next_s == 3.0
    assert cache.take_due(3.0) == BOB
    assert cache.take_due(3.0) is None
    assert repr(cache) == "<Cache 1/65536 answers>"
