"""Asking a daemon ends with an answer or with what is wrong, by the deadline."""

import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from ei.daemons.client import ask
from ei.errors import DeadlineError, LocalError, NotFoundError, UnreachableError


def serve(path: Path, answer: Callable[[socket.socket], None]) -> threading.Thread:
    """Serve one client at `path` on a thread."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen()

    def run() -> None:
        with listener:
            connection, _ = listener.accept()
        with connection:
            _ = connection.recv(65_536)
            answer(connection)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_progress_comes_before_the_answer(tmp_path: Path) -> None:
    def answer(connection: socket.socket) -> None:
        connection.sendall(b'{"schema": "ei.progress/1", "done": 1}\n{"schema": "ei.x/1"}\n')

    thread = serve(tmp_path / "s", answer)
    seen: list[object] = []

    got = ask(tmp_path / "s", "x", on_progress=seen.append)

    thread.join()
    assert got == {"schema": "ei.x/1"}
    assert seen == [{"schema": "ei.progress/1", "done": 1}]


def test_an_error_of_the_daemon_is_raised_here(tmp_path: Path) -> None:
    line = b'{"schema": "ei.error/1", "kind": "NotFoundError", "cause": "no bob", "remedy": ""}\n'
    thread = serve(tmp_path / "s", lambda connection: connection.sendall(line))

    with pytest.raises(NotFoundError, match="no bob"):
        _ = ask(tmp_path / "s", "x")
    thread.join()


def test_a_daemon_that_ends_meanwhile_is_unreachable(tmp_path: Path) -> None:
    thread = serve(tmp_path / "s", lambda _: None)

    with pytest.raises(UnreachableError, match="ended before it answered x"):
        _ = ask(tmp_path / "s", "x")
    thread.join()


def test_a_daemon_that_is_silent_costs_the_deadline_and_no_more(tmp_path: Path) -> None:
    asked = threading.Event()
    thread = serve(tmp_path / "s", lambda _: asked.wait() and None)

    with pytest.raises(DeadlineError, match=r"no answer in 0\.05 s"):
        _ = ask(tmp_path / "s", "x", deadline_s=0.05)
    asked.set()
    thread.join()


def test_nobody_at_the_socket_is_said(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="no daemon answers"):
        _ = ask(tmp_path / "s", "x")


def test_a_path_too_long_for_a_socket_is_said(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="exceeds the 107 B"):
        _ = ask(tmp_path / ("x" * 200), "x")
