"""The native stages, said as simply as possible: the reference that they are compared with."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from ei.sdk.stages import Compress, Decompress, Keep, Meter, Stage, Tally

PARTS_PER_BYTE = 1_000_000_000
"""A meter counts in billionths of a byte, so that a rate times nanoseconds is exact."""


NAME_BYTES = 8
"""Of a payload, by which a `Keep` finds it again."""


@dataclass(slots=True)
class Bucket:
    """State of a `Meter`: starts full."""

    rate_bytes_per_s: int
    burst_bytes: int
    filled_ns: int
    tokens: int

    @property
    def most(self) -> int:
        """Tokens when it is full."""
        return self.burst_bytes * PARTS_PER_BYTE

    @property
    def whole_bytes(self) -> int:
        """Bytes that it has tokens for."""
        return self.tokens // PARTS_PER_BYTE

    def spend(self, byte_count: int) -> None:
        """Take tokens for so many bytes, which it has."""
        self.tokens -= byte_count * PARTS_PER_BYTE

    def take(self, now_ns: int, payload_bytes: int) -> bool:
        """Whether the packet passes; tokens are taken only then."""
        self.fill(now_ns)
        wanted = payload_bytes * PARTS_PER_BYTE
        if wanted > self.tokens:
            return False
        self.tokens -= wanted
        return True

    def change(self, now_ns: int, meter: Meter) -> None:
        """Take another rate and burst from now on."""
        self.fill(now_ns)
        self.rate_bytes_per_s = meter.rate_bytes_per_s
        self.burst_bytes = meter.burst_bytes
        self.fill(now_ns)

    def fill(self, now_ns: int) -> None:
        """Add what was earned since the last time, up to the burst."""
        earned = self.rate_bytes_per_s * max(0, now_ns - self.filled_ns)
        self.tokens = min(self.tokens + earned, self.most)
        self.filled_ns = max(self.filled_ns, now_ns)


@dataclass(slots=True)
class Counts:
    """State of a `Tally`."""

    packets: int = 0
    payload_bytes: int = 0


@dataclass(slots=True)
class History:
    """State of a `Keep`: names of packets, and their bytes, the oldest first."""

    limit_packets: int
    limit_bytes: int
    kept: dict[bytes, int] = field(default_factory=dict[bytes, int])

    def add(self, payload: bytes, metadata_bytes: int = 0) -> None:
        """Keep a packet, unless one of its name is kept, or its payload has none."""
        name, size = payload[:NAME_BYTES], len(payload) + metadata_bytes
        if len(name) < NAME_BYTES or size > self.limit_bytes or name in self.kept:
            return
        self.kept[name] = size
        while len(self.kept) > self.limit_packets or sum(self.kept.values()) > self.limit_bytes:
            del self.kept[next(iter(self.kept))]


@dataclass(frozen=True, slots=True, eq=False)
class StageUse:
    """A stage of an entry, with the object that it named when the entry was installed."""

    service: int
    name: tuple[type[Stage], bytes]
    object: Bucket | Counts | History


@dataclass(slots=True)
class ObjectsModel:
    """The objects that the stages of one service name.

    Attributes:
        service: Its number.
        limit: Most objects; the oldest is forgotten for a new one.
        kept: By kind and name, oldest first.
    """

    service: int
    limit: int
    kept: dict[tuple[type[Stage], bytes], Bucket | Counts | History] = field(default_factory=dict)

    def resolve(self, now_ns: int, stages: Iterable[Stage]) -> tuple[StageUse, ...] | None:
        """Find or make the objects of `stages`; `None` when there may be none.

        Dictionaries are never made by a stage, and here nobody keeps any.
        """
        if self.limit == 0 and any(True for _ in stages):
            return None
        uses: list[StageUse] = []
        for stage in stages:
            if isinstance(stage, Compress | Decompress):
                return None
            uses.append(self._resolve_one(now_ns, stage))
        return tuple(uses)

    def _resolve_one(self, now_ns: int, stage: Meter | Tally | Keep) -> StageUse:
        name = (type(stage), stage.object)
        state = self.kept.get(name)
        if state is None:
            if len(self.kept) == self.limit:
                del self.kept[next(iter(self.kept))]
            state = self.kept[name] = _new_object(now_ns, stage)
        if isinstance(stage, Meter) and isinstance(state, Bucket):
            state.change(now_ns, stage)
        return StageUse(self.service, name, state)

    def holds(self, use: StageUse) -> bool:
        """Whether the object is still the one that was resolved."""
        return self.kept.get(use.name) is use.object

    def read_tally(self, name: bytes) -> tuple[int, int]:
        """Packets and payload bytes of a tally; zero when there is none."""
        match self.kept.get((Tally, name)):
            case Counts(packets, payload_bytes):
                return packets, payload_bytes
            case _:
                return 0, 0


def run_stages(stages: Iterable[StageUse], now_ns: int, payload_bytes: int) -> bool:
    """Whether a packet passes all stages; those after one that drops it do not run."""
    for stage in stages:
        match stage.object:
            case Bucket():
                if not stage.object.take(now_ns, payload_bytes):
                    return False
            case Counts():
                stage.object.packets += 1
                stage.object.payload_bytes += payload_bytes
            case History():
                pass  # packets are no part of this model; see `History.add`
    return True


def _new_object(now_ns: int, stage: Meter | Tally | Keep) -> Bucket | Counts | History:
    match stage:
        case Meter(_, rate_bytes_per_s, burst_bytes):
            return Bucket(rate_bytes_per_s, burst_bytes, now_ns, burst_bytes * PARTS_PER_BYTE)
        case Tally():
            return Counts()
        case Keep(_, packets, limit_bytes):
            return History(packets, limit_bytes)
