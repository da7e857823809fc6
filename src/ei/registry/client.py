"""Follows a registry for a node: what is approved, and its bytes. Fails closed, with a word."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
from tuf.api.metadata import Root, TargetFile

from ei.errors import IntegrityError, NotFoundError
from ei.registry.approvals import (
    approved,
    certificate_place,
    check_is,
    is_in,
    package_place,
    share_of,
    unapproved,
)
from ei.registry.disk import FolderMap
from ei.registry.following import Fetch, Followed, fetch_bounded, follow
from ei.registry.logged import check_same_log, check_witnessed, has_entry, read_checkpoint
from ei.registry.metadata import (
    LIMITS,
    LogTrust,
    check_witnesses,
    expires_unix_s,
    parse_metadata,
    signing_of,
)
from ei.registry.notes import MAX_NOTE_BYTES, Checkpoint, Note, NoteKey
from ei.registry.package import digest_of
from ei.registry.releases import (
    Catalogue,
    Release,
    entry_of,
)

MAX_CERTIFICATE_BYTES = 2**20
MAX_PACKAGES = 16
"""And certificates: as many are kept; what a node runs it keeps by itself."""
MAX_HEARD = 16
"""Checkpoints of others that wait until this node's is as large."""


@dataclass(frozen=True, slots=True)
class Trust:
    """Where trust in a registry begins.

    Attributes:
        root: A root of it, which the operator has by another way. It names all keys, and later
            roots follow from it.
        witnesses: Of the log, in the place of those that the root names; empty for those.
        needed: How many of these must have cosigned.
    """

    root: bytes
    witnesses: tuple[NoteKey, ...] = ()
    needed: int = 0

    def __post_init__(self) -> None:
        if self.witnesses:
            check_witnesses(self.witnesses, self.needed)


@dataclass(frozen=True, slots=True)
class _Last:
    """What was shown the last time, and followed from it; it holds until then."""

    next_root: str
    timestamp: bytes
    checkpoint: bytes
    until_unix_s: float
    catalogue: Catalogue


class RegistryClient:
    """Follows one registry.

    Args:
        folder: Where it keeps what it has seen, so that nobody takes it back; of this client alone.
        trust: Where trust begins.
        fetch: Reads files of the registry; see `ei.registry.fetching`.
    """

    def __init__(self, folder: Path, trust: Trust, fetch: Fetch) -> None:
        self._known = FolderMap(folder)
        self._packages = FolderMap(folder / "packages")
        self._trust = trust
        self._fetch = fetch
        self._logged: set[tuple[int, bytes]] = set()
        self._heard: list[Checkpoint] = []
        self._last: _Last | None = None
        self._refused = 0
        self._refreshed = 0

    def __repr__(self) -> str:
        return f"<RegistryClient {self._known!r} refreshed {self._refreshed}>"

    def statistics(self) -> Mapping[str, int]:
        """Return how often it was refreshed, and how often that was refused."""
        return {"refreshed": self._refreshed, "refused": self._refused}

    def stored(self) -> Catalogue | None:
        """Return what it said when it was followed last, whether or not that has expired."""
        try:
            return msgspec.json.decode(self._known["catalogue.json"], type=Catalogue)
        except (KeyError, msgspec.DecodeError):
            return None

    def refresh(self, *, unix_s: float) -> Catalogue:
        """Ask for what is new. Blocks while files are fetched.

        Raises:
            IntegrityError: What it shows is refused; `word` is one of
                `ei.registry.releases.REASONS`. What was known before stays as it is.
            NotFoundError: It is no registry, or a file is missing.
            UnreachableError: Nobody answers.
        """
        try:
            catalogue = self._unchanged(unix_s) or self._refresh(unix_s)
        except IntegrityError:
            self._refused += 1
            raise
        self._refreshed += 1
        return catalogue

    def package(self, release: Release) -> bytes:
        """Return a release's package; it is fetched once and kept.

        Raises:
            IntegrityError: It is revoked, or these are other bytes.
        """
        if release.is_revoked:
            raise IntegrityError(f"{release} is revoked: {release.revoked}", word="revoked")
        data = self._file(package_place(release), release.digest, release.size_bytes)
        check_is(release, data)
        return data

    def certificate(self, release: Release) -> bytes:
        """Return the certificate of conformance of a release that has one.

        Raises:
            IntegrityError: These are other bytes.
        """
        return self._file(certificate_place(release), release.certificate, MAX_CERTIFICATE_BYTES)

    def hear(self, checkpoint: bytes) -> None:
        """Take in what the log told another node.

        Raises:
            IntegrityError: It told us another history (`split_view`), or this is not of our log.
        """
        trust = self._log_trust()
        _, heard = read_checkpoint(checkpoint, trust)
        self._heard = [*self._heard, heard][-MAX_HEARD:]
        if (own := self._checkpoint(trust)) is not None:
            self._compare_heard(own)

    def _unchanged(self, unix_s: float) -> Catalogue | None:
        """Return what follows if the registry shows the same as the last time."""
        last = self._last
        if last is None or unix_s >= last.until_unix_s:
            return None
        shown = {"metadata/timestamp.json": last.timestamp, "log/checkpoint": last.checkpoint}
        for name, data in shown.items():
            if self._fetch(name, len(data)) != data:
                return None
        try:
            _ = self._fetch(last.next_root, LIMITS["root"])
        except NotFoundError:
            return last.catalogue
        return None

    def _refresh(self, unix_s: float) -> Catalogue:
        followed = follow(self._known, self._trust.root, self._fetch, unix_s=unix_s)
        trust = self._chosen(followed.signing.log)
        data = fetch_bounded(self._fetch, "log/checkpoint", MAX_NOTE_BYTES)
        note, checkpoint = read_checkpoint(data, trust)
        if (seen := self._checkpoint(trust)) is not None:
            check_same_log(seen, checkpoint, self._read_log)
            if checkpoint.size < seen.size:
                raise IntegrityError(
                    f"the log has {checkpoint.size} entries, seen were {seen.size}", word="rollback"
                )
        check_witnessed(note, trust)
        self._compare_heard(checkpoint)
        catalogue = self._read(followed, note, checkpoint)
        said = {"checkpoint": data, "catalogue.json": msgspec.json.encode(catalogue)}
        for name, content in {**followed.files, **said}.items():
            if self._known.get(name) != content:
                self._known[name] = content
        self._last = _Last(
            f"metadata/{followed.root.version + 1}.root.json",
            followed.files["timestamp.json"],
            data,
            followed.until_unix_s,
            catalogue,
        )
        return catalogue

    def _read(self, followed: Followed, note: Note, checkpoint: Checkpoint) -> Catalogue:
        releases: list[Release] = []
        refused: list[tuple[str, str]] = []
        for path, target in followed.targets.targets.items():
            try:
                release = self._release(followed, path, target, checkpoint)
            except IntegrityError as error:
                refused.append((path.removesuffix(".eim").replace("/", "@"), error.word))
            else:
                releases.append(release)
        refused.extend(unapproved(followed.rollout, followed.targets))
        return Catalogue(
            releases=tuple(releases),
            refused=tuple(refused),
            version=followed.timestamp.version,
            expires_unix_s=expires_unix_s(followed.timestamp),
            root_version=followed.root.version,
            log_size=checkpoint.size,
            checkpoint=bytes(note),
        )

    def _release(
        self, followed: Followed, path: str, target: TargetFile, checkpoint: Checkpoint
    ) -> Release:
        release, approval = approved(path, target)
        if release.is_revoked:  # whoever withholds the rest does not keep that away
            return release
        if not is_in(followed.authors.get(release.name), target):
            raise IntegrityError(f"the author of {release} has not signed it", word="unsigned")
        key = (approval.entry, entry_of(release))
        if key not in self._logged:
            if not has_entry(key[1], approval.entry, checkpoint, self._read_log):
                raise IntegrityError(f"{release} is not entry {approval.entry}", word="unlogged")
            self._logged.add(key)
        return msgspec.structs.replace(release, share=share_of(followed.rollout, target))

    def _file(self, place: str, digest: str, limit: int) -> bytes:
        name = digest.removeprefix("sha256:")
        data = self._packages.get(name, b"")
        if digest_of(data) == digest:
            return data
        data = fetch_bounded(self._fetch, place, limit)
        if digest_of(data) != digest:
            raise IntegrityError(f"{place} is {digest_of(data)}, not {digest}", word="package")
        for other in list(self._packages)[: max(0, len(self._packages) + 1 - MAX_PACKAGES)]:
            del self._packages[other]
        self._packages[name] = data
        return data

    def _read_log(self, name: str, limit: int) -> bytes:
        return fetch_bounded(self._fetch, f"log/{name}", limit)

    def _compare_heard(self, own: Checkpoint) -> None:
        for heard in [each for each in self._heard if each.size <= own.size]:
            check_same_log(heard, own, self._read_log)
            self._heard.remove(heard)

    def _checkpoint(self, trust: LogTrust) -> Checkpoint | None:
        """Return the checkpoint that was seen last; none if there is another log since."""
        try:
            return read_checkpoint(self._known["checkpoint"], trust)[1]
        except (KeyError, IntegrityError):
            return None

    def _log_trust(self) -> LogTrust:
        root = parse_metadata(self._known.get("root.json", self._trust.root), Root, "root").signed
        return self._chosen(signing_of(root).log)

    def _chosen(self, log: LogTrust) -> LogTrust:
        if not self._trust.witnesses:
            return log
        return LogTrust(log.key, self._trust.witnesses, self._trust.needed)
