"""A private place for the files of labs, and who of the tests is alone on the machine."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A scenario by real processes measures the machine."""
    for item in items:
        names: list[str] = getattr(item, "fixturenames", [])
        if "environ" in names and item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.alone)


@pytest.fixture
def environ() -> Iterator[Mapping[str, str]]:
    """An environment whose state folder is private, and short enough for Unix sockets."""
    folder = tempfile.mkdtemp(prefix="ei-")
    yield {**os.environ, "XDG_STATE_HOME": folder}
    shutil.rmtree(folder)
