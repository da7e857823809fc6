from collections.abc import Generator
from pathlib import Path
from threading import Thread

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


@pytest.mark.parametrize("place", ["", "nowhere", "ftp://x", "http://"])
def test_what_is_no_place_is_refused(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError):
        _ = fetch_from(place or "nowhere else")
