"""A node as a process: it starts, says what is wrong, loses workers, and leaves nothing behind."""

import os
import signal
import socket
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from tests.daemons.conftest import Collector
from tests.runtime.jail.conftest import missing_layers

from ei.daemons.client import ask
from ei.errors import ConfigError, IntegrityError, UnreachableError
from ei.node.shelf import Shelf, digest_of_folder
from ei.records.key_files import read_keys, write_keys
from ei.records.keys import make_keys
from ei.records.lists import is_list, open_list
from ei.records.record_files import read_records
from ei.runtime.jail import OF_OURS
from ei.runtime.loader import folder_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node.conftest import RunningNode

pytestmark = pytest.mark.slow


def is_alive(pid: int) -> bool:
    """Whether a process runs (one that ended but was not reaped does not)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_gone(*pids: int) -> None:
    deadline_s = time.monotonic() + 5
    while any(is_alive(pid) for pid in pids):
        assert time.monotonic() < deadline_s, f"still there: {pids}"
        time.sleep(0.01)


def test_a_running_node_tells_its_status(node: "RunningNode") -> None:
    status = node.ask("status")

    assert status["schema"] == "ei.node-status/1"
    assert status["pid"] == node.process.pid
    own = status["node"]
    assert isinstance(own, dict)
    assert own["name"] == "sn1.isp-a"
    assert [service["name"] for service in own["services"]] == ["delivery", "echo"]


def has_in_memory(pid: int, needle: bytes) -> bool:
    """Whether a process has these bytes anywhere that it can read and write."""
    with Path(f"/proc/{pid}/mem").open("rb") as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            place, rights, *_ = line.split()
            if rights.startswith("rw"):
                start, end = (int(each, 16) for each in place.split("-"))
                _ = memory.seek(start)
                with suppress(OSError):
                    if needle in memory.read(end - start):
                        return True
    return False


@pytest.mark.skipif(os.getuid() != 0, reason="looks into the memory of others")
def test_c9_no_worker_has_a_key_of_its_node_in_memory(node: "RunningNode") -> None:
    keys = read_keys(node.admin.parent / "key")

    for secret in (keys.identity_secret, keys.pipe_secret):
        assert has_in_memory(node.process.pid, secret)
        assert not any(has_in_memory(pid, secret) for pid in node.pids().values())


def test_the_jails_of_all_workers_are_closed_and_the_status_says_so(node: "RunningNode") -> None:
    gaps = {layer: why for layer, why in missing_layers().items() if layer in OF_OURS}

    node.wait_until(lambda: all(jail is not None for jail in jails(node)))

    held = [layer for layer in OF_OURS if layer not in gaps]
    assert jails(node) == [{"layers": held, "missing": gaps}] * 2


def jails(node: "RunningNode") -> list[object]:
    workers = node.ask("status")["workers"]
    assert isinstance(workers, list)
    return [worker["jail"] for worker in workers]


def test_a_killed_worker_comes_back_and_the_others_never_left(node: "RunningNode") -> None:
    before = node.pids()

    os.kill(before["echo"], signal.SIGKILL)
    node.wait_until(lambda: node.pids()["echo"] not in (0, before["echo"]))

    assert node.pids()["delivery"] == before["delivery"]


def test_a_frozen_worker_does_not_hold_the_node_up(
    node: "RunningNode",
) -> None:
    os.kill(node.pids()["echo"], signal.SIGSTOP)

    status = node.ask("status")

    assert status["schema"] == "ei.node-status/1"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_node_and_all_its_processes(
    node: "RunningNode", number: signal.Signals
) -> None:
    pids = node.pids().values()

    node.process.send_signal(number)

    assert node.end() == 0
    wait_gone(*pids)
    assert not node.admin.exists()


def test_the_verb_stop_ends_it_as_well(node: "RunningNode") -> None:
    assert node.ask("stop") == {"schema": "ei.done/1"}

    assert node.end() == 0


def test_f1_a_node_that_was_drained_ends_as_if_nothing_were_wrong(node: "RunningNode") -> None:
    answer = node.ask("drain", grace_s=5)

    assert (answer["schema"], answer["left"], answer["waiting"]) == ("ei.node-drain/1", [], 0)
    assert node.end() == 0
    assert "node drained" in node.log.read_text()


def test_it_dies_with_its_supervisor(node: "RunningNode") -> None:
    pids = node.pids().values()

    node.hang_up()

    assert node.end() == 0
    wait_gone(*pids)


def test_a_node_that_is_killed_takes_its_workers_along(node: "RunningNode") -> None:
    pids = node.pids().values()

    node.process.kill()

    _ = node.end()
    wait_gone(*pids)


def test_without_its_nursery_a_node_ends_as_a_whole(node: "RunningNode") -> None:
    pids = node.pids().values()
    parent = Path(f"/proc/{next(iter(pids))}/stat").read_text().rpartition(")")[2].split()[1]

    os.kill(int(parent), signal.SIGKILL)

    assert node.end() == 2
    wait_gone(*pids)
    assert "the nursery process ended" in node.log.read_text()


def test_a_second_node_on_the_same_port_says_so_and_the_first_goes_on(
    node: "RunningNode", start_node: "Callable[[Path], RunningNode]", node_file: Path
) -> None:
    second = start_node(node_file)

    assert second.end() == 6
    text = second.log.read_text()
    assert "UDP port 3535 is in use" in text
    assert "ss -lunp" in text
    node.wait_ready()


def test_new_records_are_taken_on_a_hang_up_and_bad_ones_are_not(
    node: "RunningNode", node_file: Path
) -> None:
    records = node_file.parent.parent / "records.eir"
    good = records.read_bytes()
    _ = records.write_bytes(b"junk")

    node.process.send_signal(signal.SIGHUP)
    node.wait_until(lambda: "not reloaded" in node.log.read_text())
    with pytest.raises(IntegrityError, match="not a record file"):
        _ = node.ask("reload")
    _ = records.write_bytes(good)
    assert node.ask("reload")["names"] == 1


def test_the_node_that_has_its_domains_key_signs_the_list_of_revoked_keys(
    start_node: "Callable[[Path], RunningNode]", node_file: Path
) -> None:
    text = node_file.read_text().replace('# domain_key_file = ""', 'domain_key_file = "d.key"')
    _ = node_file.write_text(text)
    write_keys(node_file.parent / "d.key", make_keys(b"d" * 32))

    start_node(node_file).wait_ready()

    lists = [each for each in read_records(node_file.parents[1] / "records.eir") if is_list(each)]
    assert [open_list(each).body.number for each in lists] == [1]
    assert read_records(node_file.parent / "state" / "seen.eir") == lists


def test_a_changed_configuration_is_taken_as_far_as_a_running_node_can(
    node: "RunningNode", node_file: Path
) -> None:
    text = node_file.read_text()
    _ = node_file.write_text(text.replace("# threads = 1", "threads = 2"))

    assert node.ask("reload")["needs_restart"] == ["threads"]
    _ = node_file.write_text("nonsense = 1\n" + text)
    with pytest.raises(ConfigError, match="nonsense"):
        _ = node.ask("reload")
    node.wait_ready()


def test_after_a_kill_the_socket_that_is_left_is_no_obstacle(
    node: "RunningNode", start_node: "Callable[[Path], RunningNode]", node_file: Path
) -> None:
    node.process.kill()
    _ = node.end()
    assert node.admin.exists()
    with pytest.raises(UnreachableError):
        _ = ask(node.admin, "status")

    again = start_node(node_file)

    again.wait_ready()


def test_what_was_halted_does_not_start_after_a_restart(
    start_node: "Callable[[Path], RunningNode]", node_file: Path
) -> None:
    digest = digest_of_folder(folder_of("echo"))
    Shelf(node_file.parent / "state").halt("echo", digest, "echo@0.1.0 is revoked: it leaks")

    running = start_node(node_file)

    running.wait_until(lambda: running.pids()["delivery"] != 0)
    workers = running.ask("status")["workers"]
    assert isinstance(workers, list)
    echo = next(each for each in workers if each["service"] == "echo")
    assert (echo["state"], echo["starts"]) == ("halted", 0)
    assert echo["last_end"] == "echo@0.1.0 is revoked: it leaks"


def test_workers_may_be_threads(
    start_node: "Callable[[Path], RunningNode]", node_file: Path
) -> None:
    text = node_file.read_text().replace('# workers = "process"', 'workers = "inline"')
    _ = node_file.write_text(text)

    running = start_node(node_file)
    running.wait_ready()

    assert set(running.pids().values()) == {running.process.pid}


def test_a_state_directory_that_cannot_be_made_is_said(
    start_node: "Callable[[Path], RunningNode]", node_file: Path
) -> None:
    (node_file.parent / "state").symlink_to("/dev/full")

    running = start_node(node_file)

    assert running.end() == 2
    assert "cannot make the state directory" in running.log.read_text()
    assert "File exists" in running.log.read_text()


def test_an_address_of_another_machine_is_said(
    start_node: "Callable[[Path], RunningNode]", node_file: Path
) -> None:
    text = node_file.read_text()
    _ = node_file.write_text(text.replace("binds = [", 'binds = ["192.0.2.1:3535"] #'))

    running = start_node(node_file)

    assert running.end() == 2
    assert "192.0.2.1:3535: the address is not one of this machine" in running.log.read_text()


def with_metrics(node_file: Path) -> str:
    """Let a node serve its metrics on an address that nobody else has; return the endpoint."""
    text = node_file.read_text()
    address = text.partition('binds = ["')[2].partition(":")[0]
    shown = '# metrics_bind = ""'
    assert shown in text
    _ = node_file.write_text(text.replace(shown, f'metrics_bind = "{address}:9464"'))
    return f"{address}:9464"


def test_a_node_can_be_scraped_and_says_when_it_is_ready(
    start_node: "Callable[[Path], RunningNode]", node_file: Path
) -> None:
    endpoint = with_metrics(node_file)
    running = start_node(node_file)
    running.wait_ready()

    pages = {}
    for name in ("metrics", "healthz", "readyz"):
        with urllib.request.urlopen(f"http://{endpoint}/{name}", timeout=5) as answer:
            pages[name] = answer.read().decode()

    assert (pages["healthz"], pages["readyz"]) == ("ok\n", "ready\n")
    assert "ei_packets_received_total 0\n" in pages["metrics"]
    assert 'ei_module_memory_bytes{service="echo"} ' in pages["metrics"]
    assert 'ei_health{check="workers"} 1\n' in pages["metrics"]


def test_a_port_for_metrics_that_is_in_use_is_said(
    start_node: "Callable[[Path], RunningNode]", node_file: Path
) -> None:
    address = with_metrics(node_file).partition(":")[0]
    with socket.create_server((address, 9464)):
        running = start_node(node_file)

        assert running.end() == 6

    assert f"cannot listen on {address}:9464: TCP port 9464 is in use" in running.log.read_text()
    assert not running.admin.exists()


def test_systemd_is_told_when_it_is_ready_that_it_is_alive_and_when_it_ends(
    start_node: "Callable[[Path], RunningNode]",
    node_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "200000")
        running = start_node(node_file)

        assert manager.recv(1_000) == b"READY=1\nSTATUS=sn1.isp-a runs"
        assert [manager.recv(1_000) for _ in range(3)] == 3 * [b"WATCHDOG=1"]
        running.process.terminate()
        rest = iter(lambda: manager.recv(1_000), b"STOPPING=1")
        assert set(rest) <= {b"WATCHDOG=1"}


def test_a_collector_of_telemetry_is_told_what_the_node_counts(
    start_node: "Callable[[Path], RunningNode]", node_file: Path, collector: Collector
) -> None:
    shown = "# telemetry = {"
    text = node_file.read_text()
    assert shown in text
    told = f'telemetry = {{ otlp = "{collector.url}", every_s = 0.1 }}\n'
    _ = node_file.write_text(told + text)

    running = start_node(node_file)
    running.wait_until(lambda: len(collector.posted) >= 2)

    path, _, body = collector.posted[-1]
    assert path == "/v1/metrics"
    [resource] = ExportMetricsServiceRequest.FromString(body).resource_metrics
    assert "ei.packets.received" in {each.name for each in resource.scope_metrics[0].metrics}


def test_a_collector_that_is_gone_is_said_and_the_node_goes_on(
    start_node: "Callable[[Path], RunningNode]", node_file: Path
) -> None:
    told = 'telemetry = { otlp = "http://127.0.0.1:9", every_s = 0.1 }\n'
    _ = node_file.write_text(told + node_file.read_text())

    running = start_node(node_file)
    running.wait_until(lambda: "telemetry not taken" in running.log.read_text())

    running.wait_ready()
    running.process.terminate()
    assert running.end() == 0
