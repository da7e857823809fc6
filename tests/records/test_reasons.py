"""Every word by which a record is refused is explained, and no other is."""

import re
from pathlib import Path

from ei.records.reasons import RECORD_REASONS

FOLDER = Path(__file__).parents[2] / "src/ei/records"
CALL = re.compile(r'(?:refuse\(\s*|word=)"(\w+)"')


def test_the_words_are_those_that_the_rules_use() -> None:
    used = {
        word
        for file in ("fields.py", "foreign.py", "rules.py", "signed.py")
        for word in CALL.findall((FOLDER / file).read_text())
    }

    assert used == RECORD_REASONS.keys()
