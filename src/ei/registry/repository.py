"""A registry's folder: what it holds, and how it changes, where the online key is.

online.key log.key        private; any file name with .key will do
public/                   served as static files
    metadata/             1.root.json 1.targets.json ... timestamp.json
    targets/              NAME/DIGEST.VERSION.eim
    certificates/         DIGEST.json
    submissions/          author-NAME.json, as its author has signed it
    drafts/               what governance is asked to sign
    log/                  checkpoint, pending, tile/
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from ei.errors import ConflictError, EiError, NotFoundError
from ei.records.governance import Governance
from ei.records.key_files import read_keys, write_keys
from ei.records.keys import Keys, make_keys
from ei.registry.approvals import certificate_place, check_is, package_place
from ei.registry.disk import FolderMap, alone
from ei.registry.drafts import (
    Draft,
    draft_approval,
    draft_first,
    draft_keys,
    draft_revocation,
)
from ei.registry.holdings import Holdings
from ei.registry.metadata import LogTrust, Signing, authors_of
from ei.registry.notes import ED25519, NoteKey, Signature, parse_signature
from ei.registry.package import unpack
from ei.registry.publishing import is_due, publish_online
from ei.registry.releases import (
    Release,
    entry_of,
    release_of,
    target_path,
)
from ei.registry.submitting import submission_place, submitted

RANDOM_BYTES = 64
OK, CONFLICT = 200, 409


class Registry(Holdings):
    """A registry's folder; every change is made as the only one.

    Args:
        folder: As `begin` made it.

    Raises:
        NotFoundError: It is none.
    """

    def __init__(self, folder: Path) -> None:
        if not (folder / "public").is_dir():
            raise NotFoundError(
                f"{folder} is no registry", remedy=f"ei registry init {folder} makes one."
            )
        self.folder = folder
        super().__init__(FolderMap(folder / "public"), FolderMap(folder / "public" / "log"))

    def __repr__(self) -> str:
        return f"<Registry {self.folder}>"

    @classmethod
    def begin(  # noqa: PLR0913 what a registry begins with
        cls,
        folder: Path,
        governance: Governance,
        *,
        witnesses: tuple[NoteKey, ...] = (),
        needed: int = 0,
        name: str,
        unix_s: float,
    ) -> "Registry":
        """Make a registry's folder and keys, and the draft with which it begins.

        Args:
            name: Of the log, such as `registry.example/log`.

        Raises:
            ConflictError: The folder is there.
        """
        if folder.exists():
            raise ConflictError(f"{folder} exists, and is not overwritten")
        (folder / "public" / "drafts").mkdir(parents=True)
        online, log = (make_keys(os.urandom(RANDOM_BYTES)) for _ in range(2))
        write_keys(folder / "online.key", online)
        write_keys(folder / "log.key", log)
        log_trust = LogTrust(NoteKey(name, ED25519, log.identity_key), witnesses, needed)
        signing = Signing(governance, online.identity_key, log_trust)
        made = cls(folder)
        made._keep_draft(draft_first(signing, unix_s=unix_s))
        return made

    # -- what changes ----------------------------------------------------------------------------

    def submit(
        self, package: bytes, signed: bytes, *, certificate: bytes = b"", unix_s: float
    ) -> tuple[Release, int]:
        """Take in a release, and log it; return it and its place in the log.

        Args:
            signed: What its author says of all his releases, this one among them.

        Raises:
            ConflictError: Its number or name is another's, or its version has other bytes already.
            IntegrityError: It is not what its author has signed.
        """
        with alone(self.folder):
            release = release_of(package, unpack(package), certificate=certificate)
            self._check_number(release)
            place_of_role = submission_place(release.name)
            authors = authors_of(self.targets())
            _ = submitted(
                signed,
                release,
                self._files.get(place_of_role),
                owner=authors.get(release.name),
            )
            place = self.ledger().append(entry_of(release), self._log_keys())
            self._files[package_place(release)] = package
            if certificate:
                self._files[certificate_place(release)] = certificate
            self._files[place_of_role] = signed
            if release.name in authors:
                self._publish_online(unix_s)
            return release, place

    def approve(self, name: str, version: str, *, unix_s: float) -> Draft:
        """Draft the approval of a release that was submitted.

        Raises:
            NotFoundError: It was not.
            ConflictError: Its number or name is another's, or witnesses have not seen it logged.
        """
        with alone(self.folder):
            release, author = self.submission(name, version)
            check_is(release, self._files[package_place(release)])
            self._check_number(release)
            ledger = self.ledger()
            entry, shown = ledger.find(entry_of(release)), ledger.shown()
            if entry is None or shown is None or entry >= shown.size:
                raise ConflictError(
                    f"{release} is not in the log that enough witnesses have seen",
                    remedy=f"ei registry witness --registry {self.folder} --key FILE --name NAME",
                )
            root, targets = self._state()
            draft = draft_approval(
                root, targets, release, entry=entry, author=author, unix_s=unix_s
            )
            return self._drafted(draft)

    def revoke(self, name: str, version: str, *, why: str, unix_s: float) -> Draft:
        """Draft the revocation of a release.

        Raises:
            NotFoundError: It is not approved.
        """
        with alone(self.folder):
            root, targets = self._state()
            return self._drafted(
                draft_revocation(root, targets, name, version, why=why, unix_s=unix_s)
            )

    def rotate(self, signing: Signing, *, unix_s: float) -> Draft:
        """Draft a change of keys; with the same ones, it is only new time for root and targets."""
        with alone(self.folder):
            root, targets = self._state()
            return self._drafted(draft_keys(root, targets, signing, unix_s=unix_s))

    def new_online_key(self) -> bytes:
        """Make another online key, for `rotate`; return its public half."""
        keys = make_keys(os.urandom(RANDOM_BYTES))
        write_keys(self.folder / f"online-{keys.identity_key.hex()[:8]}.key", keys)
        return keys.identity_key

    def sign(self, keys: Iterable[Keys]) -> Draft:
        """Sign the draft.

        Raises:
            NotFoundError: There is none.
            ConflictError: A key does not govern.
        """
        with alone(self.folder):
            draft = self.draft()
            if draft is None:
                raise NotFoundError("no draft waits for signatures")
            for each in keys:
                draft.sign(each)
            self._keep_draft(draft)
            return draft

    def publish(self, *, share: float = 0.0, unix_s: float) -> None:
        """Publish the draft.

        Args:
            share: Of the nodes that should run what it approves, 0.0 to 1.0.

        Raises:
            IntegrityError: Too few keys have signed it.
            ConflictError: It does not follow what counts.
        """
        with alone(self.folder):
            draft = self.draft()
            if draft is None:
                raise NotFoundError("no draft waits to be published")
            self._check_follows(draft)
            before = self.targets().targets if self.root() is not None else {}
            if draft.root is not None:
                self._files[f"metadata/{draft.root.signed.version}.root.json"] = (
                    draft.root.to_bytes()
                )
                self.ledger().begin(self._log_keys())
            targets = draft.targets.signed
            shares = dict.fromkeys(targets.targets.keys() - before.keys(), share)
            self._publish_online(unix_s, targets=draft.targets.to_bytes(), shares=shares)
            self.discard()

    def set_share(self, name: str, version: str, share: float, *, unix_s: float) -> None:
        """Say how many of the nodes should run an approved release.

        Args:
            share: 0.0 to 1.0.

        Raises:
            NotFoundError: It is not approved.
        """
        with alone(self.folder):
            path = target_path(name, version)
            if path not in self.targets().targets:
                raise NotFoundError(f"{name}@{version} is not approved")
            self._publish_online(unix_s, shares={path: share})

    def renew(self, *, unix_s: float) -> bool:
        """Sign again what the online key signs, if half of its time is over; return if so."""
        with alone(self.folder):
            if not is_due(self._files, unix_s=unix_s):
                return False
            self._publish_online(unix_s)
            return True

    def take_cosignatures(self, signatures: Iterable[Signature]) -> int:
        """Take in what witnesses have signed; return how many have."""
        with alone(self.folder):
            return self.ledger().take(signatures)

    def take_posted(self, body: bytes) -> tuple[int, bytes]:
        """Take in cosignatures that were posted; return a status of HTTP, and how many signed."""
        try:
            lines = [parse_signature(line) for line in body.decode().splitlines()]
            return OK, b"%d" % self.take_cosignatures(lines)
        except (EiError, UnicodeDecodeError) as error:
            return CONFLICT, f"{error}".encode()

    # -- parts -----------------------------------------------------------------------------------

    def _drafted(self, draft: Draft) -> Draft:
        """Keep a draft; one that says the same as the one that is there leaves its signatures."""
        waiting = self.draft()
        if waiting is None:
            self._keep_draft(draft)
            return draft
        if _content(waiting) != _content(draft):
            raise ConflictError(
                "another draft waits for signatures; one change at a time is signed",
                remedy=f"ei registry approve --registry {self.folder} --key FILE signs it,"
                " and with --discard forgets it.",
            )
        return waiting

    def _publish_online(
        self,
        unix_s: float,
        *,
        targets: bytes | None = None,
        shares: Mapping[str, float] | None = None,
    ) -> None:
        keys = self._keys(self.signing().online, "the online key")
        publish_online(self._files, keys, unix_s=unix_s, targets=targets, shares=shares)

    def _log_keys(self) -> Keys:
        return self._keys(self.signing().log.key.key, "the key of the log")

    def _keys(self, public: bytes, what: str) -> Keys:
        for path in sorted(self.folder.glob("*.key")):
            if (keys := read_keys(path)).identity_key == public:
                return keys
        raise NotFoundError(
            f"{what}, {public.hex()}, is in no file {self.folder}/*.key",
            remedy="Do this where the registry's keys are.",
        )


def _content(draft: Draft) -> tuple[object, object]:
    """Return what a draft says, without when it was drafted."""
    root = None if draft.root is None else (draft.root.signed.version, draft.root.signed.roles)
    targets = draft.targets.signed
    return (targets.version, targets.targets, authors_of(targets)), root
