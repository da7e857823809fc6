"""`ei registry witness`: signs that a registry's log goes on from what was seen of it."""

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import Verbs
from ei.cli.quantities import parse_seconds
from ei.cli.registry import takes_registry

if TYPE_CHECKING:
    from ei.registry.witness import Witness


def add_parser(verbs: Verbs) -> None:
    """Add `ei registry witness`."""
    verb = verbs.add(
        "witness",
        summary="cosign a registry's log, if it goes on from what was seen before",
        details="A witness belongs to somebody else than the registry, and keeps what it has seen "
        "in a folder: a log that shows it another history is not cosigned, and exit code 7 "
        "says so.",
        execute=execute,
    )
    verb.takes("--key", type=Path, metavar="FILE", required=True, help="key file of the witness")
    verb.takes(
        "--name", metavar="NAME", required=True, help="of the witness, such as witness.example/w1"
    )
    verb.takes(
        "--state",
        type=Path,
        default=Path("witness"),
        metavar="FOLDER",
        help="what it has seen (default: witness)",
    )
    verb.takes(
        "--root",
        type=Path,
        metavar="FILE",
        help="first root of the registry (default: as it is shown the first time)",
    )
    verb.takes(
        "--every", type=parse_seconds, metavar="TIME", help="look again and again, until Ctrl-C"
    )
    verb.takes("--show", action="store_true", help="only show its key, for ei registry init")
    takes_registry(verb, is_place=True)


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """Look, and cosign."""
    from ei.errors import UnreachableError
    from ei.records.key_files import read_keys
    from ei.registry.fetching import fetch_from
    from ei.registry.notes import COSIGNATURE, NoteKey
    from ei.registry.witness import Witness

    keys = read_keys(arguments.key)
    key = NoteKey(arguments.name, COSIGNATURE, keys.identity_key)
    if arguments.show:
        output.data(str(key))
        output.document("ei.registry-witness/1", {"key": str(key)})
        return Exit.OK
    witness = Witness(
        arguments.state,
        keys,
        arguments.name,
        fetch_from(arguments.registry),
        first_root=None if arguments.root is None else arguments.root.read_bytes(),
    )
    if arguments.every is None:
        _look(witness, arguments.registry, output)
        return Exit.OK
    while True:
        try:
            _look(witness, arguments.registry, output)
        except UnreachableError as error:
            output.talk(str(error))
        time.sleep(arguments.every)


def _look(witness: "Witness", place: str, output: Output) -> None:
    line = witness.look(unix_s=time.time())
    count = _hand_in(line, place)
    seen = witness.seen()
    size = 0 if seen is None else seen.size
    output.data(f"cosigned {size} entries; {count} witnesses have")
    output.document(
        "ei.registry-witness/1",
        {"key": str(witness.key), "size": size, "cosigned_by": count, "signature": line},
    )


def _hand_in(line: str, place: str) -> int:
    """Give a cosignature to the registry; return how many witnesses have cosigned."""
    from ei.errors import ConflictError
    from ei.registry.fetching import post
    from ei.registry.notes import parse_signature
    from ei.registry.repository import Registry

    if "://" not in place:
        return Registry(Path(place)).take_cosignatures([parse_signature(line.rstrip("\n"))])
    status, said = post(place, "cosignatures", line.encode())
    if status != 200:  # noqa: PLR2004 of HTTP
        raise ConflictError(
            f"{place} does not take the cosignature: {status} {said.decode(errors='replace')}",
            remedy="Look again: the log may have grown meanwhile.",
        )
    return int(said)
