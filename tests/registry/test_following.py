"""What follows honestly; who attacks is in test_attacks.py."""

from pathlib import Path

import pytest
from tests.registry.world import GOVERNORS, NOW, World, lying, with_governors

from ei.errors import IntegrityError, NotFoundError
from ei.registry.fetching import fetch_from
from ei.registry.following import fetch_bounded, follow, is_expired
from ei.registry.metadata import DAY_S


def test_what_was_seen_is_not_fetched_again(world: World) -> None:
    world.approve(world.submit())
    fetch = fetch_from(str(world.public))
    known: dict[str, bytes] = {}
    known.update(follow(known, world.first_root, fetch, unix_s=NOW).files)
    asked: list[str] = []

    def counted(name: str, limit: int) -> bytes:
        asked.append(name)
        return fetch(name, limit)

    followed = follow(known, world.first_root, counted, unix_s=NOW)

    assert asked == ["metadata/2.root.json", "metadata/timestamp.json"]
    assert list(followed.targets.targets) == ["hello/0.1.0.eim"]
    assert list(followed.authors) == ["hello"]


def test_a_root_counts_though_the_rest_does_not_verify(world: World) -> None:
    world.rotate(GOVERNORS[:3], with_governors(GOVERNORS[:4]))
    known: dict[str, bytes] = {}
    lies = {"metadata/timestamp.json": b""}

    with pytest.raises(IntegrityError):
        _ = follow(known, world.first_root, lying(fetch_from(str(world.public)), lies), unix_s=NOW)

    assert b'"version":2' in known["root.json"]


def test_who_begins_with_a_later_root_forgets_an_earlier_one(world: World) -> None:
    world.rotate(GOVERNORS[:3], with_governors(GOVERNORS[:4]))
    second = (world.public / "metadata" / "2.root.json").read_bytes()
    known = {"root.json": world.first_root}

    followed = follow(known, second, fetch_from(str(world.public)), unix_s=NOW)

    assert followed.root.version == 2


def test_who_begins_with_the_root_of_another_registry_follows_that_one(
    world: World, tmp_path: Path
) -> None:
    known: dict[str, bytes] = {}
    known.update(follow(known, world.first_root, fetch_from(str(world.public)), unix_s=NOW).files)
    other = World(tmp_path / "other")

    followed = follow(known, other.first_root, fetch_from(str(other.public)), unix_s=NOW)

    assert known["root.json"] == other.first_root
    assert followed.signing.online == other.registry.signing().online


def test_that_also_begins_anew_where_the_root_that_was_seen_has_a_higher_number(
    world: World, tmp_path: Path
) -> None:
    world.rotate(GOVERNORS[:3], with_governors(GOVERNORS[:4]))
    known: dict[str, bytes] = {}
    known.update(follow(known, world.first_root, fetch_from(str(world.public)), unix_s=NOW).files)
    other = World(tmp_path / "other")

    followed = follow(known, other.first_root, fetch_from(str(other.public)), unix_s=NOW)

    assert (followed.root.version, known["root.json"]) == (1, other.first_root)


def test_an_older_root_of_the_same_registry_takes_nothing_back(world: World) -> None:
    world.rotate(GOVERNORS[:3], with_governors(GOVERNORS[:4]))
    second = (world.public / "metadata" / "2.root.json").read_bytes()
    world.rotate(GOVERNORS[:3], with_governors(GOVERNORS[:3]))
    known: dict[str, bytes] = {}
    known.update(follow(known, second, fetch_from(str(world.public)), unix_s=NOW).files)
    withheld = {"metadata/2.root.json": None, "metadata/3.root.json": None}

    followed = follow(
        known, world.first_root, lying(fetch_from(str(world.public)), withheld), unix_s=NOW
    )

    assert followed.root.version == 3


def test_what_is_missing_is_not_found(world: World) -> None:
    lies = {"metadata/timestamp.json": None}

    with pytest.raises(NotFoundError):
        _ = follow({}, world.first_root, lying(fetch_from(str(world.public)), lies), unix_s=NOW)


def test_a_file_has_as_many_bytes_as_it_may() -> None:
    assert fetch_bounded(lambda _name, limit: bytes(limit), "x", 7) == bytes(7)
    with pytest.raises(IntegrityError, match="more than the allowed 7 B"):
        _ = fetch_bounded(lambda _name, limit: bytes(limit + 1), "x", 7)


def test_time_ends_metadata(world: World) -> None:
    targets = world.registry.targets()

    assert not is_expired(targets, NOW + 364 * DAY_S)
    assert is_expired(targets, NOW + 365 * DAY_S)
