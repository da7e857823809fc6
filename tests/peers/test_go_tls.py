"""Go's TLS agrees with a site of ours on X25519MLKEM768, which it prefers too, or on X25519."""

import re
import shutil
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from tests.native.stream_rig import Node, Server, StreamHost, echo, pump_until
from tests.native.test_stream_sites import SITES, WEB, site

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]  # Go compiles

SOURCE = Path(__file__).with_name("tls_client.go")


def has_go() -> bool:
    """Whether there is a Go that tells the group it agreed on, which few packages bring yet."""
    if shutil.which("go") is None:
        return False
    asked = subprocess.run(["go", "env", "GOVERSION"], capture_output=True, text=True, check=False)
    version = re.match(r"go1\.(\d+)", asked.stdout)
    return version is not None and int(version[1]) >= 25


@pytest.fixture(scope="session")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client, compiled."""
    if not has_go():
        pytest.skip("needs Go 1.25 or newer: https://go.dev/dl")
    program = tmp_path_factory.mktemp("go") / "tls_client"
    _ = subprocess.run(["go", "build", "-o", program, SOURCE], check=True)
    return program


class Bridge:
    """Carries bytes between a program's connection and a stream of a host."""

    def __init__(self, host: StreamHost, program: list[str | Path]) -> None:
        self._host = host
        self._stream = host.open()
        with socket.create_server(("127.0.0.1", 0)) as listening:
            address = f"127.0.0.1:{listening.getsockname()[1]}"
            self._process = subprocess.Popen(
                [program[0], address, *program[1:]], stdout=subprocess.PIPE, text=True
            )
            self._connection, _ = listening.accept()
        self._connection.settimeout(0)

    def step(self) -> bool:
        """Carry what is there; return whether the program has ended."""
        came = self._host.received[self._stream]
        self._connection.sendall(bytes(came))
        came.clear()
        with suppress(BlockingIOError):
            self._host.write(self._stream, self._connection.recv(65_536))
        return self._process.poll() is not None

    def close(self) -> str:
        """Return what the program said."""
        self._connection.close()
        said, _ = self._process.communicate()
        assert self._process.returncode == 0
        return said


@pytest.mark.parametrize(
    ("words", "group"),
    [([], "X25519MLKEM768"), (["classical"], "X25519")],
    ids=["any", "classical"],
)
def test_gos_tls_ends_at_a_site(client: Path, tmp_path: Path, words: list[str], group: str) -> None:
    certificate = tmp_path / "certificate.pem"
    _ = certificate.write_bytes(WEB.certificate)
    with Server(echo) as server, Node() as node:
        node.engine.set_sites(SITES)
        worker = node.attach(site(server.port))
        host = node.connected(worker)
        bridge = Bridge(host, [client, WEB.name, certificate, *words])

        pump_until(bridge.step, node, host, worker)

        assert bridge.close() == f"{group} hello\n"
