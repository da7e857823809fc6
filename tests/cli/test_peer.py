"""Two operators who checked one another's keys become neighbours, and nobody else does."""

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.cli.conftest import Run, Said

from ei.cli.exits import Exit

LIMIT_S = 20.0


@pytest.fixture
def two(ei: Run) -> dict[str, str]:
    """Two domains with a node and a host each, in folders a and b; return their keys."""
    keys = {}
    for letter, number in (("a", "1"), ("b", "2")):
        records = ("--domain-key", f"{letter}.key", "--records", f"{letter}.eir")
        said = ei("domain", "init", f"isp-{letter}", "--number", number, *records)
        assert said.code == Exit.OK, said.err
        keys[letter] = re.findall(r"key ([0-9a-f]{64})", said.out)[0]
        at = f"127.77.{number}.1:41{number}00"
        said = ei("node", "init", f"sn1.isp-{letter}", "--endpoint", at, "--bind", at, *records)
        assert said.code == Exit.OK, said.err
        said = ei("host", "init", f"h.isp-{letter}", *records)
        assert said.code == Exit.OK, said.err
    return keys


def peer(ei: Run, letter: str, *words: str) -> Said:
    verb, *rest = words
    return ei("peer", verb, *rest, "--config", f"sn1.isp-{letter}/node.toml")


def test_a_domain_whose_key_was_checked_is_a_peer_and_its_records_are_known(
    ei: Run, two: dict[str, str], tmp_path: Path
) -> None:
    text = (tmp_path / "sn1.isp-a" / "node.toml").read_text()

    said = peer(ei, "a", "add", "b.eir", "--fingerprint", two["b"][:32])

    assert said.code == Exit.OK, said.err
    assert "isp-b is a peer of isp-a now" in said.out
    assert "next: ei node reload" in said.err
    changed = (tmp_path / "sn1.isp-a" / "node.toml").read_text()
    assert set(changed.splitlines()) - set(text.splitlines()) == {
        f'isp-b = "{two["b"]}"', "[neighbours]", 'isp-b = "peer"',
    }  # fmt: skip
    checked = ei("node", "check", "--config", "sn1.isp-a/node.toml")
    assert checked.code == Exit.OK
    assert "takes packets of isp-a, isp-b" in checked.out.replace("\n  ", " ")
    listed = peer(ei, "a", "list", "--json").document
    assert listed["peers"] == [
        {"name": "isp-b", "relation": "peer", "is_guest": False, "nodes": 1, "key": two["b"]}
    ]


def test_a_domain_under_another_key_is_refused_and_nothing_is_changed(
    ei: Run, two: dict[str, str], tmp_path: Path
) -> None:
    before = [path.read_bytes() for path in sorted(tmp_path.rglob("*.toml"))]

    said = peer(ei, "a", "add", "b.eir", "--fingerprint", "f" * 32)

    assert said.code == Exit.INTEGRITY
    assert two["b"] in said.err.replace("\n", "").replace(" ", "")
    assert [path.read_bytes() for path in sorted(tmp_path.rglob("*.toml"))] == before


def test_a_peer_that_is_known_changes_its_relation_and_is_removed(
    ei: Run, two: dict[str, str]
) -> None:
    assert peer(ei, "a", "add", "b.eir", "--fingerprint", two["b"]).code == Exit.OK

    said = peer(ei, "a", "add", "isp-b", "--fingerprint", two["b"], "--relation", "provider")
    assert said.code == Exit.OK, said.err
    assert "provider" in peer(ei, "a", "list").out
    assert peer(ei, "a", "remove", "isp-b").code == Exit.OK

    assert peer(ei, "a", "list", "--json").document["peers"] == []
    assert peer(ei, "a", "remove", "isp-b").code == Exit.NEGATIVE
    assert peer(ei, "a", "remove", "isp-a").code == Exit.NEGATIVE


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str, str], None]]:
    """Starts a daemon of this kind and name; all end with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def run(kind: str, name: str) -> None:
        program = "import sys; from ei.cli import main; sys.exit(main())"
        words = [kind, "run", "--config", f"{name}/{kind}.toml"]
        with (tmp_path / f"{name}.log").open("wb") as log:
            command = [sys.executable, "-c", program, *words]
            started.append(subprocess.Popen(command, cwd=tmp_path, stderr=log))

    yield run
    for process in started:
        process.terminate()
    for process in started:
        _ = process.wait(10)


def until(is_so: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + LIMIT_S
    while not is_so():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_f6_the_first_refusal_prints_the_line_that_ends_it_and_applying_it_works(
    ei: Run, two: dict[str, str], tmp_path: Path, start: Callable[[str, str], None]
) -> None:
    # sn1.isp-a has made isp-b its peer; sn1.isp-b trusts isp-a, and has said nothing more.
    assert peer(ei, "a", "add", "b.eir", "--fingerprint", two["b"]).code == Exit.OK
    assert peer(ei, "b", "add", "a.eir", "--fingerprint", two["a"]).code == Exit.OK
    config = tmp_path / "sn1.isp-b" / "node.toml"
    _ = config.write_text(config.read_text().replace('[neighbours]\nisp-a = "peer"\n', ""))
    for name in ("h.isp-a", "h.isp-b"):
        host = tmp_path / name / "host.toml"
        other = "b" if name.endswith("a") else "a"
        text = host.read_text()
        _ = host.write_text(text.replace("[trust]", f'[trust]\nisp-{other} = "{two[other]}"'))
    for letter in "ab":
        start("node", f"sn1.isp-{letter}")
    for letter in "ab":
        start("host", f"h.isp-{letter}")
    for letter in "ab":
        sock = f"h.isp-{letter}/admin.sock"
        until(lambda sock=sock: "1 of 1" in ei("host", "status", "--socket", sock).out)  # type: ignore[misc]

    def ping() -> bool:
        said = ei("ping", "h.isp-b", "--socket", "h.isp-a/admin.sock", "--timeout", "1s")
        return "3 of 3" in said.out

    assert not ping()
    told = ei("node", "status", "--socket", "sn1.isp-b/admin.sock").out.replace("\n  ", " ")
    found = re.search(r"add to node.toml: (\[\w+\]) (isp-a = .peer.)", told)
    assert found is not None, told
    _ = config.write_text(config.read_text() + f"{found[1]}\n{found[2]}\n")
    assert ei("node", "reload", "--socket", "sn1.isp-b/admin.sock").code == Exit.OK

    until(ping)
