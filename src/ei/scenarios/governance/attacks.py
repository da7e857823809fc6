"""What a registry in wrong hands shows: one folder for each attack, for `Council.serve`.

The attacker has the machine of the registry: its files, its online key, the key of its log. It has
two of five governors, and, for the log, all witnesses.
"""

import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tuf.api.metadata import Metadata, Targets

from ei.records.key_files import read_keys
from ei.registry.disk import FolderMap
from ei.registry.drafts import draft_approval
from ei.registry.ledger import Ledger
from ei.registry.metadata import (
    AUTHOR,
    DAY_S,
    authors_of,
    make_snapshot,
    make_target,
    make_timestamp,
    sign_metadata,
)
from ei.registry.publishing import current_file, publish_online
from ei.registry.releases import MILLION, Release, target_path
from ei.scenarios.governance.council import Council

ENDLESS_BYTES = 64 * 1024 * 1024
TOO_FEW = 2


class Attacks:
    """Makes forged registries.

    Args:
        council: Whose registry it is; approved is the one that nodes run.
        folder: For the forged ones.
        old: What the registry showed before nodes saw anything newer.
        evil: A release that was submitted, logged and witnessed, and is not approved.
    """

    def __init__(self, council: Council, folder: Path, old: Path, evil: Release) -> None:
        self._council = council
        self._folder = folder
        self._old = old
        self._evil = evil
        self._online = read_keys(council.registry.folder / "online.key")
        self._log = read_keys(council.registry.folder / "log.key")

    def all(self) -> Mapping[str, Callable[[], Path]]:
        """Return what makes each, by the word with which nodes are to refuse it."""
        return {
            "threshold": self.too_few,
            "rollback": lambda: self._old,
            "freeze": self.frozen,
            "mix_and_match": self.mixed,
            "endless_data": self.endless,
            "unapproved": self.stolen,
            "split_view": self.rewritten,
        }

    def too_few(self) -> Path:
        """Two of five have signed."""
        shown = self._copy("too_few")
        self._sign_online(shown, targets=self._approved(TOO_FEW))
        return shown

    def frozen(self) -> Path:
        """What was signed last has expired."""
        shown = self._copy("frozen")
        self._sign_online(shown, ago_s=2 * DAY_S)
        return shown

    def mixed(self) -> Path:
        """The list of approved releases is of an older state than the rest."""
        shown = self._copy("mixed")
        files = FolderMap(shown)
        version, _ = current_file(files, "targets")
        files[f"metadata/{version}.targets.json"] = files[f"metadata/{version - 1}.targets.json"]
        return shown

    def endless(self) -> Path:
        """The first file never ends; here it does, for the disk's sake."""
        shown = self._copy("endless")
        with (shown / "metadata" / "timestamp.json").open("wb") as file:
            _ = file.truncate(ENDLESS_BYTES)
        return shown

    def stolen(self) -> Path:
        """The online key rolls out what nobody has approved."""
        shown = self._copy("stolen")
        files = FolderMap(shown)
        approved = self._council.registry.targets()
        path = target_path(self._evil.name, self._evil.version)
        rolled = {**approved.targets, path: make_target(self._evil, {"share_ppm": MILLION})}
        rollout = self._council.registry.rollout()
        version = rollout.version + 1
        forged = Metadata(Targets(version, None, rollout.expires, rolled))
        sign_metadata(forged, self._online)
        files[f"metadata/{version}.rollout.json"] = forged.to_bytes()
        names = ["targets", *(f"{AUTHOR}{name}" for name in authors_of(approved))]
        roles = {role: current_file(files, role) for role in names}
        self._snapshot(files, roles | {"rollout": (version, forged.to_bytes())})
        return shown

    def rewritten(self) -> Path:
        """The log has another history than was seen, and its witnesses lie."""
        shown = self._copy("rewritten")
        shutil.rmtree(shown / "log")
        log = FolderMap(shown / "log")
        ledger = Ledger(log, self._council.registry.signing().log)
        ledger.begin(self._log)
        for number in range(8):
            _ = ledger.append(f"another history {number}".encode(), self._log)
        self._council.cosign(log)
        self._sign_online(shown)
        return shown

    def _copy(self, name: str) -> Path:
        return Path(shutil.copytree(self._council.public, self._folder / name))

    def _approved(self, signers: int) -> bytes:
        registry = self._council.registry
        root, targets = registry.root(), registry.targets()
        assert root is not None  # noqa: S101 it has begun
        draft = draft_approval(
            root,
            targets,
            self._evil,
            entry=0,
            author=self._council.author.identity_key,
            unix_s=time.time(),
        )
        for keys in self._council.governors[:signers]:
            sign_metadata(draft.targets, keys)
        return draft.targets.to_bytes()

    def _sign_online(self, shown: Path, *, targets: bytes | None = None, ago_s: float = 0) -> None:
        unix_s = time.time() - ago_s
        publish_online(FolderMap(shown), self._online, unix_s=unix_s, targets=targets)

    def _snapshot(self, files: FolderMap, roles: Mapping[str, tuple[int, bytes]]) -> None:
        now = time.time()
        version = current_file(files, "snapshot")[0] + 1
        snapshot = Metadata(make_snapshot(roles, version=version, unix_s=now))
        sign_metadata(snapshot, self._online)
        data = snapshot.to_bytes()
        files[f"metadata/{version}.snapshot.json"] = data
        stamp = Metadata(make_timestamp((version, data), version=version + 1_000, unix_s=now))
        sign_metadata(stamp, self._online)
        files["metadata/timestamp.json"] = stamp.to_bytes()
