"""Other caches are configured for the loopback, and named where they are missing."""

from pathlib import Path

import pytest

from ei.scenarios.caching.others import OTHERS, Other, missing


@pytest.mark.parametrize("other", OTHERS, ids=lambda other: other.name)
def test_each_listens_on_the_loopback_and_asks_the_origin_there(
    other: Other, tmp_path: Path
) -> None:
    words = other.words(tmp_path, 8_001, 8_000)

    said = " ".join([*words, *(file.read_text() for file in tmp_path.iterdir())])
    assert "127.0.0.1:8001" in said
    assert "127.0.0.1:8000" in said or "127.0.0.1 parent 8000" in said


def test_what_is_missing_is_named_with_the_command_that_installs_it() -> None:
    here = Other("sh", "dash", "sh", lambda *_: ())
    away = Other("Away", "away", "no-such-program", lambda *_: ())
    gone = Other("Gone", "gone", "no-such-program-either", lambda *_: ())

    assert missing(here) == ""
    assert missing(here, away, gone) == "apt-get install away gone"
