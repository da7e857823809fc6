"""What labs of real processes promise. Each test starts some: all are slow."""

import os
import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import pytest

from ei.daemons.client import ask
from ei.errors import ConflictError, NotFoundError, UnreachableError
from ei.host.status import AttachmentStatus
from ei.lab.catalogue import find_topology
from ei.lab.census import leftovers, marked_processes
from ei.lab.processes import ask_lab, claim_subnet, running_labs, start_lab, stop_lab
from ei.lab.run_folder import LabFile, run_folder

pytestmark = pytest.mark.slow
NAME = "test"


@pytest.fixture
def lab(environ: Mapping[str, str]) -> Iterator[LabFile]:
    yield start_lab(find_topology("echo"), name=NAME, environ=environ)
    stop_lab(name=NAME, environ=environ)


@pytest.mark.alone
def test_a_lab_of_three_domains_is_up_within_5_seconds(environ: Mapping[str, str]) -> None:
    began_s = time.monotonic()
    ready: list[str] = []

    lab = start_lab(
        find_topology("threedomains"), name="big", environ=environ, on_progress=ready.append
    )
    took_s = time.monotonic() - began_s
    stop_lab(name="big", environ=environ)

    assert set(ready) == set(lab.daemons)
    assert len(ready) == 11
    assert took_s <= 5


def test_down_leaves_nothing_and_may_be_said_twice(
    lab: LabFile, environ: Mapping[str, str]
) -> None:
    folder = run_folder(NAME, environ).path
    assert leftovers(lab.run_id, subnet=lab.subnet, folder=folder).count > 10

    first = stop_lab(name=NAME, environ=environ)
    second = stop_lab(name=NAME, environ=environ)

    assert (first.was_running, first.killed, first.left.count) == (True, 0, 0)
    assert (second.was_running, second.left.count) == (False, 0)


def test_a_lab_runs_once_under_its_name(lab: LabFile, environ: Mapping[str, str]) -> None:
    with pytest.raises(ConflictError, match="the lab 'test' is running") as caught:
        start_lab(find_topology("echo"), name=NAME, environ=environ)

    assert "ei lab down" in caught.value.remedy
    assert marked_processes(lab.run_id)


def test_hosts_and_nodes_answer_for_themselves(lab: LabFile) -> None:
    pinged = ask(Path(lab.daemons["alice.isp-a"].admin), "ask", {"service": 17})

    assert pinged["sent"] == 1
    assert len(pinged["rtts_s"]) == 1  # type: ignore[arg-type]  # JSON


@pytest.mark.usefixtures("lab")
def test_what_is_killed_can_be_started_again(environ: Mapping[str, str]) -> None:
    killed = ask_lab("kill", {"name": "sn1.isp-a"}, name=NAME, environ=environ)
    started = ask_lab("start", {"name": "sn1.isp-a"}, name=NAME, environ=environ)

    def state(answer: Mapping[str, object]) -> tuple[str, int]:
        daemons = answer["daemons"]
        assert isinstance(daemons, list)
        (found,) = [each for each in daemons if each["name"] == "sn1.isp-a"]
        return found["state"], found["starts"]

    assert (state(killed), state(started)) == (("ended", 1), ("running", 2))


def test_a_host_starts_while_one_of_its_nodes_is_dead(environ: Mapping[str, str]) -> None:
    lab = start_lab(find_topology("delivery"), name="one-dead", environ=environ)
    try:
        for name in ("sn1.isp-b", "bob.isp-b"):
            _ = ask_lab("kill", {"name": name}, name="one-dead", environ=environ)

        _ = ask_lab("start", {"name": "bob.isp-b"}, name="one-dead", environ=environ)

        status = ask(Path(lab.daemons["bob.isp-b"].admin), "status")
        attachments = msgspec.convert(status["attachments"], list[AttachmentStatus])
        assert {each.node: each.is_up for each in attachments} == {
            "sn1.isp-b": False,
            "sn2.isp-b": True,
        }
    finally:
        _ = stop_lab(name="one-dead", environ=environ)


@pytest.mark.parametrize("victim", ["supervisor", "daemon", "all"])
def test_down_cleans_up_after_the_death_of_anything(
    lab: LabFile, environ: Mapping[str, str], victim: str
) -> None:
    pids = marked_processes(lab.run_id)
    parents = {pid: _parent_of(pid) for pid in pids}
    # The supervisor's parent is none of the lab's; the stem is its only child there.
    supervisor = next(pid for pid in pids if parents[pid] not in pids)
    victims = {"supervisor": [supervisor], "daemon": pids[-1:], "all": pids}[victim]
    for pid in victims:
        os.kill(pid, signal.SIGKILL)

    ended = stop_lab(name=NAME, environ=environ)

    assert ended.left.count == 0


def test_a_dead_lab_makes_room_for_a_new_one(lab: LabFile, environ: Mapping[str, str]) -> None:
    for pid in marked_processes(lab.run_id):
        os.kill(pid, signal.SIGKILL)

    again = start_lab(find_topology("echo"), name=NAME, environ=environ)

    assert again.run_id != lab.run_id


def test_a_folder_without_its_first_file_is_removed(environ: Mapping[str, str]) -> None:
    folder = run_folder("half", environ).path
    folder.mkdir(parents=True)

    assert stop_lab(name="half", environ=environ).left.count == 0
    assert not folder.exists()


def test_a_lab_that_cannot_start_says_why_and_leaves_nothing(
    environ: Mapping[str, str], tmp_path: Path
) -> None:
    (tmp_path / "topology.toml").write_text(
        "version = 1\nservices = ['nonsense']\n[domains.d.nodes.n]"
    )

    with pytest.raises(NotFoundError, match="no service 'nonsense'"):
        start_lab(find_topology(str(tmp_path)), name="wrong", environ=environ)

    assert not run_folder("wrong", environ).path.exists()


@pytest.mark.usefixtures("lab")
def test_labs_that_run_are_known_by_name(environ: Mapping[str, str]) -> None:
    run_folder("dead", environ).path.mkdir()

    assert NAME in running_labs(environ)
    assert "dead" not in running_labs(environ)


def test_who_asks_a_lab_that_is_not_there_is_told_how_to_start_one(
    environ: Mapping[str, str],
) -> None:
    with pytest.raises(UnreachableError, match="no lab 'absent'"):
        ask_lab("status", name="absent", environ=environ)


def test_two_labs_have_different_subnets() -> None:
    one, first = claim_subnet()
    other, second = claim_subnet()
    with one, other:
        assert first != second


def _parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
