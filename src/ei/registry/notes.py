"""Signed notes, and checkpoints with the cosignatures of witnesses. Pure.

Formats: c2sp.org/signed-note, tlog-checkpoint and tlog-cosignature, with Ed25519. A public key is
written `name+hash+key`: the hash in hexadecimal, the key with its kind in base64.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ei.errors import ConfigError, IntegrityError
from ei.records.keys import Keys
from ei.registry.tree import HASH_BYTES

ED25519, COSIGNATURE = 1, 4
KINDS = {ED25519: 64, COSIGNATURE: 72}
"""Kinds of signature: plain, and of a witness with its time. How many bytes each has."""

KEY_BYTES = 32
ID_BYTES = 4
MAX_NOTE_BYTES = 16_384
MAX_SIGNATURES = 64
MAX_SIZE = 2**53
DASH = "— "


@dataclass(frozen=True, slots=True)
class NoteKey:
    """A public key that signs notes.

    Attributes:
        name: Whose it is: such as `registry.example/log`, without space and plus.
        kind: `ED25519` of a log, `COSIGNATURE` of a witness.
        key: Ed25519, 32 bytes.
    """

    name: str
    kind: int
    key: bytes

    @property
    def id(self) -> bytes:
        """Four bytes that signature lines name it by."""
        text = self.name.encode() + b"\n" + bytes([self.kind]) + self.key
        return hashlib.sha256(text).digest()[:ID_BYTES]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{_base64(bytes([self.kind]) + self.key)}"


@dataclass(frozen=True, slots=True)
class Signature:
    """One line below a note, not verified."""

    name: str
    id: bytes
    signature: bytes

    def __str__(self) -> str:
        return f"{DASH}{self.name} {_base64(self.id + self.signature)}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A text, and lines that claim to be signatures of it."""

    text: str
    signatures: tuple[Signature, ...]

    def is_signed_by(self, key: NoteKey) -> bool:
        """Return whether one line is a signature of this key."""
        return any(
            _verifies(key, self.text, each.signature)
            for each in self.signatures
            if each.name == key.name and each.id == key.id
        )

    def count(self, keys: Iterable[NoteKey]) -> int:
        """Return how many of these keys signed; a key counts once, whatever its names."""
        return len({key.key for key in keys if self.is_signed_by(key)})

    def with_signatures(self, more: Iterable[Signature]) -> "Note":
        """Return the note with further lines; of each key the newest stays."""
        lines = {(each.name, each.id): each for each in (*self.signatures, *more)}
        return Note(self.text, tuple(lines.values())[:MAX_SIGNATURES])

    def __bytes__(self) -> bytes:
        return f"{self.text}\n{''.join(map(str, self.signatures))}".encode()


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log says of itself: how many entries it has, and the root of their tree."""

    origin: str
    size: int
    root: bytes

    def __str__(self) -> str:
        return f"{self.origin}\n{self.size}\n{_base64(self.root)}\n"


def parse_key(text: str) -> NoteKey:
    """Parse `name+hash+key`.

    Raises:
        ConfigError: What is wrong with it.
    """
    name, _, rest = text.partition("+")
    hashed, _, encoded = rest.partition("+")
    try:
        kind, *key = base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error) as error:
        raise ConfigError(f"{text!r} is not a key as name+hash+base64") from error
    parsed = NoteKey(name, kind, bytes(key))
    if kind not in KINDS or len(key) != KEY_BYTES or not _is_name(name):
        raise ConfigError(f"{text!r} is not an Ed25519 key of a log or witness")
    if parsed.id.hex() != hashed:
        raise ConfigError(f"{text!r} is damaged: its hash is {hashed}, not {parsed.id.hex()}")
    return parsed


def parse_note(data: bytes) -> Note:
    """Parse a signed note; nothing is verified.

    Raises:
        IntegrityError: It is none; `word` is `malformed`.
    """
    if len(data) > MAX_NOTE_BYTES:
        raise _malformed(f"{len(data)} B, allowed are {MAX_NOTE_BYTES}")
    try:
        whole = data.decode()
    except UnicodeDecodeError as error:
        raise _malformed("no text") from error
    text, empty, below = whole.rpartition("\n\n")
    if not empty or not below.endswith("\n") or any(each < " " and each != "\n" for each in whole):
        raise _malformed("no text and signatures below an empty line")
    lines = below.splitlines()
    if len(lines) > MAX_SIGNATURES:
        raise _malformed(f"{len(lines)} signatures, allowed are {MAX_SIGNATURES}")
    return Note(f"{text}\n", tuple(map(parse_signature, lines)))


def parse_signature(line: str) -> Signature:
    """Parse a line below a note.

    Raises:
        IntegrityError: It is none; `word` is `malformed`.
    """
    name, _, encoded = line.removeprefix(DASH).partition(" ")
    try:
        content = base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error) as error:
        raise _malformed("a signature that is no base64") from error
    if not line.startswith(DASH) or len(content) <= ID_BYTES or not _is_name(name):
        raise _malformed("a line that is no signature")
    return Signature(name, content[:ID_BYTES], content[ID_BYTES:])


def parse_checkpoint(note: Note) -> Checkpoint:
    """Parse the text of a note as a checkpoint.

    Raises:
        IntegrityError: It is none; `word` is `malformed`.
    """
    origin, size, root, *_ = [*note.text.split("\n"), "", ""]
    try:
        hashed = base64.b64decode(root, validate=True)
    except (ValueError, binascii.Error) as error:
        raise _malformed("a root that is no base64") from error
    is_number = size.isascii() and size.isdigit() and str(int(size[:20])) == size
    if not origin or not is_number or int(size) > MAX_SIZE or len(hashed) != HASH_BYTES:
        raise _malformed("no checkpoint: origin, size and root in a line each")
    return Checkpoint(origin, int(size), hashed)


def sign(text: str, keys: Keys, name: str) -> Signature:
    """Return the signature of a log."""
    key = NoteKey(name, ED25519, keys.identity_key)
    return Signature(name, key.id, keys.sign(text.encode()))


def cosign(text: str, keys: Keys, name: str, *, unix_s: int) -> Signature:
    """Return the cosignature of a witness: this is the largest tree that it has seen, as of now."""
    key = NoteKey(name, COSIGNATURE, keys.identity_key)
    signature = keys.sign(_cosigned(text, unix_s))
    return Signature(name, key.id, unix_s.to_bytes(8, "big") + signature)


def _verifies(key: NoteKey, text: str, signature: bytes) -> bool:
    if len(signature) != KINDS[key.kind]:
        return False
    message = text.encode()
    if key.kind == COSIGNATURE:
        message = _cosigned(text, int.from_bytes(signature[:8], "big"))
        signature = signature[8:]
    try:
        Ed25519PublicKey.from_public_bytes(key.key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _cosigned(text: str, unix_s: int) -> bytes:
    return f"cosignature/v1\ntime {unix_s}\n{text}".encode()


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(sign.isspace() for sign in name)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _malformed(what: str) -> IntegrityError:
    return IntegrityError(f"not a signed note: {what}", word="malformed")
