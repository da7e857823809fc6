"""`ei module publish`: a signed release is submitted to a registry."""

import argparse
import time
from pathlib import Path

from ei.cli.exits import Exit
from ei.cli.module import takes_folder
from ei.cli.module_sign import files_of
from ei.cli.output import Output
from ei.cli.parser import Verbs
from ei.cli.registry import opened, takes_registry
from ei.errors import ConflictError, NotFoundError


def add_parser(verbs: Verbs) -> None:
    """Add `ei module publish`."""
    verb = verbs.add(
        "publish",
        summary="submit a signed module or bundle to a registry, for governors to approve",
        details="It is an entry of the registry's log from then on. Nodes run it once enough "
        "governors have approved it.",
        execute=execute,
    )
    takes_folder(verb)
    takes_registry(verb)


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """Submit what `ei module sign` wrote."""
    from ei.registry.package import pack, unpack
    from ei.registry.releases import release_of

    registry = opened(arguments)
    folder: Path = arguments.folder.resolve()
    package = pack(folder)
    release = release_of(package, unpack(package))
    files = files_of(folder, str(release))
    if not all(path.is_file() for path in files[:2]):
        raise NotFoundError(
            f"{release} is not signed: there is no {files[0].name} in {folder}",
            remedy=f"ei module sign {arguments.folder} --key FILE --registry {arguments.registry}",
        )
    if files[0].read_bytes() != package:
        raise ConflictError(
            f"{folder} has changed since {release} was signed",
            remedy=f"ei module sign {arguments.folder} --key FILE --registry {arguments.registry}",
        )
    certificate = files[2].read_bytes() if files[2].is_file() else b""
    release, place = registry.submit(
        package, files[1].read_bytes(), certificate=certificate, unix_s=time.time()
    )
    signing = registry.signing()
    governance = signing.governance
    output.data(f"submitted {release} {release.digest}")
    needed = f"{governance.threshold} of {len(governance.keys)}"
    output.data(f"entry {place} of the log; needs {needed} approvals")
    output.document(
        "ei.module-publish/1",
        {
            "name": release.name,
            "version": release.version,
            "number": release.number,
            "digest": release.digest,
            "entry": place,
            "threshold": governance.threshold,
            "governors": len(governance.keys),
            "witnesses_needed": signing.log.needed,
        },
    )
    witness = "ei registry witness --key FILE --name NAME, by its witnesses"
    approve = f"ei registry approve {release} --registry {arguments.registry} --key FILE"
    output.next(*([witness] if signing.log.needed else []), approve)
    return Exit.OK
