"""The registry's side of its log: entries are appended, signed, and shown once cosigned.

`checkpoint` is what nodes go by; `pending` is the newest one, which waits for witnesses.
"""

from collections.abc import Iterable, Iterator, MutableMapping

from ei.errors import ConflictError, IntegrityError
from ei.records.keys import Keys
from ei.registry.logged import check_same_log, read_checkpoint
from ei.registry.metadata import LogTrust
from ei.registry.notes import Checkpoint, Note, Signature, sign
from ei.registry.tiles import TileReader, grown, read_entries
from ei.registry.tree import EMPTY_ROOT, leaf_hash, root_of, tree_root

CHECKPOINT, PENDING = "checkpoint", "pending"


class Ledger:
    """A log in files.

    Args:
        files: Its files by name; tiles are written before what is signed over them.
        trust: Key and witnesses of the log.
    """

    def __init__(self, files: MutableMapping[str, bytes], trust: LogTrust) -> None:
        self._files = files
        self._trust = trust

    def __repr__(self) -> str:
        return f"<Ledger {self._trust.key.name} {self.newest()[1].size}>"

    def begin(self, keys: Keys) -> None:
        """Sign the empty log, if there is none yet."""
        if PENDING not in self._files:
            self._sign(Checkpoint(self._trust.key.name, 0, EMPTY_ROOT), keys)

    def newest(self) -> tuple[Note, Checkpoint]:
        """Return the newest checkpoint, whoever has cosigned it.

        Raises:
            IntegrityError: The file is damaged.
        """
        return read_checkpoint(self._files[PENDING], self._trust)

    def shown(self) -> Checkpoint | None:
        """Return the checkpoint that nodes go by; none before one is cosigned by enough."""
        data = self._files.get(CHECKPOINT)
        return None if data is None else read_checkpoint(data, self._trust)[1]

    def entries(self) -> Iterator[bytes]:
        """Yield all entries, compared with the tree.

        Raises:
            IntegrityError: They are not those that were signed.
        """
        checkpoint = self.newest()[1]
        entries = list(read_entries(checkpoint.size, self._read))
        if root_of_entries(entries) != checkpoint.root:
            raise IntegrityError(
                "the entries of the log are not those of its tree", word="malformed"
            )
        yield from entries

    def find(self, entry: bytes) -> int | None:
        """Return the place of an entry."""
        return next((place for place, each in enumerate(self.entries()) if each == entry), None)

    def append(self, entry: bytes, keys: Keys) -> int:
        """Append an entry, unless it is there; return its place."""
        if (place := self.find(entry)) is not None:
            return place
        size = self.newest()[1].size
        for name, content in grown(size, [entry], self._read).items():
            self._files[name] = content
        root = tree_root(size + 1, TileReader(size + 1, self._read))
        self._sign(Checkpoint(self._trust.key.name, size + 1, root), keys)
        return size

    def take(self, signatures: Iterable[Signature]) -> int:
        """Take in cosignatures of the newest checkpoint; return how many witnesses it has now.

        Raises:
            ConflictError: None of them is a witness's, or the log has grown meanwhile.
        """
        note, checkpoint = self.newest()
        ours = {(witness.name, witness.id) for witness in self._trust.witnesses}
        more = [each for each in signatures if (each.name, each.id) in ours]
        good = [each for each in more if Note(note.text, (each,)).count(self._trust.witnesses)]
        if not good:
            raise ConflictError(
                f"no signature of one of the {len(ours)} witnesses is over the log of"
                f" {checkpoint.size} entries",
                remedy="ei registry witness signs the newest; ei registry log shows who they are.",
            )
        note = note.with_signatures(good)
        self._files[PENDING] = bytes(note)
        self._show(note, checkpoint)
        return note.count(self._trust.witnesses)

    def _sign(self, checkpoint: Checkpoint, keys: Keys) -> None:
        if keys.identity_key != self._trust.key.key:
            raise ConflictError(f"{keys.identity_key.hex()} is not the key of the log")
        text = str(checkpoint)
        note = Note(text, (sign(text, keys, self._trust.key.name),))
        self._files[PENDING] = bytes(note)
        self._show(note, checkpoint)

    def _show(self, note: Note, checkpoint: Checkpoint) -> None:
        if note.count(self._trust.witnesses) < self._trust.needed:
            return
        if (shown := self.shown()) is not None:
            check_same_log(shown, checkpoint, self._read)
        self._files[CHECKPOINT] = bytes(note)

    def _read(self, name: str, _limit: int) -> bytes:
        return self._files[name]


def root_of_entries(entries: Iterable[bytes]) -> bytes:
    """Return the root of the tree of all these entries."""
    hashes = [leaf_hash(entry) for entry in entries]
    size = len(hashes)
    if not size:
        return EMPTY_ROOT

    def read(level: int, index: int) -> bytes:
        return root_of(hashes[index << level : (index + 1) << level])

    return tree_root(size, read)
