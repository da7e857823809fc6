"""Cuts a batch of effects that one message of the worker's socket cannot hold."""

import msgspec

from ei.runtime.batches import MAX_BATCH_BYTES, Outcome
from ei.sdk import InstallDecision, KeepDictionary, PassPacket, RevokeDecisions

_FIRST_TAGS = frozenset(
    kind.__struct_config__.tag for kind in (InstallDecision, RevokeDecisions, KeepDictionary)
)
_PASS_TAG = PassPacket.__struct_config__.tag


class _Answer(msgspec.Struct, frozen=True, array_like=True):
    """An answer whose effects are told apart, but not looked into."""

    outcome: Outcome
    reason: str
    effects: tuple[msgspec.Raw, ...]


class _Batch(msgspec.Struct, frozen=True, array_like=True):
    sequence: int
    epoch: int
    answers: tuple[_Answer, ...]


def cut(reply: bytes, *, limit_bytes: int = MAX_BATCH_BYTES) -> list[bytes]:
    """Cut an `EffectBatch` into messages that are to be sent in order.

    All effects but `PassPacket`, which belongs to its packet, go ahead as spontaneous batches,
    decisions first (law 4); the last message is the answer itself.

    Args:
        reply: An `EffectBatch`.
        limit_bytes: A message is longer only if it holds one effect, or the answer itself.
    """
    if len(reply) <= limit_bytes:
        return [reply]
    batch = msgspec.msgpack.decode(reply, type=_Batch)
    messages: list[bytes] = []
    piece: list[msgspec.Raw] = []
    piece_bytes = 0
    for effect in _in_order(batch):
        size_bytes = len(memoryview(effect))
        if piece and piece_bytes + size_bytes > limit_bytes:
            messages.append(_spontaneous(batch.epoch, piece))
            piece, piece_bytes = [], 0
        piece.append(effect)
        piece_bytes += size_bytes
    if piece:
        messages.append(_spontaneous(batch.epoch, piece))
    rest = tuple(
        _Answer(
            answer.outcome,
            answer.reason,
            tuple(effect for effect in answer.effects if _tag(effect) == _PASS_TAG),
        )
        for answer in batch.answers
    )
    messages.append(msgspec.msgpack.encode(_Batch(batch.sequence, batch.epoch, rest)))
    return messages


def _in_order(batch: _Batch) -> list[msgspec.Raw]:
    """Return the effects to send ahead: answer by answer, decisions and revocations first."""
    effects: list[msgspec.Raw] = []
    for answer in batch.answers:
        free = [effect for effect in answer.effects if _tag(effect) != _PASS_TAG]
        effects += [effect for effect in free if _tag(effect) in _FIRST_TAGS]
        effects += [effect for effect in free if _tag(effect) not in _FIRST_TAGS]
    return effects


def _tag(effect: msgspec.Raw) -> int:
    """Return the tag of an effect: byte 1, after the one-byte head of a short array."""
    return memoryview(effect)[1]


def _spontaneous(epoch: int, effects: list[msgspec.Raw]) -> bytes:
    answer = _Answer(Outcome.NONE, "", tuple(effects))
    return msgspec.msgpack.encode(_Batch(0, epoch, (answer,)))
