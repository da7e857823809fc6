"""What the supervisor of a lab promises to those who ask it."""

import os
import signal
import socket
import time
from collections.abc import Mapping
from contextlib import suppress

import pytest

from ei.errors import ConfigError, ConflictError, NotFoundError, UnreachableError
from ei.lab.catalogue import find_topology
from ei.lab.census import marked_namespaces, marked_processes, run_id_of
from ei.lab.processes import ask_lab, start_lab, stop_lab
from ei.lab.run_folder import LabFile, run_folder

pytestmark = pytest.mark.slow

LINK = {"a": "alice.isp-a", "b": "sn1.isp-a"}


def test_every_daemon_and_link_is_in_its_status(
    running: LabFile, environ: Mapping[str, str]
) -> None:
    status = ask_lab("status", name="shared", environ=environ)

    assert [each["name"] for each in rows(status, "daemons")] == list(running.daemons)
    assert {each["state"] for each in rows(status, "daemons")} == {"running"}
    assert len(rows(status, "links")) == len(running.relays) == 3
    assert all(each["delivered"] for each in rows(status, "links"))


@pytest.mark.usefixtures("running")
def test_a_link_is_impaired_and_healed(environ: Mapping[str, str]) -> None:
    def impair(**impairment: float) -> float:
        answer = ask_lab(
            "impair", {**LINK, "impairment": impairment}, name="shared", environ=environ
        )
        (link,) = [
            each for each in rows(answer, "links") if each["name"] == "alice.isp-a--sn1.isp-a"
        ]
        assert isinstance(link["impairment"], dict)
        return float(link["impairment"]["delay_ms"])

    assert impair(delay_ms=40.0, loss=0.1) == 40.0
    assert impair(delay_ms=2.0) == 2.0


@pytest.mark.usefixtures("running")
def test_a_link_that_was_cut_is_healed_to_what_it_was(environ: Mapping[str, str]) -> None:
    def after(impairment: Mapping[str, object] | None) -> object:
        wanted = {**LINK, "impairment": impairment}
        answer = ask_lab("impair", wanted, name="shared", environ=environ)
        names = {each["name"]: each["impairment"] for each in rows(answer, "links")}
        return names["alice.isp-a--sn1.isp-a"]

    first = after(None)

    assert after({"is_cut": True}) != first
    assert after(None) == first


def test_a_change_of_a_link_does_not_forget_what_crossed_it(
    running: LabFile, environ: Mapping[str, str]
) -> None:
    def delivered() -> dict[str, int]:
        answer = ask_lab("status", name="shared", environ=environ)
        return {str(each["name"]): int(str(each["delivered"])) for each in rows(answer, "links")}

    before = delivered()
    for _ in range(2):
        _ = ask_lab(
            "impair", {**LINK, "impairment": {"delay_ms": 2.0}}, name="shared", environ=environ
        )
    after = delivered()

    assert running.relays
    assert all(before[name] <= after[name] < before[name] + 1_000 for name in before)


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize(
    ("verb", "arguments", "error", "complaint"),
    [
        ("dance", {}, ConfigError, "a lab knows no 'dance'; allowed: status, impair"),
        ("kill", {"name": "alicia"}, NotFoundError, "'alicia'; did you mean 'alice.isp-a'"),
        ("start", {"name": "alice.isp-a"}, ConflictError, "alice.isp-a is running"),
        ("impair", {"a": "x", "b": "y", "impairment": {}}, NotFoundError, "no link x--y"),
        ("impair", {**LINK, "impairment": {"loss": 2}}, ConfigError, "impair: Expected"),
        ("impair", {**LINK, "impairment": {"los": 0}}, ConfigError, "unknown field `los`"),
    ],
)
def test_a_wrong_request_says_what_is_wrong(
    environ: Mapping[str, str],
    verb: str,
    arguments: Mapping[str, object],
    error: type[Exception],
    complaint: str,
) -> None:
    with pytest.raises(error, match=complaint):
        ask_lab(verb, arguments, name="shared", environ=environ)


@pytest.mark.parametrize("is_ready", [True, False])
def test_a_lab_goes_down_with_its_owner(environ: Mapping[str, str], *, is_ready: bool) -> None:
    tie, owner = socket.socketpair()

    def lose(_daemon: str) -> None:
        if not is_ready:
            tie.close()

    with owner, suppress(UnreachableError):
        _ = start_lab(
            find_topology("echo"), name="owned", environ=environ, owner=owner, on_progress=lose
        )
    tie.close()

    folder = run_folder("owned", environ).path
    while folder.exists() or run_id_of(folder) is not None:
        os.sched_yield()


def test_faults_are_the_same_in_namespaces(spread: LabFile, environ: Mapping[str, str]) -> None:
    def ask(verb: str, **arguments: object) -> dict[str, object]:
        return ask_lab(verb, arguments, name="spread", environ=environ)

    def states(answer: Mapping[str, object]) -> dict[object, object]:
        return {each["name"]: each["state"] for each in rows(answer, "daemons")}

    status = ask("status")
    frozen = ask("freeze", name="alice.isp-a")
    thawed = ask("thaw", name="alice.isp-a")
    killed = ask("kill", name="alice.isp-a")
    started = ask("start", name="alice.isp-a")

    assert (status["backend"], spread.backend) == ("netns", "netns")
    assert states(frozen)["alice.isp-a"] == "frozen"
    assert states(thawed)["alice.isp-a"] == "running"
    assert states(killed)["alice.isp-a"] == "ended"
    assert states(started)["alice.isp-a"] == "running"


@pytest.mark.usefixtures("allowed")
def test_f3_a_dead_supervisor_leaves_nothing_of_namespaces(environ: Mapping[str, str]) -> None:
    lab = start_lab(find_topology("echo"), name="dies", environ=environ, backend="netns")
    for pid in marked_processes(lab.run_id):
        with suppress(ProcessLookupError):  # it has followed its supervisor already
            os.kill(pid, signal.SIGKILL)

    # Who is about to end has no mark any more, and is still in its namespace.
    while marked_processes(lab.run_id) or marked_namespaces(lab.run_id):
        time.sleep(0.01)
    assert stop_lab(name="dies", environ=environ).left.count == 0


def rows(answer: Mapping[str, object], table: str) -> list[dict[str, object]]:
    found = answer[table]
    assert isinstance(found, list)
    return found
