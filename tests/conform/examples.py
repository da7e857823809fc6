"""A module and a story that tests of the parts share."""

from pathlib import Path
from random import Random

from tests.conform.planted import HONEST, Planted

from ei.conform.cases import Case, make_case
from ei.conform.corpus import draw_story
from ei.runtime.limits import EventClock
from ei.runtime.loader import load_service

EVENTS = 24


def nobody(_clock: EventClock) -> None:
    """Watch no event."""


def case_of(place: Path, planted: Planted = HONEST, *, events: int = EVENTS) -> Case:
    """Plant a module and play it a drawn story."""
    loaded = load_service(planted.plant(place))
    return make_case(loaded, draw_story(loaded, Random(1), events=events), nobody)
