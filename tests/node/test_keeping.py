"""A node signs for its domain, reads news in time, and says what ends; on a clock of the test."""

import io
import json
from pathlib import Path

import pytest

from ei.daemons.known_records import load_records
from ei.daemons.log import Log
from ei.node.config import load_node_config
from ei.node.init import init_node
from ei.node.keeping import Keeper
from ei.node.node import Node
from ei.node.prepare import PreparedNode
from ei.node.remembering import RememberingControl
from ei.node.sites import Sites
from ei.records.enrolling import Roll
from ei.records.issuer import Issuer
from ei.records.key_files import read_keys
from ei.records.keys import Keys, make_keys
from ei.runtime.loader import load_service
from ei.sdk import Manifest

DOMAIN, ALICE = make_keys(b"d" * 32), make_keys(b"a" * 32)
START_S = 1_000
DAY_S = 86_400
ISSUER = Issuer("isp-a", 1, DOMAIN, expires_unix_s=START_S + 100 * DAY_S)


class Kept:
    """A node without a datapath, and its keeper."""

    def __init__(self, folder: Path, *, domain_keys: Keys | None = None) -> None:
        self.path = folder / "records.eir"
        new = init_node(
            folder / "sn1",
            name="sn1",
            bind="127.0.0.1:1",
            endpoint="127.0.0.1:1",
            roll=Roll(ISSUER, self.path, START_S),
            randomness=b"n" * 32,
        )
        text = new.path.read_text().replace("revocation_limit_s = 31_536_000\n", "")
        _ = new.path.write_text(text)
        config = load_node_config(new.path)
        keys = read_keys(new.path.parent / "key")
        self.unix_s = float(START_S)
        records = load_records(new.path.parent, config, unix_s=START_S)
        prepared = PreparedNode(new.path, config, keys, domain_keys, (), records)
        self.datapath = RememberingControl()
        manifests = prepared_manifests(config.services)
        self.node = Node(
            config, keys=keys, records=records, manifests=manifests, datapath=self.datapath
        )
        self.node.start(unix_s=START_S)
        self.reloads = 0
        self.lines = io.StringIO()
        self.keeper = Keeper(
            prepared,
            self.node,
            Sites((), None),
            log=Log(self.lines, is_json=True),
            reload=self.reload,
        )
        self.prepared = prepared

    def reload(self) -> None:
        self.reloads += 1
        records = load_records(
            self.prepared.folder,
            self.node.config,
            unix_s=self.unix_s,
            known=self.node.records.lists,
        )
        self.node.update(records)

    def look(self, unix_s: float) -> None:
        self.unix_s = unix_s
        self.keeper.look(unix_s=unix_s)

    @property
    def number(self) -> int:
        return self.node.records.revocations["isp-a"].body.number

    def said(self, event: str) -> list[dict[str, object]]:
        lines = [json.loads(line) for line in self.lines.getvalue().splitlines()]
        return [line for line in lines if line["event"] == event]


def prepared_manifests(services: tuple[str, ...]) -> list[Manifest]:
    return [load_service(name).manifest for name in services]


@pytest.fixture
def signer(tmp_path: Path) -> Kept:
    return Kept(tmp_path, domain_keys=DOMAIN)


@pytest.fixture
def reader(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


def test_who_has_the_domains_key_signs_once_a_minute(signer: Kept) -> None:
    numbers = []
    for second in range(0, 181, 10):
        signer.look(START_S + second)
        numbers.append(signer.number)

    assert numbers == [1] * 6 + [2] * 6 + [3] * 6 + [4]
    # Whoever reads the file finds the same list, and only that one.
    assert Roll(ISSUER, signer.path, START_S).read().revocations["isp-a"].body.number == 4
    assert signer.reloads == 1
    assert signer.node.status().stale_revocations == {}


@pytest.mark.parametrize("jump_s", [3_600, -3_600])
def test_a_clock_that_jumps_an_hour_does_not_stop_the_signing(signer: Kept, jump_s: int) -> None:
    signer.look(START_S + 4_000)
    signer.look(START_S + 4_000 + jump_s)

    assert signer.number == 2
    assert signer.node.status().stale_revocations == {}


def test_what_is_revoked_by_hand_counts_with_the_next_signature(signer: Kept) -> None:
    signer.look(START_S)
    _ = Roll(ISSUER, signer.path, START_S + 5).revoke([ALICE.identity_key])

    signer.look(START_S + 60)

    assert signer.number == 3
    assert signer.node.records.revocations["isp-a"].body.keys == (ALICE.identity_key,)


def test_without_the_key_nothing_is_signed(reader: Kept) -> None:
    before = reader.path.read_bytes()

    reader.look(START_S + 600)

    assert reader.path.read_bytes() == before
    assert reader.node.records.revocations == {}


def test_a_list_that_grows_old_is_read_again_when_the_file_has_changed(reader: Kept) -> None:
    _ = Roll(ISSUER, reader.path, START_S).revoke()
    reader.reload()
    for second in (100, 290, 310, 400):
        reader.look(START_S + second)
    assert reader.reloads == 2
    _ = Roll(ISSUER, reader.path, START_S + 400).revoke()

    reader.look(START_S + 410)
    reader.look(START_S + 420)

    assert (reader.number, reader.reloads) == (2, 3)


def test_a_stale_list_is_told_once_and_so_is_its_end(reader: Kept) -> None:
    _ = Roll(ISSUER, reader.path, START_S).revoke()
    reader.reload()
    for second in (890, 910, 920):
        reader.look(START_S + second)
    _ = Roll(ISSUER, reader.path, START_S + 920).revoke()
    reader.look(START_S + 930)

    (line,) = reader.said("revocations stale: no new pipes")
    assert (line["domain"], line["remedy"]) == ("isp-a", "ei domain refresh")
    assert len(reader.said("revocations fresh again")) == 1


def test_a_file_that_cannot_be_read_costs_nothing_but_a_line(signer: Kept) -> None:
    signer.look(START_S)
    _ = signer.path.write_bytes(b"junk")

    for second in (60, 70, 80):
        signer.look(START_S + second)

    (line,) = signer.said("records not kept fresh")
    assert "not a record file" in str(line["reason"])
    assert signer.number == 1


def test_a18_what_ends_is_said_at_30_7_and_1_days_with_the_command(reader: Kept) -> None:
    for left in (31, 30, 8, 7, 2, 1):
        for hour in (0, 1):
            reader.look(ISSUER.expires_unix_s - left * DAY_S + hour * 3_600)

    said = reader.said("expires soon")
    mine = [line["days"] for line in said if line["what"] == "the record of sn1.isp-a"]
    assert mine == [30.0, 8.0, 7.0, 2.0, 1.0]
    assert said[0]["renew"] in {"ei domain renew", "ei domain renew sn1.isp-a"}
    assert len(reader.node.status().expiring) == 2
