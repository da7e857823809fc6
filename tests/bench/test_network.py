"""Where a benchmark's packets travel: over loopback, or through namespaces that it removes."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ei.bench.children import Child
from ei.bench.network import (
    HANDSHAKE_RESPONSE,
    OFFLOADS,
    Model,
    Network,
    long_udp_steps,
    loopback,
    open_network,
    run,
)
from ei.errors import LocalError

needs_namespaces = pytest.mark.usefixtures("namespaces_here")
needs_setpriv = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None,
    reason="taking a privilege away from root needs root, and setpriv",
)

SHOW_MODELS = """
from ei.bench.network import open_network
with open_network() as network:
    print(*network.models)
"""

LISTEN = """
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far:
    far.bind(("{host}", 0))
    print('{{"port": %d}}' % far.getsockname()[1], flush=True)
    while True:
        heard, source = far.recvfrom(2_048)
        print('{{"bytes": %d, "source": "%s"}}' % (len(heard), source[0]), flush=True)
"""

SEND = """
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as near:
    for size in sys.argv[3:]:
        near.sendto(bytes(int(size)), (sys.argv[1], int(sys.argv[2])))
"""


def namespaces() -> set[str]:
    """Return the names of those that a benchmark in this process makes."""
    listed = subprocess.run(["ip", "netns", "list"], check=True, capture_output=True, text=True)
    return {
        line.split()[0]
        for line in listed.stdout.splitlines()
        if line.startswith(f"eibench{os.getpid()}")
    }


@pytest.fixture(scope="session")
def namespaces_here() -> None:
    """Try once; in a container, root may do less than root, and its kernel may lack `cls_bpf`."""
    try:
        with open_network() as network:
            if network.why_loopback:
                pytest.skip(network.why_loopback)
            network.spare_others()
    except LocalError as error:
        pytest.skip(f"this system joins no namespaces: {error}")


@pytest.fixture
def network() -> Iterator[Network]:
    with open_network() as network:
        yield network


def hear(
    network: Network, folder: Path, *, to: str, listener: tuple[str, ...], sizes: tuple[int, ...]
) -> dict[str, object]:
    """Send datagrams of these sizes from the node; return what is said of the first that comes."""
    python = (sys.executable, "-I", "-S", "-c")
    command = (*listener, *python, LISTEN.format(host=to))
    with Child("far", command, cpu=None, log=folder / "far", end_limit_s=0.0) as far:
        port = str(far.hear(deadline_s=5.0)["port"])
        run(*network.node, *python, SEND, to, port, *map(str, sizes))
        return far.hear(deadline_s=5.0)


def test_loopback_needs_no_privilege_and_has_an_address_for_each() -> None:
    network = loopback()

    assert network.generator == network.node == network.sink == ()
    assert network.models == ("L",)
    binds = (network.generator_bind, network.node_bind, network.sink_bind)
    hosts = {bind.rsplit(":", 1)[0] for bind in binds}
    assert len(hosts) == 3
    assert all(host.startswith("127.") for host in hosts)


def test_the_node_gets_a_port_that_nobody_has() -> None:
    first = loopback().node_bind
    host, port = first.rsplit(":", 1)

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind((host, int(port)))

        assert loopback().node_bind != first


def test_loopback_has_no_device_to_shape() -> None:
    failing = ("false",)
    network = replace(loopback(), generator=failing, node=failing, sink=failing)

    network.shape("L")

    with pytest.raises(LocalError):
        network.shape("V")


def test_a_tool_that_fails_is_quoted() -> None:
    with pytest.raises(LocalError, match=r"^sh -c echo .*: not permitted$"):
        run("sh", "-c", "echo not permitted >&2; exit 3")


def test_a_tool_that_fails_without_a_word_has_its_code_told() -> None:
    with pytest.raises(LocalError, match=r"^sh -c exit 3: 3$"):
        run("sh", "-c", "exit 3")


@pytest.mark.slow
def test_without_the_tools_it_is_loopback() -> None:
    said = subprocess.run(
        [sys.executable, "-c", SHOW_MODELS],
        check=True, capture_output=True, text=True, env={"PATH": "/nonexistent"},
    )  # fmt: skip

    assert said.stdout.split() == ["L"]


@pytest.mark.slow
@needs_namespaces
@needs_setpriv
def test_where_root_may_not_make_namespaces_it_is_loopback() -> None:
    said = subprocess.run(
        ["setpriv", "--bounding-set", "-sys_admin", sys.executable, "-c", SHOW_MODELS],
        check=True, capture_output=True, text=True,
    )  # fmt: skip

    assert said.stdout.split() == ["L"]


@pytest.mark.slow
@needs_namespaces
def test_namespaces_are_made_and_removed() -> None:
    with open_network() as network:
        made = namespaces()

    assert network.models == ("V", "W", "G")
    assert len(made) == 3
    assert namespaces() == set()


@pytest.mark.slow
@needs_namespaces
def test_an_error_in_the_block_removes_them_too() -> None:
    with pytest.raises(ZeroDivisionError), open_network():
        raise ZeroDivisionError

    assert namespaces() == set()


@pytest.mark.slow
@needs_namespaces
def test_the_node_reaches_both_its_neighbours(network: Network, tmp_path: Path) -> None:
    generator, sink = (
        hear(network, tmp_path, to=bind.rsplit(":", 1)[0], listener=listener, sizes=(40,))
        for bind, listener in (
            (network.generator_bind, network.generator),
            (network.sink_bind, network.sink),
        )
    )

    assert generator == {"bytes": 40, "source": "10.77.1.2"}
    assert sink == {"bytes": 40, "source": "10.77.2.2"}


@pytest.mark.slow
@needs_namespaces
def test_long_packets_end_at_the_sinks_device_and_short_ones_keep_its_pipe_up(
    network: Network, tmp_path: Path
) -> None:
    first = hear(network, tmp_path, to="10.77.2.3", listener=network.sink, sizes=(1_400, 100, 99))

    assert first["bytes"] == 99


@pytest.mark.slow
@needs_namespaces
def test_where_others_are_spared_only_what_the_node_sends_ends_at_the_sinks_device(
    network: Network, tmp_path: Path
) -> None:
    network.spare_others()

    first = hear(network, tmp_path, to="10.77.2.3", listener=network.sink, sizes=(1_400, 99))

    assert first["bytes"] == 1_400


def test_each_test_of_the_program_that_fails_leads_to_its_last_step() -> None:
    steps = long_udp_steps(source_port=3_535)

    leaving = [(place, yes or no) for place, (_, yes, no, _) in enumerate(steps) if yes or no]
    assert [place + 1 + skipped for place, skipped in leaving] == [len(steps) - 1] * 5
    assert sum(1 for _, yes, _, operand in steps if yes and operand == HANDSHAKE_RESPONSE) == 1
    assert steps[-2:] == [(6, 0, 0, 2), (6, 0, 0, 0)]


@pytest.mark.slow
@needs_namespaces
@pytest.mark.parametrize("model", list(OFFLOADS))
def test_all_devices_have_the_offloads_of_the_model(network: Network, model: Model) -> None:
    network.shape(model)

    segmentation, gro = OFFLOADS[model]
    for prefix, device in (
        (network.generator, "c0"), (network.node, "n0"), (network.node, "n1"), (network.sink, "s0"),
    ):  # fmt: skip
        shown = subprocess.run(
            [*prefix, "ethtool", "-k", device], check=True, capture_output=True, text=True
        ).stdout
        assert f"tx-udp-segmentation: {segmentation}" in shown
        assert f"tcp-segmentation-offload: {segmentation}" in shown
        assert f"generic-receive-offload: {gro}" in shown
