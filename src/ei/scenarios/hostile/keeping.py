"""Secrets of a node and its honest services, and whether anything hostile gets at one.

They are planted in a store, in what a service is told by its operator, in a payload, and are the
node's keys. Looked through is what the snooping module sends, all memory of hostile workers, and
what the node says of itself: its log, status, metrics, traces and bug report.
"""

import resource
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import suppress

import msgspec

from ei.errors import DeadlineError
from ei.lab.canaries import Canary, Search, bytes_canary, text_canary
from ei.lab.knowledge import Looked, Place
from ei.lab.process_lab import ProcessLab
from ei.lab.promises import Promise, promise, unsupported
from ei.lab.searching import searched
from ei.lab.witness import Node, watching
from ei.scenarios.hostile.ground import (
    ALICE,
    ECHO,
    HOSTILE,
    MALLORY,
    MANIFESTS,
    NODE,
    until_running,
    worker_of,
)

STORED = "tulip-4c7ae2b9d1"
CARRIED = "crocus-e08d5f31a7"
TOLD = "marigold-9f27c1d4e8"
"""As the topology says it to the honest module."""

KEEP = b"keep"
SNOOP = b"snoop"
SAID: Collection[str] = ("admin", "metrics", "bugreport")
"""What a node tells, of the places that are looked through."""

ANSWER_S = 2.0
LAST_S = 0.5
TOLD_OF = ("key", "node.toml", "records.eir", "log", "admin.sock", "state/honest.sqlite")
"""Files of a node, as the snooping module is told where they are."""


async def keep(lab: ProcessLab) -> AsyncIterator[Promise]:
    """Plant secrets, let the snooping module snoop, and look for them everywhere."""
    canaries = canaries_of(lab)
    async with watching(lab, {"first_node": Node(NODE)}) as witness:
        _ = await until_running(lab, HOSTILE)
        await plant(lab)
        sent = await snooped(lab)
        pids = [(await worker_of(lab, name)).pid for name in HOSTILE]
        (looked,) = await witness.look(canaries)
    log = (lab.folder(NODE) / "log").read_bytes()
    found = [
        searched(
            "capture", "what the snooping module sent", [(0, b"".join(sent))], Search(canaries)
        ),
        searched("file", "log", [(0, log)], Search(canaries)),
        *reachable(looked, pids),
    ]
    for each in judge(looked, found, canaries, sent=sent):
        yield each
    dumps = [path for path in lab.folder(NODE).rglob("core*") if path.is_file()]
    limits = {resource.prlimit(pid, resource.RLIMIT_CORE)[0] for pid in pids if pid}
    yield promise("core dumps of workers that crashed", len(dumps), "==", 0, unit="files")
    yield promise("bytes that a core dump may have", max(limits, default=None), "==", 0, unit="B")


def canaries_of(lab: ProcessLab) -> list[Canary]:
    """Return what is looked for."""
    keys = lab.keys_of(NODE)
    return [
        text_canary("payload", "what an honest module stored", STORED),
        text_canary("payload", "what a packet to echo carried", CARRIED),
        text_canary("payload", "what the operator told an honest module", TOLD),
        bytes_canary("payload", "the node's identity key", keys.identity_secret),
        bytes_canary("payload", "the node's pipe key", keys.pipe_secret),
    ]


async def plant(lab: ProcessLab) -> None:
    """Have an honest module store one, and a packet carry another."""
    alice = lab.host(ALICE)
    with alice.call(MANIFESTS["honest"].id, metadata=KEEP) as channel:
        _ = await channel.ask(STORED.encode(), deadline_s=ANSWER_S)
    with alice.call(ECHO) as channel:
        _ = await channel.ask(CARRIED.encode(), deadline_s=ANSWER_S)


async def snooped(lab: ProcessLab) -> list[bytes]:
    """Let the snooping module look everywhere; return all that it sends."""
    paths = "\n".join(str(lab.folder(NODE) / each) for each in TOLD_OF)
    sent: list[bytes] = []
    with lab.host(MALLORY).call(MANIFESTS["snooping"].id, metadata=SNOOP) as channel:
        _ = channel.send(paths.encode())
        with suppress(DeadlineError):
            while True:
                packet = await channel.receive(deadline_s=LAST_S if sent else ANSWER_S)
                sent.append(packet.payload)
    return sent


def reachable(looked: Looked, pids: Sequence[int]) -> list[Place]:
    """Return the places that hostile modules had, and those where the node says something."""
    own = tuple(f"{pid} " for pid in pids if pid)
    return [
        place
        for place in looked.places
        if place.kind in SAID
        or (place.kind == "memory" and place.name.startswith(own))
        or place.name in {each.strip() for each in own}
    ]


def judge(
    looked: Looked, found: Iterable[Place], canaries: Sequence[Canary], *, sent: Sequence[bytes]
) -> list[Promise]:
    """Hold what was found against what is promised.

    Args:
        looked: All of the node: each secret must be somewhere there, or nothing is shown.
        found: Where none may be.
        sent: By the snooping module.
    """
    name = f"canary secrets found, of {len(canaries)}"
    if looked.missing:
        return [unsupported(name, "==", 0, unit="places")]
    places = list(found)
    hits = [
        f"{hit.canary.what} in {place.kind} {place.name}" for place in places for hit in place.hits
    ]
    here = {hit.canary.what for place in looked.places for hit in place.hits}
    size = sum(place.size_bytes for place in places)
    kept = promise(name, len(hits), "==", 0, unit="places", is_valid=bool(sent))
    note = "\n".join([*hits, f"looked through {size:_} B in {len(places)} places"])
    return [
        msgspec.structs.replace(kept, note=note),
        promise(
            "of them are where they belong, and are found there",
            sum(each.what in here for each in canaries),
            "==",
            len(canaries),
            unit="secrets",
        ),
    ]
