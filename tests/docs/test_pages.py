from pathlib import Path

import pytest
from tools.pages import PAGES, make

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_made_from_the_code_says_what_the_code_does(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    assert (ROOT / path).read_text() == make(path), "run: make fix"
