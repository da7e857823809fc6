"""Follows a registry's metadata: each file is verified by the one before, and by what was seen.

The order is that of The Update Framework: root after root, timestamp, snapshot, targets, and what
targets delegates to. Nothing counts until all of it does, but for roots: a key that they took back
stays so. Input comes in as arguments.
"""

import datetime as dt
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import TypeVar

from tuf.api.exceptions import LengthOrHashMismatchError
from tuf.api.metadata import MetaFile, Root, Signed, Snapshot, Targets, Timestamp

from ei.errors import IntegrityError, NotFoundError
from ei.records.governance import Governance
from ei.registry.metadata import (
    AUTHOR,
    LIMITS,
    ROLLOUT,
    Signing,
    authors_of,
    expires_unix_s,
    parse_metadata,
    signers_of,
    signing_of,
)

S = TypeVar("S", Root, Timestamp, Snapshot, Targets)

Fetch = Callable[[str, int], bytes]
"""Returns a file of a registry: its name, and how many bytes it may have; one more is too many."""

MAX_ROTATIONS = 64
"""Roots that are followed at once; who was away for longer follows the rest the next time."""

MAX_LEAP = 1_000_000
"""By how much a version may grow between two looks: one a minute, for two years."""


@dataclass(frozen=True, slots=True)
class Followed:
    """What the metadata says, verified.

    Attributes:
        authors: Name of a service to what its author submitted; none where that does not verify.
        files: What to remember.
        until_unix_s: When the first of all these ends.
    """

    root: Root
    signing: Signing
    timestamp: Timestamp
    targets: Targets
    rollout: Targets
    authors: Mapping[str, Targets]
    files: Mapping[str, bytes]
    until_unix_s: float


def follow(
    known: MutableMapping[str, bytes], first_root: bytes, fetch: Fetch, *, unix_s: float
) -> Followed:
    """Follow the metadata to its newest state.

    Args:
        known: `files` of the last time; new roots are put into it at once.
        first_root: What is trusted to begin with.

    Raises:
        IntegrityError: Something does not verify; `word` is one of `ei.registry.releases.REASONS`.
        NotFoundError: A file is missing.
    """
    root = follow_roots(known, first_root, fetch)
    _check_fresh(root, "root", unix_s)
    signing = signing_of(root)
    walk = _Walk(known, fetch, Governance(frozenset({signing.online}), 1), unix_s)
    timestamp = walk.timestamp()
    snapshot = walk.snapshot(timestamp)
    targets = walk.targets("targets", snapshot, signing.governance)
    rollout = walk.targets(ROLLOUT, snapshot, walk.online)
    authors: dict[str, Targets] = {}
    for name in {path.partition("/")[0] for path in targets.targets} & authors_of(targets).keys():
        key = Governance(frozenset({authors_of(targets)[name]}), 1)
        try:
            authors[name] = walk.targets(f"{AUTHOR}{name}", snapshot, key)
        except (IntegrityError, NotFoundError):  # its releases do not count, others do
            continue
    files = {**walk.files, "root.json": known["root.json"]}
    read = (root, timestamp, snapshot, targets, rollout, *authors.values())
    until_unix_s = min(map(expires_unix_s, read))
    return Followed(root, signing, timestamp, targets, rollout, authors, files, until_unix_s)


def follow_roots(known: MutableMapping[str, bytes], first_root: bytes, fetch: Fetch) -> Root:
    """Follow root after root, each signed by enough keys of the one before and of its own.

    Raises:
        IntegrityError: One is not.
    """
    root = _read_root(first_root)
    seen = _read_root(known["root.json"]) if "root.json" in known else None
    # The operator follows another registry since; of two roots with one number his counts as well.
    is_other = seen is not None and (
        known.get("first.json", first_root) != first_root
        and signing_of(seen).log.key != signing_of(root).log.key
    )
    if is_other:
        for name in [each for each in known if _is_metadata(each)]:
            del known[name]
        seen = None
    if seen is not None and seen.version > root.version:
        root = seen
    else:
        known["root.json"] = first_root
    if known.get("first.json") != first_root:
        known["first.json"] = first_root
    for _ in range(MAX_ROTATIONS):
        name = f"{root.version + 1}.root.json"
        try:
            data = fetch_bounded(fetch, f"metadata/{name}", LIMITS["root"])
        except NotFoundError:
            break
        before = signing_of(root).governance
        root, version = verified(data, Root, name, before), root.version + 1
        _ = verified(data, Root, name, signing_of(root).governance)
        if root.version != version:
            word = "rollback" if root.version < version else "fast_forward"
            raise IntegrityError(f"{name} has version {root.version}", word=word)
        known["root.json"] = data
    return root


def verified(data: bytes, kind: type[S], what: str, who: Governance) -> S:
    """Parse metadata that enough of these keys have signed.

    Raises:
        IntegrityError: They have not, or it is none.
    """
    metadata = parse_metadata(data, kind, what)
    count = len(signers_of(metadata, who.keys))
    if count < who.threshold:
        raise IntegrityError(
            f"{what} is signed by {count} of the {len(who.keys)} keys, needed are {who.threshold}",
            word="threshold",
        )
    return metadata.signed


def fetch_bounded(fetch: Fetch, name: str, limit: int) -> bytes:
    """Return a file that is not longer than it may be.

    Raises:
        IntegrityError: It is; `word` is `endless_data`.
    """
    data = fetch(name, limit)
    if len(data) > limit:
        raise IntegrityError(f"{name} has more than the allowed {limit} B", word="endless_data")
    return data


def is_expired(signed: Signed, unix_s: float) -> bool:
    """Return whether metadata has ended."""
    return signed.is_expired(dt.datetime.fromtimestamp(unix_s, tz=dt.UTC))


class _Walk:
    """From the timestamp down, once."""

    def __init__(
        self, known: Mapping[str, bytes], fetch: Fetch, online: Governance, unix_s: float
    ) -> None:
        self._known = known
        self._fetch = fetch
        self._unix_s = unix_s
        self.online = online
        self.files: dict[str, bytes] = {}

    def timestamp(self) -> Timestamp:
        name = "timestamp.json"
        seen = self._seen(name, Timestamp, self.online)
        data = fetch_bounded(self._fetch, f"metadata/{name}", LIMITS["timestamp"])
        new = verified(data, Timestamp, name, self.online)
        if seen is not None:
            _check_grows(name, seen.version, new.version)
            if new.version == seen.version:
                new, data = seen, self._known[name]
            _check_grows("snapshot.json", seen.snapshot_meta.version, new.snapshot_meta.version)
        _check_fresh(new, name, self._unix_s)
        self.files[name] = data
        return new

    def snapshot(self, timestamp: Timestamp) -> Snapshot:
        name = "snapshot.json"
        seen = self._seen(name, Snapshot, self.online)
        new = self._load(name, Snapshot, timestamp.snapshot_meta, self.online)
        for role, meta in seen.meta.items() if seen is not None else ():
            if role not in new.meta:
                raise IntegrityError(f"{name} has no {role} any more", word="rollback")
            _check_grows(role, meta.version, new.meta[role].version)
        return new

    def targets(self, role: str, snapshot: Snapshot, who: Governance) -> Targets:
        name = f"{role}.json"
        if name not in snapshot.meta:
            raise IntegrityError(f"snapshot.json has no {name}", word="mix_and_match")
        seen = self._seen(name, Targets, who)
        new = self._load(name, Targets, snapshot.meta[name], who)
        if seen is not None:
            _check_grows(name, seen.version, new.version)
        return new

    def _load(self, name: str, kind: type[S], meta: MetaFile, who: Governance) -> S:
        data = self._known.get(name, b"")
        if not _fits(meta, data):
            limit = min(
                meta.length or 2**63, LIMITS.get(name.removesuffix(".json"), LIMITS["targets"])
            )
            data = fetch_bounded(self._fetch, f"metadata/{meta.version}.{name}", limit)
        if not _fits(meta, data):
            raise IntegrityError(f"{name} is not the one that goes with it", word="mix_and_match")
        new = verified(data, kind, name, who)
        if new.version != meta.version:
            raise IntegrityError(
                f"{name} has version {new.version}, not {meta.version}", word="mix_and_match"
            )
        _check_fresh(new, name, self._unix_s)
        self.files[name] = data
        return new

    def _seen(self, name: str, kind: type[S], who: Governance) -> S | None:
        """Return what was seen before; nothing if the keys that signed it count no more."""
        try:
            return verified(self._known[name], kind, name, who)
        except (KeyError, IntegrityError):
            return None


def _read_root(data: bytes) -> Root:
    """Return a root that is trusted: it must only hold together."""
    root = parse_metadata(data, Root, "root").signed
    return verified(data, Root, "root", signing_of(root).governance)


def _is_metadata(name: str) -> bool:
    role = name.removesuffix(".json")
    return role in LIMITS or role == ROLLOUT or role.startswith(AUTHOR)


def _fits(meta: MetaFile, data: bytes) -> bool:
    try:
        meta.verify_length_and_hashes(data)
    except LengthOrHashMismatchError:
        return False
    return bool(data)


def _check_grows(what: str, seen: int, new: int) -> None:
    if new < seen:
        raise IntegrityError(f"{what} has version {new}, seen was {seen}", word="rollback")
    if new > seen + MAX_LEAP:
        raise IntegrityError(
            f"{what} leaps from version {seen} to {new}, by {MAX_LEAP} at most it may",
            word="fast_forward",
        )


def _check_fresh(signed: Signed, what: str, unix_s: float) -> None:
    if is_expired(signed, unix_s):
        raise IntegrityError(
            f"{what} version {signed.version} has expired at {signed.expires:%Y-%m-%d %H:%M} UTC",
            word="freeze",
        )
