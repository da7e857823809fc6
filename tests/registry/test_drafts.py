import pytest
from tests.registry.world import AUTHOR, GOVERNORS, NOW, World, keys_of
from tuf.api.metadata import Root, Targets

from ei.errors import ConflictError, NotFoundError
from ei.registry.drafts import (
    Draft,
    changes,
    draft_approval,
    draft_first,
    draft_keys,
    draft_revocation,
    read_draft,
)
from ei.registry.metadata import signing_of


def state(world: World) -> tuple[Root, Targets]:
    root = world.registry.root()
    assert root is not None
    return root, world.registry.targets()


def approval(world: World) -> Draft:
    release = world.submit()
    author = AUTHOR.identity_key
    return draft_approval(*state(world), release, entry=0, author=author, unix_s=NOW)


def test_a_draft_counts_who_has_signed(world: World) -> None:
    draft = approval(world)
    assert draft.missing() == 3

    for keys in (GOVERNORS[0], GOVERNORS[0], GOVERNORS[4]):
        draft.sign(keys)

    assert draft.missing() == 1
    assert draft.signers() == {GOVERNORS[0].identity_key, GOVERNORS[4].identity_key}
    with pytest.raises(ConflictError, match="is none of the keys that govern"):
        draft.sign(keys_of("stranger"))


def test_a_draft_is_read_as_it_was_written(world: World) -> None:
    draft = approval(world)
    draft.sign(GOVERNORS[0])

    again = read_draft(draft.targets.to_bytes(), None, world.registry.signing())

    assert again.missing() == 2
    assert again.after == world.registry.signing()


def test_a_draft_says_what_it_changes(world: World) -> None:
    draft = approval(world)
    release, _ = world.registry.submission("hello", "0.1.0")

    assert list(changes(world.registry.targets(), draft)) == [
        f"approve hello@0.1.0 {release.digest}",
        f"author of hello: {AUTHOR.identity_key.hex()}",
    ]


def test_a_draft_that_leaves_something_out_says_so(world: World) -> None:
    draft = approval(world)

    first = draft_first(world.registry.signing(), unix_s=NOW)

    assert next(changes(draft.targets.signed, first)) == "forget hello@0.1.0"


def test_a_change_of_keys_takes_the_old_ones_and_the_new_ones(world: World) -> None:
    root, targets = state(world)
    new = [keys_of(f"new {number}") for number in range(5)]
    before = signing_of(root)
    governance = type(before.governance)(frozenset(each.identity_key for each in new), 3)
    after = type(before)(governance, before.online, before.log)
    draft = draft_keys(root, targets, after, unix_s=NOW)
    for keys in GOVERNORS[:3]:
        draft.sign(keys)

    assert draft.missing() == 3
    for keys in new[:3]:
        draft.sign(keys)
    assert draft.missing() == 0
    assert "root 2: 3 of 5 keys govern" in list(changes(targets, draft))


def test_what_is_approved_is_not_approved_again_and_may_be_revoked_once(world: World) -> None:
    release = world.submit()
    world.approve(release)
    root, targets = state(world)
    author = AUTHOR.identity_key

    with pytest.raises(ConflictError, match="is approved already"):
        _ = draft_approval(root, targets, release, entry=0, author=author, unix_s=NOW)
    other = type(release)(
        **{**{f: getattr(release, f) for f in release.__struct_fields__}, "version": "2.0.0"}
    )
    with pytest.raises(ConflictError, match="the author of hello is"):
        _ = draft_approval(root, targets, other, entry=0, author=bytes(32), unix_s=NOW)
    draft = draft_revocation(root, targets, "hello", "0.1.0", why="it leaks", unix_s=NOW)
    assert list(changes(targets, draft)) == ["revoke hello@0.1.0: it leaks"]
    with pytest.raises(ConflictError, match="is revoked already: it leaks"):
        _ = draft_revocation(root, draft.targets.signed, "hello", "0.1.0", why="", unix_s=NOW)
    with pytest.raises(NotFoundError):
        _ = draft_revocation(root, targets, "hello", "9.9.9", why="", unix_s=NOW)


def test_a_registry_begins_with_its_own_keys(world: World) -> None:
    draft = draft_first(world.registry.signing(), unix_s=NOW)

    assert (draft.before, draft.missing()) == (None, 3)
    assert "witnesses: 2 of 3" in list(changes(None, draft))
