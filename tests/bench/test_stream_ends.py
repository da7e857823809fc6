"""Both ends of a file agree on what went from one to the other."""

import hashlib
import threading
from pathlib import Path

import pytest

from ei.bench.network import loopback
from ei.bench.quic_taker import PlainLink
from ei.bench.stream_ends import End, EndOrder

CONTENT = b"a word" * 50_000


@pytest.mark.slow
def test_what_is_given_is_taken_stream_by_stream(tmp_path: Path) -> None:
    path = tmp_path / "file"
    _ = path.write_bytes(CONTENT)
    here, there = loopback().node_bind, loopback().node_bind
    giving, taking = PlainLink(there, here), PlainLink(here, there)
    giver = End(giving, "give", EndOrder(path=str(path)))
    taker = End(taking, "take", EndOrder())
    came: list[dict[str, object]] = []
    thread = threading.Thread(target=lambda: came.extend([taker.take(), taker.take()]))
    thread.start()

    given = [giver.give(), giver.give()]

    thread.join()
    giving.close()
    taking.close()
    assert [each["given"] for each in given] == [len(CONTENT)] * 2
    digest = hashlib.sha256(CONTENT).hexdigest()
    assert came == [{"received": len(CONTENT), "sha256": digest}] * 2
