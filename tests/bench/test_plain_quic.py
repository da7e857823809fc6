"""The baseline of a splice with QUIC ends with its input."""

from pathlib import Path

import pytest

from ei.bench.children import Child, python

DEADLINE_S = 10.0


@pytest.mark.slow
def test_it_says_where_it_is_and_what_it_took_and_ends_with_its_input(tmp_path: Path) -> None:
    command = python("ei.bench.plain_quic", "127.0.0.1:1")
    with Child("forwarder", command, cpu=None, log=tmp_path / "log") as child:
        endpoint = str(child.hear(deadline_s=DEADLINE_S)["endpoint"])

        child.tell("figures")

        assert set(child.hear(deadline_s=DEADLINE_S)) == {"cpu_ns"}
        assert endpoint.startswith("127.0.0.1:")
        assert child.end() == 0
