"""`ei bugreport`: what somebody who is to help needs to see, and no secret."""

import argparse
import io
import json
import os
import re
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ei.cli import doctor, version
from ei.cli.archive import Part, redacted, without_what_services_are_told, write_archive
from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import Execute, Verbs
from ei.cli.pseudonyms import Pseudonyms
from ei.cli.targets import RUN_FOLDER, Target, has_lab, read_lab, takes_target
from ei.errors import EiError

LOG_LINES = 500
LOG_BYTES = 256 * 1024
JOURNAL_S = 10.0
SYSTEM_FOLDER = Path("/etc/ei")
KINDS = ("node", "host")
SECRET_KEY = re.compile(r"[0-9A-Fa-f]{64}")
KEY_FILE_BYTES = 4_096


@dataclass(frozen=True, slots=True)
class Subject:
    """A daemon that is reported on.

    Attributes:
        name: Of its folder in the archive.
        config: Its configuration file; need not exist.
        log: Returns the last that it said.
    """

    name: str
    target: Target
    config: Path
    log: Callable[[], str]


def add_parser(commands: Verbs) -> None:
    """Add `ei bugreport`."""
    verb = commands.add(
        "bugreport",
        summary="collect what helps to find a bug: state, configuration and logs, without secrets",
        details="Reports on the node and host of the system or, where there are none, on the lab."
        "\nNothing is sent anywhere. Nodes are named in it; words like name-1 and ip-2 stand in the"
        "\nplace of hosts, their addresses and keys.",
        execute=execute,
    )
    takes_target(verb)
    verb.takes(
        "--out",
        type=Path,
        metavar="FILE",
        help="archive to write (default: ei-bugreport-ID.tar.gz, here)",
    )
    verb.takes("--dry-run", action="store_true", help="show what would be in it, write nothing")


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """List what is in the archive, then write it."""
    from ei.daemons.startup import explained

    path: Path = arguments.out or Path(f"ei-bugreport-{secrets.token_hex(4)}.tar.gz")
    parts = list(_parts(_subjects(arguments)))
    output.table(("file", "bytes"), [(part.name, str(part.size_bytes)) for part in parts])
    if not arguments.dry_run:
        with explained("cannot write"):
            write_archive(path, parts, unix_s=time.time())
        output.data(f"wrote {path}")
    output.document(
        "ei.bugreport/1",
        {
            "path": None if arguments.dry_run else str(path),
            "files": {part.name: part.size_bytes for part in parts},
        },
    )
    if not arguments.dry_run:
        output.next(f"look before you send it: tar -xzf {path}")
    return Exit.OK


def _subjects(arguments: argparse.Namespace) -> list[Subject]:
    """Return the daemon of `--socket`, else those of the system, else those of the lab."""
    if not has_lab(arguments):
        socket = Path(arguments.socket)
        folder = socket.parent
        kind = "host" if (folder / "host.toml").exists() else "node"
        target = Target(str(socket), socket)
        return [Subject("daemon", target, folder / f"{kind}.toml", _file_log(folder / "log"))]
    if arguments.lab is None and (systems := _system_subjects()):
        return systems
    with suppress(EiError):
        return [
            Subject(
                daemon.name,
                Target(daemon.name, Path(daemon.admin)),
                Path(daemon.folder) / f"{daemon.kind}.toml",
                _file_log(Path(daemon.folder) / "log"),
            )
            for daemon in read_lab(arguments).daemons.values()
        ]
    return []


def _system_subjects() -> list[Subject]:
    return [
        Subject(kind, Target(kind, socket), config, _journal_of(f"ei-{kind}"))
        for kind in KINDS
        for socket, config in [(RUN_FOLDER / f"{kind}.sock", SYSTEM_FOLDER / f"{kind}.toml")]
        if socket.exists() or config.exists()
    ]


def _parts(subjects: list[Subject]) -> Iterator[Part]:
    yield Part("version.json", _said_by(version.execute))
    yield Part("doctor.json", _said_by(doctor.execute))
    for subject in subjects:
        known, pseudonyms = _secrets_of(subject.config), _pseudonyms_for(subject.config)
        for name, read in _readers(subject).items():
            try:
                text, title = read(), f"{subject.name}/{name}"
            except (EiError, OSError) as error:
                # That it cannot be had is often what the report is about.
                text, title = f"{error}\n", f"{subject.name}/{name}.missing"
            part = Part(title, pseudonyms.hide(redacted(text, known)))
            if part.text:
                yield part


def _readers(subject: Subject) -> dict[str, Callable[[], str]]:
    return {
        "config.toml": lambda: without_what_services_are_told(
            subject.config.read_text(encoding="utf-8")
        ),
        "check.json": lambda: _check(subject.config),
        "status.json": lambda: _answer(subject.target, "status"),
        "statistics.json": lambda: _statistics(subject),
        "log": subject.log,
    }


def _answer(target: Target, verb: str) -> str:
    return json.dumps(target.ask(verb), indent=1) + "\n"


def _statistics(subject: Subject) -> str:
    return _answer(subject.target, "statistics") if subject.config.name == "node.toml" else ""


def _check(config: Path) -> str:
    from ei.cli.host import check_host
    from ei.cli.node import check_node

    check = check_node if config.name == "node.toml" else check_host
    return _said_by(lambda _, output: check(config, output))


def _said_by(execute: Execute) -> str:
    """Return the JSON that a command prints."""
    stdout = io.StringIO()
    nobody = Output(stdout=stdout, stderr=io.StringIO(), environ={}, is_json=True, is_quiet=True)
    _ = execute(argparse.Namespace(), nobody)
    return stdout.getvalue()


def _secrets_of(config: Path) -> list[str]:
    """Return the private keys that a configuration names: whatever is in the report, they are not.

    They are looked for as text: a key file that is damaged, or another user's, is one as well.
    """
    from ei.daemons.config_file import read_table

    found: list[str] = []
    with suppress(EiError):
        table: Mapping[str, object] = {"key_file": "key", **read_table(config)}
        for name in [str(value) for key, value in table.items() if key.endswith("key_file")]:
            # Who cannot read a key cannot put it into the report.
            with suppress(OSError), (config.resolve().parent / name).open("rb") as file:
                found += SECRET_KEY.findall(file.read(KEY_FILE_BYTES).decode(errors="replace"))
    return found


def _pseudonyms_for(config: Path) -> Pseudonyms:
    """Return what hides the hosts that a daemon knows; who they are is nobody's business."""
    from ei.daemons.known_records import load_records
    from ei.host.config import load_host_config
    from ei.node.config import load_node_config
    from ei.records.addresses import format_address
    from ei.records.record_set import RecordSet

    records, endpoints = RecordSet(), list[str]()
    with suppress(EiError, OSError):
        if config.name == "node.toml":
            node_config = load_node_config(config)
            endpoints += node_config.binds
            records = load_records(config.parent, node_config, unix_s=time.time())
        else:
            records = load_records(config.parent, load_host_config(config), unix_s=time.time())
    nodes = records.nodes.values()
    endpoints += (endpoint for node in nodes for endpoint in node.endpoints)
    kept = [
        *(node.name for node in nodes),
        *(format_address(node.address) for node in nodes),
        *(key.hex() for node in nodes for key in (node.identity_key, node.pipe_key)),
        *(key.hex() for key in records.roots.keys.values()),
        *(endpoint.rpartition(":")[0] for endpoint in endpoints),
    ]
    return Pseudonyms(kept, [*records.domains])


def _file_log(path: Path) -> Callable[[], str]:
    def read() -> str:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            _ = file.seek(max(0, size - LOG_BYTES))
            text = file.read().decode("utf-8", errors="replace")
        return "".join(text.splitlines(keepends=True)[-LOG_LINES:])

    return read


def _journal_of(unit: str) -> Callable[[], str]:
    def read() -> str:
        command = ["journalctl", "--unit", unit, "--lines", str(LOG_LINES), "--no-pager"]
        said = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=JOURNAL_S
        )
        return (said.stdout + said.stderr)[-LOG_BYTES:]

    return read
