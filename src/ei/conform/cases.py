"""A module and what it is played, with what it made of that: what each check is given."""

from dataclasses import dataclass

from ei.conform.corpus import Step, Story
from ei.conform.playing import RUNAWAY, Record, Watch, record
from ei.conform.verdicts import KEPT, Verdict, broken
from ei.runtime.loader import LoadedService


@dataclass(frozen=True, slots=True)
class Case:
    """One module and one story.

    Attributes:
        loaded: The module.
        story: What it is played; without what follows an event that never ends.
        watch: Cuts events that never end.
        reference: What it made of that, one event at a time, in this process.
        runaway: Whether an event took too much CPU time.
    """

    loaded: LoadedService
    story: Story
    watch: Watch
    reference: Record
    runaway: Verdict


def make_case(loaded: LoadedService, story: Story, watch: Watch) -> Case:
    """Play a story once, as the reference of all checks.

    Raises:
        ConfigError: The story's configuration does not fit the module.
    """
    reference = record(loaded, story, watch=watch)
    runaways = [
        broken(heard.sent.first, str(fault))
        for heard in reference.heard[-1:]
        for fault in heard.faults
        if fault.word == RUNAWAY
    ]
    if not runaways:
        return Case(loaded, story, watch, reference, KEPT)
    shorter = _until(story, max((heard.sent.first for heard in reference.heard[:-1]), default=0))
    return Case(loaded, shorter, watch, record(loaded, shorter, watch=watch), runaways[0])


def _until(story: Story, events: int) -> Story:
    """Return the beginning of a story."""
    steps: list[Step] = []
    left = events
    for step in story.steps:
        if left > 0:
            steps.append(Step(step.after_s, step.items[:left]))
            left -= len(step.items)
    return Story(story.name, story.config, tuple(steps))
