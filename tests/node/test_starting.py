"""What a node has first; that its workers know nothing of its is in test_daemon.py."""

from pathlib import Path

import pytest

from ei.errors import ConfigError
from ei.node.starting import start_nursery


def test_workers_that_are_threads_have_no_parent(node_file: Path) -> None:
    text = node_file.read_text()
    _ = node_file.write_text('workers = "inline"\n' + text)

    assert start_nursery(node_file) is None


def test_a_configuration_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"node\.toml"):
        _ = start_nursery(tmp_path / "node.toml")
