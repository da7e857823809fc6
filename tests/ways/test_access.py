"""Which process is the host; with hosts and daemons it is tested by the command `ei run`."""

from pathlib import Path

import pytest

from ei.errors import ConfigError
from ei.ways.access import admin_socket, find_door, is_daemon_at


def test_where_nobody_answers_there_is_no_daemon(tmp_path: Path) -> None:
    assert not is_daemon_at(tmp_path / "admin.sock")


def test_the_admin_socket_is_beside_the_file_that_names_it(tmp_path: Path) -> None:
    file = tmp_path / "host.toml"
    file.write_text(
        'version = 1\nname = "alice.isp-a"\ndomain_number = 1\nadmin_socket = "run/a.sock"\n'
        f'[trust]\nisp-a = "{"00" * 32}"\n'
    )

    assert admin_socket(file) == tmp_path / "run" / "a.sock"


def test_without_a_file_there_is_no_way_on(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"host\.toml"):
        _ = find_door(tmp_path / "host.toml")
