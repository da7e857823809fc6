"""`ei demo`: an internet of real processes on one machine, put to work and put to the test."""

import asyncio
import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ei.errors import EiError
from ei.lab.catalogue import find_topology
from ei.lab.demo_context import Demo
from ei.lab.demo_file import check_readable, find_file, send_a_file
from ei.lab.demo_multicast import multicast_stream
from ei.lab.demo_pings import ping_everybody
from ei.lab.demo_worker import kill_a_worker
from ei.lab.narrator import Narrator
from ei.lab.processes import start_lab, stop_lab
from ei.lab.promises import Report, ended_by, promise
from ei.lab.report import Findings, render_report
from ei.lab.run_folder import LabFile
from ei.lab.terminal_map import draw_map
from ei.lab.topology import Topology

TOPOLOGY = "demo"
UP_LIMIT_S = 10.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a demo came to: its promises, and the path of its HTML report."""

    report: Report
    path: Path


def run_demo(
    narrator: Narrator,
    *,
    file: Path | None = None,
    report_path: Path | None = None,
    seed: int = 1,
    environ: Mapping[str, str] = os.environ,
) -> Outcome:
    """Run the demo; nothing is left of its processes, whatever happens.

    Args:
        narrator: Tells what goes on.
        file: To be sent from one domain to another; by default one that is there.
        report_path: Where the report goes; by default a new file in the user's state folder.
        seed: Of what the links do.
        environ: Where files go.

    Raises:
        EiError: the lab could not be started, or the file not be read.
    """
    began_s = time.monotonic()
    topology = find_topology(TOPOLOGY)
    path_to_send = (find_file() if file is None else file).resolve()
    check_readable(path_to_send)
    name = f"demo-{os.getpid()}"
    narrator.show(draw_map(topology, width=narrator.width))
    tie, owner = socket.socketpair()
    try:
        lab = _start(narrator, topology, owner, name=name, seed=seed, environ=environ)
        demo = Demo(topology, lab, narrator, began_s=began_s)
        demo.add(
            promise(
                "the lab is up",
                round(time.monotonic() - began_s, 2),
                "<=",
                UP_LIMIT_S,
                unit="s",
            )
        )
        asyncio.run(_work(demo, path_to_send))
    finally:
        narrator.step("ending all processes")
        ended = stop_lab(name=name, environ=environ)
        tie.close()
        narrator.close()
    demo.add(
        promise(
            "processes, sockets and files left behind", ended.left.count, "==", 0, unit="things"
        )
    )
    report = Report(
        scenario="demo",
        backend="processes",
        seed=seed,
        digest=None,
        promises=tuple(demo.promises),
    )
    path = _write_report(demo, report, report_path, environ, time.monotonic() - began_s)
    narrator.table(report.promises)
    return Outcome(report, path)


async def _work(demo: Demo, file: Path) -> None:
    try:
        await ping_everybody(demo)
        await send_a_file(demo, file)
        await multicast_stream(demo)
        await kill_a_worker(demo)
        demo.step("reading what every node counted")
        await demo.account()
    except (EiError, ExceptionGroup) as error:
        demo.add(ended_by(error, "the demo"))


def _start(  # noqa: PLR0913 what a lab is started with
    narrator: Narrator,
    topology: Topology,
    owner: socket.socket,
    *,
    name: str,
    seed: int,
    environ: Mapping[str, str],
) -> LabFile:
    total = len(topology.residents)
    ready: list[str] = []

    def on_ready(daemon: str) -> None:
        ready.append(daemon)
        narrator.progress(f"{len(ready)} of {total} daemons run: {daemon}")

    narrator.step(
        f"starting {total} daemons: {len(topology.nodes)} nodes, {len(topology.hosts)} hosts"
    )
    with owner:
        lab = start_lab(
            topology, name=name, seed=seed, environ=environ, owner=owner, on_progress=on_ready
        )
    narrator.done(f"{total} daemons run, every host attached")
    return lab


def _write_report(
    demo: Demo,
    report: Report,
    path: Path | None,
    environ: Mapping[str, str],
    seconds: float,
) -> Path:
    if path is None:
        state = environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        path = Path(state) / "ei" / "reports" / f"demo-{stamp}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = sum(each.status == "ok" for each in report.promises)
    summary = (
        ("domains", str(len(demo.topology.domains))),
        ("service nodes", str(len(demo.topology.nodes))),
        ("hosts", str(len(demo.topology.hosts))),
        ("promises kept", f"{kept} of {len(report.promises)}"),
        ("packets", f"{sum(demo.packets.values()):,}"),
        ("seconds", f"{seconds:.1f}"),
    )
    findings = Findings(
        topology=demo.topology,
        summary=summary,
        packets=demo.packets,
        round_trips_ms=demo.round_trips_ms,
        copies=demo.copies,
        transfer=demo.transfer,
        load=demo.load,
        steps=demo.steps,
    )
    _ = path.write_text(render_report(report, findings), encoding="utf-8")
    return path
