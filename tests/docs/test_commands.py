"""Every command in every page of the documentation runs, and says what the page shows."""

import tempfile
from pathlib import Path

import pytest
from tests.docs.runner import ROOT, run_page, steps_of

PAGES = sorted(
    str(path.relative_to(ROOT)) for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
)
RUNNING = [page for page in PAGES if steps_of((ROOT / page).read_text())]


def test_the_readme_and_the_tutorials_are_among_them() -> None:
    assert {"README.md", "docs/tutorials/first-lab.md", "docs/tutorials/first-service.md"} <= set(
        RUNNING
    )


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", RUNNING)
def test_a_page_does_what_it_says(page: str) -> None:
    # Labs have sockets, and the length of their names is limited: a short path.
    with tempfile.TemporaryDirectory(prefix="ei-", dir="/tmp") as home:
        folder = Path(home) / "work"
        folder.mkdir()

        run_page((ROOT / page).read_text(), folder)
