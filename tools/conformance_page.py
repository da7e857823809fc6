"""The page of which module keeps the laws in which environment, from kept certificates.

`ei module conform --all --into docs/reference/certificates` writes those again.
"""

from pathlib import Path

from ei.conform.certificate import Certificate, read_certificate
from ei.conform.laws import TITLES, Law

CERTIFICATES = Path(__file__).parents[1] / "docs" / "reference" / "certificates"

ENVIRONMENTS: dict[str, tuple[Law, ...]] = {
    "this process": ("bounded", "declared", "no_fault", "one_fate"),
    "a fresh instance each": ("function",),
    "what fails first": ("transaction",),
    "a full disk first": ("stable_first",),
    "whole batches": ("batches",),
    "a cache": ("install_first",),
    "no cache": ("soft_decisions",),
    "a simulation": ("simulation",),
    "a jailed worker": ("worker",),
    "native stages": ("stages",),
    "other unread bytes": ("payload_unread", "metadata_unread"),
}
"""Column to the laws that are checked there."""

WORDS = {"kept": "yes", "none": "-", "broken": "**no**"}
INTRO = """\
`ei module conform` plays a module what it may get, in each of these ways, and compares effects
byte for byte and the state by its digest. `-`: the module has nothing that this is about. They
are made from [certificates](certificates/), which `ei module conform --all` makes anew."""


def read_certificates() -> list[Certificate]:
    """Return the kept certificates, by name of the module."""
    return [read_certificate(path.read_bytes()) for path in sorted(CERTIFICATES.glob("*.json"))]


def conformance_page() -> str:
    """Return the page below its title."""
    certificates = read_certificates()
    lines = [INTRO, "", f"| module | events | {' | '.join(ENVIRONMENTS)} |"]
    lines += [f"|---|---|{'---|' * len(ENVIRONMENTS)}"]
    for certificate in certificates:
        cells = (_cell(certificate, laws) for laws in ENVIRONMENTS.values())
        name = f"{certificate.module} {certificate.version}"
        lines += [f"| {name} | {certificate.corpus.events} | {' | '.join(cells)} |"]
    lines += ["", "## Where they were made", ""]
    places = {
        f"- ei {place.ei}, compatibility date {place.compat}, Python {place.python},"
        f" {place.machine}; jail: {', '.join(place.jail)}"
        for place in (each.environment for each in certificates)
    }
    lines += [*sorted(places), "", "## What is checked", "", "| law | |", "|---|---|"]
    lines += [f"| `{law}` | {title} |" for law, title in TITLES.items()]
    return "\n".join(lines) + "\n"


def _cell(certificate: Certificate, laws: tuple[Law, ...]) -> str:
    results = {each.law: each.result for each in certificate.laws}
    found = [results[law] for law in laws]
    worst = next((each for each in ("broken", "kept") if each in found), "none")
    return WORDS[worst]
