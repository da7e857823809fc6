"""Tries a module, in this process: plays it all there is to play, and checks each law."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Annotated

import msgspec
from msgspec import Meta

from ei.conform.cases import Case, make_case
from ei.conform.certificate import Digest, LawResult, Played
from ei.conform.corpus import Story, batches, digest_of, draw_story
from ei.conform.laws import CHECKS, Law
from ei.conform.playing import Heard, Record, Watch
from ei.conform.recorded import MAX_STORIES, parse_stories
from ei.conform.verdicts import Verdict
from ei.errors import ServiceError
from ei.runtime.loader import LoadedService
from ei.runtime.rehearsal import Reply


class Told(msgspec.Struct, frozen=True):
    """A story, and what the module made of it.

    Attributes:
        story: What it was played.
        replies: To each of its batches.
        state: The digest at the end.
    """

    story: Story
    replies: list[list[Reply]]
    state: str

    def record(self) -> Record:
        """Return the record that it was made of, but for the faults.

        Raises:
            ServiceError: It has not the replies to each batch.
        """
        sent = tuple(batches(self.story))
        if len(sent) != len(self.replies):
            raise ServiceError(f"replies to {len(self.replies)} batches seen, of {len(sent)}")
        pairs = zip(sent, self.replies, strict=True)
        return Record([Heard(one, replies, ()) for one, replies in pairs], self.state)


class Tried(msgspec.Struct, frozen=True):
    """What a process found that tried a module.

    Attributes:
        corpus: What it was played.
        laws: Each law's result, but for that of the worker.
        effects: Digest of all effects of all stories.
        state: Digest of its states.
        told: Each story.
    """

    corpus: Played
    laws: tuple[LawResult, ...]
    effects: Digest
    state: Digest
    told: Annotated[tuple[Told, ...], Meta(max_length=1 + MAX_STORIES)]


def try_module(
    loaded: LoadedService, files: Mapping[Path, bytes], *, seed: int, events: int, watch: Watch
) -> Tried:
    """Play a module all that there is to play, in this process, and check each law.

    Args:
        loaded: The module, with its sources.
        files: Of its folder's corpus.
        seed: Of what is drawn, unsigned 64 bits.
        events: How many are drawn.
        watch: Cuts events that never end.

    Raises:
        ConfigError: A story of its folder is wrong.
        ServiceError: It does not load again.
    """
    stories = (draw_story(loaded, Random(seed), events=events), *parse_stories(files, loaded))
    cases = [make_case(loaded, story, watch) for story in stories]
    told = [
        Told(case.story, [heard.replies for heard in case.reference.heard], case.reference.state)
        for case in cases
    ]
    return Tried(
        corpus=Played(
            digest_of(stories), seed, len(stories), sum(story.events for story in stories)
        ),
        laws=tuple(
            result_of(law, [case.story.name for case in cases], _verdicts(law, cases))
            for law in CHECKS
        ),
        effects=_digest([replies for each in told for replies in each.replies]),
        state=_digest([each.state for each in told]),
        told=tuple(told),
    )


def result_of(law: Law, stories: Sequence[str], verdicts: Sequence[Verdict]) -> LawResult:
    """Return what became of a law: where it was broken first, if it was."""
    for story, verdict in zip(stories, verdicts, strict=True):
        if verdict.result == "broken":
            return LawResult(law, "broken", story, verdict.event, verdict.said)
    is_kept = any(verdict.result == "kept" for verdict in verdicts)
    return LawResult(law, "kept" if is_kept else "none")


def _verdicts(law: Law, cases: Sequence[Case]) -> list[Verdict]:
    return [CHECKS[law](case) for case in cases]


def _digest(content: object) -> str:
    return f"sha256:{sha256(msgspec.msgpack.encode(content)).hexdigest()}"
