import pytest
from tests.registry.world import AUTHOR, GOVERNORS, NOW, World, governance

from ei.errors import ConflictError, NotFoundError
from ei.registry.holdings import Holdings


def test_what_counts_is_read_from_files(world: World) -> None:
    release = world.submit()
    world.approve(release, share=0.5)

    root = world.registry.root()

    assert root is not None
    assert root.version == 1
    assert world.registry.signing().governance == governance(GOVERNORS)
    assert list(world.registry.targets().targets) == ["hello/0.1.0.eim"]
    assert world.registry.rollout().targets["hello/0.1.0.eim"].custom == {"share_ppm": 500_000}
    assert world.registry.ledger().find(b"x") is None


def test_what_was_submitted_is_there_with_its_author(world: World) -> None:
    release = world.submit(is_certified=True)

    assert world.registry.submission("hello", "0.1.0") == (release, AUTHOR.identity_key)
    with pytest.raises(NotFoundError, match="was not submitted"):
        _ = world.registry.submission("hello", "9.9.9")


def test_a_draft_waits_until_it_is_forgotten(world: World) -> None:
    _ = world.submit()
    _ = world.registry.approve("hello", "0.1.0", unix_s=NOW)
    assert world.registry.draft() is not None

    world.registry.discard()

    assert world.registry.draft() is None
    world.registry.discard()


def test_nothing_has_not_begun() -> None:
    nothing = Holdings({}, {})

    assert nothing.root() is None
    assert nothing.draft() is None
    with pytest.raises(ConflictError, match="has not begun"):
        _ = nothing.signing()
