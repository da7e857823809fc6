"""What a worker process promises. Its programs start a nursery, see conftest.py."""

import io
from collections.abc import Callable

import msgspec
import pytest
from tests.runtime.jail.conftest import need

from ei.runtime.batches import EffectBatch, EventBatch, Outcome, QueryResolved
from ei.runtime.environment import Environment
from ei.runtime.faults import FaultReporter
from ei.runtime.jail import LAYERS
from ei.runtime.worker import serve, socket_pair
from ei.sdk import (
    Address,
    AttachmentOf,
    Count,
    HoldPacket,
    ReadStream,
    SendPacket,
    Started,
    StreamOpened,
)
from ei.testing.toys import toy, toy_manifest, toy_packet

NODE = Address(b"n" * 16)
QUERY = AttachmentOf(NODE)

Program = Callable[[str], str]


def test_it_answers_each_batch_on_the_socket_that_it_came_by() -> None:
    environment = Environment(toy(), node=NODE, seed=b"1")
    pairs = [socket_pair() for _ in range(2)]
    for number, (ours, _) in enumerate(pairs):
        batch = EventBatch(number + 1, 0, 1.0, 1e9, (toy_packet(),) * (number + 1))
        _ = ours.send(msgspec.msgpack.encode(batch))
    pairs[0][0].shutdown(1)

    serve(environment, [theirs for _, theirs in pairs], FaultReporter("toy", io.StringIO()))

    replies = [msgspec.msgpack.decode(ours.recv(1 << 20), type=EffectBatch) for ours, _ in pairs]
    assert [reply.sequence for reply in replies] == [1, 2]
    for end in (end for pair in pairs for end in pair):
        end.close()


def test_it_ends_when_the_datapath_is_gone() -> None:
    environment = Environment(toy(), node=NODE, seed=b"1")
    ours, theirs = socket_pair()
    _ = ours.send(msgspec.msgpack.encode(EventBatch(1, 0, 1.0, 1e9, (Started(),))))
    ours.close()

    serve(environment, [theirs], FaultReporter("toy", io.StringIO()))

    theirs.close()


@pytest.mark.slow
def test_c1_a_runaway_event_is_interrupted_and_the_worker_goes_on(program: Program) -> None:
    said = program(
        """
[end] = start()
began_s = time.monotonic()
print(words(ask(end, packet(), packet(b"loop"), packet())))
assert time.monotonic() - began_s < 5, "50 ms of CPU time are allowed"
print(words(ask(end, packet())))
"""
    )

    assert said.startswith("['unwanted', 'cpu_exceeded', 'unwanted']\n['unwanted']\n")
    assert "worker subject: cpu_exceeded: PacketArrived: CpuExceeded at service.py:1" in said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("way", "said_last"),
    [
        ("loop", "cpu_exceeded: PacketArrived: CpuExceeded at service.py:"),
        ("hoard", "service_error: PacketArrived: MemoryError at service.py:"),
    ],
)
def test_c5_a_strangers_worker_ends_with_an_event_that_takes_more_than_it_may(
    program: Program, way: str, said_last: str
) -> None:
    need(*LAYERS)

    said = program(
        f"""
ours, theirs = socket_pair()
order = WorkerOrder(
    folder=str(FOLDER), node=b"n" * 16, seed=b"1", store=str(FOLDER.parent / "store"),
    is_trusted=False,
)
nursery.start_worker(5, order, [theirs])
theirs.close()
print(words(ask(ours, packet())))
ours.send(msgspec.msgpack.encode(EventBatch(2, 0, 1.0, 1e9, (packet(b"{way}"), packet()))))
print(reports(2)[1].cause, len(ours.recv(100)))
"""
    )

    first, second, *_ = said.splitlines()
    assert first == "['unwanted']"
    assert second.startswith(said_last)
    assert second.endswith(" 0"), "nothing is answered any more"


@pytest.mark.slow
def test_c2_an_event_that_hoards_memory_fails_alone(program: Program) -> None:
    said = program(
        """
[end] = start()
print(words(ask(end, packet(), packet(b"hoard"), packet())))
"""
    )

    assert said.startswith("['unwanted', 'service_error', 'unwanted']\n")
    assert "worker subject: service_error: PacketArrived: MemoryError at service.py:" in said


@pytest.mark.slow
def test_c10_who_asks_too_much_of_the_environment_gets_a_bounded_error(program: Program) -> None:
    said = program(
        """
[end] = start()
print(words(ask(end, packet(b"endless"), packet(b"draw"), packet(b"wide"), packet())))
# Of its tier, standard, are 16,384 timers.
print(set(words(ask(end, *[packet(b"timers", n) for n in range(32)]))))
print(words(ask(end, packet(b"timers", 32), packet())))
"""
    )

    assert said.startswith(
        "['service_error', 'service_error', 'service_error', 'unwanted']\n"
        "{'unwanted'}\n['service_error', 'unwanted']\n"
    )


@pytest.mark.slow
def test_what_was_answered_survives_the_death_of_the_worker(program: Program) -> None:
    said = program(
        """
[end] = start()
for number in range(20):
    ask(end, packet(b"put", number, bytes(100)))
started, = reports(1)
os.kill(started.pid, signal.SIGKILL)
print(reports(1)[0].cause)
[end] = start()
print(ask(end, packet(b"count")).answers[0].effects[0])
"""
    )

    assert said == "SIGKILL\n[10, 'seen', 20]\n"


@pytest.mark.slow
def test_timers_fire_while_nothing_comes(program: Program) -> None:
    said = program(
        """
[end] = start()
print(words(ask(end, packet(b"timer"))))
batch = answer(end)
print(batch.sequence, batch.answers[0].effects[0])
"""
    )

    assert said == "['unwanted']\n0 [10, 'seen', 7]\n"


@pytest.mark.slow
def test_a_reply_that_no_message_holds_comes_in_several(program: Program) -> None:
    said = program(
        """
[end] = start()
sent, batch = 0, ask(end, packet(b"copy", payload=bytes(60_000)))
while not batch.sequence:
    sent += len(batch.answers[0].effects)
    batch = answer(end)
print(sent, batch.answers[0].outcome.name, len(batch.answers[0].effects))
"""
    )

    assert said == "100 ANSWERED 0\n"


@pytest.mark.slow
def test_a_service_that_ends_its_process_is_gone(program: Program) -> None:
    said = program(
        """
[end] = start()
end.send(msgspec.msgpack.encode(EventBatch(1, 0, 1.0, 1e9, (packet(b"end"),))))
print(reports(2)[1].cause)
print(len(end.recv(100)))
"""
    )

    assert said == "exit 1\n0\n"


@pytest.mark.slow
def test_where_the_system_allows_less_a_worker_runs_with_less(program: Program) -> None:
    said = program(
        """
for limit, most in ((resource.RLIMIT_NOFILE, 32), (resource.RLIMIT_DATA, 200 * 2**20)):
    resource.prlimit(nursery.pid, limit, (most, most))
[end] = start()
print(words(ask(end, packet())))
worker = reports(1)[0].pid
for limit in (resource.RLIMIT_NOFILE, resource.RLIMIT_DATA, resource.RLIMIT_CORE):
    print(*resource.prlimit(worker, limit))
"""
    )

    assert said == "['unwanted']\n32 32\n209715200 209715200\n0 0\n"


@pytest.mark.slow
def test_a_worker_has_no_descriptors_but_its_own(program: Program) -> None:
    said = program(
        """
secret = open(FOLDER / "service.py")
ends = start(threads=2)
_ = ask(ends[1], packet())
descriptors = Path(f"/proc/{reports(1)[0].pid}/fd")
names = [os.readlink(each) for each in descriptors.iterdir()]
print(sum(name.startswith("socket:") for name in names))
print(any("service.py" in name for name in names))
"""
    )

    assert said == "2\nFalse\n"


def test_an_answer_that_another_thread_waits_for_goes_to_its_socket() -> None:
    environment = Environment(
        toy(
            on_packet=lambda event, ctx: (
                [SendPacket(event.packet, NODE)] if QUERY in ctx.records else [HoldPacket(QUERY)]
            )
        ),
        node=NODE,
        seed=bytes(32),
    )
    pairs = [socket_pair() for _ in range(2)]
    held = EventBatch(1, 0, 1.0, 1e9, (toy_packet(),))
    _ = environment.deliver_batch(msgspec.msgpack.encode(held), origin=1)
    resolved = QueryResolved(msgspec.msgpack.encode(QUERY), None)
    batch = EventBatch(1, 0, 1.0, 1e9, (resolved,))
    _ = pairs[0][0].send(msgspec.msgpack.encode(batch))
    pairs[0][0].shutdown(1)

    serve(environment, [theirs for _, theirs in pairs], FaultReporter("toy", io.StringIO()))

    stray = msgspec.msgpack.decode(pairs[1][0].recv(1 << 20), type=EffectBatch)
    assert [answer.outcome for answer in stray.answers] == [Outcome.ANSWERED]
    for end in (end for pair in pairs for end in pair):
        end.close()


def test_what_streams_ask_for_goes_to_their_socket_and_the_rest_to_the_first() -> None:
    loaded = toy(
        manifest=toy_manifest(capabilities=("streams",)),
        on_stream=lambda event, _ctx: [ReadStream(event.stream), Count("seen")],
    )
    environment = Environment(loaded, node=NODE, seed=b"1", streams=1)
    pairs = [socket_pair() for _ in range(2)]
    opened = EventBatch(1, 0, 1.0, 1e9, (StreamOpened(2, NODE, b"", 9),))
    _ = pairs[1][0].send(msgspec.msgpack.encode(opened))
    pairs[1][0].shutdown(1)

    serve(environment, [theirs for _, theirs in pairs], FaultReporter("toy", io.StringIO()))

    stray, reply = (
        msgspec.msgpack.decode(ours.recv(1 << 20), type=EffectBatch) for ours, _ in pairs
    )
    assert [list(answer.effects) for answer in stray.answers] == [[[10, "seen", 1]]]
    assert [effect[0] for answer in reply.answers for effect in answer.effects] == [13]  # type: ignore[index]
    for end in (end for pair in pairs for end in pair):
        end.close()


@pytest.mark.slow
def test_c7_a_strangers_module_does_not_run_in_a_jail_with_a_gap(program: Program) -> None:
    need("language", "clock", "namespaces", "capabilities", "seccomp")

    said = program(
        """
ours, theirs = socket_pair()
order = WorkerOrder(
    folder=str(FOLDER), node=b"n" * 16, seed=b"1", store=str(FOLDER.parent / "store"),
    layers=("language", "clock", "namespaces", "capabilities", "seccomp"), is_trusted=False,
)
nursery.start_worker(5, order, [theirs])
print(reports(2)[1].cause)
"""
    )

    first, _ = said.splitlines()
    assert "a stranger's module, in a jail without landlock" in first
    assert first.endswith('trusted_services = ["subject"]')


@pytest.mark.slow
def test_a_replica_runs_whatever_way_its_folder_is_reached(program: Program) -> None:
    said = program(
        """
import socket
manifest = FOLDER / "manifest.toml"
_ = manifest.write_text('state = "replicated"\\n' + manifest.read_text())
(FOLDER.parent / "state").mkdir()
(FOLDER.parent / "way").symlink_to("state")
ours, theirs = socket_pair()
link, their_link = socket.socketpair()
order = WorkerOrder(
    folder=str(FOLDER), node=b"n" * 16, seed=b"1", store=str(FOLDER.parent / "way" / "kept"),
    copies=1,
)
nursery.start_worker(5, order, [theirs, their_link])
theirs.close()
their_link.close()
_ = reports(1)
assert link.recv(1), "it greets nobody"
ours.close()
link.close()
print(reports(1)[0].cause, sorted(p.name for p in (FOLDER.parent / "state" / "kept").iterdir()))
"""
    )

    assert said == "exit 0 ['lock', 'log']\n"
