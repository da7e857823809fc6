"""What a host drops is counted under words that are explained somewhere."""

import re
from pathlib import Path

from ei import _core, host
from ei.host.reasons import HOST_REASONS, RECEIPT_REASONS

COUNTED = re.compile(r'dropped\["(\w+)"\]|_refuse\(\w+, "(\w+)"\)')


def test_every_word_that_is_counted_is_explained_and_none_twice() -> None:
    used = {
        word
        for folder in host.__path__
        for path in Path(folder).glob("*.py")
        for found in COUNTED.findall(path.read_text())
        for word in found
        if word
    }
    of_datapath = {word for word, _ in _core.reasons()}

    assert used - of_datapath == set(HOST_REASONS)
    assert not of_datapath & set(HOST_REASONS)


def test_every_word_of_a_receipt_is_said_somewhere() -> None:
    files = [Path(folder) / name for folder in host.__path__ for name in ("receipts", "outbox")]
    source = "".join(path.with_suffix(".py").read_text() for path in files)

    assert [word for word in RECEIPT_REASONS if f'"{word}"' not in source] == []
