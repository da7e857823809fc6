"""`ei module sign`: the package of a module, and its author's word for it."""

import argparse
import time
from pathlib import Path

from ei.cli.exits import Exit
from ei.cli.module import takes_folder
from ei.cli.output import Output
from ei.cli.parser import Verbs
from ei.errors import NotFoundError


def add_parser(verbs: Verbs) -> None:
    """Add `ei module sign`."""
    verb = verbs.add(
        "sign",
        summary="make the package of a module or bundle, and sign it as its author",
        details="The package has the same bytes wherever it is made. What is wrong with the "
        "manifest, or with the chain of a bundle, is said before. What is signed is written beside "
        "it, for ei module publish; the key stays where it is.",
        execute=execute,
    )
    takes_folder(verb)
    verb.takes("--key", type=Path, metavar="FILE", required=True, help="key file of the author")
    verb.takes(
        "--registry",
        metavar="PLACE",
        help="its folder or address, for all versions after the first of this name",
    )
    verb.takes(
        "--certificate",
        type=Path,
        metavar="FILE",
        help="of conformance, to be signed with it: ei module conform",
    )


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """Write package and signature into the folder, which its packages do not have inside."""
    from ei.records.key_files import read_keys
    from ei.registry.disk import write_whole
    from ei.registry.fetching import fetch_from
    from ei.registry.following import fetch_bounded
    from ei.registry.metadata import LIMITS
    from ei.registry.package import pack, unpack
    from ei.registry.releases import release_of
    from ei.registry.submitting import sign_submission, submission_place

    folder: Path = arguments.folder.resolve()
    package = pack(folder)
    _check(folder)
    certificate = b"" if arguments.certificate is None else arguments.certificate.read_bytes()
    release = release_of(package, unpack(package), certificate=certificate)
    before = None
    if arguments.registry is not None:
        fetch = fetch_from(arguments.registry)
        try:
            before = fetch_bounded(fetch, submission_place(release.name), LIMITS["targets"])
        except NotFoundError:
            output.talk(f"{arguments.registry} has no release of {release.name} yet")
    signed = sign_submission(release, before, read_keys(arguments.key), unix_s=time.time())
    for path, content in zip(
        files_of(folder, str(release)), (package, signed, certificate), strict=True
    ):
        if content:
            write_whole(path, content)
        else:
            path.unlink(missing_ok=True)
    output.data(f"{release} {release.digest}, {release.size_bytes} B")
    output.document(
        "ei.module-sign/1",
        {
            "name": release.name,
            "version": release.version,
            "number": release.number,
            "digest": release.digest,
            "size_bytes": release.size_bytes,
            "certificate": release.certificate,
        },
    )
    output.next(f"ei module publish {arguments.folder} --registry FOLDER")
    return Exit.OK


def _check(folder: Path) -> None:
    """Check the manifest of a module, or the chain of a bundle: of services beside it, and ours.

    Raises:
        ConfigError: Something is wrong with it; nobody should be asked to approve that.
    """
    from ei.bundles import check_bundle, known_in, refuse_faults
    from ei.sdk.manifest import load_manifest

    if (folder / "bundle.toml").is_file():
        _ = refuse_faults(check_bundle(folder, known_in([folder.parent])), folder)
    else:
        _ = load_manifest(folder)


def files_of(folder: Path, release: str) -> tuple[Path, Path, Path]:
    """Return where package, signature and certificate of a release are written."""
    name = release.replace("@", "-")
    return (
        folder / f"{name}.eim",
        folder / f"{name}.signed.json",
        folder / f"{name}.certificate.signed.json",
    )
