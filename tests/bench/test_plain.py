"""The baseline: a forwarder that reads nothing, and what feeds it."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.bench.conftest import wait_until

from ei.bench.children import Child, python
from ei.bench.plain import main
from ei.errors import LocalError

DEADLINE_S = 10.0


@pytest.fixture
def receiver() -> Iterator[socket.socket]:
    """Where all goes in the end."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(DEADLINE_S)
        yield receiver


@pytest.fixture
def forwarder(receiver: socket.socket, tmp_path: Path) -> Iterator[Child]:
    """A forwarder to the receiver, that has not said where it is."""
    to = f"127.0.0.1:{receiver.getsockname()[1]}"
    command = python("ei.bench.plain", "forward", "127.0.0.1:0", to, "0")
    with Child("forward", command, cpu=None, log=tmp_path / "forward") as child:
        yield child


def generator(folder: Path, to: str, *, size_bytes: int) -> Child:
    """Start a generator for a tenth of a second."""
    load = ("generate", "127.0.0.1:0", to, str(size_bytes), "0.1")
    return Child("generate", python("ei.bench.plain", *load), cpu=None, log=folder / "generate")


def figures(forwarder: Child) -> dict[str, object]:
    forwarder.tell("figures")
    return forwarder.hear(deadline_s=DEADLINE_S)


@pytest.mark.slow
def test_each_datagram_is_forwarded_as_it_came_and_counted(
    forwarder: Child, receiver: socket.socket
) -> None:
    host, port = str(forwarder.hear(deadline_s=DEADLINE_S)["endpoint"]).rsplit(":", 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for sent in (b"one", b"and two"):
            sender.sendto(sent, (host, int(port)))

            assert receiver.recv(2_048) == sent

    # It counts after it has sent.
    wait_until(lambda: figures(forwarder)["sent"] == 2)
    counted = figures(forwarder)
    assert counted["received"] == 2
    assert isinstance(counted["cpu_ns"], int)
    assert counted["cpu_ns"] > 0


@pytest.mark.slow
def test_the_forwarder_ends_with_its_input(forwarder: Child) -> None:
    forwarder.hear(deadline_s=DEADLINE_S)

    assert forwarder.end() == 0


@pytest.mark.slow
@pytest.mark.parametrize("size_bytes", [128, 1_400])
def test_the_generator_sends_datagrams_of_its_size_until_its_time_is_up(
    receiver: socket.socket, tmp_path: Path, size_bytes: int
) -> None:
    to = f"127.0.0.1:{receiver.getsockname()[1]}"
    with generator(tmp_path, to, size_bytes=size_bytes) as child:
        child.hear(deadline_s=DEADLINE_S)

        child.tell("go")
        told = child.hear(deadline_s=DEADLINE_S)

    assert isinstance(told["sent"], int)
    assert told["sent"] > 100
    assert told["seconds"] == 0.1
    assert len(receiver.recv(65_536)) == size_bytes


@pytest.mark.slow
def test_a_generator_that_was_never_told_sends_nothing(
    receiver: socket.socket, tmp_path: Path
) -> None:
    with generator(tmp_path, f"127.0.0.1:{receiver.getsockname()[1]}", size_bytes=128) as child:
        child.hear(deadline_s=DEADLINE_S)

        child.hang_up()

        with pytest.raises(LocalError, match="ended"):
            child.hear(deadline_s=DEADLINE_S)
    receiver.setblocking(False)  # noqa: FBT003 its own interface
    with pytest.raises(BlockingIOError):
        receiver.recv(65_536)


@pytest.mark.parametrize(
    "arguments", [[], ["forward"], ["generate", "127.0.0.1:0"], ["send", "a", "b"]]
)
def test_what_cannot_be_run_is_refused_with_what_can(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2

    assert "forward BIND TO SPIN_US, or generate FROM TO BYTES SECONDS" in capsys.readouterr().err
