"""A host replaces its own attachment in a file, and nothing else."""

from pathlib import Path

from ei.records.attaching import write_attachment
from ei.records.issuer import Issuer
from ei.records.keys import make_keys
from ei.records.record_files import read_records, write_records
from ei.records.record_set import verify_records

DOMAIN, ALICE, BOB, NODE = (make_keys(letter * 32) for letter in (b"d", b"a", b"b", b"n"))
ISSUER = Issuer("isp-a", 1, DOMAIN, expires_unix_s=9_000)
NODES = (NODE.address(1),)
ENVELOPES = [
    ISSUER.domain(),
    ISSUER.node(NODE, "sn1.isp-a", endpoints=("127.0.0.1:1",), services=()),
    ISSUER.enrol(ALICE, "alice.isp-a"),
    ISSUER.enrol(BOB, "bob.isp-a"),
    ISSUER.attach(BOB, nodes=NODES, sequence=1),
    b"junk",
]


def test_a_later_attachment_replaces_the_earlier_also_when_the_clock_was_set_back(
    tmp_path: Path,
) -> None:
    path = tmp_path / "records.eir"
    write_records(path, ENVELOPES)
    host = ALICE.address(1)

    first = write_attachment(path, ALICE, host=host, nodes=NODES, unix_s=1_000, life_s=100)
    second = write_attachment(path, ALICE, host=host, nodes=NODES, unix_s=900, life_s=500)

    assert (first.sequence, second.sequence) == (1_000_000_000, 1_000_000_001)
    envelopes = read_records(path)
    assert envelopes[:-1] == ENVELOPES
    records = verify_records(
        envelopes, trust={"isp-a": DOMAIN.identity_key}, unix_s=1_000, attachment_limit_s=9_000
    )
    assert records.attachments[host] == second
    assert BOB.address(1) in records.attachments
