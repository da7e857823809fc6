"""Which process is the host; with hosts and daemons it is tested by the command `ei run`."""

from pathlib import Path

import pytest
from tests.ways.places import Place

from ei.errors import ConfigError, ConflictError
from ei.ways.access import admin_socket, find_door, is_daemon_at
from ei.ways.exits import ExitWish


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


@pytest.mark.slow
def test_a_proxy_that_is_not_private_is_in_the_way_of_a_private_run(place: Place) -> None:
    file = place.host_file("alice.isp-a")

    assert not find_door(file).is_private
    with pytest.raises(ConflictError, match="runs as ei proxy, which is not private") as conflict:
        _ = find_door(file, ExitWish())
    assert "ei proxy --private" in conflict.value.remedy


@pytest.mark.slow
def test_beside_a_private_proxy_a_run_is_private_by_that_ones_exit(private_place: Place) -> None:
    file = private_place.host_file("alice.isp-a")

    assert find_door(file).is_private
    assert find_door(file, ExitWish()).is_private
    with pytest.raises(ConflictError, match="by an exit of its own choice"):
        _ = find_door(file, ExitWish("sn1.isp-b"))
