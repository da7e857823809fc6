"""A real node under clients that say nothing: places are bounded, and come back."""

import resource
import socket
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ei.daemons import pages, server
from ei.errors import LocalError

if TYPE_CHECKING:
    from tests.node.conftest import RunningNode

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

SOCKETS = 10_000
SPARE_FILES = 500
AT_ONCE = 64
GROWTH_BYTES = 16 * 2**20
METRICS = "127.94.1.1"


@pytest.fixture
def watched(
    node_file: Path, start_node: "Callable[[Path], RunningNode]"
) -> "tuple[RunningNode, str]":
    """A node that serves metrics, and where."""
    with socket.socket() as probe:
        probe.bind((METRICS, 0))
        bind = f"{METRICS}:{probe.getsockname()[1]}"
    with node_file.open("r+") as file:
        text = file.read()
        file.seek(0)
        _ = file.write(f'metrics_bind = "{bind}"\n{text}')
    node = start_node(node_file)
    node.wait_ready()
    return node, bind


def test_b9_a_client_too_many_is_told_so_and_the_next_one_is_served(node: "RunningNode") -> None:
    too_many = f"more than {server.MAX_CLIENTS} clients ask at once"
    with (
        silent(lambda: unix(node.admin), server.MAX_CLIENTS),
        pytest.raises(LocalError, match=too_many),
    ):
        _ = node.ask("status")

    node.wait_until(lambda: node.ask("status")["schema"] == "ei.node-status/1")


def test_b10_ten_thousand_admin_clients_that_say_nothing_keep_no_place(
    node: "RunningNode",
) -> None:
    files, memory = files_of(node), memory_of(node)

    with silent(lambda: unix(node.admin), SOCKETS):
        node.wait_until(lambda: files_of(node) <= files + server.MAX_CLIENTS)
        grown = memory_of(node) - memory
    node.wait_until(lambda: files_of(node) <= files)

    assert grown < GROWTH_BYTES
    node.wait_until(lambda: node.ask("status")["schema"] == "ei.node-status/1")


def test_b10_ten_thousand_readers_of_metrics_that_say_nothing_keep_no_place(
    watched: "tuple[RunningNode, str]",
) -> None:
    node, bind = watched
    address, _, port = bind.partition(":")
    files, memory = files_of(node), memory_of(node)

    with silent(lambda: socket.create_connection((address, int(port))), SOCKETS):
        # They hang on: the node hangs up.
        node.wait_until(lambda: files_of(node) <= files, limit_s=3 * pages.PATIENCE_S)
        grown = memory_of(node) - memory
        with urllib.request.urlopen(f"http://{bind}/healthz") as answer:
            assert answer.status == 200

    assert grown < GROWTH_BYTES


def test_b10_ten_thousand_senders_of_half_an_opening_get_no_place(
    node: "RunningNode", node_file: Path
) -> None:
    text = node_file.read_text()
    host, port = text.partition('binds = ["')[2].partition('"')[0].split(":")
    files, memory = files_of(node), memory_of(node)
    opening = bytes([0x11]) + bytes(1_199)

    def knock() -> socket.socket:
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        opened.connect((host, int(port)))
        _ = opened.send(opening)
        return opened

    with silent(knock, SOCKETS) as sockets:
        status = node.ask("statistics")
        answered = [each for each in sockets if has_answer(each)]

    assert status["schema"]
    assert answered == []
    assert files_of(node) <= files
    assert memory_of(node) - memory < GROWTH_BYTES


@contextmanager
def silent(connect: Callable[[], socket.socket], count: int) -> Iterator[list[socket.socket]]:
    """Open so many sockets that say nothing, as far as this system has files for them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        with ExitStack() as stack:
            wanted = min(count, hard - SPARE_FILES)
            # Many at a time: the system makes who finds a queue full wait for a second.
            with ThreadPoolExecutor(AT_ONCE) as pool:
                opened = list(pool.map(lambda _: connect(), range(wanted)))
            yield [stack.enter_context(each) for each in opened]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def unix(path: Path) -> socket.socket:
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    opened.connect(str(path))
    return opened


def has_answer(opened: socket.socket) -> bool:
    opened.settimeout(0)
    try:
        return bool(opened.recv(2_048))
    except BlockingIOError:
        return False


def files_of(node: "RunningNode") -> int:
    return len(list(Path(f"/proc/{node.process.pid}/fd").iterdir()))


def memory_of(node: "RunningNode") -> int:
    pages_used = int(Path(f"/proc/{node.process.pid}/statm").read_text().split()[1])
    return pages_used * resource.getpagesize()
