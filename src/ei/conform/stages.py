"""Native stages against their references in Python: those that a module uses, with its parameters.

Meters and tallies have theirs in `ei.testing.stage_model`. What a module's own folder brings in
`stages.py`, as compression does, is a class `Reference` with `keep`, `compress` and `decompress`;
see `ei.conform.frames`.
"""

from collections.abc import Iterator
from random import Random

import msgspec

from ei._core import DecisionCache
from ei.conform.cases import Case
from ei.conform.corpus import START_S
from ei.conform.differences import effects_in
from ei.conform.drawing import ALICE, BOB
from ei.conform.frames import compare_frames, load_reference
from ei.conform.verdicts import KEPT, NONE, Verdict, broken
from ei.runtime.batches import Answer, EffectBatch, Outcome
from ei.sdk import (
    NOWHERE,
    Connection,
    Decision,
    Forward,
    Hop,
    InstallDecision,
    Key,
    Meter,
    PassPacket,
    SendPacket,
    Stage,
    Tally,
)
from ei.testing.stage_model import ObjectsModel, run_stages

PACKETS = 200
SERVICE = 16
PAUSES_NS = (0, 1, 10_000_000, 500_000_000)
PAYLOAD_BYTES = (0, 1, 100, 1_200, 65_000)
IS_COVERED = True
_TTL_S = 3_600.0


def check_stages(case: Case) -> Verdict:
    """Compare each stage that the module uses, and the references that it brings."""
    used = sorted(set(_used(case)), key=repr)
    reference = load_reference(case.loaded)
    for stage in used:
        said = _what_differs(stage)
        if said:
            return broken(0, said)
    if reference is not None:
        said = compare_frames(reference, Random(SERVICE))
        if said:
            return broken(0, said)
    return KEPT if used or reference is not None else NONE


def _used(case: Case) -> Iterator[Meter | Tally]:
    for heard in case.reference.heard:
        for _, reply in heard.replies:
            for effect in effects_in(reply):
                stages: tuple[Stage, ...] = ()
                if isinstance(effect, InstallDecision):
                    stages = effect.decision.stages
                elif isinstance(effect, SendPacket | PassPacket):
                    stages = effect.stages
                yield from (stage for stage in stages if isinstance(stage, Meter | Tally))


def _what_differs(stage: Meter | Tally) -> str:
    """Say where the native stage and its model part; empty when they do not."""
    now_ns, random = int(START_S * 1e9), Random(SERVICE)
    native, model = DecisionCache(entries=4, secret=bytes(16)), ObjectsModel(SERVICE, limit=1)
    native.add_service(SERVICE, max_objects=1)
    key = Key(ALICE, ALICE, Connection(1), b"", NOWHERE, SERVICE)
    decision = Decision(key, Forward((Hop(BOB),)), ttl_s=_TTL_S, stages=(stage,))
    batch = EffectBatch(0, native.epoch, (Answer(Outcome.NONE, "", (InstallDecision(decision),)),))
    _ = native.install(now_ns, SERVICE, msgspec.msgpack.encode(batch))
    objects = model.resolve(now_ns, (stage,)) or ()
    for number in range(1, PACKETS + 1):
        now_ns += random.choice(PAUSES_NS)
        size = random.choice(PAYLOAD_BYTES)
        outcome = native.decide(now_ns, SERVICE, ALICE, ALICE, 1, b"", b"", IS_COVERED, size, 0)
        passes = run_stages(objects, now_ns, size)
        if (outcome[0] == "forwarded") != passes:
            wanted = "passes" if passes else "is dropped"
            return f"{stage!r}: packet {number} of {size} B {wanted} by the reference: {outcome!r}"
    seen, expected = native.read_tally(SERVICE, stage.object), model.read_tally(stage.object)
    if seen != expected:
        return f"{stage!r}: counts {seen}, where {expected} was expected"
    return ""
