"""A witness that keeps what it has seen in a folder, and looks at a log, or is asked to."""

from pathlib import Path

from ei.errors import IntegrityError, NotFoundError
from ei.records.keys import Keys
from ei.registry.disk import FolderMap, alone
from ei.registry.following import Fetch, fetch_bounded, follow_roots
from ei.registry.ledger import CHECKPOINT, PENDING
from ei.registry.logged import read_checkpoint
from ei.registry.metadata import LIMITS, LogTrust, signing_of
from ei.registry.notes import COSIGNATURE, MAX_NOTE_BYTES, Checkpoint, NoteKey
from ei.registry.tiles import TileReader
from ei.registry.tree import consistency_proof
from ei.registry.witnessing import CONFLICT, INCONSISTENT, OK, Answer, answer, make_request

SEEN = "seen"


class Witness:
    """One witness of one registry's log.

    Args:
        folder: What it has seen; made when it is not there.
        keys: Its own.
        name: Its own, such as `witness.example/w1`.
        fetch: Reads files of the registry, to follow its roots: they say who signs the log.
        first_root: Where trust begins; as it is shown the first time, if not given.
    """

    def __init__(
        self, folder: Path, keys: Keys, name: str, fetch: Fetch, *, first_root: bytes | None = None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._files = FolderMap(folder)
        self._keys = keys
        self._name = name
        self._fetch = fetch
        self._first_root = first_root

    def __repr__(self) -> str:
        return f"<Witness {self.key}>"

    @property
    def key(self) -> NoteKey:
        """By which others know its cosignatures."""
        return NoteKey(self._name, COSIGNATURE, self._keys.identity_key)

    def seen(self) -> Checkpoint | None:
        """Return what it has cosigned last."""
        data = self._files.get(SEEN)
        if data is None:
            return None
        return read_checkpoint(data, self._log())[1]

    def ask(self, request: bytes, *, unix_s: float) -> Answer:
        """Answer a request; what it cosigns is on disk before."""
        with alone(self._folder):
            said = answer(
                request, self.seen(), self._log().key, self._keys, self._name, unix_s=unix_s
            )
            if said.seen is not None:
                _, _, note = request.partition(b"\n\n")
                self._files[SEEN] = note
            return said

    def look(self, *, unix_s: float) -> str:
        """Look at the registry's newest checkpoint; return the cosignature of it, a line.

        Raises:
            IntegrityError: It does not go on from what was seen (`split_view`).
            NotFoundError: There is none.
        """
        log = self._log()
        note, checkpoint = read_checkpoint(self._newest(), log)
        seen = self.seen()
        old_size = 0 if seen is None else seen.size
        proof: list[bytes] = []
        if 0 < old_size < checkpoint.size:
            reader = TileReader(checkpoint.size, self._read_log)
            proof = consistency_proof(old_size, checkpoint.size, reader)
        said = self.ask(make_request(min(old_size, checkpoint.size), proof, note), unix_s=unix_s)
        if said.status in {CONFLICT, INCONSISTENT}:
            raise IntegrityError(
                f"the log {log.key.name} with {checkpoint.size} entries does not go on from the"
                f" {old_size} entries that this witness has seen; it is not cosigned",
                word="rollback" if checkpoint.size < old_size else "split_view",
            )
        if said.status != OK:
            raise IntegrityError(said.body.decode().strip(), word="malformed")
        return said.body.decode()

    def _log(self) -> LogTrust:
        first = self._first_root
        if first is None:
            first = self._files.get("first.json")
        if first is None:
            first = fetch_bounded(self._fetch, "metadata/1.root.json", LIMITS["root"])
            self._files["first.json"] = first
        return signing_of(follow_roots(self._files, first, self._fetch)).log

    def _newest(self) -> bytes:
        try:
            return fetch_bounded(self._fetch, f"log/{PENDING}", MAX_NOTE_BYTES)
        except NotFoundError:
            return fetch_bounded(self._fetch, f"log/{CHECKPOINT}", MAX_NOTE_BYTES)

    def _read_log(self, name: str, limit: int) -> bytes:
        return fetch_bounded(self._fetch, f"log/{name}", limit)
