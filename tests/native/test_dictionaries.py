"""The native stages and their reference, told the same, answer the same."""

from random import Random

import pytest

from ei._core import Dictionaries
from ei.services.compression.stages import Reference, train

CASES = 100_000
SAMPLES = 1_000
RATIO, LIMIT_BYTES = 100, 1_400


def reading(random: Random) -> bytes:
    """What a meter says; about 140 bytes."""
    return (
        f'{{"device":"meter-{random.randrange(100_000):05}","unix_s":{random.randrange(10**9)},'
        f'"temperature_c":{random.uniform(-20, 40):.1f},"humidity":{random.random():.3f},'
        f'"battery_v":{random.uniform(2.9, 3.6):.2f},"rssi":-{random.randrange(30, 99)},"ok":true}}'
    ).encode()


class Pair:
    """A native object and a reference with the same dictionaries, and what both said."""

    def __init__(self, random: Random, dictionaries: list[bytes]) -> None:
        self.random = random
        self.native, self.reference = Dictionaries(), Reference()
        for dictionary in dictionaries:
            self.native.keep(dictionary)
            self.reference.keep(dictionary)
        first = self.native.compress(reading(random), 3, RATIO)
        assert first is not None
        self.frames = [first]
        self.counts: dict[str, int] = {}

    def compress(self, payload: bytes) -> None:
        number = self.random.choice([1, 2, 3, 3, 4])
        ratio = self.random.choice([2, 5, RATIO, 1_000])
        native = self.native.compress(payload, number, ratio)
        reference = self.reference.compress(payload, number, ratio)
        assert (native is None) == (reference is None), (payload, number, ratio)
        self.count("left" if native is None else "compressed")
        if native is not None and reference is not None:
            # Byte for byte the same, and so read by each other.
            assert native == reference
            self.frames = [*self.frames[-100:], native]
            assert self.native.decompress(native, 1_000, 65_000) == payload

    def decompress(self, frame: bytes) -> None:
        ratio = self.random.choice([1, 5, RATIO, RATIO])
        limit_bytes = self.random.choice([100, LIMIT_BYTES, 65_000, 65_000])
        answers: list[bytes | str] = []
        for stage in (self.native, self.reference):
            try:
                answers.append(stage.decompress(frame, ratio, limit_bytes))
            except ValueError as error:
                answers.append(str(error))
        assert answers[0] == answers[1], (frame.hex(), ratio, limit_bytes)
        self.count(answers[0] if isinstance(answers[0], str) else "decompressed")

    def count(self, word: str) -> None:
        self.counts[word] = self.counts.get(word, 0) + 1

    def payload(self) -> bytes:
        match self.random.randrange(8):
            case 0:
                return self.random.randbytes(self.random.randrange(400))
            case 1:
                return bytes([self.random.randrange(256)]) * self.random.randrange(3_000)
            case 2:
                return b"".join(reading(self.random) for _ in range(self.random.randrange(12)))
            case _:
                return reading(self.random)

    def frame(self) -> bytes:
        """A frame that was made here, mostly with some bytes changed, cut off or added."""
        frame = bytearray(self.random.choice(self.frames))
        match self.random.randrange(6):
            case 0:
                pass
            case 1:
                del frame[self.random.randrange(len(frame)) :]
            case 2:
                frame += self.random.randbytes(self.random.randrange(1, 9))
            case 3:
                frame += self.random.choice(self.frames)
            case 4:
                # Another dictionary than its own, mostly.
                at = 5 if frame[4] & 0x20 else 6
                frame[at] = self.random.randrange(6)
            case _:
                for _ in range(self.random.choice([1, 1, 2, 5])):
                    # The front is where sizes and numbers are.
                    end = self.random.choice([14, len(frame)])
                    frame[self.random.randrange(min(end, len(frame)))] = self.random.randrange(256)
        return bytes(frame)


def pair(seed: int) -> Pair:
    random = Random(seed)
    trained = [
        train((reading(random) for _ in range(SAMPLES)), number=number, size_bytes=size)
        for number, size in ((1, 1_024), (2, 8_192), (3, 4_096), (4, 16_384))
    ]
    return Pair(random, trained)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_native_and_reference_agree_on_100_000_cases() -> None:
    both = pair(1)

    for _ in range(CASES // 2):
        both.compress(both.payload())
        both.decompress(both.frame())

    expected = {
        "compressed", "left", "decompressed", "undecodable", "unknown_dictionary",
        "expands_too_much",
    }  # fmt: skip
    assert set(both.counts) == expected
    assert sum(both.counts.values()) == CASES
    assert min(both.counts.values()) > CASES // 200, both.counts


def test_native_and_reference_agree_on_a_few_hundred() -> None:
    both = pair(2)

    for _ in range(200):
        both.compress(both.payload())
        both.decompress(both.frame())

    assert both.counts["compressed"] > 50 < both.counts["undecodable"]


def test_what_is_no_dictionary_is_refused() -> None:
    with pytest.raises(ValueError, match="no zstd dictionary of 32 KiB"):
        Dictionaries().keep(b"not one")
