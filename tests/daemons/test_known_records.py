"""Records are read as a configuration says, and what was seen once is not forgotten."""

from pathlib import Path

import msgspec

from ei.daemons.governance_file import write_governance
from ei.daemons.known_records import keep_seen, load_records, read_seen
from ei.node.config import NodeConfig
from ei.records.issuer import Issuer
from ei.records.keys import make_keys
from ei.records.lists import DomainList, ListedDomain, seal_list
from ei.records.record_files import write_records

DOMAIN, ANNE = make_keys(b"d" * 32), make_keys(b"1" * 32)
ISSUER = Issuer("isp-a", 1, DOMAIN, expires_unix_s=2_000)


def domain_list(number: int) -> bytes:
    listed = (ListedDomain("isp-a", 1, DOMAIN.identity_key, 2_000),)
    return seal_list(DomainList(number, 2_000, (ANNE.identity_key,), 1, listed), [ANNE])


def config(folder: Path, *envelopes: bytes) -> NodeConfig:
    governance = folder / "governance.toml"
    if not governance.exists():
        write_governance(governance, (ANNE.identity_key,), 1)
    write_records(folder / "records.eir", [ISSUER.domain(), *envelopes])
    settled = {
        "version": 1,
        "name": "sn1.isp-a",
        "domain_number": 1,
        "binds": ["127.0.0.1:1"],
        "governance": "governance.toml",
    }
    return msgspec.convert(settled, NodeConfig)


def test_governance_of_a_configuration_is_believed(tmp_path: Path) -> None:
    records = load_records(tmp_path, config(tmp_path, domain_list(1)), unix_s=1_000)

    assert records.refused == ()
    assert records.domains.keys() == {"isp-a"}


def test_an_old_file_does_not_bring_back_what_was_seen_to_be_over(tmp_path: Path) -> None:
    seen = tmp_path / "seen.eir"
    new = load_records(tmp_path, config(tmp_path, domain_list(5)), unix_s=1_000)
    assert read_seen(seen) == []
    keep_seen(seen, new)

    old = load_records(
        tmp_path, config(tmp_path, domain_list(4)), unix_s=1_000, known=read_seen(seen)
    )

    assert old.lists == new.lists
    assert "seen before (rollback)" in old.why_refused("domain list", "4")


def test_what_did_not_change_is_not_written_again(tmp_path: Path) -> None:
    seen = tmp_path / "seen.eir"
    records = load_records(tmp_path, config(tmp_path, domain_list(5)), unix_s=1_000)
    keep_seen(seen, records)
    before = seen.stat().st_mtime_ns, seen.stat().st_ino

    keep_seen(seen, records)

    assert (seen.stat().st_mtime_ns, seen.stat().st_ino) == before
