"""The sockets of a worker are opened together, and closed unless somebody takes them."""

from contextlib import ExitStack

import msgspec
from tests.node.test_workers import NODE, Sockets

from ei.node.worker_ends import WorkerEnds, open_ends
from ei.runtime.loader import load_service
from ei.runtime.worker import WorkerOrder

ORDER = WorkerOrder(folder="/", node=NODE, seed=b"1", store="/", config={}, copies=2)
ECHO = load_service("echo").manifest


def ends_of(unused: ExitStack, *, has_replicas: bool = True, copies: int = 2) -> WorkerEnds:
    order = msgspec.structs.replace(ORDER, copies=copies)
    return open_ends(ECHO, order, unused, threads=2, has_replicas=has_replicas)


def test_each_end_has_its_other_end_and_the_link_is_the_workers_last() -> None:
    with ExitStack() as unused:
        ends = ends_of(unused)

        assert ends.link is not None
        for number, ours in enumerate((*ends.ours, ends.link)):
            _ = ours.send(b"%d" % number)
        assert [end.recv(9) for end in ends.theirs] == [b"0", b"1", b"2"]


def test_a_worker_without_a_replica_has_no_link() -> None:
    with ExitStack() as unused:
        assert len(ends_of(unused, has_replicas=False).theirs) == 2
        assert ends_of(unused, copies=0).link is None


def test_what_is_attached_stays_open_and_the_rest_is_closed() -> None:
    engine = Sockets()
    with ExitStack() as unused:
        ends = ends_of(unused, copies=0)
        ends.attach(ECHO.id, engine, None)

    assert [end.fileno() for end in ends.theirs] == [-1, -1]
    assert [end.recv(1) for end in engine.held[ECHO.id]] == [b"", b""]
    engine.detach_worker(ECHO.id)
