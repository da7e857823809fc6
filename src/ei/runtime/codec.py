"""Between the bytes that cross the border and the values that the environment works with."""

from collections.abc import Sequence
from typing import Any, Union

import msgspec

from ei.errors import LocalError, PeerError
from ei.runtime.batches import (
    AnyAnswer,
    ControlReceived,
    EncodedAnswer,
    EventBatch,
    Item,
    Outcome,
    QueryResolved,
)
from ei.runtime.instance import counted
from ei.runtime.orders import NO_EFFECTS, NOTHING
from ei.sdk import (
    CloseStream,
    ControlArrived,
    PacketArrived,
    Query,
    Record,
    Resolved,
    StreamClosed,
    StreamData,
    StreamOpened,
    StreamWritable,
)


class Codec:
    """Decodes and encodes for one service; its decoders are made once.

    Args:
        messages: Types of the service's control messages.
    """

    def __init__(self, messages: tuple[type, ...]) -> None:
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode_batch = msgspec.msgpack.Decoder(EventBatch).decode
        self._queries: msgspec.msgpack.Decoder[Query] = msgspec.msgpack.Decoder(Query)
        self._records: msgspec.msgpack.Decoder[Record] = msgspec.msgpack.Decoder(Record)
        self._messages: msgspec.msgpack.Decoder[Any] | None = None
        if messages:
            self._messages = msgspec.msgpack.Decoder(Union[messages])  # noqa: UP007 made at run time

    def events(self, batch: bytes | memoryview) -> EventBatch:
        """Decode what the datapath handed over.

        Raises:
            LocalError: It is no `EventBatch`.
        """
        try:
            return self._decode_batch(batch)
        except msgspec.MsgspecError as error:
            raise LocalError(f"not an EventBatch: {error}") from error

    def control(self, item: ControlReceived) -> ControlArrived:
        """Decode a control message.

        Raises:
            PeerError: It is none of the service's messages; names the field that is wrong.
        """
        if self._messages is None:
            raise PeerError("the service has no control messages")
        try:
            return ControlArrived(item.sender, self._messages.decode(item.message))
        except msgspec.MsgspecError as error:
            raise PeerError(f"not one of the service's messages: {error}") from error

    def resolved(self, item: QueryResolved) -> Resolved:
        """Decode an answer of the directory.

        Raises:
            LocalError: It is no query with its record.
        """
        try:
            record = None if item.record is None else self._records.decode(item.record)
            return Resolved(self._queries.decode(item.query), record)
        except msgspec.MsgspecError as error:
            raise LocalError(f"not a query with its record: {error}") from error

    def reply(self, sequence: int, epoch: int, answers: Sequence[AnyAnswer]) -> bytes:
        """Encode what goes back to the datapath."""
        return self._encode((sequence, epoch, answers))  # an `EffectBatch`

    def refusal(self, events: EventBatch, word: str) -> bytes:
        """Encode that nothing came of a batch, for the reason `word`."""
        answers = [self._refused(item, word) for item in events.items]
        return self.reply(events.sequence, events.epoch, answers)

    def _refused(self, item: Item, word: str) -> EncodedAnswer:
        match item:
            case PacketArrived():
                return EncodedAnswer(Outcome.DROPPED, word, NO_EFFECTS)
            case (
                StreamOpened(stream=stream)
                | StreamData(stream=stream)
                | StreamWritable(stream=stream)
            ):
                close = msgspec.Raw(self._encode((CloseStream(stream),)))
                return EncodedAnswer(Outcome.NONE, "", close)
            case StreamClosed():
                return NOTHING
            case _:
                return counted(word)
