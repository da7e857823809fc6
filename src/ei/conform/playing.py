"""Plays a story to an environment in this process, and takes down all that comes of it."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from ei.conform.corpus import STREAMS, Sent, Story, batches
from ei.conform.drawing import SELF
from ei.runtime.environment import Environment
from ei.runtime.faults import Fault
from ei.runtime.limits import EventClock, VirtualCost
from ei.runtime.loader import LoadedService, load_afresh
from ei.runtime.rehearsal import Reply, replies_to
from ei.runtime.stores import TransactionalStore

RUNAWAY = "cpu_exceeded"
"""The word of an event that took too much CPU time; a record ends with it."""

SEED = bytes(32)
"""Of `ctx.random`, in every environment."""


class Heard(NamedTuple):
    """What one batch led to.

    Attributes:
        sent: The batch.
        replies: In order, each whole.
        faults: Of its events and of what was due.
    """

    sent: Sent
    replies: list[Reply]
    faults: tuple[Fault, ...]


class Record(NamedTuple):
    """What one environment made of a story.

    Attributes:
        heard: By batch.
        state: The digest at the end.
    """

    heard: list[Heard]
    state: str


Watch = Callable[[EventClock], object]
"""Told of the clock of each environment, to cut events that never end."""


def _nobody(_clock: EventClock) -> None:
    pass


def make_environment(
    loaded: LoadedService,
    story: Story,
    *,
    stable: TransactionalStore | None = None,
    cost: VirtualCost | None = None,
    watch: Watch = _nobody,
) -> Environment:
    """Set up the environment of a story.

    Raises:
        ConfigError: The story's configuration does not fit the module.
    """
    environment = Environment(
        loaded,
        node=SELF,
        seed=SEED,
        config=story.config,
        stable=stable,
        cost=cost,
        streams=STREAMS if "streams" in loaded.manifest.capabilities else 0,
    )
    _ = watch(environment.clock)
    return environment


def play(
    environment: Environment,
    sent: Iterable[Sent],
    *,
    before: Callable[[Sent], object] = lambda _sent: None,
) -> Record:
    """Hand over one batch after the other.

    Args:
        environment: To be played to.
        sent: The batches.
        before: Called ahead of each.
    """
    heard: list[Heard] = []
    for each in sent:
        _ = before(each)
        known = environment.faults.total
        replies = replies_to(environment, each.batch, origin=each.origin)
        news = environment.faults.total - known
        faults = tuple(environment.faults.newest)[-news:] if news else ()
        heard.append(Heard(each, replies, faults))
        if any(fault.word == RUNAWAY for fault in faults):
            break  # the next one would as well, and each takes its time
    return Record(heard, environment.state_digest())


def record(
    loaded: LoadedService, story: Story, *, is_whole: bool = False, watch: Watch = _nobody
) -> Record:
    """Play a story once, as it is: what every other environment is held against.

    The module is loaded afresh, so that nothing of another play is left in it.
    """
    environment = make_environment(load_afresh(loaded), story, watch=watch)
    return play(environment, batches(story, is_whole=is_whole))
