import json
import socket
import threading
from pathlib import Path

from ei.cli.polling import poll
from ei.cli.targets import Target


def answer_once(listener: socket.socket, content: dict[str, object]) -> None:
    """Answer the first request on an admin socket."""
    connection, _ = listener.accept()
    with connection:
        connection.makefile().readline()
        connection.sendall(json.dumps(content).encode() + b"\n")


def test_one_that_hangs_does_not_hide_the_others(tmp_path: Path) -> None:
    with (
        socket.socket(socket.AF_UNIX) as good,
        socket.socket(socket.AF_UNIX) as hanging,
    ):
        for listener, name in ((good, "good"), (hanging, "hanging")):
            listener.bind(str(tmp_path / name))
            listener.listen()
        server = threading.Thread(target=answer_once, args=(good, {"schema": "x/1", "a": 1}))
        server.start()
        targets = [Target(name, tmp_path / name) for name in ("hanging", "good", "missing")]

        hung, answered, missing = poll(targets, "status", deadline_s=0.1)
        server.join()

    assert answered.answer == {"schema": "x/1", "a": 1}
    assert hung.answer is None
    assert "no answer in 0.1 s" in hung.trouble
    assert "no daemon answers" in missing.trouble
