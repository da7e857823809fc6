import socket
from collections.abc import Generator
from pathlib import Path
from threading import Event, Thread

import pytest

from ei.errors import ConfigError, NotFoundError, UnreachableError
from ei.registry.fetching import fetch_from, post
from ei.registry.serving import Server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "public" / "deep").mkdir(parents=True)
    _ = (tmp_path / "public" / "deep" / "file").write_bytes(b"0123456789")
    return tmp_path


@pytest.fixture
def address(folder: Path) -> Generator[str]:
    posts = {"/echo": lambda body: (200, body[::-1])}
    with Server(("127.0.0.1", 0), folder / "public", posts) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_folder_and_its_address_are_read_alike(folder: Path, address: str) -> None:
    for place in (str(folder), str(folder / "public"), address, address + "/"):
        fetch = fetch_from(place)
        assert fetch("deep/file", 10) == b"0123456789"
        assert fetch("deep/file", 4) == b"01234", "one more than it may be, so that it is refused"
        for name in ("deep", "nothing", "deep/file/x"):
            with pytest.raises(NotFoundError):
                _ = fetch(name, 10)


def test_what_is_posted_is_answered(address: str) -> None:
    assert post(address, "echo", b"abc") == (200, b"cba")
    assert post(address, "nothing", b"abc")[0] == 404


def test_where_nobody_answers_is_said() -> None:
    with pytest.raises(UnreachableError, match=r"http://127\.0\.0\.1:1"):
        _ = fetch_from("http://127.0.0.1:1")("x", 1)


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_who_sends_a_byte_now_and_then_is_not_waited_for() -> None:
    def trickle(listening: socket.socket) -> None:
        with listening, listening.accept()[0] as caller:
            try:
                caller.sendall(b"HTTP/1.1 200 OK\r\nX: ")
                while not over.wait(0.2):
                    caller.sendall(b"x")
            except OSError:
                return

    over, listening = Event(), socket.create_server(("127.0.0.1", 0))
    place = f"http://127.0.0.1:{listening.getsockname()[1]}"
    thread = Thread(target=trickle, args=(listening,))
    thread.start()
    try:
        with pytest.raises(UnreachableError):
            _ = fetch_from(place)("metadata/timestamp.json", 1_000)
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("place", ["", "nowhere", "ftp://x", "http://", "http://x:99999"])
def test_what_is_no_place_is_refused(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError):
        _ = fetch_from(place or "nowhere else")
