"""What every service must keep to, whatever it does. Services are found by folder: nothing to add.

The laws are those of `ei module conform`; here their stories are drawn by Hypothesis, many and
short, so that one that breaks a law is shrunk.
"""

from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ei._core import reasons
from ei.conform.cases import Case, make_case
from ei.conform.corpus import draw_story
from ei.conform.deliveries import check_fates, check_soft_decisions
from ei.conform.laws import CHECKS, Law
from ei.runtime.loader import LoadedService, find_services, load_service

SERVICES = sorted(find_services())
ONCE: set[Law] = {"soft_decisions", "one_fate", "stages"}
"""Laws whose checks have a world of their own, whatever the story."""


def case_of(name: str, random: Random, *, events: int) -> Case:
    loaded = load_service(name)
    return make_case(loaded, draw_story(loaded, random, events=events), lambda _clock: None)


@pytest.fixture(params=SERVICES)
def loaded(request: pytest.FixtureRequest) -> LoadedService:
    """Each service in turn; loading it checks its manifest, imports and types."""
    return load_service(str(request.param))


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(random=st.randoms(use_true_random=False), events=st.integers(1, 12))
@pytest.mark.parametrize("name", SERVICES)
def test_whatever_comes_a_service_keeps_the_laws(name: str, random: Random, events: int) -> None:
    case = case_of(name, random, events=events)

    for law in CHECKS.keys() - ONCE:
        verdict = CHECKS[law](case)
        assert verdict.result != "broken", f"{law}: event {verdict.event}: {verdict.said}"


@pytest.mark.slow
@pytest.mark.parametrize("name", SERVICES)
def test_with_a_cache_of_size_0_the_same_is_delivered(name: str) -> None:
    case = case_of(name, Random(0), events=64)

    verdict = check_soft_decisions(case)

    assert verdict.result != "broken", verdict.said
    has_streams = "streams" in case.loaded.manifest.capabilities
    assert verdict.result == "kept" or has_streams, "nothing is delivered at all"


@pytest.mark.slow
@pytest.mark.parametrize("name", SERVICES)
def test_each_packet_has_one_fate(name: str) -> None:
    assert check_fates(case_of(name, Random(0), events=64)).result == "kept"


def test_numbers_are_unique() -> None:
    numbers = [load_service(name).manifest.id for name in SERVICES]

    assert len(set(numbers)) == len(numbers)


def test_its_configuration_can_be_parsed(loaded: LoadedService) -> None:
    config = loaded.parse_config({})

    said = msgspec.json.decode(msgspec.json.encode(config))
    assert said == (loaded.manifest.config or None)


def test_its_words_are_not_the_datapaths(loaded: LoadedService) -> None:
    assert not set(loaded.manifest.drop_reasons) & {word for word, _ in reasons()}


def test_its_folder_has_what_every_service_has(loaded: LoadedService) -> None:
    files = {path.name for path in loaded.folder.iterdir()}

    assert {"__init__.py", "manifest.toml", "service.py", "test_service.py"} <= files
