"""What the stem can become: the daemons of a lab, and how to ask whether one is ready."""

import importlib
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import msgspec

from ei.daemons.client import ask
from ei.errors import EiError
from ei.host.status import AttachmentStatus
from ei.lab.catalogue import SCENARIOS
from ei.lab.daemon_files import HOST_FILE, NODE_FILE
from ei.lab.etcd import run_etcd, why_etcd
from ei.lab.run_folder import Daemon
from ei.lab.stem import Program
from ei.node.service_worker import WorkerStatus

ASK_LIMIT_S = 2.0


def preload() -> dict[str, Program]:
    """Import all that the daemons need, before any is forked; return the programs by kind."""
    node = importlib.import_module("ei.node.daemon")
    host = importlib.import_module("ei.host.daemon")
    beside = importlib.import_module("ei.ways.cast_verbs").verbs_beside
    for service in sorted((SCENARIOS.parent / "services").glob("*/service.py")):
        _ = importlib.import_module(f"ei.services.{service.parent.name}.service")
    return {
        "node": lambda folder: _run(node.run_node, folder / NODE_FILE),
        "host": lambda folder: _run(partial(host.run_host, beside=beside), folder / HOST_FILE),
        "etcd": run_etcd,
    }


def readiness(daemon: Daemon) -> str:
    """Return why a daemon is not ready; empty when it is. Blocks."""
    if daemon.kind == "etcd":
        return why_etcd(daemon.endpoint, deadline_s=ASK_LIMIT_S)
    try:
        status = ask(Path(daemon.admin), "status", deadline_s=ASK_LIMIT_S)
    except EiError as error:
        return str(error)
    if daemon.kind == "node":
        return _why_node(status)
    return _why_host(status)


def _run(program: Callable[[Path], object], path: Path) -> int:
    try:
        _ = program(path)
    except EiError as error:
        _ = sys.stderr.write(f"{error} {error.remedy}".strip() + "\n")
        return error.exit_code
    return 0


def _why_node(status: Mapping[str, object]) -> str:
    running = msgspec.convert(status, _NodeStatus)
    # Of one that is watched, who writes it sees why it does not start.
    waiting = [
        worker.service
        for worker in running.workers
        if worker.state != "running" and not worker.is_watched
    ]
    return f"no worker yet for {', '.join(waiting)}" if waiting else ""


def _why_host(status: Mapping[str, object]) -> str:
    attachments = msgspec.convert(status, _HostStatus).attachments
    if any(attachment.is_up for attachment in attachments):
        return ""
    return f"no pipe yet to {' or '.join(attachment.node for attachment in attachments)}"


class _NodeStatus(msgspec.Struct, frozen=True):
    workers: tuple[WorkerStatus, ...]


class _HostStatus(msgspec.Struct, frozen=True):
    attachments: tuple[AttachmentStatus, ...]
