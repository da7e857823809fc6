from random import Random

from ei.conform.frames import FramePair, compare_frames, load_reference
from ei.runtime.loader import load_service
from ei.services.compression.stages import Reference


class Wasteful(Reference):
    """Planted: leaves everything as it is."""

    def compress(self, payload: bytes, dictionary: int, ratio: int) -> bytes | None:
        return None


def test_the_reference_of_compression_is_found_and_agrees() -> None:
    reference = load_reference(load_service("compression"))

    assert reference is Reference
    assert compare_frames(reference, Random(2)) == ""


def test_another_answer_is_said() -> None:
    said = compare_frames(Wasteful, Random(2))

    assert said.startswith("Compress of ")
    assert said.endswith("by the reference no frame")


def test_a_module_without_stages_brings_none() -> None:
    assert load_reference(load_service("echo")) is None


def test_outcomes_are_counted() -> None:
    both = FramePair(Reference, Random(2))

    for _ in range(50):
        assert both.compress(both.draw_payload()) == ""
        assert both.decompress(both.draw_frame()) == ""

    assert sum(both.counts.values()) == 100
