"""What governance is about to sign: a next root, a next list of approved releases, or both. Pure.

A draft is one change of the state that counts. Whoever holds a key adds a signature; once enough
have, it can be published.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
from tuf.api.metadata import Metadata, Root, TargetFile, Targets

from ei.errors import ConflictError, IntegrityError, NotFoundError
from ei.records.governance import Governance
from ei.records.keys import Keys
from ei.registry.metadata import (
    Signing,
    authors_of,
    delegations_to,
    make_root,
    make_target,
    make_targets,
    parse_metadata,
    sign_metadata,
    signers_of,
    signing_of,
)
from ei.registry.releases import Approval, Release, parse_custom, target_path


@dataclass(frozen=True, slots=True)
class Draft:
    """Metadata that waits for signatures.

    Attributes:
        targets: The next list of approved releases.
        root: The next root, if the change is one of keys.
        before: Who governs until then; none for the first root.
    """

    targets: Metadata[Targets]
    root: Metadata[Root] | None
    before: Signing | None

    @property
    def after(self) -> Signing:
        """Who governs once it counts."""
        if self.root is not None:
            return signing_of(self.root.signed)
        if self.before is None:
            raise IntegrityError("a draft without root, and there is none", word="malformed")
        return self.before

    def sign(self, keys: Keys) -> None:
        """Add the signatures of one key.

        Raises:
            ConflictError: It does not govern.
        """
        is_needed = False
        for metadata, who in self._asked():
            if keys.identity_key in who.keys:
                sign_metadata(metadata, keys)
                is_needed = True
        if not is_needed:
            raise ConflictError(
                f"{keys.identity_key.hex()} is none of the keys that govern this registry",
                remedy="ei registry log shows whose signatures are needed.",
            )

    def signers(self) -> frozenset[bytes]:
        """Return who has signed all that he is asked to."""
        asked = list(self._asked())
        everybody = frozenset[bytes]().union(*(who.keys for _, who in asked))
        return frozenset(
            key
            for key in everybody
            if all(key in signers_of(each, [key]) for each, who in asked if key in who.keys)
        )

    def missing(self) -> int:
        """Return how many more signatures are needed, at least."""
        return max(
            max(0, who.threshold - len(signers_of(metadata, who.keys)))
            for metadata, who in self._asked()
        )

    def _asked(self) -> Iterator[tuple[Metadata[Root] | Metadata[Targets], Governance]]:
        yield self.targets, self.after.governance
        if self.root is not None:
            yield self.root, self.after.governance
            if self.before is not None:
                yield self.root, self.before.governance


def draft_first(signing: Signing, *, unix_s: float) -> Draft:
    """Return the beginning of a registry."""
    root = make_root(signing, version=1, unix_s=unix_s)
    targets = make_targets({}, delegations_to(signing.online, {}), version=1, unix_s=unix_s)
    return Draft(Metadata(targets), Metadata(root), None)


def draft_keys(root: Root, targets: Targets, signing: Signing, *, unix_s: float) -> Draft:
    """Return a change of keys."""
    following = make_root(signing, version=root.version + 1, unix_s=unix_s)
    delegations = delegations_to(signing.online, authors_of(targets))
    files = make_targets(targets.targets, delegations, version=targets.version + 1, unix_s=unix_s)
    return Draft(Metadata(files), Metadata(following), signing_of(root))


def draft_approval(  # noqa: PLR0913 what governance says of a release
    root: Root, targets: Targets, release: Release, *, entry: int, author: bytes, unix_s: float
) -> Draft:
    """Return the approval of a release.

    Args:
        entry: Its place in the log.
        author: Key of who submitted it; others of this name must be his.

    Raises:
        ConflictError: It is approved, or of another author.
    """
    path = target_path(release.name, release.version)
    authors = authors_of(targets)
    if path in targets.targets:
        raise ConflictError(f"{release} is approved already")
    if authors.get(release.name, author) != author:
        raise ConflictError(
            f"{release} is signed by {author.hex()}, and the author of {release.name} is"
            f" {authors[release.name].hex()}"
        )
    approval = Approval(
        number=release.number, entry=entry, kind=release.kind, certificate=release.certificate
    )
    files = {**targets.targets, path: make_target(release, msgspec.to_builtins(approval))}
    return _draft_targets(root, targets, files, {**authors, release.name: author}, unix_s)


def draft_revocation(  # noqa: PLR0913 as above
    root: Root, targets: Targets, name: str, version: str, *, why: str, unix_s: float
) -> Draft:
    """Return the revocation of a release.

    Raises:
        NotFoundError: It is not approved.
        ConflictError: It is revoked already.
    """
    path = target_path(name, version)
    if path not in targets.targets:
        raise NotFoundError(f"{name}@{version} is not approved, so there is nothing to revoke")
    target = targets.targets[path]
    approval = parse_custom(target.custom, Approval)
    if approval.revoked:
        raise ConflictError(f"{name}@{version} is revoked already: {approval.revoked}")
    custom = msgspec.to_builtins(msgspec.structs.replace(approval, revoked=why))
    changed = TargetFile(target.length, target.hashes, path, {"custom": custom})
    return _draft_targets(
        root, targets, {**targets.targets, path: changed}, authors_of(targets), unix_s
    )


def changes(targets: Targets | None, draft: Draft) -> Iterator[str]:
    """Yield in words what a draft changes.

    Args:
        targets: The list that counts; none before the first.
    """
    before = {} if targets is None else targets.targets
    for path, target in draft.targets.signed.targets.items():
        if target == before.get(path):
            continue
        release = path.removesuffix(".eim").replace("/", "@")
        approval = parse_custom(target.custom, Approval)
        yield (
            f"revoke {release}: {approval.revoked}"
            if approval.revoked
            else (f"approve {release} sha256:{target.hashes['sha256']}")
        )
    for path in before.keys() - draft.targets.signed.targets.keys():
        yield f"forget {path.removesuffix('.eim').replace('/', '@')}"
    known = {} if targets is None else authors_of(targets)
    for name, key in authors_of(draft.targets.signed).items():
        if known.get(name) != key:
            yield f"author of {name}: {key.hex()}"
    if draft.root is not None:
        yield from _changes_of_root(draft.after, draft.root.signed.version)


def read_draft(targets: bytes, root: bytes | None, before: Signing | None) -> Draft:
    """Parse a draft.

    Raises:
        IntegrityError: It is none.
    """
    return Draft(
        parse_metadata(targets, Targets, "the draft of targets"),
        None if root is None else parse_metadata(root, Root, "the draft of root"),
        before,
    )


def _changes_of_root(signing: Signing, version: int) -> Iterator[str]:
    who, log = signing.governance, signing.log
    yield f"root {version}: {who.threshold} of {len(who.keys)} keys govern"
    yield from (f"governs: {key.hex()}" for key in sorted(who.keys))
    yield f"online key: {signing.online.hex()}"
    yield f"log: {log.key}"
    yield f"witnesses: {log.needed} of {len(log.witnesses)}"
    yield from (f"witness: {witness}" for witness in log.witnesses)


def _draft_targets(
    root: Root,
    targets: Targets,
    files: dict[str, TargetFile],
    authors: dict[str, bytes],
    unix_s: float,
) -> Draft:
    signing = signing_of(root)
    delegations = delegations_to(signing.online, authors)
    body = make_targets(files, delegations, version=targets.version + 1, unix_s=unix_s)
    return Draft(Metadata(body), None, signing)
