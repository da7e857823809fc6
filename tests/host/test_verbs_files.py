"""`send_file` and `receive_file` cross a file and show where they stand."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from ei.daemons.messages import Answer, Request
from ei.errors import DeadlineError, LocalError
from ei.host.verbs_files import FileVerbs
from ei.lab.simulation import Simulation
from ei.lab.topology import Impairment

InLab = Callable[[Callable[[Simulation], Coroutine[Any, Any, None]]], None]


def verbs(lab: Simulation, name: str) -> FileVerbs:
    return FileVerbs(lab.host(name), lambda: int(lab.now_s() * 1e9))


async def collect(answers: AsyncIterator[Answer]) -> list[Answer]:
    return [answer async for answer in answers]


@pytest.mark.slow
def test_a_file_crosses_with_progress_before_the_answer(in_lab: InLab, tmp_path: Path) -> None:
    _ = (tmp_path / "sent").write_bytes(bytes(3_000_000))

    async def script(lab: Simulation) -> None:
        # So slow that there is progress to tell.
        await lab.impair("bob", "n1.right", Impairment(delay_ms=1, rate_mbps=50))
        async with asyncio.TaskGroup() as group:
            request = Request("receive_file", {"path": str(tmp_path / "got")})
            receiving = group.create_task(collect(verbs(lab, "bob").receive(request)))
            await asyncio.sleep(0)
            sent = await collect(
                verbs(lab, "alice").send(
                    Request("send_file", {"to": "bob.right", "path": str(tmp_path / "sent")})
                )
            )
        got = receiving.result()

        assert {answer["schema"] for answer in sent[:-1]} == {"ei.progress/1"}
        assert sent[-1]["schema"] == got[-1]["schema"] == "ei.file/1"
        assert sent[-1]["sha256"] == got[-1]["sha256"]
        assert (sent[-1]["peer"], got[-1]["peer"]) == ("bob.right", "alice.left")

    in_lab(script)

    assert (tmp_path / "got").stat().st_size == 3_000_000


def test_a_path_that_is_not_absolute_is_refused(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        with pytest.raises(LocalError, match="is not absolute"):
            _ = await collect(
                verbs(lab, "alice").send(Request("send_file", {"to": "bob.right", "path": "x"}))
            )

    in_lab(script)


def test_a_file_that_nobody_sends_costs_the_deadline(in_lab: InLab, tmp_path: Path) -> None:
    async def script(lab: Simulation) -> None:
        request = Request("receive_file", {"path": str(tmp_path / "got"), "deadline_s": 0.5})

        with pytest.raises(DeadlineError, match="no stream on port 3536"):
            _ = await collect(verbs(lab, "bob").receive(request))

    in_lab(script)
