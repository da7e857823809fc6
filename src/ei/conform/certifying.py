"""Certifies a module, in this process: plays it all there is to play, and checks each law."""

import platform
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from random import Random

import msgspec

from ei.conform.apart import check_worker
from ei.conform.cases import Case, make_case
from ei.conform.certificate import Certificate, LawResult, Played, Surroundings
from ei.conform.corpus import digest_of, draw_story
from ei.conform.laws import CHECKS, TITLES, Law
from ei.conform.playing import Watch
from ei.conform.recorded import read_stories
from ei.conform.verdicts import Verdict
from ei.registry.package import digest_of as digest_of_package
from ei.registry.package import pack
from ei.runtime.jail import Jail
from ei.runtime.loader import load_service
from ei.sdk.manifest import COMPAT_DATE

EVENTS = 256
"""Drawn by default."""


def certify(
    folder: Path, *, seed: int, events: int, environ: Mapping[str, str], watch: Watch
) -> Certificate:
    """Certify the module of a folder.

    Args:
        folder: Of the module.
        seed: Of what is drawn, unsigned 64 bits.
        events: How many are drawn.
        environ: Of the worker's process.
        watch: Cuts events that never end.

    Raises:
        ConfigError: Its manifest is wrong, or a story of its folder.
        ServiceError: It does not load.
    """
    loaded = load_service(folder)
    stories = (draw_story(loaded, Random(seed), events=events), *read_stories(loaded))
    cases = [make_case(loaded, story, watch) for story in stories]
    verdicts: dict[Law, list[Verdict]] = {
        law: [check(case) for case in cases] for law, check in CHECKS.items()
    }
    apart = [check_worker(case, environ) for case in cases]
    verdicts["worker"] = [verdict for verdict, _ in apart]
    return Certificate(
        module=loaded.manifest.name,
        version=loaded.manifest.version,
        digest=digest_of_package(pack(folder)),
        engine=loaded.manifest.engine,
        compat=loaded.manifest.compat,
        environment=_surroundings(jail for _, jail in apart),
        corpus=Played(
            digest_of(stories), seed, len(stories), sum(story.events for story in stories)
        ),
        laws=tuple(_result(law, cases, verdicts[law]) for law in TITLES),
        effects=_digest([heard.replies for case in cases for heard in case.reference.heard]),
        state=_digest([case.reference.state for case in cases]),
    )


def _surroundings(jails: Iterable[Jail]) -> Surroundings:
    jail = next(iter(jails))
    return Surroundings(
        ei=metadata.version("extensible-internet"),
        compat=COMPAT_DATE,
        python=platform.python_version(),
        machine=f"{platform.system()} {platform.machine()}",
        jail=jail.layers,
        jail_gaps={str(layer): why for layer, why in jail.missing.items()},
    )


def _result(law: Law, cases: Sequence[Case], verdicts: Sequence[Verdict]) -> LawResult:
    """Return what became of a law: where it was broken first, if it was."""
    for case, verdict in zip(cases, verdicts, strict=True):
        if verdict.result == "broken":
            return LawResult(law, "broken", case.story.name, verdict.event, verdict.said)
    is_kept = any(verdict.result == "kept" for verdict in verdicts)
    return LawResult(law, "kept" if is_kept else "none")


def _digest(content: object) -> str:
    return f"sha256:{sha256(msgspec.msgpack.encode(content)).hexdigest()}"
