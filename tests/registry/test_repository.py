from pathlib import Path

import pytest
from tests.registry.world import (
    AUTHOR,
    GOVERNORS,
    NOW,
    World,
    governance,
    keys_of,
    with_governors,
    with_online_key,
    write_module,
)

from ei.errors import ConflictError, IntegrityError, NotFoundError
from ei.registry.package import pack, unpack
from ei.registry.releases import release_of
from ei.registry.repository import Registry
from ei.registry.submitting import sign_submission


def test_a_registry_begins_once_enough_have_signed(tmp_path: Path) -> None:
    registry = Registry.begin(tmp_path / "r", governance(GOVERNORS), name="r/log", unix_s=NOW)
    _ = registry.sign(GOVERNORS[:2])

    with pytest.raises(IntegrityError, match="signed by 2 of the 5 keys, needed are 3"):
        registry.publish(unix_s=NOW)
    with pytest.raises(ConflictError, match="has not begun"):
        _ = registry.signing()

    _ = registry.sign([GOVERNORS[4]])
    registry.publish(unix_s=NOW)
    assert registry.signing().governance == governance(GOVERNORS)
    assert registry.ledger().shown() is not None, "no witness is needed where there is none"
    assert registry.draft() is None


def test_secret_keys_are_not_shown(world: World) -> None:
    assert not [path for path in world.public.rglob("*") if path.suffix == ".key"]
    assert (world.registry.folder / "online.key").stat().st_mode & 0o777 == 0o600


def test_what_is_there_is_not_begun_again(world: World, tmp_path: Path) -> None:
    with pytest.raises(ConflictError, match="exists"):
        _ = Registry.begin(world.registry.folder, governance(GOVERNORS), name="x", unix_s=NOW)
    with pytest.raises(NotFoundError, match="is no registry"):
        _ = Registry(tmp_path / "nothing")


def test_a_number_of_somebody_else_is_refused(world: World) -> None:
    with pytest.raises(ConflictError, match="number 17 of hello belongs to echo"):
        _ = world.submit(number=17)
    world.approve(world.submit())
    with pytest.raises(ConflictError, match="number 4026531841 of other belongs to hello"):
        _ = world.submit("other")


def test_of_two_that_were_submitted_with_one_number_one_is_approved(world: World) -> None:
    one, two = world.submit(), world.submit("other")
    world.approve(one)

    with pytest.raises(ConflictError, match="belongs to hello"):
        world.approve(two)


def test_what_no_witness_has_seen_is_not_approved(world: World) -> None:
    package = pack(write_module(world.folder / "hello"))
    release = release_of(package, unpack(package))
    signed = sign_submission(release, None, AUTHOR, unix_s=NOW)
    assert world.registry.submit(package, signed, unix_s=NOW) == (release, 0)

    with pytest.raises(ConflictError, match="not in the log that enough witnesses have seen"):
        _ = world.registry.approve("hello", "0.1.0", unix_s=NOW)


def test_what_was_not_submitted_is_not_approved(world: World) -> None:
    with pytest.raises(NotFoundError, match=r"hello@0\.1\.0 was not submitted"):
        _ = world.registry.approve("hello", "0.1.0", unix_s=NOW)


def test_one_change_at_a_time_is_signed(world: World) -> None:
    for name, number in (("one", 0xF0000001), ("two", 0xF0000002)):
        _ = world.submit(name, number=number)
    _ = world.registry.approve("one", "0.1.0", unix_s=NOW)
    _ = world.registry.sign(GOVERNORS[:2])
    assert world.registry.approve("one", "0.1.0", unix_s=NOW + 1).missing() == 1

    with pytest.raises(ConflictError, match="another draft waits"):
        _ = world.registry.approve("two", "0.1.0", unix_s=NOW)

    world.registry.discard()
    assert world.registry.approve("two", "0.1.0", unix_s=NOW).missing() == 3


def test_a_draft_of_an_earlier_state_is_not_published(world: World) -> None:
    drafts = world.public / "drafts"
    _ = world.registry.approve("hello", world.submit().version, unix_s=NOW)
    _ = world.registry.sign(GOVERNORS[:3])
    old = (drafts / "targets.json").read_bytes()
    world.registry.publish(unix_s=NOW)
    _ = (drafts / "targets.json").write_bytes(old)

    with pytest.raises(ConflictError, match="the draft has version 2, and would have to have 3"):
        world.registry.publish(unix_s=NOW)


def test_keys_of_the_registry_and_of_governance_change(world: World) -> None:
    world.approve(world.submit())
    new = [keys_of(f"new {number}") for number in range(5)]
    world.rotate([*GOVERNORS[:3], *new[:3]], with_governors(new))
    world.rotate(new[2:], with_online_key(world.registry.new_online_key()))

    (release,) = world.client().refresh(unix_s=NOW).releases

    assert (str(release), release.share) == ("hello@0.1.0", 1.0)
    _ = world.registry.revoke("hello", "0.1.0", why="x", unix_s=NOW)
    with pytest.raises(ConflictError, match="none of the keys that govern"):
        _ = world.registry.sign(GOVERNORS[:1])


def test_without_the_online_key_nothing_is_published(world: World) -> None:
    (world.registry.folder / "online.key").unlink()

    with pytest.raises(NotFoundError, match="the online key"):
        world.approve(world.submit())


def test_nothing_waits_for_signatures(world: World) -> None:
    with pytest.raises(NotFoundError, match="no draft waits"):
        _ = world.registry.sign(GOVERNORS)
    with pytest.raises(NotFoundError, match="no draft waits"):
        world.registry.publish(unix_s=NOW)
