"""Two brokers of MQTT, each the host of another domain, on one pubsub; and Debian's clients.

mosquitto_pub ─▶ ei gateway mqtt (gate.isp-a) ─▶ sn1.isp-a ─▶ sn1.campus ─▶ (gate.campus) ─▶ paho
"""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.ways.places import EI

from ei.daemons.client import ask
from ei.errors import EiError
from ei.lab.processes import start_lab, stop_lab
from ei.lab.run_folder import run_folder
from ei.lab.topology_file import parse_topology
from ei.lab.unsynced import losing

TOPOLOGY = """
version = 1
services = ["delivery", "pubsub"]
[domains.isp-a.nodes.sn1]
config.pubsub.nodes = ["@sn1.isp-a", "@sn1.campus"]
[domains.isp-a.hosts.gate]
nodes = ["sn1"]
[domains.campus.nodes.sn1]
config.pubsub.nodes = ["@sn1.isp-a", "@sn1.campus"]
[domains.campus.hosts.gate]
nodes = ["sn1"]
"""
READY_S = 20.0


class Broker:
    """One `ei gateway mqtt`, which can be killed and started again on its port.

    What it has not synced is lost when it is killed.
    """

    def __init__(self, folder: Path, log: Path) -> None:
        self.folder = folder
        self.log = log
        self._environ = {**os.environ, "EI_LOG": "debug", **losing(folder, build=log.parent)}
        self._listen = "127.0.0.1:0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Run it, until clients are served."""
        config = str(self.folder / "host.toml")
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [*EI, "gateway", "mqtt", "--listen", self._listen, "--config", config],
                stderr=log,
                stdout=log,
                env=self._environ,
            )
        wait_until(lambda: b"mqtt is ready" in self.log.read_bytes())
        wait_until(self._answers)

    def _answers(self) -> bool:
        try:
            self._listen = str(self.status()["endpoint"])
        except EiError:
            return False
        return True

    def end(self, number: signal.Signals) -> int:
        """End it by a signal; return its exit code."""
        if self._process is None:
            return 0
        self._process.send_signal(number)
        code = self._process.wait(READY_S)
        self._process = None
        return code

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listen.rpartition(":")[2])

    def status(self) -> dict[str, object]:
        """Return what it says of itself."""
        return ask(self.folder / "admin.sock", "mqtt")

    def words(self, program: str, *words: str) -> list[str]:
        """Return a command of mosquitto's clients."""
        return [program, "-h", "127.0.0.1", "-p", str(self.port), *words]

    def publish(self, *words: str, data: bytes = b"") -> None:
        """Publish with mosquitto_pub."""
        done = subprocess.run(
            self.words("mosquitto_pub", *words),
            input=data,
            capture_output=True,
            timeout=READY_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    @contextmanager
    def subscribed(self, *words: str) -> Generator["Subscriber"]:
        """Run mosquitto_sub, which is subscribed when the block begins."""
        with self.connected("-d", *words) as subscriber:
            subscriber.wait_for("Subscribed (")
            yield subscriber

    @contextmanager
    def connected(self, *words: str) -> Generator["Subscriber"]:
        """Run mosquitto_sub; it is killed at the end."""
        command = ["stdbuf", "-oL", *self.words("mosquitto_sub", "-W", f"{READY_S:g}", *words)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            try:
                yield Subscriber(process)
            finally:
                process.kill()


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A mosquitto_sub."""

    process: subprocess.Popen[bytes]

    def wait_for(self, beginning: str) -> None:
        """Return once it has said a line that begins so."""
        while not (line := self._line()).startswith(beginning):
            assert line, "it has ended"

    def lines(self, count: int) -> list[str]:
        """Return so many lines of it, but for those that say what it does (-d)."""
        found: list[str] = []
        while len(found) < count:
            line = self._line()
            if not line.startswith(("Client ", "Subscribed ")):
                found.append(line.rstrip("\n"))
        return found

    def _line(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().decode()


@contextmanager
def exchanged() -> Generator[tuple[Broker, Broker]]:
    """Run a broker in each of two domains."""
    with ExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory(prefix="ei-"))
        environ = {**os.environ, "XDG_STATE_HOME": home}
        _ = start_lab(
            parse_topology(TOPOLOGY, name="mqtt"),
            name="mqtt",
            environ=environ,
            has_host_daemons=False,
        )
        _ = stack.callback(stop_lab, name="mqtt", environ=environ)
        folder = run_folder("mqtt", environ).folder_of("gate.isp-a").parent
        brokers = [
            Broker(folder / name, Path(home) / name) for name in ("gate.isp-a", "gate.campus")
        ]
        for broker in brokers:
            _ = stack.callback(broker.end, signal.SIGKILL)
            broker.start()
        yield brokers[0], brokers[1]


def wait_until(is_so: Callable[[], bool]) -> None:
    """Return when it is so."""
    until_s = time.monotonic() + READY_S
    while not is_so():
        assert time.monotonic() < until_s, "not in time"
        time.sleep(0.02)
