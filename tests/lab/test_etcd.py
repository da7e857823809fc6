"""The etcd of a lab: found, or said to be missing; a member's command."""

import json
from pathlib import Path

import pytest

from ei.errors import ConfigError, NotFoundError
from ei.lab.borrowed import BORROWED
from ei.lab.etcd import (
    COMMAND_FILE,
    check_etcd,
    etcd_command,
    find_etcd,
    why_etcd,
    write_etcd,
)

MEMBERS = {"etcd1.isp-a": "127.1.127.254", "etcd2.isp-a": "127.1.127.253"}


def test_without_etcd_one_line_says_what_to_do(tmp_path: Path) -> None:
    if (BORROWED / "etcd").exists():
        assert find_etcd({"PATH": str(tmp_path)}) == str(BORROWED / "etcd")
        return
    with pytest.raises(NotFoundError) as missing:
        check_etcd("processes", {"PATH": str(tmp_path)})

    assert str(missing.value) == "a cluster needs etcd, which is not installed"
    assert missing.value.remedy == "apt-get install etcd-server"


def test_it_is_found_in_the_path(tmp_path: Path) -> None:
    program = tmp_path / "etcd"
    program.touch(mode=0o755)

    assert find_etcd({"PATH": str(tmp_path)}) == str(program)


@pytest.mark.parametrize("backend", ["simulation", "netns"])
def test_it_has_no_place_but_beside_processes(backend: str) -> None:
    with pytest.raises(ConfigError, match=f"no place in {backend}"):
        check_etcd(backend)


def test_members_know_one_another(tmp_path: Path) -> None:
    command = etcd_command("etcd", "etcd1.isp-a", MEMBERS, tmp_path)

    assert command[command.index("--listen-client-urls") + 1] == "http://127.1.127.254:2379"
    assert command[command.index("--initial-cluster") + 1] == (
        "etcd1.isp-a=http://127.1.127.254:2380,etcd2.isp-a=http://127.1.127.253:2380"
    )


def test_what_it_needs_is_written_into_its_folder(tmp_path: Path) -> None:
    write_etcd("/usr/bin/etcd", "etcd1.isp-a", MEMBERS, tmp_path / "etcd1")

    command = json.loads((tmp_path / "etcd1" / COMMAND_FILE).read_text())

    assert command[:3] == ["/usr/bin/etcd", "--name", "etcd1.isp-a"]


def test_one_that_does_not_answer_is_not_ready() -> None:
    assert "does not answer" in why_etcd("127.0.0.1:1", deadline_s=0.1)
