"""A witness at its registry; a log that shows it two views is in test_attacks.py."""

import pytest
from tests.registry.world import NOW, WITNESSES, World, lying

from ei.errors import IntegrityError, NotFoundError
from ei.registry.fetching import fetch_from
from ei.registry.witness import Witness


def test_it_remembers_what_it_has_cosigned(world: World) -> None:
    _ = world.submit()

    (first, *_) = world.witnesses()

    seen = first.seen()
    assert seen is not None
    assert seen.size == 1
    assert str(first.key) in {str(key) for key in world.registry.signing().log.witnesses}


def test_a_log_that_has_become_shorter_is_not_cosigned(world: World) -> None:
    short = (world.public / "log" / "pending").read_bytes()
    _ = world.submit()
    fetch = lying(fetch_from(str(world.public)), {"log/pending": short})
    witness = Witness(world.folder / "witness-0", WITNESSES[0], "witness.test/0", fetch)

    with pytest.raises(IntegrityError, match="not cosigned") as caught:
        _ = witness.look(unix_s=NOW)

    assert caught.value.word == "rollback"


def test_where_nothing_waits_it_looks_at_what_is_shown(world: World) -> None:
    fetch = lying(fetch_from(str(world.public)), {"log/pending": None})
    witness = Witness(world.folder / "witness-0", WITNESSES[0], "witness.test/0", fetch)

    assert witness.look(unix_s=NOW).startswith("— witness.test/0 ")


def test_a_registry_that_has_not_begun_has_no_log(world: World) -> None:
    fetch = lying(fetch_from(str(world.public)), {"metadata/1.root.json": None})

    with pytest.raises(NotFoundError):
        _ = Witness(world.folder / "new", WITNESSES[0], "w", fetch).look(unix_s=NOW)


def test_it_begins_with_the_root_that_it_is_given(world: World) -> None:
    fetch = fetch_from(str(world.public))
    root = world.first_root.replace(b"registry.test/log", b"registry.test/lag")

    with pytest.raises(IntegrityError):
        _ = Witness(world.folder / "new", WITNESSES[0], "w", fetch, first_root=root).look(
            unix_s=NOW
        )
