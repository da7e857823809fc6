from pathlib import Path

import msgspec
import pytest
from tests.conform.examples import nobody
from tests.conform.planted import HONEST, PLANTED

from ei.conform.certificate import LawResult
from ei.conform.trying import Told, Tried, result_of, try_module
from ei.conform.verdicts import KEPT, NONE, broken
from ei.errors import ServiceError
from ei.runtime.loader import load_service


def tried(folder: Path, *, seed: int = 1, events: int = 24) -> Tried:
    return try_module(load_service(folder), {}, seed=seed, events=events, watch=nobody)


@pytest.mark.slow
def test_what_was_found_comes_whole_out_of_a_process(tmp_path: Path) -> None:
    found = tried(HONEST.plant(tmp_path))

    again = msgspec.msgpack.decode(msgspec.msgpack.encode(found), type=Tried)

    assert again == found
    assert [heard.replies for heard in again.told[0].record().heard] == found.told[0].replies


@pytest.mark.slow
def test_another_seed_is_another_corpus(tmp_path: Path) -> None:
    folder = HONEST.plant(tmp_path)

    one, other = (tried(folder, seed=seed) for seed in (1, 2))

    assert one.corpus.digest != other.corpus.digest


@pytest.mark.slow
def test_what_is_broken_is_said_with_story_and_event(tmp_path: Path) -> None:
    found = tried(PLANTED["raises"].plant(tmp_path), events=48)

    (law,) = (each for each in found.laws if each.result == "broken")
    assert (law.law, law.story) == ("no_fault", "drawn")
    assert law.event > 0
    assert "ValueError: planted" in law.said


@pytest.mark.slow
def test_a_story_has_replies_to_each_batch(tmp_path: Path) -> None:
    (told,) = tried(HONEST.plant(tmp_path)).told

    with pytest.raises(ServiceError, match="replies to 0 batches seen"):
        _ = Told(told.story, [], told.state).record()


def test_a_law_is_kept_where_one_story_shows_it() -> None:
    assert result_of("stages", ["one", "two"], [NONE, KEPT]) == LawResult("stages", "kept")
    assert result_of("stages", ["one"], [NONE]) == LawResult("stages", "none")
    assert result_of("stages", ["one", "two"], [KEPT, broken(3, "so")]) == LawResult(
        "stages", "broken", "two", 3, "so"
    )
