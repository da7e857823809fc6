import http.client
import socket
from collections.abc import Generator
from pathlib import Path
from threading import Thread

import pytest

from ei.registry.serving import MAX_BODY_BYTES, MAX_CONNECTIONS, Server


@pytest.fixture
def server(tmp_path: Path) -> Generator[Server]:
    public = tmp_path / "public"
    (public / "000.p").mkdir(parents=True)
    _ = (public / "000.p" / "5").write_bytes(b"tile")
    _ = (public / ".hidden").write_bytes(b"secret")
    _ = (tmp_path / "online.key").write_bytes(b"secret")
    (public / "link").symlink_to(tmp_path / "online.key")
    with Server(("127.0.0.1", 0), public, {"/take": lambda body: (200, b"%d" % len(body))}) as made:
        thread = Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def ask(server: Server, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=5)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_files_below_the_folder_are_served(server: Server) -> None:
    assert ask(server, "GET", "/000.p/5") == (200, b"tile")
    assert ask(server, "GET", "/000.p/5?x=1") == (200, b"tile")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/000.p",
        "/../online.key",
        "/000.p/../../online.key",
        "/%2e%2e/online.key",
        "/.hidden",
        "/link",
        "//etc/passwd",
        "x",
    ],
)
def test_nothing_else_is(server: Server, path: str) -> None:
    assert ask(server, "GET", path)[0] == 404


def test_what_is_posted_is_bounded(server: Server) -> None:
    assert ask(server, "POST", "/take", bytes(MAX_BODY_BYTES)) == (200, b"65536")
    assert ask(server, "POST", "/take", bytes(MAX_BODY_BYTES + 1))[0] == 413
    assert ask(server, "POST", "/other", b"x")[0] == 404
    assert ask(server, "PUT", "/take", b"x")[0] == 501


def test_connections_are_bounded(server: Server) -> None:
    idle = [
        socket.create_connection(("127.0.0.1", server.server_address[1]))
        for _ in range(MAX_CONNECTIONS)
    ]
    late = socket.create_connection(("127.0.0.1", server.server_address[1]))

    assert late.recv(1) == b"", "it is hung up at once"
    assert server.statistics() == {"refused": 1, "failed": 0}
    for each in (*idle, late):
        each.close()
