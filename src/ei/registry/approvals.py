"""What the roles of a registry say of a release, and where its files are. Pure."""

import re
from collections.abc import Iterator

from tuf.api.metadata import TargetFile, Targets

from ei.errors import IntegrityError
from ei.registry.package import unpack
from ei.registry.releases import (
    MILLION,
    NAME,
    VERSION,
    Approval,
    Release,
    Rollout,
    entry_of,
    parse_custom,
    release_of,
    target_path,
)


def approved(path: str, target: TargetFile) -> tuple[Release, Approval]:
    """Return what governance says of a release.

    Raises:
        IntegrityError: It says nothing of the kind; `word` is `malformed`.
    """
    approval: Approval = parse_custom(target.custom, Approval)
    name, _, file = path.partition("/")
    release = Release(
        name=name,
        version=file.removesuffix(".eim"),
        number=approval.number,
        digest=f"sha256:{target.hashes.get('sha256')}",
        size_bytes=target.length,
        kind=approval.kind,
        revoked=approval.revoked,
        certificate=approval.certificate,
    )
    is_named = re.fullmatch(NAME, name) and re.fullmatch(VERSION, release.version)
    if not is_named or target_path(release.name, release.version) != path:
        raise IntegrityError(f"{path!r} is not the name of a release", word="malformed")
    return release, approval


def check_is(release: Release, package: bytes) -> None:
    """Check that a package says of itself what is said of it: name, version, number and kind.

    Raises:
        IntegrityError: It does not; `word` is `package`.
    """
    inside = release_of(package, unpack(package))
    if entry_of(inside) != entry_of(release):
        raise IntegrityError(
            f"{release}, number {release.number}, is {inside}, number {inside.number}, inside",
            word="package",
        )


def package_place(release: Release) -> str:
    """Return where a package is in a registry."""
    return f"targets/{release.name}/{release.digest.removeprefix('sha256:')}.{release.version}.eim"


def certificate_place(release: Release) -> str:
    """Return where a certificate is in a registry."""
    return f"certificates/{release.certificate.removeprefix('sha256:')}.json"


def share_of(rollout: Targets, target: TargetFile) -> float:
    """Return for which share of the nodes a release is; 0.0 where nothing is said that counts."""
    if not is_in(rollout, target):
        return 0.0
    try:
        return parse_custom(rollout.targets[target.path].custom, Rollout).share_ppm / MILLION
    except IntegrityError:  # by the online key, which can keep a release from nodes in any case
        return 0.0


def is_in(role: Targets | None, target: TargetFile) -> bool:
    """Return whether a role has the same bytes under this name."""
    said = None if role is None else role.targets.get(target.path)
    return said is not None and (said.hashes, said.length) == (target.hashes, target.length)


def unapproved(rollout: Targets, targets: Targets) -> Iterator[tuple[str, str]]:
    """Yield what is rolled out though it is not approved, and the word for that."""
    for path, target in rollout.targets.items():
        if not is_in(targets, target):
            yield path.removesuffix(".eim").replace("/", "@"), "unapproved"
