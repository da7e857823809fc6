"""`ei registry log`: what was submitted, who has seen it, what waits for signatures."""

import argparse
import json
import time

from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import Verbs
from ei.cli.quantities import lifetime
from ei.cli.registry import DIGITS, opened, shown_changes, takes_registry


def add_parser(verbs: Verbs) -> None:
    """Add `ei registry log`."""
    verb = verbs.add(
        "log",
        summary="show what was submitted, who has seen it, and what waits for signatures",
        details="All entries of the log are compared with its tree, and the tree with what the log "
        "has signed.",
        execute=execute,
    )
    takes_registry(verb)


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """Show the log."""
    from ei.registry.approvals import approved

    registry = opened(arguments)
    signing, ledger = registry.signing(), registry.ledger()
    note, checkpoint = ledger.newest()
    shown = ledger.shown()
    releases = {
        str(release): release
        for release, _ in (approved(*each) for each in registry.targets().targets.items())
    }
    entries = [json.loads(entry) for entry in ledger.entries()]
    seen = 0 if shown is None else shown.size
    count = note.count(signing.log.witnesses)
    output.data(f"{signing.log.key.name}: {checkpoint.size} entries, root {checkpoint.root.hex()}")
    output.data(
        f"the newest is cosigned by {count} of {len(signing.log.witnesses)} witnesses, needed are"
        f" {signing.log.needed}; nodes see {seen} entries"
    )
    targets = registry.targets()
    output.data(f"approvals last {lifetime(targets.expires.timestamp() - time.time())}")
    rows: list[tuple[str, str, str, str]] = []
    for place, entry in enumerate(entries):
        name = f"{entry['name']}@{entry['version']}"
        release = releases.get(name)
        state = "submitted" if place < seen else "not witnessed"
        if release is not None and release.digest == entry["digest"]:
            state = "revoked" if release.is_revoked else "approved"
        rows.append((str(place), name, state, entry["digest"][:DIGITS]))
        entry["state"] = state
    output.table(("entry", "release", "state", "digest"), rows)
    draft = registry.draft()
    lines = shown_changes(registry)
    for line in lines:
        output.data(f"waits for signatures: {line}")
    output.document(
        "ei.registry-log/1",
        {
            "name": signing.log.key.name,
            "size": checkpoint.size,
            "root": checkpoint.root.hex(),
            "seen": seen,
            "witnesses": {str(key): note.is_signed_by(key) for key in signing.log.witnesses},
            "witnesses_needed": signing.log.needed,
            "governors": sorted(key.hex() for key in signing.governance.keys),
            "threshold": signing.governance.threshold,
            "entries": entries,
            "draft": None
            if draft is None
            else {
                "changes": lines,
                "signers": sorted(key.hex() for key in draft.signers()),
                "missing": draft.missing(),
            },
        },
    )
    return Exit.OK
