import resource
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ei.cli import checks
from ei.cli.checks import CHECKS, Finding


def look_in_a_process(check: str, sabotage: str) -> Finding:
    """Run one check in a process of its own, after `sabotage`."""
    script = f"""
import sys, resource, os
{sabotage}
from ei.cli import checks
finding = checks.{check}()
print(finding.status, finding.said, finding.remedy, sep="|")
"""
    said = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    status, words, remedy = said.stdout.strip().split("|")
    assert status in {"ok", "note", "failed"}
    return Finding(status, words, remedy)  # type: ignore[arg-type]


def test_a_missing_native_module_is_found() -> None:
    finding = look_in_a_process("native", "sys.modules['ei._core'] = None")

    assert finding.status == "failed"
    assert finding.remedy == "run: make build"


@pytest.mark.slow
def test_that_no_program_can_be_enclosed_is_found_with_what_is_missing() -> None:
    finding = look_in_a_process(
        "enclosure", "import ei.ways.enclosing as e; e.enclose.__kwdefaults__['further'] = ''; "
        "os.environ['PATH'] = '/nowhere'",
    )  # fmt: skip

    assert finding.status == "note"
    assert "the program ip is missing" in finding.said
    assert finding.remedy == "Install it: apt-get install iproute2"


@pytest.mark.slow
def test_an_enclosure_leaves_nothing() -> None:
    finding = look_in_a_process("enclosure", "")

    assert finding.status in {"ok", "note"}
    assert finding.status == "note" or finding.said.startswith("ei run: programs in network")


def test_a_low_limit_of_open_files_is_found() -> None:
    finding = look_in_a_process("files", "resource.setrlimit(resource.RLIMIT_NOFILE, (256, 4096))")

    assert finding == Finding(
        "note", "256 open files per process: too few for a large lab", "raise it: ulimit -n 4096"
    )
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] != 256


def test_a_port_in_use_is_found() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("127.77.9.9", checks.PORT))

        finding = checks.port()

    assert finding.status == "note"
    assert finding.said.startswith("UDP port 3535 is not free")


def test_a_place_where_nothing_can_be_written_is_found(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    finding = look_in_a_process("disk", f"os.environ['XDG_STATE_HOME'] = '{tmp_path}/file'")

    assert finding.status == "failed"
    assert "XDG_STATE_HOME" in finding.remedy


def test_programs_that_are_missing_are_named() -> None:
    finding = look_in_a_process("namespaces", "os.environ['PATH'] = ''")

    assert finding.status == "note"
    assert "not in network namespaces (without ip, tc, nft, ethtool)" in finding.said
    assert finding.remedy == "sudo apt-get install iproute2 nftables ethtool"


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_every_check_says_what_it_saw_and_why_it_looks(check: checks.Check) -> None:
    finding = check.look()

    assert finding.said
    assert check.why.endswith(".")
    assert finding.status != "failed" or finding.remedy
