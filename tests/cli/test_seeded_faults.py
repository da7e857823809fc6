"""F4: thirty environments with one fault each; the check that looks there says which it is."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import Run
from tests.runtime.jail.conftest import need

from ei.cli.exits import Exit
from ei.records.record_files import read_records, write_records
from ei.runtime.jail import LAYERS

NODE, HOST = Path("sn1.isp-a/node.toml"), Path("alice.isp-a/host.toml")
Sabotage = Callable[[], object]


def swap(path: Path, old: str, new: str) -> Sabotage:
    def change() -> None:
        text = path.read_text()
        assert old in text, f"{old!r} is not in {path}"
        _ = path.write_text(text.replace(old, new, 1))

    return change


def append(path: Path, text: str) -> Sabotage:
    return lambda: path.write_text(path.read_text() + text)


def first(path: Path, line: str) -> Sabotage:
    return lambda: path.write_text(line + "\n" + path.read_text())


def remove(path: str) -> Sabotage:
    return lambda: Path(path).unlink()


def write(path: str, content: bytes) -> Sabotage:
    return lambda: Path(path).write_bytes(content)


def copy(path: str, to: str) -> Sabotage:
    return lambda: Path(to).write_bytes(Path(path).read_bytes())


def drop_record(number: int) -> Sabotage:
    def change() -> None:
        envelopes = read_records(Path("records.eir"))
        write_records(Path("records.eir"), [*envelopes[:number], *envelopes[number + 1 :]])

    return change


def damage_record(number: int) -> Sabotage:
    def change() -> None:
        envelopes = read_records(Path("records.eir"))
        envelopes[number] = bytes([*envelopes[number][:-1], envelopes[number][-1] ^ 1])
        write_records(Path("records.eir"), envelopes)

    return change


def with_module(manifest: str) -> Sabotage:
    def change() -> None:
        folder = Path("services/probe")
        folder.mkdir(parents=True)
        _ = (folder / "manifest.toml").write_text(manifest)
        _ = (folder / "service.py").write_text("raise RuntimeError('broken on purpose')\n")
        first(NODE, f'service_folders = ["{Path("services").resolve()}"]')()
        swap(NODE, 'services = ["', 'services = ["probe", "')()

    return change


MANIFEST = 'id = 4026531841\nname = "probe"\nversion = "1.0.0"\nsummary = "x"\n'
FAULTS: dict[str, tuple[Sabotage, tuple[str, ...], str, str]] = {
    # what: (sabotage, command, code, what is said)
    "no node.toml": (remove(str(NODE)), ("node",), "EI-1007", "There is no file"),
    "no TOML": (append(NODE, "= ="), ("node",), "EI-1007", "not TOML"),
    "unknown key": (first(NODE, "thread = 2"), ("node",), "EI-1007", "did you mean 'threads'"),
    "out of range": (first(NODE, "threads = 99"), ("node",), "EI-1007", "threads"),
    "wrong type": (first(NODE, 'threads = "two"'), ("node",), "EI-1007", "threads"),
    "another version": (swap(NODE, "version = 1", "version = 2"), ("node",), "EI-1007", "version"),
    "no endpoint": (swap(NODE, "binds = [", 'binds = ["x"] #'), ("node",), "EI-1007", "binds"),
    "two of IPv4": (
        swap(NODE, "binds = [", 'binds = ["127.0.0.1:1", "127.0.0.2:1"] #'),
        ("node",), "EI-1007", "at most one is IPv4",
    ),
    "metrics nowhere": (first(NODE, 'metrics_bind = "x"'), ("node",), "EI-1007", "metrics_bind"),
    "no collector": (
        first(NODE, 'telemetry = { otlp = "collector" }'), ("node",), "EI-1007", "no URL",
    ),
    "unknown service": (swap(NODE, '"delivery"', '"delivry"'), ("node",), "EI-1002", "delivry"),
    "a service twice": (
        swap(NODE, '"delivery"', '"delivery", "delivery"'), ("node",), "EI-1007", "named once",
    ),
    "a chain that ends elsewhere": (
        append(NODE, '\n[chains]\ndelivery = ["echo"]\n'), ("node",), "EI-1007", "must end with",
    ),
    "a guard of a stranger": (
        append(NODE, '\n[guards]\n"bob.isp-a" = ["echo"]\n'), ("node",), "EI-1007", "not attached",
    ),
    "a wrong module value": (
        append(NODE, '\n[config.delivery]\ndecision = 1\n'), ("node",), "EI-1007", "decision_s",
    ),
    "a broken module": (with_module(MANIFEST), ("node",), "EI-2000", "broken on purpose"),
    "a wrong manifest": (with_module("id = 3\n"), ("node",), "EI-1007", "manifest.toml"),
    "a relation that is none": (
        append(NODE, '\n[neighbours]\nisp-b = "friend"\n'), ("node",), "EI-1007", "neighbours",
    ),
    "no key": (remove("sn1.isp-a/key"), ("node",), "EI-1007", "key"),
    "a key that is cut": (write("sn1.isp-a/key", b"x"), ("node",), "EI-", "key"),
    "a key for everybody": (
        lambda: Path("sn1.isp-a/key").chmod(0o644), ("node",), "EI-1003", "mode",
    ),
    "the key of another": (
        copy("alice.isp-a/key", "sn1.isp-a/key"),
        ("node",), "EI-1007", "records know",
    ),
    "no records": (remove("records.eir"), ("node",), "EI-1007", "records"),
    "records that are cut": (
        lambda: os.truncate("records.eir", 100), ("node",), "EI-3002", "record file",
    ),
    "no record of the node": (drop_record(1), ("node",), "EI-1007", "records know no node"),
    "a damaged record": (damage_record(2), ("node",), "", "2 refused"),
    "nobody trusted": (swap(NODE, '"isp-a" = "', '# "isp-a" = "'), ("node",), "EI-1007", "trust"),
    "a trusted key that is none": (
        swap(NODE, '"isp-a" = "', '"isp-a" = "zz'), ("node",), "EI-1007", "hexadecimal",
    ),
    "a host without a record": (drop_record(2), ("host",), "EI-1007", "records know no host"),
    "a host that binds nothing": (
        first(HOST, 'bind = "here"'), ("host",), "EI-1007", "bind",
    ),
    "nodes that are none": (first(HOST, 'nodes = ["sn9.isp-a"]'), ("host",), "EI-1007", "sn9"),
}  # fmt: skip


def test_there_are_thirty() -> None:
    assert len(FAULTS) >= 30


@pytest.mark.parametrize("what", FAULTS)
def test_f4_a_seeded_fault_is_found_with_its_code(ei: Run, what: str) -> None:
    if what == "a broken module":
        need(*LAYERS)
    sabotage, (kind,), code, words = FAULTS[what]
    assert ei("domain", "init", "isp-a", "--number", "1").code == Exit.OK
    assert ei("node", "init", "sn1.isp-a", "--endpoint", "127.0.0.1:40000").code == Exit.OK
    assert ei("host", "init", "alice.isp-a").code == Exit.OK
    config = str(NODE if kind == "node" else HOST)
    assert ei(kind, "check", "--config", config).code == Exit.OK

    _ = sabotage()
    said = ei(kind, "check", "--config", config)

    told = re.sub(r"\s+", " ", said.out + said.err)
    assert said.code != Exit.OK, told
    assert code in told
    assert words in told
    if code:
        # What to do, and where more is said of it.
        assert re.search(r"More: ei help EI-\d{4}", told), told
