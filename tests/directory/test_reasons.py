"""Every word that a directory counts by is explained, and none that it does not use."""

import re
from pathlib import Path

from ei.directory.reasons import DIRECTORY_REASONS
from ei.records.reasons import RECORD_REASONS

FOLDER = Path(__file__).parents[2] / "src/ei/directory"
SOURCE = "\n".join(path.read_text() for path in FOLDER.glob("*.py") if path.name != "reasons.py")
COUNTED = re.compile(r'(?:refuse\(\s*|word=|_count\(\s*|reason = |Unfound\(number, )"(\w+)"')


def test_every_word_that_is_counted_is_explained() -> None:
    assert set(COUNTED.findall(SOURCE)) <= DIRECTORY_REASONS.keys()


def test_every_word_that_is_explained_is_used() -> None:
    own = DIRECTORY_REASONS.keys() - RECORD_REASONS.keys()

    assert [word for word in own if f'"{word}"' not in SOURCE] == []
