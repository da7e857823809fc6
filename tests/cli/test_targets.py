import argparse
from pathlib import Path

import pytest

from ei.cli.targets import Target, find_name, find_target, lab_targets
from ei.errors import ConflictError, NotFoundError, UnreachableError
from ei.lab.run_folder import Daemon, LabFile, run_folder

NAMES = {"sn1.isp-a": "node", "sn1.isp-b": "node", "alice.isp-a": "host"}


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> argparse.Namespace:
    """Arguments of a command, and the files of a lab that does not run."""
    environ = {"XDG_STATE_HOME": str(tmp_path)}
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    folder = run_folder("default", environ)
    folder.path.mkdir(parents=True)
    folder.write(
        LabFile(
            name="default",
            run_id="0" * 32,
            subnet="127.1",
            seed=1,
            started_unix_s=0.0,
            topology="three",
            daemons={
                name: Daemon(
                    name=name,
                    kind="node" if kind == "node" else "host",
                    address="fd35::1",
                    endpoint="",
                    folder=str(tmp_path / name),
                    admin=str(tmp_path / name / "admin.sock"),
                )
                for name, kind in NAMES.items()
            },
        )
    )
    return argparse.Namespace(lab="default", socket=None)


def test_a_short_name_is_enough_where_it_is_unique(arguments: argparse.Namespace) -> None:
    assert find_name("alice", arguments) == "alice.isp-a"
    assert find_target("alice", arguments, kind="host").name == "alice.isp-a"


def test_a_short_name_that_may_mean_two_is_refused_with_both(
    arguments: argparse.Namespace,
) -> None:
    with pytest.raises(ConflictError, match=r"may mean sn1\.isp-a, sn1\.isp-b"):
        find_name("sn1", arguments)


def test_a_misspelt_name_is_suggested(arguments: argparse.Namespace) -> None:
    with pytest.raises(NotFoundError, match=r"did you mean alice\.isp-a"):
        find_name("alize.isp-a", arguments)


def test_a_node_is_no_host(arguments: argparse.Namespace) -> None:
    with pytest.raises(NotFoundError, match=r"no host is called .sn1\.isp-a."):
        find_target("sn1.isp-a", arguments, kind="host")


def test_all_of_one_kind_are_found(arguments: argparse.Namespace) -> None:
    assert [target.name for target in lab_targets(arguments, kind="node")] == [
        "sn1.isp-a",
        "sn1.isp-b",
    ]


def test_without_a_name_the_node_of_the_system_is_meant(
    arguments: argparse.Namespace, tmp_path: Path
) -> None:
    with pytest.raises(NotFoundError, match="which node or host is meant"):
        find_target(None, arguments, kind="node", run_folder=tmp_path)
    (tmp_path / "node.sock").touch()

    target = find_target(None, arguments, kind="node", run_folder=tmp_path)

    assert target.socket == tmp_path / "node.sock"


def test_a_socket_needs_no_lab(arguments: argparse.Namespace, tmp_path: Path) -> None:
    arguments.socket = tmp_path / "some.sock"

    target = find_target(None, arguments, kind="node")

    assert target == Target(str(tmp_path / "some.sock"), tmp_path / "some.sock")


def test_a_lab_that_does_not_run_is_said_with_the_way_to_start_it(
    arguments: argparse.Namespace,
) -> None:
    arguments.lab = "other"

    with pytest.raises(UnreachableError, match="no lab 'other' is running") as refusal:
        find_name("alice", arguments)

    assert "ei lab up" in refusal.value.remedy


def test_a_daemon_that_is_gone_is_unreachable(arguments: argparse.Namespace) -> None:
    with pytest.raises(UnreachableError):
        find_target("alice", arguments, kind=None).ask("status")
