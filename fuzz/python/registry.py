"""Any bytes as what a registry shows; also as what its keys have signed.

The first byte chooses: a note and its checkpoint; a package; a request to a witness; a bundle of a
log; metadata, raw, or as a body of JSON that the key which is trusted most then signs.
"""

import json

from harness import followed, fuzz

with followed("ei", "tuf", "securesystemslib"):
    from tuf.api.metadata import Root, Snapshot, Targets, Timestamp

    from ei.errors import IntegrityError
    from ei.records.governance import Governance
    from ei.records.keys import make_keys
    from ei.registry.drafts import changes, read_draft
    from ei.registry.following import verified
    from ei.registry.metadata import signing_of, tuf_key
    from ei.registry.notes import ED25519, NoteKey, parse_checkpoint, parse_note
    from ei.registry.package import unpack
    from ei.registry.releases import release_of
    from ei.registry.submitting import read_submission
    from ei.registry.tiles import read_entries
    from ei.registry.witnessing import answer

from securesystemslib.formats import encode_canonical

KEYS = make_keys(bytes(32))
LOG = NoteKey("log", ED25519, KEYS.identity_key)
WHO = Governance(frozenset({KEYS.identity_key}), 1)
KEY_ID = tuf_key(KEYS.identity_key).keyid


def signed(body: bytes) -> bytes:
    """Return metadata with this body."""
    try:
        signature = KEYS.sign(encode_canonical(json.loads(body)).encode())
    except Exception:  # no JSON, or none that can be signed
        return body
    return b'{"signatures":[{"keyid":"%s","sig":"%s"}],"signed":%s}' % (
        KEY_ID.encode(),
        signature.hex().encode(),
        body,
    )


def metadata(data: bytes) -> None:
    """Whatever it is, it counts or is refused."""
    for kind in (Root, Timestamp, Snapshot, Targets):
        try:
            read = verified(data, kind, "x", WHO)
        except IntegrityError:
            continue
        if isinstance(read, Root):
            _ = signing_of(read)
    _ = read_submission(data)
    _ = list(changes(None, read_draft(data, None, None)))


def one(data: bytes) -> None:
    kind, rest = data[:1], data[1:]
    try:
        match kind:
            case b"n":
                note = parse_note(rest)
                assert parse_note(bytes(note)) == note
                _ = note.is_signed_by(LOG)
                _ = parse_checkpoint(note)
            case b"p":
                _ = release_of(rest, unpack(rest))
            case b"w":
                assert answer(rest, None, LOG, KEYS, "w", unix_s=1).status >= 200
            case b"b":
                _ = list(read_entries(len(rest[:1]) + rest[0] if rest else 1, lambda *_: rest[1:]))
            case b"s":
                metadata(signed(rest))
            case _:
                metadata(data)
    except IntegrityError:
        pass


fuzz(one)
