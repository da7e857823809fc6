"""A private place for the files of labs."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping

import pytest


@pytest.fixture
def environ() -> Iterator[Mapping[str, str]]:
    """An environment whose state folder is private, and short enough for Unix sockets."""
    folder = tempfile.mkdtemp(prefix="ei-")
    yield {**os.environ, "XDG_STATE_HOME": folder}
    shutil.rmtree(folder)
