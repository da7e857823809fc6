"""Metadata of The Update Framework, as this registry has it: its roles, and who signs them. Pure.

`root` and `targets` are signed by k of the n governance keys together; `targets` lists what they
approved. `snapshot`, `timestamp` and `rollout` are signed by the online key, which can say how far
an approved release is rolled out and no more. `author-NAME` is signed by the author of NAME and
lists what he submitted.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import CryptoSigner, SSlibKey
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Signed,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from ei.errors import ConfigError, IntegrityError
from ei.records.governance import Governance
from ei.records.keys import Keys
from ei.registry.notes import NoteKey, parse_key
from ei.registry.releases import Release, target_path

S = TypeVar("S", Root, Timestamp, Snapshot, Targets)
AnyMetadata = Metadata[Any]

DAY_S = 86_400
LIFETIMES_S = {"root": 365 * DAY_S, "targets": 365 * DAY_S, "author": 3 * 365 * DAY_S,
    "snapshot": 7 * DAY_S, "rollout": 7 * DAY_S, "timestamp": DAY_S}  # fmt: skip
"""How long what is signed lasts, in seconds: how long a node can be shown an old state."""

LIMITS = {"root": 64_000, "timestamp": 16_384, "snapshot": 2_000_000, "targets": 5_000_000}
"""Most bytes of a role's file; roles that others delegate to have that of `targets`."""

LOG = "ei-log"
"""Field of `root` that says who signs the log, who witnesses it, and how many of them must."""

TOP = ("root", "targets")
ONLINE = ("snapshot", "timestamp")
ROLLOUT = "rollout"
AUTHOR = "author-"


@dataclass(frozen=True, slots=True)
class LogTrust:
    """Who says what is in the log.

    Attributes:
        key: Of the log.
        witnesses: Who watch it.
        needed: How many of them must have cosigned; more than half.
    """

    key: NoteKey
    witnesses: tuple[NoteKey, ...]
    needed: int


@dataclass(frozen=True, slots=True)
class Signing:
    """Who signs what: all that a root says.

    Attributes:
        governance: k of n keys that sign `root` and `targets`.
        online: Key of `snapshot`, `timestamp` and `rollout`.
    """

    governance: Governance
    online: bytes
    log: LogTrust


def check_witnesses(witnesses: Sequence[NoteKey], needed: int) -> None:
    """Check that so many witnesses show everybody the same log; of none, that is not expected.

    Raises:
        ConfigError: Two halves of them could each be enough.
    """
    keys = {witness.key for witness in witnesses}
    if len(keys) != len(witnesses):
        raise ConfigError("one witness is there twice; each counts once")
    if keys and not len(keys) // 2 < needed <= len(keys):
        raise ConfigError(
            f"{needed} of {len(keys)} witnesses seen, more than half of them allowed: two views of"
            " the log could have that many each"
        )


def make_root(signing: Signing, *, version: int, unix_s: float) -> Root:
    """Return the body of a root."""
    root = Root(version=version, expires=_expiry("root", unix_s), consistent_snapshot=True)
    for role in TOP:
        for key in sorted(signing.governance.keys):
            root.add_key(tuf_key(key), role)
        root.roles[role].threshold = signing.governance.threshold
    for role in ONLINE:
        root.add_key(tuf_key(signing.online), role)
    root.unrecognized_fields[LOG] = {
        "key": str(signing.log.key),
        "witnesses": [str(witness) for witness in signing.log.witnesses],
        "needed": signing.log.needed,
    }
    return root


def signing_of(root: Root) -> Signing:
    """Return who signs what, by a verified root.

    Raises:
        IntegrityError: It does not say; `word` is `malformed`.
    """
    try:
        top, online = root.roles["root"], root.roles["timestamp"]
        keys = frozenset(_public(root.keys[keyid]) for keyid in top.keyids)
        (keyid,) = online.keyids
        said = root.unrecognized_fields[LOG]
        witnesses = tuple(parse_key(text) for text in said["witnesses"])
        check_witnesses(witnesses, said["needed"])
        log = LogTrust(parse_key(said["key"]), witnesses, said["needed"])
        signing = Signing(Governance(keys, top.threshold), _public(root.keys[keyid]), log)
        is_ours = (
            (root.roles["targets"].keyids, root.roles["targets"].threshold)
            == (top.keyids, top.threshold)
            and root.roles["snapshot"].keyids == online.keyids
            and 1 <= top.threshold <= len(keys) == len(top.keyids)
        )
    except (ConfigError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise IntegrityError(f"root does not say who signs: {error}", word="malformed") from error
    if not is_ours:
        raise IntegrityError("root has roles of other keys than this registry", word="malformed")
    return signing


def make_targets(
    files: Mapping[str, TargetFile],
    delegations: Delegations | None = None,
    *,
    role: str = "targets",
    version: int,
    unix_s: float,
) -> Targets:
    """Return the body of `targets`, or of the role that it delegates to."""
    kind = "author" if role.startswith(AUTHOR) else role
    return Targets(
        version=version,
        expires=_expiry(kind, unix_s),
        targets=dict(files),
        delegations=delegations,
    )


def make_snapshot(
    roles: Mapping[str, tuple[int, bytes]], *, version: int, unix_s: float
) -> Snapshot:
    """Return the body of a snapshot.

    Args:
        roles: `targets` and what it delegates to: version, and file.
    """
    meta = {f"{role}.json": _meta(number, data) for role, (number, data) in roles.items()}
    return Snapshot(version=version, expires=_expiry("snapshot", unix_s), meta=meta)


def make_timestamp(snapshot: tuple[int, bytes], *, version: int, unix_s: float) -> Timestamp:
    """Return the body of a timestamp over a snapshot: its version, and file."""
    expires = _expiry("timestamp", unix_s)
    return Timestamp(version=version, expires=expires, snapshot_meta=_meta(*snapshot))


def make_target(release: Release, custom: Mapping[str, object]) -> TargetFile:
    """Return what a role says of a release."""
    return TargetFile(
        length=release.size_bytes,
        hashes={"sha256": release.digest.removeprefix("sha256:")},
        path=target_path(release.name, release.version),
        unrecognized_fields={"custom": dict(custom)},
    )


def delegations_to(online: bytes, authors: Mapping[str, bytes]) -> Delegations:
    """Return to whom `targets` delegates: roll-outs to the online key, each service to its author.

    Args:
        authors: Name of a service to key of its author.
    """
    roles = {ROLLOUT: (online, "*/*.eim")}
    roles |= {f"{AUTHOR}{name}": (key, f"{name}/*") for name, key in authors.items()}
    keys = {key.keyid: key for key in (tuf_key(public) for public, _ in roles.values())}
    return Delegations(
        keys=dict(keys),
        roles={
            role: DelegatedRole(role, [tuf_key(public).keyid], 1, terminating=False, paths=[path])
            for role, (public, path) in roles.items()
        },
    )


def authors_of(targets: Targets) -> dict[str, bytes]:
    """Return the key of the author of each service."""
    if targets.delegations is None or targets.delegations.roles is None:
        return {}
    return {
        role.removeprefix(AUTHOR): _public(targets.delegations.keys[delegated.keyids[0]])
        for role, delegated in targets.delegations.roles.items()
        if role.startswith(AUTHOR)
    }


def sign_metadata(metadata: AnyMetadata, keys: Keys) -> None:
    """Add a signature."""
    secret = Ed25519PrivateKey.from_private_bytes(keys.identity_secret)
    _ = metadata.sign(CryptoSigner(secret), append=True)


def signers_of(metadata: AnyMetadata, keys: Iterable[bytes]) -> frozenset[bytes]:
    """Return which of `keys`, Ed25519, have signed; each counts once."""
    return frozenset(public for public in keys if _has_signed(metadata, tuf_key(public)))


def parse_metadata(data: bytes, kind: type[S], what: str) -> Metadata[S]:
    """Parse a file of metadata; nothing is verified.

    Args:
        what: Its name, for errors.

    Raises:
        IntegrityError: It is none of that kind; `word` is `malformed`.
    """
    try:
        metadata: Metadata[S] = Metadata[S].from_bytes(data)
        _ = metadata.signed_bytes
    except RepositoryError as error:
        raise IntegrityError(f"{what} is no metadata: {error}", word="malformed") from error
    if metadata.signed.type != kind.type:
        raise IntegrityError(
            f"{what} is metadata of {metadata.signed.type}, not {kind.type}", word="malformed"
        )
    return metadata


def expires_unix_s(signed: Signed) -> float:
    """Return when metadata ends."""
    return signed.expires.timestamp()


def tuf_key(public: bytes) -> SSlibKey:
    """Return an Ed25519 key as metadata has it."""
    return SSlibKey.from_crypto(Ed25519PublicKey.from_public_bytes(public))


def _has_signed(metadata: AnyMetadata, key: SSlibKey) -> bool:
    signature = metadata.signatures.get(key.keyid)
    if signature is None:
        return False
    try:
        key.verify_signature(signature, metadata.signed_bytes)
    except UnverifiedSignatureError:
        return False
    return True


def _public(key: object) -> bytes:
    if not isinstance(key, SSlibKey) or key.scheme != "ed25519":
        raise ValueError("a key that is not Ed25519")
    return bytes.fromhex(str(key.keyval["public"]))


def _meta(version: int, data: bytes) -> MetaFile:
    return MetaFile.from_data(version, data, ["sha256"])


def _expiry(role: str, unix_s: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(int(unix_s) + LIFETIMES_S[role], tz=dt.UTC)
