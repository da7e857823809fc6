"""`ei registry verify`: what a registry says, checked as a node checks it."""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import Verbs
from ei.cli.quantities import lifetime
from ei.cli.registry import DIGITS, takes_registry
from ei.errors import IntegrityError

if TYPE_CHECKING:
    from ei.registry.releases import Catalogue

EXPERIMENTAL = 0xF000_0000
"""Numbers from here on are written as those are known: in hexadecimal."""


def add_parser(verbs: Verbs) -> None:
    """Add `ei registry verify`."""
    verb = verbs.add(
        "verify",
        summary="check a registry as a node does, and a module's folder against it",
        details="Signatures, versions, times, the log and its witnesses, and the bytes of every "
        "release. What is refused has a word: threshold, rollback, freeze, mix_and_match, "
        "endless_data, fast_forward, split_view, unwitnessed, unlogged, unsigned, ...",
        execute=execute,
    )
    verb.takes(
        "--root",
        type=Path,
        metavar="FILE",
        help="where trust begins (default: its own first root, which proves nothing about whose "
        "registry it is)",
    )
    verb.takes(
        "--state",
        type=Path,
        metavar="FOLDER",
        help="what was seen before, and is seen now (default: nothing, and nothing is kept)",
    )
    verb.takes(
        "--module",
        type=Path,
        metavar="FOLDER",
        help="exit 1 unless the package of this folder is an approved release",
    )
    takes_registry(verb, is_place=True)


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """Follow the registry, once."""
    import msgspec

    catalogue = _followed(arguments)
    left = lifetime(catalogue.expires_unix_s - time.time())
    output.data(
        f"root {catalogue.root_version}, version {catalogue.version},"
        f" log of {catalogue.log_size} entries, time left: {left}"
    )
    output.table(
        ("release", "number", "share", "state", "digest"),
        [
            (
                str(each),
                f"{each.number:#x}" if each.number >= EXPERIMENTAL else str(each.number),
                f"{each.share:.2%}",
                "revoked" if each.is_revoked else "good",
                each.digest[:DIGITS],
            )
            for each in catalogue.releases
        ],
    )
    for each in catalogue.releases:
        if each.is_revoked:
            output.data(f"{each} is revoked: {each.revoked}")
    for what, word in catalogue.refused:
        output.data(f"{output.mark('bad')} {what}: {word}")
    content = msgspec.to_builtins(catalogue)
    del content["checkpoint"]
    content["refused"] = dict(catalogue.refused)
    is_good = not catalogue.refused
    if arguments.module is not None:
        content["module"] = _compared(arguments.module, catalogue, output)
        is_good = is_good and bool(content["module"]["release"])
    output.document("ei.registry-verify/1", content)
    return Exit.OK if is_good else Exit.NEGATIVE


def _followed(arguments: argparse.Namespace) -> "Catalogue":
    from ei.registry.client import RegistryClient, Trust
    from ei.registry.fetching import fetch_from
    from ei.registry.following import fetch_bounded
    from ei.registry.metadata import LIMITS

    fetch = fetch_from(arguments.registry)
    if arguments.root is None:
        root = fetch_bounded(fetch, "metadata/1.root.json", LIMITS["root"])
    else:
        root = arguments.root.read_bytes()
    with TemporaryDirectory(prefix="ei-") as folder:
        client = RegistryClient(arguments.state or Path(folder), Trust(root), fetch)
        try:
            catalogue = client.refresh(unix_s=time.time())
            for release in catalogue.releases:
                if not release.is_revoked:
                    _ = client.package(release)
        except IntegrityError as error:
            raise IntegrityError(f"{error.word}: {error}", word=error.word) from error
    return catalogue


def _compared(folder: Path, catalogue: "Catalogue", output: Output) -> dict[str, str | None]:
    """Return which approved release the package of a folder is; none if it is revoked."""
    from ei.registry.package import digest_of, pack

    digest = digest_of(pack(folder))
    good = (each for each in catalogue.releases if not each.is_revoked)
    release = next((str(each) for each in good if each.digest == digest), None)
    output.data(f"{folder} is {release or 'no approved release'}: {digest}")
    return {"digest": digest, "release": release}
