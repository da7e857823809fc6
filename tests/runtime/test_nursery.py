"""What the parent of the workers promises. Its programs are daemons in small, see conftest.py."""

import os
from collections.abc import Callable

import pytest

pytestmark = pytest.mark.slow

Program = Callable[[str], str]


def test_workers_come_and_go_as_ordered(program: Program) -> None:
    said = program(
        """
[end] = start()
print(words(ask(end, packet())))
end.close()
started, exited = reports(2)
print(started.service, started.pid == exited.pid, exited.cause)
nursery.close()
nursery.close()
gone(nursery.pid)
"""
    )

    assert said == "['unwanted']\n5 True exit 0\n"


def test_a_worker_is_killed_by_order(program: Program) -> None:
    said = program(
        """
[end] = start()
_ = reports(1)
nursery.kill_worker(99)
nursery.kill_worker(5)
print(reports(1)[0].cause, len(end.recv(100)))
"""
    )

    assert said == "SIGKILL 0\n"


def test_a_worker_shares_what_was_loaded_before_it(program: Program) -> None:
    said = program(
        """
[end] = start()
[started] = reports(1)
_ = ask(end, packet())
smaps = Path(f"/proc/{started.pid}/smaps_rollup").read_text().splitlines()[1:]
print(sum(int(line.split()[1]) for line in smaps if line.startswith("Private")))
"""
    )

    assert int(said) < 8_000, "KiB of its own"


def test_a_signal_that_has_no_name_ends_one_worker_only(program: Program) -> None:
    said = program(
        """
[end] = start()
os.kill(reports(1)[0].pid, 40)
print(reports(1)[0].cause)
[end] = start()
print(words(ask(end, packet())))
"""
    )

    assert said == "signal 40\n['unwanted']\n"


def test_without_descriptors_workers_are_reported_and_start_again_when_there_are(
    program: Program,
) -> None:
    said = program(
        """
causes = set()
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
for limit in range(4, 30):
    resource.prlimit(nursery.pid, resource.RLIMIT_NOFILE, (limit, hard))
    ends = start(threads=2)
    [report] = reports(1)
    if hasattr(report, "cause"):
        causes.add((report.pid, report.cause))
    else:
        break
print(causes, words(ask(ends[1], packet())))
"""
    )

    assert said == "{(0, 'cannot be forked: Too many open files')} ['unwanted']\n"


def test_a_service_forks_no_process_even_where_the_language_lets_it(program: Program) -> None:
    said = program(
        """
[end] = start()
print(words(ask(end, packet(b"fork"))))
"""
    )

    assert said.startswith("['service_error']\nworker subject: service_error: ")
    assert "PermissionError: [Errno 1] Operation not permitted at service.py:" in said


def test_why_a_worker_cannot_run_is_reported(program: Program) -> None:
    said = program(
        """
_ = start(FOLDER.parent / "nowhere")
print(reports(2)[1].cause)
"""
    )

    line = "/nowhere/manifest.toml: cannot be read: No such file or directory\n"
    first, second = said.splitlines(keepends=True)
    assert first.endswith(line)
    assert second.startswith("worker nowhere: ")
    assert second.endswith(line)


@pytest.mark.skipif(os.getuid() != 0, reason="looks into the memory of others")
def test_c12_a_worker_has_nothing_of_what_others_were_told_or_sent(program: Program) -> None:
    said = program(
        """
def begin(number, **told):
    ours, theirs = socket_pair()
    store = str(FOLDER.parent / f"store{number}")
    order = WorkerOrder(folder=str(FOLDER), node=b"n" * 16, store=store, **told)
    nursery.start_worker(number, order, [theirs])
    theirs.close()
    ours.settimeout(10)
    return ours

def has(pid, needle):
    with Path(f"/proc/{pid}/mem").open("rb") as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            place, rights, *_ = line.split()
            if rights.startswith("rw"):
                first, last = (int(each, 16) for each in place.split("-"))
                memory.seek(first)
                try:
                    if needle in memory.read(last - first):
                        return True
                except OSError:
                    pass
    return False

seed, payload, *words = (os.urandom(32).hex().encode() for _ in range(7))
secrets = [seed, payload, *words]
tenant = begin(1, seed=seed)
_ = ask(tenant, packet(payload=payload))
[told] = reports(1)
print([has(told.pid, each) for each in (seed, payload)])
# Of these the service knows nothing, and ends; what it was told is in no line of the log.
for number, word in enumerate(words, start=2):
    _ = begin(number, seed=b"2", config={"a": [word.decode() * 9] * number})
_ = reports(2 * len(words))
next_one = begin(9, seed=b"2")
_ = ask(next_one, packet())
[next_told] = reports(1)
print([has(pid, each) for pid in (next_told.pid, nursery.pid) for each in secrets])
nursery.kill_worker(1)
_ = reports(1)
again = begin(1, seed=b"3")
_ = ask(again, packet())
[told_again] = reports(1)
print([has(told_again.pid, each) for each in secrets])
"""
    )

    lines = [line for line in said.splitlines() if line.startswith("[")]
    assert lines == [f"{[True] * 2}", f"{[False] * 14}", f"{[False] * 7}"]


def test_nothing_outlives_the_daemon(program: Program) -> None:
    said = program(
        """
reader, writer = os.pipe()
daemon = os.fork()
if not daemon:
    nursery = Nursery.start()
    [end] = start()
    _ = ask(end, packet())
    os.write(writer, msgspec.json.encode([nursery.pid, reports(1)[0].pid]))
    signal.pause()
pids = msgspec.json.decode(os.read(reader, 100))
print(all(map(is_alive, pids)))
os.kill(daemon, signal.SIGKILL)
gone(*pids)
"""
    )

    assert said == "True\n"


def test_no_worker_outlives_the_nursery_and_its_end_is_noticed(program: Program) -> None:
    said = program(
        """
[end] = start()
_ = ask(end, packet())
worker = reports(1)[0].pid
os.kill(nursery.pid, signal.SIGKILL)
gone(worker)
for act in (nursery.take_reports, lambda: nursery.kill_worker(5)):
    try:
        act()
    except Exception as error:
        print(type(error).__name__, error)
"""
    )

    assert said == (
        "LocalError the nursery process ended, and with it all workers\n"
        "LocalError the nursery process takes no orders: Broken pipe\n"
    )


def test_closing_it_ends_the_workers(program: Program) -> None:
    said = program(
        """
ends = start() + start(FOLDER.parent / "nowhere")
worker = reports(3)[0].pid
nursery.close()
gone(worker, nursery.pid)
print("gone")
"""
    )

    assert said.splitlines()[0] == "gone"


def test_it_is_forked_before_any_thread_starts(program: Program) -> None:
    said = program(
        """
import threading
stop = threading.Event()
thread = threading.Thread(target=stop.wait)
thread.start()
try:
    Nursery.start()
except Exception as error:
    print(type(error).__name__, error)
stop.set()
thread.join()
"""
    )

    assert said == "LocalError the nursery is forked first: 2 threads seen, 1 allowed\n"


def test_an_interrupt_of_the_terminal_leaves_the_workers_to_the_daemon(program: Program) -> None:
    said = program(
        """
[end] = start()
_ = ask(end, packet())
for pid in (nursery.pid, reports(1)[0].pid):
    os.kill(pid, signal.SIGINT)
print(words(ask(end, packet())))
"""
    )

    assert said == "['unwanted']\n"
