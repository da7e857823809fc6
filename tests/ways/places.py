"""A lab of real nodes with a proxy and a gateway as processes, and servers good and bad.

curl ─▶ ei proxy (alice.isp-a) ─▶ sn1.isp-a ─▶ sn1.campus ─▶ ei gateway (files.campus) ─▶ server
"""

import hashlib
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from ei.daemons.client import ask
from ei.errors import EiError
from ei.lab.processes import start_lab, stop_lab
from ei.lab.run_folder import run_folder
from ei.lab.topology_file import parse_topology

TOPOLOGY = """
version = 1
services = ["delivery", "termination", "caching"]
internet = ["127.0.0.0/8:*"]
[domains.isp-a.nodes.sn1]
[domains.isp-a.hosts.alice]
nodes = ["sn1"]
[domains.campus.nodes.sn1]
[domains.campus.hosts.files]
nodes = ["sn1"]
[domains.campus.hosts.bob]
nodes = ["sn1"]
"""
PRIVATE_TOPOLOGY = """
version = 1
services = ["delivery", "termination", "caching", "relay"]
internet = ["127.0.0.0/8:*"]
[domains.isp-a]
operator = "acme"
[domains.isp-a.nodes.sn1]
location = [48, 11]
[domains.isp-a.hosts.alice]
nodes = ["sn1"]
[domains.isp-b.nodes.sn1]
location = [50, 14]
"""
EI = [sys.executable, "-c", "import sys; from ei.cli import main; sys.exit(main())"]
READY_S = 20.0
BIG_BYTES = 100 * 1024 * 1024
PIECE = bytes(range(256)) * 256
"""64 KiB."""
RESET = struct.pack("ii", 1, 0)


def big_pieces() -> Iterator[bytes]:
    """Yield 100 MiB in which no two pieces are alike."""
    for number in range(BIG_BYTES // len(PIECE)):
        yield number.to_bytes(8, "little") + PIECE[8:]


def digest_of_big() -> str:
    """Return the SHA-256 of all of them."""
    whole = hashlib.sha256()
    for piece in big_pieces():
        whole.update(piece)
    return whole.hexdigest()


PICTURE = b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'></svg>"
SCRIPT = b"""
addEventListener("load", async () => {
  const pictures = [...document.images].filter(each => each.complete && each.naturalWidth == 9)
  const posted = await (await fetch("/echo", {method: "POST", body: "posted"})).text()
  document.title = `${pictures.length} pictures, ${posted}, by ${location.host}`
})
"""
PICTURES = 24
FILES = {
    **{f"/{number}.svg": ("image/svg+xml", PICTURE) for number in range(PICTURES)},
    "/script.js": ("text/javascript", SCRIPT),
    "/kept": ("text/plain", b"kept\n"),
    "/page": (
        "text/html",
        b"<!doctype html><title>loading</title><script src=/script.js></script>"
        + b"".join(b"<img src=/%d.svg>" % number for number in range(PICTURES)),
    ),
}
"""By their path: type and content; they may be kept for a minute."""
ASKED = Counter[str]()
"""How often servers here were asked for each of them."""


class Answers(BaseHTTPRequestHandler):
    """/hello, /big, /chunked, /page, /die (in mid-answer); POST comes back."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/big":
            self._head(BIG_BYTES)
            for piece in big_pieces():
                _ = self.wfile.write(piece)
        elif self.path == "/chunked":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for word in (b"one ", b"two ", b"three"):
                _ = self.wfile.write(b"%x\r\n%b\r\n" % (len(word), word))
            _ = self.wfile.write(b"0\r\n\r\n")
        elif self.path in FILES:
            ASKED[self.path] += 1
            kind, body = FILES[self.path]
            self._head(len(body), kind)
            _ = self.wfile.write(body)
        elif self.path == "/die":
            self._head(1_000_000)
            _ = self.wfile.write(bytes(500_000))
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self.close_connection = True
        else:
            self._head(6)
            _ = self.wfile.write(b"hello\n")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._head(len(body))
        _ = self.wfile.write(body)

    def _head(self, length: int, kind: str = "application/octet-stream") -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        if self.path in FILES:
            self.send_header("Cache-Control", "max-age=60")
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass

    def finish(self) -> None:
        try:
            super().finish()
        except (OSError, ValueError):
            return  # it has died on purpose


class Sink(ThreadingHTTPServer):
    """A server that says nothing of clients that leave."""

    def handle_error(self, *_: object) -> None:
        pass


@contextmanager
def web_server() -> Generator[int]:
    """Serve `Answers`; the value is the port."""
    with Sink(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


@contextmanager
def counting_server() -> Generator[int]:
    """On each connection: speak first, take everything up to its end, say then how much it was."""

    def serve(connection: socket.socket) -> None:
        with connection, suppress(ConnectionError):
            connection.sendall(b"ready\n")
            count = 0
            while piece := connection.recv(65_536):
                count += len(piece)
            connection.sendall(b"%d\n" % count)

    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield int(server.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Place:
    """Where everything is."""

    folder: Path
    proxy: str
    web_port: int
    dead_port: int

    def host_file(self, name: str) -> Path:
        """Return the `host.toml` of a host."""
        return self.folder / name / "host.toml"

    def curl(self, *words: str, scheme: str = "http") -> subprocess.CompletedProcess[bytes]:
        """Run curl through the proxy, whatever its environment says."""
        command = ["curl", "-sS", "-m", "120", "-x", f"{scheme}://{self.proxy}", *words]
        return subprocess.run(command, capture_output=True, check=False, env={"PATH": os.defpath})

    def proxied(self) -> socket.socket:
        """Return a connection to the proxy."""
        host, _, port = self.proxy.partition(":")
        return socket.create_connection((host, int(port)), timeout=20)

    def ask(self, name: str, verb: str) -> dict[str, object]:
        """Ask the daemon of a host."""
        return ask(self.folder / name / "admin.sock", verb)


@contextmanager
def running(words: list[str], folder: Path, *, log: Path) -> Generator[subprocess.Popen[bytes]]:
    """Run a way in; it has to end by SIGTERM, in order."""
    with log.open("ab") as lines:
        process = subprocess.Popen(
            [*EI, *words, "--config", str(folder / "host.toml")],
            stderr=lines,
            env={"PATH": os.defpath, "HOME": str(folder), "EI_LOG": "debug"},
        )
        try:
            wait_until_up(folder / "admin.sock", process, log)
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait(20)
    assert code == 0, log.read_text()


def wait_until_up(admin: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return when a host is attached."""
    until_s = time.monotonic() + READY_S
    while time.monotonic() < until_s:
        assert process.poll() is None, log.read_text()
        try:
            found = ask(admin, "status")["attachments"]
        except EiError:
            found = []
        if isinstance(found, list) and any(each["is_up"] for each in found):
            return
        time.sleep(0.05)
    raise AssertionError(log.read_text())


@contextmanager
def lab_of(text: str) -> Generator[Path]:
    """Run a lab without daemons of hosts; yield the folder with those of nodes and hosts."""
    with ExitStack() as stack:
        home = tempfile.mkdtemp(prefix="ei-", dir="/tmp")
        _ = stack.callback(shutil.rmtree, home)
        environ = {**os.environ, "XDG_STATE_HOME": home}
        topology = parse_topology(text, name="ways")
        _ = start_lab(topology, name="ways", environ=environ, has_host_daemons=False)
        _ = stack.callback(stop_lab, name="ways", environ=environ)
        yield run_folder("ways", environ).folder_of("alice.isp-a").parent


@contextmanager
def placed_privately() -> Generator[Place]:
    """Run a proxy that goes by two operators, and a server."""
    with (
        lab_of(PRIVATE_TOPOLOGY) as folder,
        web_server() as web,
        running(
            ["proxy", "--private", "--listen", "127.0.0.1:0"],
            folder / "alice.isp-a",
            log=folder / "proxy",
        ),
    ):
        admin = folder / "alice.isp-a" / "admin.sock"
        wait_until_private(admin, folder / "proxy")
        yield Place(folder, str(ask(admin, "proxy")["endpoint"]), web, 0)


def wait_until_private(admin: Path, log: Path) -> None:
    """Return when a proxy has a private way."""
    until_s = time.monotonic() + READY_S
    while time.monotonic() < until_s:
        private = ask(admin, "proxy")["private"]
        if isinstance(private, dict) and private["is_up"]:
            return
        time.sleep(0.05)
    raise AssertionError(log.read_text())


@contextmanager
def placed() -> Generator[Place]:
    """Run all of it."""
    with ExitStack() as stack:
        folder = stack.enter_context(lab_of(TOPOLOGY))
        web = stack.enter_context(web_server())
        counting = stack.enter_context(counting_server())
        with socket.create_server(("127.0.0.1", 0)) as closed:
            dead = int(closed.getsockname()[1])
        ports = {80: web, 22: counting, 81: dead}
        to = [word for here in ports for word in ("--to", f"{here}=127.0.0.1:{ports[here]}")]
        gateway = ["gateway", "publish", "web", *to, "--name", "files.campus.ei"]
        files, alice = folder / "files.campus", folder / "alice.isp-a"
        _ = stack.enter_context(running(gateway, files, log=folder / "gateway"))
        proxy = ["proxy", "--listen", "127.0.0.1:0"]
        _ = stack.enter_context(running(proxy, alice, log=folder / "proxy"))
        endpoint = ask(alice / "admin.sock", "proxy")["endpoint"]
        yield Place(folder, str(endpoint), web, dead)
