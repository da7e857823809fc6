import shutil

import pytest

from ei._core import Dictionaries
from ei.scenarios.compression.oracle import (
    bomb,
    decoded_by_command,
    guesses,
    learned_by_sharing,
    secret,
)
from ei.scenarios.compression.readings import readings
from ei.services.compression.stages import train

NUMBER = 0x8001


def test_a_secret_in_a_shared_dictionary_shows_in_lengths() -> None:
    assert learned_by_sharing(secret(9)) > 0


def test_the_right_guess_is_among_others_of_its_length() -> None:
    made = guesses(secret(9))

    assert made[0] == b'{"guess":"' + secret(9) + b'"}'
    assert {len(each) for each in made} == {len(made[0])}


def test_a_bomb_grows_a_thousand_times_and_is_refused() -> None:
    trained = train(readings(1, 1_000), number=NUMBER)
    native = Dictionaries()
    native.keep(trained)

    with pytest.raises(ValueError, match="expands_too_much"):
        _ = native.decompress(bomb(trained, NUMBER), 1_000, 65_000)


@pytest.mark.skipif(shutil.which("zstd") is None, reason="needs the command zstd")
def test_the_command_reads_frames_by_their_dictionary() -> None:
    trained = {number: train(readings(number, 1_000), number=number) for number in (300, NUMBER)}
    native = Dictionaries()
    for each in trained.values():
        native.keep(each)
    fresh = list(readings(9, 2))
    frames = [native.compress(*each, 100) or b"" for each in zip(fresh, trained, strict=True)]

    assert decoded_by_command(frames, trained) == fresh
    assert decoded_by_command([frames[0][:-1]], trained) == [b""]
