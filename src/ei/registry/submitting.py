"""What an author says of his releases: a role of his own, which he signs. Pure.

It grows: every release that he ever submitted stays in it as it was, since a version has one digest
for ever.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from tuf.api.metadata import Metadata, TargetFile, Targets

from ei.errors import ConflictError, IntegrityError
from ei.records.governance import Governance
from ei.records.keys import Keys
from ei.registry.following import verified
from ei.registry.metadata import (
    AUTHOR,
    make_target,
    make_targets,
    parse_metadata,
    sign_metadata,
)
from ei.registry.releases import Release, Submission, parse_custom, target_path

KEY = "ei-author"
"""Field of an author's role that says whose it is: nobody vouches for the first one yet."""


@dataclass(frozen=True, slots=True)
class Submitted:
    """An author's role that he has signed.

    Attributes:
        key: Of the author, Ed25519.
        targets: His releases.
    """

    key: bytes
    targets: Targets


def submission_place(name: str) -> str:
    """Return where the role of a service's author is in a registry."""
    return f"submissions/{AUTHOR}{name}.json"


def sign_submission(release: Release, before: bytes | None, keys: Keys, *, unix_s: float) -> bytes:
    """Return the author's role with one more release.

    Args:
        before: It without; `None` for the first release.

    Raises:
        ConflictError: It has this version with other bytes, or is another author's.
    """
    known = None if before is None else read_submission(before)
    if known is not None and known.key != keys.identity_key:
        raise ConflictError(
            f"{release.name} belongs to the key {known.key.hex()}, and not to"
            f" {keys.identity_key.hex()}",
            remedy="Sign with the key of its author, or give the module another name and number.",
        )
    path = target_path(release.name, release.version)
    target = make_target(release, msgspec.to_builtins(_said(release)))
    files = {} if known is None else known.targets.targets
    _check_kept({path: target}, files, release.name)
    body = make_targets(
        {**files, path: target},
        role=f"{AUTHOR}{release.name}",
        version=1 if known is None else known.targets.version + 1,
        unix_s=unix_s,
    )
    body.unrecognized_fields[KEY] = keys.identity_key.hex()
    metadata = Metadata(body)
    sign_metadata(metadata, keys)
    return metadata.to_bytes()


def read_submission(data: bytes) -> Submitted:
    """Parse an author's role, which he has signed.

    Raises:
        IntegrityError: He has not, or it is none.
    """
    targets = parse_metadata(data, Targets, "the role of an author").signed
    try:
        key = bytes.fromhex(targets.unrecognized_fields[KEY])
        targets = verified(data, Targets, "the role of an author", Governance(frozenset({key}), 1))
    except (KeyError, TypeError, ValueError) as error:
        raise IntegrityError("the role of an author has no key", word="malformed") from error
    return Submitted(key, targets)


def submitted(
    signed: bytes, release: Release, before: bytes | None, *, owner: bytes | None
) -> Submitted:
    """Check that an author's role goes on from the one before, and has a release.

    Args:
        owner: Key of the author, if governance has approved a release of this name.

    Raises:
        ConflictError: The name is another's, or something that was there is changed or gone.
        IntegrityError: The release is not in it.
    """
    new = read_submission(signed)
    known = None if before is None else read_submission(before)
    owner = owner or (None if known is None else known.key)
    if owner not in {None, new.key}:
        raise ConflictError(
            f"{release.name} belongs to the key {(owner or b'').hex()}, and not to {new.key.hex()}",
            remedy="Give the module another name and number.",
        )
    target = new.targets.targets.get(target_path(release.name, release.version))
    digest = release.digest.removeprefix("sha256:")
    if (
        target is None
        or (target.length, target.hashes) != (release.size_bytes, {"sha256": digest})
        or parse_custom(target.custom, Submission) != _said(release)
    ):
        raise IntegrityError(
            f"its author has not signed {release} {release.digest}", word="unsigned"
        )
    if known is not None and signed != before:
        _check_kept(new.targets.targets, known.targets.targets, release.name)
        missing = known.targets.targets.keys() - new.targets.targets.keys()
        if missing or new.targets.version <= known.targets.version:
            raise ConflictError(
                f"what is signed of {release.name} does not go on from what is there: version"
                f" {new.targets.version} after {known.targets.version}",
                remedy="Sign it again: ei module sign FOLDER --registry REGISTRY --key FILE",
            )
    return new


def _said(release: Release) -> Submission:
    return Submission(number=release.number, kind=release.kind, certificate=release.certificate)


def _check_kept(new: Mapping[str, TargetFile], known: Mapping[str, TargetFile], name: str) -> None:
    for path in new.keys() & known.keys():
        if new[path].hashes != known[path].hashes:
            raise ConflictError(
                f"{path.removesuffix('.eim').replace('/', '@')} is there with another digest,"
                f" sha256:{known[path].hashes['sha256']}; a version never changes",
                remedy=f"Raise the version in the manifest of {name}.",
            )
