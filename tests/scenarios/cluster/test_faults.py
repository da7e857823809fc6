"""What is done to the logs of dead members, and what is read in those of living ones."""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

from ei.cluster.entries import ORIGIN, Verdict, encode_header, make_entry, recover
from ei.lab.catalogue import SCENARIOS
from ei.lab.process_lab import ProcessLab
from ei.lab.topology_file import load_topology
from ei.scenarios.cluster.faults import LOG, Cluster


@dataclass
class Folders:
    """A lab that is folders only."""

    root: Path
    topology = load_topology(SCENARIOS / "cluster" / "topology.toml")

    def folder(self, name: str) -> Path:
        return self.root / name


def cluster(root: Path) -> Cluster:
    return Cluster(cast("ProcessLab", Folders(root)))


def a_log(root: Path) -> Path:
    path = root / "sn1.isp-a" / LOG
    path.parent.mkdir(parents=True)
    entry = make_entry(ORIGIN, 1, b"x" * 50)
    _ = path.write_bytes(encode_header(ORIGIN, is_whole=True) + entry.encoded)
    return path


def test_a_torn_log_is_torn(tmp_path: Path) -> None:
    path = a_log(tmp_path)

    cluster(tmp_path).tear("sn1.isp-a")

    found = recover(path.read_bytes())
    assert (len(found.entries), found.verdict) == (1, Verdict.TORN)


def test_a_spoilt_log_is_damaged(tmp_path: Path) -> None:
    path = a_log(tmp_path)

    cluster(tmp_path).spoil("sn1.isp-a")

    assert recover(path.read_bytes()).verdict is Verdict.DAMAGED


def test_owners_are_read_from_the_logs_of_all_members(tmp_path: Path) -> None:
    lines = {
        "sn1.isp-a": 'x info ownership changed service=register epoch=2 owner=sn1.isp-a before=""',
        "sn2.isp-a": '{"event": "ownership changed", "epoch": 2, "owner": "sn2.isp-a"}',
        "sn3.isp-a": "node runs",
    }
    for name, line in lines.items():
        (tmp_path / name).mkdir()
        _ = (tmp_path / name / "log").write_text(f"{line}\n")

    assert cluster(tmp_path).owners() == {2: {"sn1.isp-a", "sn2.isp-a"}}
