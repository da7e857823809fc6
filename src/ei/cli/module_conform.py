"""`ei module conform`: whether a module keeps to the laws, wherever it runs."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import Verbs
from ei.cli.quantities import parse_count

if TYPE_CHECKING:
    from ei.conform.certificate import Certificate
    from ei.conform.judging import Outcome

EVENTS = 256
DETAILS = """\
Plays the module what it may get: events drawn from its manifest and messages, and those of its
folder's corpus/. Each must lead to the same bytes and the same state: with a fresh instance for
each event, in whole batches, with a full disk, without a decision cache, in a simulation, and in
another process; native stages are held against their references. All of it is in the jail of a
node's workers. Exit code 1 where a law is broken."""

MARKS = {"kept": "ok", "none": "ok", "broken": "bad"}


def add_parser(verbs: Verbs) -> None:
    """Add `ei module conform`."""
    verb = verbs.add(
        "conform",
        summary="certify that a module keeps to the laws, wherever it runs",
        details=DETAILS,
        execute=execute,
    )
    verb.takes(
        "modules",
        nargs="*",
        metavar="MODULE",
        help="its folder, or the name of a service that comes with ei (default: this folder)",
    )
    verb.takes("--all", action="store_true", help="every service that comes with ei")
    verb.takes("--seed", type=parse_count, metavar="N", default=1, help="of what is drawn (1)")
    verb.takes(
        "--events", type=parse_count, metavar="N", default=EVENTS, help=f"to draw ({EVENTS})"
    )
    verb.takes("--into", type=Path, metavar="PATH", help="certificate: a file, or a folder of many")
    verb.takes(
        "--trusted", action="store_true", help="you have read it: run it in a jail with a gap, too"
    )
    verb.ends("examples:\n  ei module conform .\n  ei module conform --all --json")


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """Certify modules, telling about each as it is done."""
    import os

    from ei.conform.judging import certify_apart

    folders = _folders_of(arguments)
    outcomes: list[tuple[Path, Outcome]] = []
    output.progress(f"certifying {len(folders)} modules")
    for folder, outcome in certify_apart(
        folders,
        seed=arguments.seed,
        events=arguments.events,
        environ=os.environ,
        is_trusted=arguments.trusted,
    ):
        if isinstance(outcome, Exception) and len(folders) == 1:
            raise outcome
        outcomes.append((folder, outcome))
        output.progress(f"{folder.name}: {len(outcomes)} of {len(folders)} done")
    certificates = [each for _, each in outcomes if not isinstance(each, Exception)]
    if arguments.into is not None:
        _write(certificates, arguments.into, output, is_folder=len(folders) > 1)
    is_kept = len(certificates) == len(outcomes) and all(each.is_kept for each in certificates)
    _show(outcomes, output)
    _say(outcomes, output, is_kept=is_kept)
    return Exit.OK if is_kept else Exit.NEGATIVE


def _folders_of(arguments: argparse.Namespace) -> list[Path]:
    from ei.runtime.loader import find_services, folder_of

    if arguments.all:
        return [folder for _, folder in sorted(find_services().items())]
    return [
        Path(name).resolve() if Path(name).is_dir() else folder_of(name)
        for name in arguments.modules or ["."]
    ]


def _show(outcomes: "list[tuple[Path, Outcome]]", output: Output) -> None:
    if len(outcomes) == 1 and not isinstance(outcomes[0][1], Exception):
        _show_laws(outcomes[0][1], output)
        return
    rows: list[tuple[str, ...]] = []
    for folder, outcome in outcomes:
        if isinstance(outcome, Exception):
            rows.append((output.mark("bad"), folder.name, "-", "-", "-", "does not load"))
            continue
        kept = sum(law.result == "kept" for law in outcome.laws)
        faults = [law.law for law in outcome.laws if law.result == "broken"]
        rows.append(
            (
                output.mark("bad" if faults else "ok"),
                outcome.module,
                outcome.version,
                str(outcome.corpus.events),
                f"{kept}",
                ", ".join(faults) or "none",
            )
        )
    output.table(("", "module", "version", "events", "laws kept", "broken"), rows)


def _show_laws(certificate: "Certificate", output: Output) -> None:
    from ei.conform.laws import TITLES

    shown = [
        (output.mark(MARKS[law.result]), law.law, law.result, TITLES[law.law])
        for law in certificate.laws
    ]
    output.table(("", "law", "", "what it says"), shown)


def _say(outcomes: "list[tuple[Path, Outcome]]", output: Output, *, is_kept: bool) -> None:
    """Say what is broken, then where it was run; as JSON all of it."""
    import json

    import msgspec

    documents: list[dict[str, object]] = []
    for folder, outcome in outcomes:
        if isinstance(outcome, Exception):
            output.data(f"{folder.name}: {outcome}")
            documents.append({"module": folder.name, "error": str(outcome)})
            continue
        for law in outcome.laws:
            if law.result == "broken":
                at = f"event {law.event} of {law.story}" if law.event else law.story
                output.fold(f"{outcome.module}: {law.law} is broken at {at}: {law.said}")
        documents.append(json.loads(msgspec.json.encode(outcome)))
    for outcome in [each for _, each in outcomes if not isinstance(each, Exception)][:1]:
        place = outcome.environment
        jail = ", ".join(place.jail) or "none"
        gaps = f"; without {', '.join(place.jail_gaps)}" if place.jail_gaps else ""
        output.fold(
            f"ei {place.ei}, compatibility {place.compat}, Python {place.python}, {place.machine};"
            f" jail: {jail}{gaps}"
        )
    if len(documents) == 1:
        output.document(str(documents[0].pop("schema")), documents[0])
    else:
        output.document("ei.certificates/1", {"is_kept": is_kept, "certificates": documents})


def _write(
    certificates: "list[Certificate]", into: Path, output: Output, *, is_folder: bool
) -> None:
    from ei.conform.certificate import write_certificate

    for certificate in certificates:
        path = into / f"{certificate.module}.json" if is_folder else into
        path.parent.mkdir(parents=True, exist_ok=True)
        _ = path.write_bytes(write_certificate(certificate))
        output.talk(f"wrote {path}")
