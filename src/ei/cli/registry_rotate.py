"""`ei registry rotate`: other governors, another online key, other witnesses, or only more time."""

import argparse
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import Verb, Verbs
from ei.cli.quantities import parse_count
from ei.cli.registry import opened, sign_draft, takes_keys, takes_registry

if TYPE_CHECKING:
    from ei.registry.metadata import Signing
    from ei.registry.repository import Registry


def add_parser(verbs: Verbs) -> None:
    """Add `ei registry rotate`."""
    verb = verbs.add(
        "rotate",
        summary="draft other keys, or another year for those that there are",
        details="Enough of the governors before and of those after must sign. Nodes follow by "
        "themselves.",
        execute=execute,
    )
    _takes_each(verb, "--add", "a further governor")
    _takes_each(verb, "--remove", "a governor no more")
    verb.takes("--threshold", type=parse_count, metavar="K", help="how many must sign from then on")
    verb.takes("--new-online-key", action="store_true", help="make another online key")
    _takes_each(verb, "--witness", "a further witness of the log")
    _takes_each(verb, "--no-witness", "a witness no more")
    verb.takes(
        "--witnesses-needed",
        type=parse_count,
        metavar="K",
        help="how many witnesses must have seen the log (default: as before)",
    )
    takes_keys(verb)
    takes_registry(verb)


def _takes_each(verb: Verb, flag: str, text: str) -> None:
    verb.takes(flag, action="append", default=[], metavar="KEY", help=f"{text}; once for each")


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """Draft, sign, and publish."""
    registry = opened(arguments)
    _ = registry.rotate(_changed(registry, arguments), unix_s=time.time())
    return sign_draft(registry, arguments.key, output)


def _changed(registry: "Registry", arguments: argparse.Namespace) -> "Signing":
    from ei.daemons.governance_file import check_set
    from ei.errors import NotFoundError
    from ei.records.governance import Governance
    from ei.records.trust import parse_key
    from ei.registry.metadata import LogTrust, check_witnesses
    from ei.registry.notes import parse_key as parse_note_key

    now = registry.signing()
    added = {parse_key(text, where="--add") for text in arguments.add}
    removed = {parse_key(text, where="--remove") for text in arguments.remove}
    if strangers := removed - now.governance.keys:
        raise NotFoundError(f"{min(strangers).hex()} does not govern, so it cannot be removed")
    keys = (now.governance.keys | added) - removed
    threshold = arguments.threshold or now.governance.threshold
    check_set(tuple(keys), threshold, where="--threshold")
    gone = {parse_note_key(text) for text in arguments.no_witness}
    more = tuple(parse_note_key(text) for text in arguments.witness)
    witnesses = tuple(key for key in now.log.witnesses if key not in gone) + more
    needed = arguments.witnesses_needed or now.log.needed or (len(witnesses) // 2 + 1)
    if not witnesses:
        needed = 0
    check_witnesses(witnesses, needed)
    signing = replace(
        now,
        governance=Governance(keys, threshold),
        log=LogTrust(now.log.key, witnesses, needed),
    )
    if arguments.new_online_key:
        signing = replace(signing, online=registry.new_online_key())
    return signing
