"""A witness of a log: it cosigns what goes on from the last that it has cosigned. Pure.

Requests and answers are those of c2sp.org/tlog-witness, `add-checkpoint`.
"""

import base64
import binascii
from dataclasses import dataclass

from ei.errors import IntegrityError
from ei.records.keys import Keys
from ei.registry.notes import Checkpoint, Note, NoteKey, cosign, parse_checkpoint, parse_note
from ei.registry.tree import HASH_BYTES, is_consistent

MAX_PROOF = 63
OK, BAD, FORBIDDEN, UNKNOWN, CONFLICT, INCONSISTENT = 200, 400, 403, 404, 409, 422


@dataclass(frozen=True, slots=True)
class Answer:
    """What a witness says.

    Attributes:
        status: Of HTTP.
        body: Its cosignature, how large the log was that it saw last, or why not.
        seen: What it must remember before it says so; `None` for nothing new.
    """

    status: int
    body: bytes
    seen: Checkpoint | None = None


def make_request(old_size: int, proof: list[bytes], note: Note) -> bytes:
    """Return the request to cosign a checkpoint."""
    lines = [f"old {old_size}", *(base64.b64encode(each).decode() for each in proof), ""]
    return "\n".join(lines).encode() + b"\n" + bytes(note)


def answer(  # noqa: C901, PLR0911, PLR0913 one refusal a line, as the specification lists them
    request: bytes, seen: Checkpoint | None, log: NoteKey, keys: Keys, name: str, *, unix_s: float
) -> Answer:
    """Return what a witness answers.

    Args:
        seen: What it has cosigned last.
        log: Key of the log that it watches.
        keys, name: Its own.
    """
    try:
        old_size, proof, note = _parse(request)
        checkpoint = parse_checkpoint(note)
    except IntegrityError as error:
        return Answer(BAD, f"{error}\n".encode())
    if checkpoint.origin != log.name:
        return Answer(UNKNOWN, f"this witness watches {log.name} only\n".encode())
    if not note.is_signed_by(log):
        return Answer(FORBIDDEN, f"not signed by {log}\n".encode())
    if old_size > checkpoint.size:
        return Answer(BAD, b"the old size is above the new one\n")
    last = seen or Checkpoint(log.name, 0, b"")
    if old_size != last.size:
        return Answer(CONFLICT, f"{last.size}\n".encode())
    if old_size == checkpoint.size and seen is not None and seen.root != checkpoint.root:
        return Answer(CONFLICT, f"{last.size}\n".encode())
    if old_size and not is_consistent(old_size, checkpoint.size, proof, last.root, checkpoint.root):
        return Answer(INCONSISTENT, f"it does not go on from {old_size} entries\n".encode())
    if not old_size and proof:
        return Answer(INCONSISTENT, b"nothing needs no proof\n")
    signature = cosign(note.text, keys, name, unix_s=int(unix_s))
    return Answer(OK, str(signature).encode(), checkpoint)


def _parse(request: bytes) -> tuple[int, list[bytes], Note]:
    head, empty, note = request.partition(b"\n\n")
    first, *lines = head.split(b"\n")
    word, _, number = first.partition(b" ")
    try:
        size = int(number) if number.isdigit() and len(number) < HASH_BYTES else -1
        proof = [base64.b64decode(line, validate=True) for line in lines]
    except (ValueError, binascii.Error) as error:
        raise IntegrityError("a proof that is no base64", word="malformed") from error
    is_whole = word == b"old" and number == b"%d" % size and empty
    if not is_whole or len(proof) > MAX_PROOF or any(len(each) != HASH_BYTES for each in proof):
        raise IntegrityError("want old SIZE, at most 63 hashes, and a checkpoint", word="malformed")
    return size, proof, parse_note(note)
