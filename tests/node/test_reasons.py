"""What a node counts of its own messages has an explanation."""

import re
from pathlib import Path

from ei.node import control, explaining, membership
from ei.node.reasons import NODE_REASONS


def test_every_word_that_is_counted_is_explained() -> None:
    source = "".join(Path(each.__file__).read_text() for each in (control, explaining, membership))
    counted = set(re.findall(r'(?:dropped|refused)\["(\w+)"\] \+= 1', source))

    assert counted == set(NODE_REASONS)
