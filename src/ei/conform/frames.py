"""The stages `Compress` and `Decompress`, native and by the reference that a module brings.

Both are told the same, of four trained dictionaries: payloads to compress, and frames, most of
them damaged, to decompress. They must answer the same, byte for byte and word for word.
"""

import importlib
from random import Random
from typing import Protocol

import zstandard

from ei._core import Dictionaries
from ei.runtime.loader import LoadedService, package_of
from ei.runtime.modules import read_sources

CASES = 200
SAMPLES = 1_000
RATIO, LIMIT_BYTES = 100, 1_400
DICTIONARY_BYTES = ((1, 1_024), (2, 8_192), (3, 4_096), (4, 16_384))
"""Number and most bytes of each dictionary."""

KEPT_FRAMES = 100
STAGES = "stages"
"""The file of a module's folder that has its references."""


class Reference(Protocol):
    """What a module says of these stages, in Python."""

    def keep(self, dictionary: bytes) -> None:
        """Keep a dictionary."""
        ...

    def compress(self, payload: bytes, dictionary: int, ratio: int) -> bytes | None:
        """Return the frame of a payload; `None` leaves it as it is."""
        ...

    def decompress(self, frame: bytes, ratio: int, limit_bytes: int) -> bytes:
        """Return the payload of a frame.

        Raises:
            ValueError: The word of the reason for which it is dropped.
        """
        ...


def load_reference(loaded: LoadedService) -> type[Reference] | None:
    """Return the reference that a module brings in `stages.py`; `None` when it brings none."""
    if loaded.manifest.engine == "wasm":
        return None
    if STAGES not in (loaded.sources or read_sources(loaded.folder)):
        return None
    module = importlib.import_module(f"{package_of(loaded.folder)}.{STAGES}")
    return getattr(module, "Reference", None)


def compare_frames(reference: type[Reference], random: Random) -> str:
    """Say where the native stages and a reference part; empty when they do not."""
    both = FramePair(reference, random)
    for _ in range(CASES):
        said = both.compress(both.draw_payload()) or both.decompress(both.draw_frame())
        if said:
            return said
    return ""


class FramePair:
    """A native object and a reference with the same dictionaries.

    Attributes:
        counts: How often each outcome was seen.
    """

    def __init__(self, reference: type[Reference], random: Random) -> None:
        self.counts: dict[str, int] = {}
        self._random = random
        self._native, self._reference = Dictionaries(), reference()
        for number, most_bytes in DICTIONARY_BYTES:
            dictionary = _train(random, number, most_bytes)
            self._native.keep(dictionary)
            self._reference.keep(dictionary)
        first = self._native.compress(_reading(random), 3, RATIO)
        self._frames = [b"" if first is None else first]

    def compress(self, payload: bytes) -> str:
        """Compress by both; say how they differ."""
        number = self._random.choice([1, 2, 3, 3, 4])
        ratio = self._random.choice([2, 5, RATIO, 1_000])
        native = self._native.compress(payload, number, ratio)
        reference = self._reference.compress(payload, number, ratio)
        self._count("left" if native is None else "compressed")
        if native != reference:
            said = f"{_short(native)}, by the reference {_short(reference)}"
            return f"Compress of {len(payload)} B: {said}"
        if native is not None:
            self._frames = [*self._frames[-KEPT_FRAMES:], native]
            if self._native.decompress(native, 1_000, 65_000) != payload:
                return f"Compress of {len(payload)} B: does not decompress to the same"
        return ""

    def decompress(self, frame: bytes) -> str:
        """Decompress by both; say how they differ."""
        ratio = self._random.choice([1, 5, RATIO, RATIO])
        limit_bytes = self._random.choice([100, LIMIT_BYTES, 65_000, 65_000])
        native, reference = (
            _answer(stage, frame, ratio, limit_bytes) for stage in (self._native, self._reference)
        )
        self._count(native if isinstance(native, str) else "decompressed")
        if native != reference:
            said = f"{_short(native)}, by the reference {_short(reference)}"
            return f"Decompress of {frame.hex():.80}, ratio {ratio}, limit {limit_bytes} B: {said}"
        return ""

    def draw_payload(self) -> bytes:
        """Draw a payload: mostly like those that the dictionaries were trained by."""
        random = self._random
        match random.randrange(8):
            case 0:
                return random.randbytes(random.randrange(400))
            case 1:
                return bytes([random.randrange(256)]) * random.randrange(3_000)
            case 2:
                return b"".join(_reading(random) for _ in range(random.randrange(12)))
            case _:
                return _reading(random)

    def draw_frame(self) -> bytes:
        """Draw a frame that was made here, mostly with some bytes changed, cut off or added."""
        random, frame = self._random, bytearray(self._random.choice(self._frames))
        match random.randrange(6):
            case 0:
                pass
            case 1:
                del frame[random.randrange(len(frame)) :]
            case 2:
                frame += random.randbytes(random.randrange(1, 9))
            case 3:
                frame += random.choice(self._frames)
            case 4:
                # Another dictionary than its own, mostly.
                at = 5 if frame[4] & 0x20 else 6
                frame[at] = random.randrange(6)
            case _:
                for _ in range(random.choice([1, 1, 2, 5])):
                    # The front is where sizes and numbers are.
                    end = random.choice([14, len(frame)])
                    frame[random.randrange(min(end, len(frame)))] = random.randrange(256)
        return bytes(frame)

    def _count(self, word: str) -> None:
        self.counts[word] = self.counts.get(word, 0) + 1


def _answer(stage: Reference, frame: bytes, ratio: int, limit_bytes: int) -> bytes | str:
    try:
        return stage.decompress(frame, ratio, limit_bytes)
    except ValueError as error:
        return str(error)


def _short(answer: bytes | str | None) -> str:
    if answer is None:
        return "no frame"
    return answer if isinstance(answer, str) else f"{len(answer)} B"


def _train(random: Random, number: int, most_bytes: int) -> bytes:
    samples: list[bytes | bytearray | memoryview[int]] = [_reading(random) for _ in range(SAMPLES)]
    return zstandard.train_dictionary(most_bytes, samples, dict_id=number).as_bytes()


def _reading(random: Random) -> bytes:
    """What a meter says; about 140 bytes."""
    return (
        f'{{"device":"meter-{random.randrange(100_000):05}","unix_s":{random.randrange(10**9)},'
        f'"temperature_c":{random.uniform(-20, 40):.1f},"humidity":{random.random():.3f},'
        f'"battery_v":{random.uniform(2.9, 3.6):.2f},"rssi":-{random.randrange(30, 99)},"ok":true}}'
    ).encode()
