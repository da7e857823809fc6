"""Examples in docstrings run, and say what they show."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import ei.sdk

PACKAGE = Path(__file__).parents[2] / "src"
MODULES = sorted(
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    for path in (PACKAGE / "ei").rglob("*.py")
    if ">>> " in path.read_text()
)


def test_there_are_examples() -> None:
    assert MODULES


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_a_module_run(name: str) -> None:
    known = {word: getattr(ei.sdk, word) for word in ei.sdk.__all__}

    outcome = doctest.testmod(
        import_module(name),
        extraglobs=known,
        optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE,
    )

    assert outcome.attempted > 0
    assert outcome.failed == 0
