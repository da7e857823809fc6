import io
import json
from pathlib import Path

import msgspec

from ei.cli.output import Output
from ei.cli.polling import Polled
from ei.cli.statuses import (
    counts,
    memory,
    overflows,
    reasons,
    show_all,
    show_node,
    troubles_of,
    warnings_in,
    warnings_of,
)
from ei.cli.targets import Target
from ei.node.admin import RunningStatus
from ei.node.ceiling import MIB, MemoryStatus
from ei.node.status import NodeStatus
from ei.node.stream_status import NotAllowed, ServiceStreams, StreamStatus
from ei.records.expiry import Expiring

TARGET = Target("sn1.isp-a", Path("admin.sock"))


def node(*, state: str) -> RunningStatus:
    """A node whose one service has a worker in `state`."""
    service = {
        "number": 17, "name": "echo", "version": "1.0.0", "missed": 0, "queue_packets": 0,
        "decisions": 0, "dropped": {}, "counters": {},
    }  # fmt: skip
    status = {
        "name": "sn1.isp-a", "address": "fd35::1", "domain": "isp-a", "received": 0,
        "forwarded": 0, "delivered": 0, "consumed": 0, "missed": 0, "dropped": {},
        "services": [service], "peers": [], "refused_records": {},
    }  # fmt: skip
    worker = {"service": "echo", "pid": 0, "state": state, "starts": 3, "last_end": "SIGKILL"}
    running = {
        "pid": 1, "uptime_s": 1.0, "endpoints": [], "node": status, "workers": [worker],
    }  # fmt: skip
    return msgspec.convert(running, RunningStatus)


def polled(*, state: str) -> Polled:
    answer = {"schema": "ei.node-status/1", **msgspec.to_builtins(node(state=state))}
    return Polled(TARGET, answer)


def test_a_service_that_no_worker_runs_is_trouble() -> None:
    assert troubles_of(polled(state="running")) == []
    assert troubles_of(polled(state="waiting")) == [
        "echo is down: its worker is waiting, the last one ended: SIGKILL"
    ]
    assert troubles_of(Polled(TARGET, None, "no answer")) == ["no answer"]


def test_what_a_node_holds_and_what_made_room_is_one_line() -> None:
    fine = MemoryStatus(
        41 * MIB, 64 * MIB, is_tight=False, given_up={"kept": 0, "worker": 0}, forgotten_bytes=0
    )
    tight = MemoryStatus(
        65 * MIB, 64 * MIB, is_tight=True, given_up={"kept": 3, "worker": 1}, forgotten_bytes=900
    )

    assert memory(fine) == "memory 41 of 64 MiB; given up 0"
    assert memory(tight) == (
        "memory 65 of 64 MiB, tight: no stream is let in; given up 3 kept, 1 worker"
    )


def test_a_service_that_is_down_is_marked_in_the_line_of_its_node() -> None:
    stdout = io.StringIO()
    show_all([polled(state="starting")], Output(stdout=stdout, stderr=stdout, environ={}))

    assert "echo (down)" in stdout.getvalue()


def test_services_that_are_down_are_in_the_document() -> None:
    stdout = io.StringIO()
    output = Output(stdout=stdout, stderr=stdout, environ={}, is_json=True)
    show_all([polled(state="waiting")], output)

    document = json.loads(stdout.getvalue())
    assert document["down"] == {
        "sn1.isp-a": {"echo": "its worker is waiting, the last one ended: SIGKILL"}
    }


def test_reasons_are_counted_the_largest_first() -> None:
    assert reasons({"replayed": 2, "bad_seal": 30, "too_big": 0}) == "30 bad_seal, 2 replayed"
    assert reasons({}) == "0"


def test_a_bound_that_was_hit_is_said_and_others_are_not() -> None:
    quiet = NodeStatus(
        name="sn1.isp-a", address="fd35::1", domain="isp-a", received=0, forwarded=0, delivered=0,
        consumed=0, missed=0, dropped={}, services=(), peers=(), refused_records={},
    )  # fmt: skip

    [said] = overflows(msgspec.structs.replace(quiet, socket_overflows=12))

    assert said.startswith("12 datagrams never received: the kernel's buffer was full")
    assert list(overflows(quiet)) == []


def test_what_never_happened_is_left_out() -> None:
    assert counts({"echo": 2, "datagram": 0}) == "2 echo"
    assert counts({"echo": 0}) == "nothing"


def test_what_ends_and_what_is_stale_is_said_with_the_command_that_helps() -> None:
    status = msgspec.structs.replace(
        node(state="running").node,
        expiring=(
            Expiring("the record of sn1.isp-a", 1_000, "ei domain renew sn1.isp-a"),
            Expiring("domain isp-a", 1_000 + 7 * 86_400, "ei domain renew"),
        ),
        stale_revocations={"isp-b": 1_200.0},
        revocation_stale=3,
    )

    assert list(warnings_of(status, unix_s=1_000)) == [
        "the record of sn1.isp-a has expired: ei domain renew sn1.isp-a",
        "domain isp-a expires in 7 days: ei domain renew",
        (
            "the list of revoked keys of isp-b is 20 minutes old, isp-b is to sign it again: "
            "ei domain refresh"
        ),
        "3 peers may open no pipe until then (revocation_stale)",
    ]


def test_who_does_not_answer_warns_of_nothing() -> None:
    assert warnings_in(polled(state="running"), unix_s=1_000) == []
    assert warnings_in(Polled(TARGET, None, "no answer"), unix_s=1_000) == []


def test_streams_are_shown_with_the_line_that_would_allow_what_was_refused() -> None:
    line = '[internet] allow = ["192.0.2.1:22"]'
    running = node(state="running")
    streams = StreamStatus(
        open=3,
        opened=9,
        refused=1,
        closed={"ended": 5},
        services={"joins": ServiceStreams(3, 9)},
        not_allowed=(NotAllowed("ssh.example.org", "192.0.2.1", 22, 2, line),),
    )
    running = msgspec.structs.replace(
        running, node=msgspec.structs.replace(running.node, streams=streams)
    )
    stdout = io.StringIO()

    show_node(
        {"schema": "ei.node-status/1", **msgspec.to_builtins(running)},
        Output(stdout=stdout, stderr=stdout, environ={"COLUMNS": "400"}),
    )

    said = stdout.getvalue()
    assert "streams 3 open (joins 3), 9 opened, 1 refused; closed 5 ended" in said
    assert (
        "2 streams to ssh.example.org:22 (192.0.2.1) refused (not_allowed); to allow them, add to"
        f" node.toml: {line}"
    ) in said
