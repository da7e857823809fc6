"""A log held to its word: witnesses cosigned it, it goes on from what was seen, it has an entry.

Input comes in as arguments: tiles are read by a function, and proven before they count.
"""

from ei.errors import IntegrityError, NotFoundError
from ei.registry.metadata import LogTrust
from ei.registry.notes import Checkpoint, Note, parse_checkpoint, parse_note
from ei.registry.tiles import ReadFile, TileReader
from ei.registry.tree import (
    consistency_proof,
    inclusion_proof,
    is_consistent,
    is_included,
    leaf_hash,
)


def read_checkpoint(data: bytes, trust: LogTrust) -> tuple[Note, Checkpoint]:
    """Parse a checkpoint that the log has signed.

    Raises:
        IntegrityError: It has not, or it is none.
    """
    note = parse_note(data)
    checkpoint = parse_checkpoint(note)
    if checkpoint.origin != trust.key.name or not note.is_signed_by(trust.key):
        raise IntegrityError(
            f"the checkpoint of {checkpoint.origin} is not signed by {trust.key.name}",
            word="threshold",
        )
    return note, checkpoint


def check_witnessed(note: Note, trust: LogTrust) -> None:
    """Check that enough witnesses have seen this checkpoint.

    Raises:
        IntegrityError: They have not; `word` is `unwitnessed`.
    """
    count = note.count(trust.witnesses)
    if count < trust.needed:
        raise IntegrityError(
            f"the log is cosigned by {count} of its {len(trust.witnesses)} witnesses,"
            f" needed are {trust.needed}",
            word="unwitnessed",
        )


def check_same_log(one: Checkpoint, other: Checkpoint, read_file: ReadFile) -> None:
    """Check that the smaller of two checkpoints is the beginning of the other.

    Raises:
        IntegrityError: It is not, or the log does not show that it is; `word` is `split_view`.
    """
    old, new = sorted((one, other), key=lambda each: each.size)
    try:
        proof = consistency_proof(old.size, new.size, TileReader(new.size, read_file))
        is_same = is_consistent(old.size, new.size, proof, old.root, new.root)
    except (IntegrityError, NotFoundError):
        is_same = False
    if not is_same:
        raise IntegrityError(
            f"the log {old.origin} with {new.size} entries does not go on from the one with"
            f" {old.size} entries: it shows different trees to different people",
            word="split_view",
        )


def has_entry(entry: bytes, index: int, checkpoint: Checkpoint, read_file: ReadFile) -> bool:
    """Return whether the log shows that it has this entry there."""
    if not 0 <= index < checkpoint.size:
        return False
    reader = TileReader(checkpoint.size, read_file)
    try:
        proof = inclusion_proof(index, checkpoint.size, reader)
    except (IntegrityError, NotFoundError):
        return False
    return is_included(leaf_hash(entry), index, checkpoint.size, proof, checkpoint.root)
