"""`ei gateway mqtt` where no node answers: it listens, says so, and ends in order."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
from tests.node.conftest import terminating
from tests.peers.exchange import wait_until
from tests.ways.places import EI

from ei.daemons.client import ask
from ei.errors import EiError

__all__ = ["terminating"]
pytestmark = pytest.mark.slow
LIMIT_S = 15.0


def status_of(folder: Path) -> dict[str, object]:
    try:
        return ask(folder / "admin.sock", "mqtt")
    except EiError:
        return {}


def test_it_waits_for_pubsub_and_can_be_ended(terminating: Path) -> None:
    folder = terminating.parent.parent / "alice"
    words = ["gateway", "mqtt", "--listen", "127.0.0.1:0", "--config", str(folder / "host.toml")]
    with subprocess.Popen([*EI, *words], stderr=subprocess.PIPE, env=os.environ) as process:
        try:
            wait_until(lambda: bool(status_of(folder)))
            status = status_of(folder)
            assert (status["name"], status["connections"]) == ("alice.isp-a", 0)
            assert (folder / "mqtt.sqlite").exists()
            process.send_signal(signal.SIGTERM)
            assert process.wait(LIMIT_S) == 0
        finally:
            process.kill()
