"""Signs off what was found of a module, in other processes: none of it runs here.

read the folder ── close the jail ── try_module ──▶ Tried ── worker ── certificate_of
judge.py           judge.py          trying.py               apart.py   here

A module shares its process with the judge, and could say what it likes. So a certificate is worth
that anybody can make it again.
"""

import platform
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import msgspec

from ei.conform.certificate import Certificate, LawResult, Surroundings
from ei.conform.laws import TITLES
from ei.conform.trying import Tried, result_of
from ei.conform.verdicts import Verdict
from ei.errors import ServiceError
from ei.registry.package import digest_of as digest_of_package
from ei.registry.package import pack
from ei.runtime.jail import LAYERS, Jail
from ei.runtime.voices import harmless
from ei.sdk.manifest import COMPAT_DATE, Manifest

MOST_SAID = 2_000
"""Characters of what is said of a law."""


def certificate_of(
    manifest: Manifest,
    folder: Path,
    tried: Tried,
    worker: Sequence[Verdict],
    jails: Sequence[Jail],
) -> Certificate:
    """Return the certificate of a module.

    Args:
        manifest: Its manifest.
        folder: Where it is.
        tried: What was found, behind its jail.
        worker: What came of each story in the worker.
        jails: Of all the processes that ran it.

    Raises:
        PackageError: The folder is none that can be packed.
        ServiceError: A law was not tried.
    """
    found = {each.law: each for each in tried.laws}
    found["worker"] = result_of("worker", [told.story.name for told in tried.told], worker)
    if missing := [law for law in TITLES if law not in found]:
        raise ServiceError(f"{folder}: not tried: {', '.join(missing)}")
    return Certificate(
        module=manifest.name,
        version=manifest.version,
        digest=digest_of_package(pack(folder)),
        engine=manifest.engine,
        compat=manifest.compat,
        environment=_surroundings(jails),
        corpus=tried.corpus,
        laws=tuple(_plain(found[law]) for law in TITLES),
        effects=tried.effects,
        state=tried.state,
    )


def _plain(result: LawResult) -> LawResult:
    """Return it with words of which a terminal makes nothing but text: the module may say them."""
    story, said = (harmless(text[:MOST_SAID]) for text in (result.story, result.said))
    return msgspec.structs.replace(result, story=story, said=said)


def _surroundings(jails: Sequence[Jail]) -> Surroundings:
    """Say what held in all of the processes, and what was missing in any."""
    missing = {layer: why for jail in jails for layer, why in jail.missing.items()}
    held = [layer for layer in LAYERS if all(layer in jail.layers for jail in jails)]
    return Surroundings(
        ei=metadata.version("extensible-internet"),
        compat=COMPAT_DATE,
        python=platform.python_version(),
        machine=f"{platform.system()} {platform.machine()}",
        jail=tuple(held),
        jail_gaps={str(layer): why for layer, why in missing.items()},
    )
