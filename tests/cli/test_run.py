"""`ei run` with real programs, in a lab: as alice, to a server of bob's."""

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import termios
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.cli.conftest import Run

pytestmark = pytest.mark.timeout(180)
"""Each run is a Python, a namespace and a handshake; a busy machine takes its time."""

SCRIPT = "import sys; from ei.cli import main; sys.exit(main())"
UNCOVERED = (
    "ei run: not covered: pings to the legacy Internet, servers on this machine's own addresses"
)
EI = [sys.executable, "-c", SCRIPT]
TOPOLOGY = """
version = 1
services = ["delivery", "termination"]
internet = ["{here}:*"]
[domains.isp-a.nodes.sn1]
[domains.isp-a.hosts.alice]
nodes = ["sn1"]
[domains.isp-b.nodes.sn1]
[domains.isp-b.hosts.bob]
nodes = ["sn1"]
"""

BOB = """
import asyncio, sys
import ei.aio
HEAD = "HTTP/1.1 200 OK\\r\\nContent-Length: {}\\r\\nConnection: close\\r\\n\\r\\n"

async def answer(stream):
    if stream.port == 22:
        await stream.write(b"SSH-2.0-bob\\r\\n")
        await stream.write(await stream.read())
    elif stream.port == 80:
        asked = b""
        while b"\\r\\n\\r\\n" not in asked:
            asked += await stream.read()
        body = b"page " * 100_000 if asked.startswith(b"GET /large") else b"page"
        await stream.write(HEAD.format(len(body)).encode() + body)
    await stream.finish()

async def serve(host, port, group):
    with host.accept_streams(port) as listener:
        while True:
            group.create_task(answer(await listener.accept(deadline_s=600)))

async def echo(host):
    with host.datagrams(7) as channel:
        while True:
            got = await channel.receive(deadline_s=600)
            channel.try_send(got.source, got.data.upper(), port=got.source_port)

async def main():
    async with ei.aio.connect(sys.argv[1]) as host, asyncio.TaskGroup() as group:
        for port in (22, 80):
            group.create_task(serve(host, port, group))
        group.create_task(echo(host))
        print("serves", flush=True)

asyncio.run(main())
"""


def own_address() -> str:
    """Return the address of this machine that others know; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        address: str = probe.getsockname()[0]
        return address


@pytest.fixture(scope="module")
def alice() -> Generator[dict[str, str]]:
    """The environment of a program that may be alice; bob serves."""
    with tempfile.TemporaryDirectory(prefix="ei-", dir="/tmp") as name:
        environ = {"XDG_STATE_HOME": name, "HOME": name, "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}
        (Path(name) / "topology.toml").write_text(TOPOLOGY.format(here=own_address()))

        def ei(*words: str) -> str:
            done = subprocess.run(
                [*EI, "lab", *words], check=True, env=environ, capture_output=True
            )
            return done.stdout.decode().strip()

        _ = ei("up", f"{name}/topology.toml", "--backend", "processes")
        try:
            configs = {
                each: ei("shell", each, "--", "printenv", "EI_CONFIG") for each in ("alice", "bob")
            }
            for each in configs:
                _ = ei("kill", each)
            with subprocess.Popen(
                [sys.executable, "-c", BOB, configs["bob"]], stdout=subprocess.PIPE, env=environ
            ) as bob:
                assert bob.stdout is not None
                assert bob.stdout.readline() == b"serves\n"
                yield {**environ, "EI_CONFIG": configs["alice"]}
                bob.terminate()
        finally:
            _ = ei("down")


def run(alice: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*EI, "run", *words], env=alice, capture_output=True, text=True, check=False, timeout=60
    )
    if "--mode" not in words and "gives no namespace" in done.stderr:
        pytest.skip("this system gives no namespace to its users")
    return done


def test_a_program_that_is_not_there_is_127_and_one_line(ei: Run) -> None:
    said = ei("run", "--", "no-such-program", "--json")

    assert said.code == 127
    assert said.err == "ei run: there is no program 'no-such-program'\n"
    assert said.out == ""


def test_a_program_runs_as_some_host(ei: Run) -> None:
    said = ei("run", "true")

    assert said.code == 2
    assert "ei host init" in said.err


@pytest.mark.slow
def test_curl_gets_a_page_of_a_host_and_says_nothing_of_ours(alice: dict[str, str]) -> None:
    done = run(alice, "curl", "-sS", "http://bob.isp-b.ei/large")

    assert done.returncode == 0, done.stderr
    assert done.stdout == "page " * 100_000
    assert done.stderr.splitlines() == [
        "ei run: curl as alice.isp-a, in a network namespace",
        UNCOVERED,
    ]


@pytest.mark.slow
def test_a_proxy_of_the_machine_is_not_asked_inside(alice: dict[str, str]) -> None:
    elsewhere = {"http_proxy": "http://127.0.0.1:1", "ALL_PROXY": "socks5h://127.0.0.1:1"}

    done = run({**alice, **elsewhere}, "curl", "-sS", "http://bob.isp-b.ei/")

    assert done.stdout == "page", done.stderr


@pytest.mark.slow
def test_curl_gets_the_same_by_a_proxy(alice: dict[str, str], tmp_path: Path) -> None:
    report = tmp_path / "report"

    done = run(
        alice,
        "--mode",
        "proxy",
        "--report",
        str(report),
        "curl",
        "-sS",
        "http://bob.isp-b.ei/large",
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout == "page " * 100_000
    assert "by proxy variables" in done.stderr
    assert "not covered: UDP, pings, and programs that heed no proxy" in done.stderr
    told = json.loads(report.read_text())
    assert (told["schema"], told["mode"], told["host"]) == ("ei.run/1", "proxy", "alice.isp-a")


@pytest.mark.slow
def test_a_server_that_speaks_first_is_heard(alice: dict[str, str]) -> None:
    script = (
        "import socket; link = socket.create_connection(('bob.isp-b.ei', 22), timeout=5);"
        "print(link.recv(100).decode().strip()); link.sendall(b'and back');"
        "print(link.recv(100).decode())"
    )

    done = run(alice, "--", sys.executable, "-c", script)

    assert done.stdout.splitlines() == ["SSH-2.0-bob", "and back"], done.stderr


@pytest.mark.slow
def test_datagrams_and_pings_reach_a_host(alice: dict[str, str]) -> None:
    script = """
import socket
place = socket.getaddrinfo("bob.isp-b.ei", 7, type=socket.SOCK_DGRAM)[0][4]
with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as link:
    link.settimeout(5)
    link.sendto(b"hello", place)
    print(link.recv(100).decode())
with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM, 58) as link:
    link.settimeout(5)
    link.sendto(bytes([128, 0, 0, 0, 0, 0, 0, 1]) + b"data", place)
    print(link.recv(100)[8:].decode())
"""

    done = run(alice, "--", sys.executable, "-c", script)

    assert done.stdout.splitlines() == ["HELLO", "data"], done.stderr


@pytest.mark.slow
def test_tcp_and_udp_to_the_legacy_internet_go_on_from_the_node(alice: dict[str, str]) -> None:
    here = own_address()
    if here == "127.0.0.1":
        pytest.skip("this machine has no address but the loopback")
    ask = """
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
    link.settimeout(5)
    link.sendto(b"hello", (sys.argv[1], int(sys.argv[2])))
    print(link.recvfrom(100)[0].decode())
"""
    with (
        socket.create_server((here, 0)) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as echo,
        ThreadPoolExecutor() as beside,
    ):
        server.settimeout(30)
        echo.settimeout(30)
        echo.bind((here, 0))
        page = beside.submit(_serve_page, server)
        url = f"http://{here}:{server.getsockname()[1]}/"
        tcp = run(alice, "curl", "-sS", url)
        echoed = beside.submit(_echo, echo)
        port = str(echo.getsockname()[1])
        udp = run(alice, "--", sys.executable, "-c", ask, here, port)
        denied = run(alice, "curl", "-sS", "http://192.0.2.7/")
        _ = page.result(), echoed.result()

    assert tcp.stdout == "page of the legacy Internet", tcp.stderr
    assert udp.stdout == "HELLO\n", udp.stderr
    assert "ei run: 192.0.2.7 port 80: " in denied.stderr


def _serve_page(server: socket.socket) -> None:
    link, _ = server.accept()
    with link:
        _ = link.recv(4_096)
        link.sendall(b"HTTP/1.0 200 OK\r\n\r\npage of the legacy Internet")


def _echo(link: socket.socket) -> None:
    data, sender = link.recvfrom(100)
    _ = link.sendto(data.upper(), sender)


@pytest.mark.slow
def test_a_name_that_is_not_there_and_a_port_that_nobody_serves_are_told(
    alice: dict[str, str],
) -> None:
    missing = run(alice, "curl", "-sS", "http://nobody.isp-b.ei/")
    refused = run(alice, "curl", "-sS", "http://bob.isp-b.ei:81/")

    assert missing.returncode == 6  # curl: could not resolve
    assert refused.returncode != 0
    assert "ei run: " in refused.stderr.splitlines()[2] + refused.stderr.splitlines()[-1]
    assert "port 81" in refused.stderr


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["namespace", "proxy"])
def test_exit_codes_and_signals_are_the_programs(alice: dict[str, str], mode: str) -> None:
    assert run(alice, "--mode", mode, "sh", "-c", "exit 7").returncode == 7
    assert run(alice, "--mode", mode, "sh", "-c", "kill -KILL $$").returncode == 137
    script = "trap 'echo got it; exit 5' TERM; echo ready; while :; do sleep 0.05; done"
    command = [*EI, "run", "--mode", mode, "--", "sh", "-c", script]
    with subprocess.Popen(command, env=alice, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"

        running.send_signal(signal.SIGTERM)

        assert running.stdout.readline() == "got it\n"
    assert running.returncode == 5


@pytest.mark.slow
def test_ctrl_c_reaches_the_program_once_and_ends_both(alice: dict[str, str]) -> None:
    script = (
        "import signal, sys, time\n"
        "got = []\n"
        "signal.signal(signal.SIGINT, lambda *_: got.append(1))\n"
        "print('ready', flush=True)\n"
        "while not got: time.sleep(0.01)\n"
        "time.sleep(0.3)\n"
        "print(len(got), flush=True)\n"
        "sys.exit(9)\n"
    )
    ours, terminal = os.openpty()
    command = [*EI, "run", "-q", "--", sys.executable, "-c", script]
    with subprocess.Popen(
        command, env=alice, stdin=terminal, stdout=subprocess.PIPE, text=True,
        preexec_fn=lambda: _take_terminal(terminal),  # noqa: PLW1509 this test has no threads
    ) as running:  # fmt: skip
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"

        _ = os.write(ours, b"\x03")

        assert running.stdout.readline() == "1\n"
    assert running.returncode == 9
    for each in (ours, terminal):
        os.close(each)


def _take_terminal(terminal: int) -> None:
    os.setsid()
    _ = fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)


@pytest.mark.slow
def test_the_stub_is_the_host_itself_where_no_daemon_is(alice: dict[str, str]) -> None:
    command = [*EI, "dns", "--listen", "127.0.0.1:0", "--upstream", "127.0.0.1:1"]
    with subprocess.Popen(command, env=alice, stderr=subprocess.PIPE, text=True) as stub:
        assert stub.stderr is not None
        first = stub.stderr.readline()
        port = first.partition("127.0.0.1:")[2].partition(" ")[0]
        dig = ["dig", "@127.0.0.1", "-p", port, "+tries=3", "+short", "bob.isp-b.ei", "AAAA"]
        known = subprocess.run(dig, capture_output=True, text=True, check=True).stdout
        stub.send_signal(signal.SIGINT)

    assert first.endswith("by alice.isp-a\n")
    assert known.startswith("fd35:")
    assert stub.returncode == 0


WITHOUT_NAMESPACES = (
    "echo 0 > /proc/sys/user/max_user_namespaces && "
    'exec setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin "$@"'
)
POWERLESS = ["unshare", "--map-root-user", "sh", "-c", WITHOUT_NAMESPACES, "sh"]
"""Runs what follows as somebody who may make no namespace."""


@pytest.mark.slow
def test_without_namespaces_it_is_a_proxy_and_that_is_said(alice: dict[str, str]) -> None:
    def powerless(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*POWERLESS, *EI, "run", *words], env=alice, capture_output=True, text=True, check=False
        )

    fallen_back = powerless("curl", "-sS", "http://bob.isp-b.ei/")
    refused = powerless("--mode", "namespace", "curl", "-sS", "http://bob.isp-b.ei/")

    assert fallen_back.stdout == "page", fallen_back.stderr
    assert "by proxy variables (this system gives no namespace to its users:" in fallen_back.stderr
    assert refused.returncode == 4
    assert "Run it as root, or allow user namespaces." in refused.stderr


@pytest.mark.slow
def test_where_a_proxy_is_the_host_the_program_goes_by_it(alice: dict[str, str]) -> None:
    command = [*EI, "proxy", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, env=alice, stderr=subprocess.PIPE, text=True) as proxy:
        assert proxy.stderr is not None
        for line in proxy.stderr:
            if "host runs" in line:
                break
        by_namespace = run(alice, "curl", "-sS", "http://bob.isp-b.ei/")
        by_variables = run(alice, "--mode", "proxy", "curl", "-sS", "http://bob.isp-b.ei/")
        proxy.terminate()

    assert by_namespace.stdout == by_variables.stdout == "page", by_namespace.stderr
    assert "in a network namespace" in by_namespace.stderr
    assert "not covered: pings, servers" in by_namespace.stderr


@pytest.mark.slow
def test_a_daemon_without_a_proxy_is_in_the_way_and_the_remedy_is_named(running_lab: Path) -> None:
    environ = {
        "XDG_STATE_HOME": str(running_lab),
        "HOME": str(running_lab),
        "PATH": "/usr/bin:/bin",
    }
    command = [*EI, "lab", "shell", "alice", "--", *EI, "run", "true"]

    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)

    assert done.returncode == 6
    assert "alice.isp-a runs as a daemon that carries nothing for other programs" in done.stderr
    assert "ei proxy --config" in done.stderr


@pytest.mark.slow
def test_plain_ip_is_as_ever_beside_it_and_after_it_was_killed(alice: dict[str, str]) -> None:
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as server:  # fmt: skip
        assert server.stdout is not None
        port = server.stdout.readline().split("port ")[1].split()[0]
        page = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", f"http://127.0.0.1:{port}/"]
        before = subprocess.run(page, capture_output=True, text=True, check=False).stdout
        command = [*EI, "run", "--", "sh", "-c", "echo runs; exec sleep 100"]
        with subprocess.Popen(command, env=alice, stdout=subprocess.PIPE, text=True) as running:
            assert running.stdout is not None
            assert running.stdout.readline() == "runs\n"
            during = subprocess.run(page, capture_output=True, text=True, check=False).stdout
            running.kill()
            assert running.stdout.read() == ""  # the program, too, has ended
        after = subprocess.run(page, capture_output=True, text=True, check=False).stdout
        server.terminate()

    assert before == during == after == "200"
