"""The page on routing names every reason and every figure that the code has."""

import re
from pathlib import Path

from ei.routing.damping import HALF_LIFE_S, LOSS, REUSE, SUPPRESS
from ei.routing.outlets import BATCH_S
from ei.routing.speech import LIFE_S, REFRESH_S
from ei.routing.verifying import REASONS

PAGE = (Path(__file__).parents[2] / "docs/explanation/routing.md").read_text()


def test_every_reason_is_explained_as_the_code_explains_it() -> None:
    assert re.findall(r"^\| `(\w+)` \| (.+) \|$", PAGE, re.MULTILINE) == list(REASONS.items())


def test_the_figures_are_those_of_the_code() -> None:
    assert f"lives {LIFE_S // 60} minutes" in PAGE
    assert [round(each / 60) for each in REFRESH_S] == [13, 20]
    assert f"within {BATCH_S * 1e3:.0f} ms" in PAGE
    assert f"adds {LOSS:,.0f}" in PAGE
    assert f"halves every {HALF_LIFE_S:.0f} s" in PAGE
    assert f"above {SUPPRESS:,.0f}" in PAGE
    assert f"below {REUSE:,.0f}" in PAGE
