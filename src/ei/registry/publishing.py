"""What the online key signs: roll-outs, a snapshot of all roles, and the time. Pure.

Files of a registry come in as a mapping; what is written names only what was written before it.
"""

from collections.abc import Mapping, MutableMapping
from typing import TypeVar

from tuf.api.metadata import Metadata, Root, Snapshot, TargetFile, Targets, Timestamp

from ei.errors import IntegrityError, NotFoundError
from ei.records.governance import Governance
from ei.records.keys import Keys
from ei.registry.following import verified
from ei.registry.metadata import (
    AUTHOR,
    LIFETIMES_S,
    ROLLOUT,
    authors_of,
    expires_unix_s,
    make_snapshot,
    make_targets,
    make_timestamp,
    parse_metadata,
    sign_metadata,
)
from ei.registry.releases import MILLION
from ei.registry.submitting import read_submission, submission_place

S = TypeVar("S", Root, Timestamp, Snapshot, Targets)


def current_root(files: Mapping[str, bytes]) -> Root | None:
    """Return the newest root; none before the first was published."""
    version = 0
    while f"metadata/{version + 1}.root.json" in files:
        version += 1
    if not version:
        return None
    return parse_metadata(files[f"metadata/{version}.root.json"], Root, "root").signed


def current_targets(files: Mapping[str, bytes], role: str = "targets") -> Targets:
    """Return the newest `targets`, or a role that it delegates to.

    Raises:
        NotFoundError: There is none yet.
    """
    return parse_metadata(current_file(files, role)[1], Targets, role).signed


def publish_online(
    files: MutableMapping[str, bytes],
    keys: Keys,
    *,
    unix_s: float,
    targets: bytes | None = None,
    shares: Mapping[str, float] | None = None,
) -> None:
    """Write what follows: all that must be signed again, and a new timestamp.

    Args:
        keys: The online key.
        targets: A new list of approved releases, signed by governance; `None` for the same one.
        shares: Path of a release to the share of nodes that should run it, 0.0 to 1.0.
    """
    online = Governance(frozenset({keys.identity_key}), 1)
    snapshot = _seen(files, "snapshot", Snapshot, online)
    roles: dict[str, tuple[int, bytes]] = {}
    roles["targets"] = current_file(files, "targets") if targets is None else _versioned(targets)
    approved = parse_metadata(roles["targets"][1], Targets, "targets").signed
    roles[ROLLOUT] = _rollout(files, keys, approved, shares or {}, unix_s)
    for name in authors_of(approved):
        if (data := files.get(submission_place(name))) is not None:
            roles[f"{AUTHOR}{name}"] = read_submission(data).targets.version, data
    for role, (version, data) in roles.items():
        _put(files, f"metadata/{version}.{role}.json", data)

    versions = {f"{role}.json": version for role, (version, _) in roles.items()}
    if (
        snapshot is None
        or {name: meta.version for name, meta in snapshot.meta.items()} != versions
        or _is_half_over(snapshot, "snapshot", unix_s)
    ):
        body = make_snapshot(roles, version=_version(files, "snapshot") + 1, unix_s=unix_s)
        data = _signed(body, keys)
        _put(files, f"metadata/{body.version}.snapshot.json", data)
        over = body.version, data
    else:
        over = current_file(files, "snapshot")
    stamp = make_timestamp(over, version=_version(files, "timestamp") + 1, unix_s=unix_s)
    files["metadata/timestamp.json"] = _signed(stamp, keys)


def is_due(files: Mapping[str, bytes], *, unix_s: float) -> bool:
    """Return whether half of the time of something that the online key signs is over."""
    timestamp = parse_metadata(current_file(files, "timestamp")[1], Timestamp, "timestamp")
    snapshot = parse_metadata(current_file(files, "snapshot")[1], Snapshot, "snapshot")
    rollout = current_targets(files, ROLLOUT)
    return (
        _is_half_over(timestamp.signed, "timestamp", unix_s)
        or _is_half_over(snapshot.signed, "snapshot", unix_s)
        or _is_half_over(rollout, ROLLOUT, unix_s)
    )


def _rollout(
    files: Mapping[str, bytes],
    keys: Keys,
    approved: Targets,
    shares: Mapping[str, float],
    unix_s: float,
) -> tuple[int, bytes]:
    online = Governance(frozenset({keys.identity_key}), 1)
    try:
        version, data = current_file(files, ROLLOUT)
        said = parse_metadata(data, Targets, ROLLOUT).signed.targets
    except NotFoundError:
        version, data, said = 0, b"", {}
    now = {path: target for path, target in said.items() if path in approved.targets}
    for path, share in shares.items():
        target = approved.targets[path]
        custom = {"custom": {"share_ppm": round(share * MILLION)}}
        now[path] = TargetFile(target.length, target.hashes, path, custom)
    seen = _seen(files, ROLLOUT, Targets, online)
    if seen is not None and seen.targets == now and not _is_half_over(seen, ROLLOUT, unix_s):
        return version, data
    body = make_targets(now, role=ROLLOUT, version=version + 1, unix_s=unix_s)
    return body.version, _signed(body, keys)


def current_file(files: Mapping[str, bytes], role: str) -> tuple[int, bytes]:
    """Return version and file of what counts of a role.

    Raises:
        NotFoundError: There is none yet.
    """
    try:
        data = files["metadata/timestamp.json"]
        timestamp = parse_metadata(data, Timestamp, "timestamp").signed
        if role == "timestamp":
            return timestamp.version, data
        version = timestamp.snapshot_meta.version
        data = files[f"metadata/{version}.snapshot.json"]
        if role == "snapshot":
            return version, data
        version = parse_metadata(data, Snapshot, "snapshot").signed.meta[f"{role}.json"].version
        return version, files[f"metadata/{version}.{role}.json"]
    except KeyError as error:
        raise NotFoundError(f"the registry has published no {role} yet") from error


def _version(files: Mapping[str, bytes], role: str) -> int:
    try:
        return current_file(files, role)[0]
    except NotFoundError:
        return 0


def _seen(files: Mapping[str, bytes], role: str, kind: type[S], online: Governance) -> S | None:
    """Return what the present online key has signed of a role; nothing if it was another one."""
    try:
        return verified(current_file(files, role)[1], kind, role, online)
    except (IntegrityError, NotFoundError):
        return None


def _versioned(targets: bytes) -> tuple[int, bytes]:
    return parse_metadata(targets, Targets, "targets").signed.version, targets


def _is_half_over(signed: Timestamp | Snapshot | Targets, role: str, unix_s: float) -> bool:
    return expires_unix_s(signed) - unix_s < LIFETIMES_S[role] / 2


def _signed(body: S, keys: Keys) -> bytes:
    metadata = Metadata(body)
    sign_metadata(metadata, keys)
    return metadata.to_bytes()


def _put(files: MutableMapping[str, bytes], name: str, data: bytes) -> None:
    if files.get(name) != data:
        files[name] = data
