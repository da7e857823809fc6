"""What a node daemon answers on its admin socket."""

import asyncio
import io
from collections.abc import Mapping

import pytest

from ei.daemons.log import Level, Log
from ei.daemons.messages import Request
from ei.directory import Query, Resolution
from ei.errors import ConflictError, LocalError, NotFoundError
from ei.node.admin import NodeAdmin, RunningStatus
from ei.node.config import NodeConfig
from ei.node.node import Node
from ei.node.reloading import Reloaded
from ei.node.remembering import RememberingControl
from ei.node.upgrading import Upgrading
from ei.node.workers import Workers
from ei.records.issuer import Issuer
from ei.records.keys import make_keys
from ei.records.record_set import verify_records
from ei.sdk import Manifest

DOMAIN, SN1, ALICE = (make_keys(letter * 32) for letter in (b"d", b"1", b"a"))
ISSUER = Issuer("isp-a", 1, DOMAIN, expires_unix_s=2_000)
DELIVERY = Manifest(id=16, name="delivery", version="1.0.0", summary="x")


class Recorded:
    """A running node whose commands are remembered."""

    def __init__(self) -> None:
        self.control = RememberingControl()
        self.log = Log(io.StringIO())
        self.calls: list[str] = []
        self.node = Node(
            NodeConfig(
                version=1,
                name="sn1.isp-a",
                domain_number=1,
                binds=("127.0.0.1:1",),
                services=("delivery",),
                trust={"isp-a": DOMAIN.identity_key.hex()},
            ),
            keys=SN1,
            records=verify_records(
                [
                    ISSUER.domain(),
                    ISSUER.node(SN1, "sn1.isp-a", endpoints=("127.0.0.1:1",), services=(16,)),
                    ISSUER.enrol(ALICE, "alice.isp-a"),
                ],
                trust={"isp-a": DOMAIN.identity_key},
                unix_s=1_000,
            ),
            manifests=[DELIVERY],
            datapath=self.control,
        )

    @property
    def workers(self) -> Workers:
        raise AssertionError("no test here kills a worker: tests/node/test_workers.py does")

    @property
    def upgrading(self) -> Upgrading:
        raise AssertionError("no test here changes a module: tests/node/test_upgrading.py does")

    def status(self) -> RunningStatus:
        return RunningStatus(7, 1.5, ("127.0.0.1:1",), self.node.status(), ())

    def statistics(self) -> dict[str, object]:
        return {"received": 3}

    def find(self, query: Query) -> Resolution | None:
        return Resolution(query, None)

    def reload(self) -> Reloaded:
        self.calls.append("reload")
        return Reloaded(self.node.config, sites=(), needs_restart=("threads",))

    def drain(self, *, grace_s: float, spread_s: float) -> None:
        self.calls.append(f"drain {grace_s} {spread_s}")
        self.node.drain(1.0, grace_s=grace_s, spread_s=spread_s)
        assert self.node.step_drain(1.0) is None
        assert self.node.step_drain(2.0) is not None

    def stop(self) -> None:
        self.calls.append("stop")


def ask(running: Recorded, verb: str, **arguments: object) -> Mapping[str, object]:
    async def main() -> Mapping[str, object]:
        [answer] = [each async for each in NodeAdmin(running).answer(Request(verb, arguments))]
        return answer

    return asyncio.run(main())


def test_status_and_statistics_are_told() -> None:
    running = Recorded()

    status = ask(running, "status")

    assert (status["schema"], status["pid"]) == ("ei.node-status/1", 7)
    assert ask(running, "statistics")["statistics"] == {"received": 3}


def test_routes_are_told_and_explained() -> None:
    running = Recorded()

    routes = ask(running, "routes")
    why = ask(running, "why_route", domain="isp-a")

    assert (routes["schema"], routes["domain"], routes["routes"]) == ("ei.routes/1", "isp-a", ())
    assert (why["schema"], why["number"], why["ways"]) == ("ei.route-why/1", 1, ())


def test_the_directory_tells_its_books_and_whom_a_name_means() -> None:
    running = Recorded()

    books = ask(running, "directory")
    found = ask(running, "find", name="bob.isp-b")

    assert books["schema"] == "ei.node-directory/1"
    assert (found["schema"], found["name"], found["kind"]) == (
        "ei.directory-find/1",
        "bob.isp-b",
        "",
    )


def test_traces_are_found_by_name_and_connection() -> None:
    running = Recorded()
    running.control.traces = [
        (1, ALICE.address(1), 16, 5, "cached", "metered", 9, [16], SN1.address(1)),
        (2, SN1.address(1), 16, 5, "cached", "metered", 9, [16], SN1.address(1)),
    ]

    answer = ask(running, "traces", source="alice.isp-a", connection=5)

    traces = answer["traces"]
    assert isinstance(traces, list)
    assert [trace["source_name"] for trace in traces] == ["alice.isp-a"]
    with pytest.raises(NotFoundError):
        _ = ask(running, "traces", source="nobody.isp-a")


def test_a_reload_says_what_it_came_to() -> None:
    running = Recorded()

    assert ask(running, "reload") == {
        "schema": "ei.reload/1",
        "names": 2,
        "refused": {},
        "needs_restart": ("threads",),
    }
    assert running.calls == ["reload"]


def test_a_part_of_the_log_has_a_level_of_its_own() -> None:
    running = Recorded()
    pipes = running.log.part("pipes")

    _ = ask(running, "log_level", level="debug", part="pipes")

    assert (pipes.level, running.log.level) == (Level.DEBUG, Level.INFO)
    with pytest.raises(LocalError, match="no part 'pies'; allowed: pipes"):
        _ = ask(running, "log_level", level="debug", part="pies")


def test_a_drain_is_answered_when_it_is_over() -> None:
    running = Recorded()

    assert ask(running, "drain", grace_s=3) == {
        "schema": "ei.node-drain/1",
        "moved": 0,
        "left": (),
        "waiting": 0,
        "took_s": 1.0,
    }
    assert running.calls == ["drain 3.0 0.0"]
    with pytest.raises(ConflictError, match="drains already"):
        _ = ask(running, "drain")


def test_stop_and_log_level_are_carried_out() -> None:
    running = Recorded()

    assert ask(running, "stop") == {"schema": "ei.done/1"}
    _ = ask(running, "log_level", level="error")

    assert running.calls == ["stop"]
    assert running.log.level is Level.ERROR


@pytest.mark.parametrize(
    ("verb", "arguments", "said"),
    [
        ("dance", {}, "no verb 'dance'; allowed: status"),
        ("status", {"x": 1}, "status: .*it takes no arguments"),
        ("log_level", {"level": "loud"}, "log_level: Invalid enum value 'loud'"),
        ("kill_worker", {}, "missing required field `service`"),
    ],
)
def test_what_makes_no_sense_is_refused(verb: str, arguments: dict[str, object], said: str) -> None:
    with pytest.raises(LocalError, match=said):
        _ = ask(Recorded(), verb, **arguments)
