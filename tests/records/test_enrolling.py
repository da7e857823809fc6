"""A roll grows by what its domain signs, and by nothing else."""

from pathlib import Path

import pytest

from ei.errors import ConfigError, ConflictError, IntegrityError
from ei.records.enrolling import Roll, find_domain, full_name
from ei.records.issuer import Issuer
from ei.records.keys import Keys, make_keys
from ei.records.record_files import read_records, write_records
from ei.records.record_set import verify_records
from ei.records.requests import Request

ISSUER = Issuer("isp-a", 1, make_keys(b"d" * 32), expires_unix_s=2_000)
ALICE, BOB = make_keys(b"a" * 32), make_keys(b"b" * 32)


def test_a_roll_begins_with_its_domain(tmp_path: Path) -> None:
    records = Roll(ISSUER, tmp_path / "r", 1_000).add(lambda _: [ISSUER.enrol(ALICE, "a.isp-a")])

    assert records.domains.keys() == {"isp-a"}
    assert len(read_records(tmp_path / "r")) == 2


def test_a_name_that_is_taken_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    roll = Roll(ISSUER, tmp_path / "r", 1_000)
    _ = roll.add(lambda _: [ISSUER.enrol(ALICE, "a.isp-a")])
    before = (tmp_path / "r").read_bytes()

    with pytest.raises(ConflictError, match=r"the name a\.isp-a is taken"):
        _ = roll.add(lambda _: [ISSUER.enrol(BOB, "a.isp-a")])

    assert (tmp_path / "r").read_bytes() == before


def test_records_of_other_domains_stay(tmp_path: Path) -> None:
    other = Issuer("isp-b", 2, make_keys(b"o" * 32), expires_unix_s=2_000)
    _ = Roll(other, tmp_path / "r", 1_000).add(lambda _: [other.enrol(BOB, "b.isp-b")])

    _ = Roll(ISSUER, tmp_path / "r", 1_000).add(lambda _: [ISSUER.enrol(ALICE, "a.isp-a")])

    assert len(read_records(tmp_path / "r")) == 4


def test_a_damaged_file_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "r").write_bytes(b"junk")

    with pytest.raises(IntegrityError):
        _ = Roll(ISSUER, tmp_path / "r", 1_000).add(lambda _: [])

    assert (tmp_path / "r").read_bytes() == b"junk"


def test_a_short_name_gets_its_domain() -> None:
    assert full_name("sn1", "isp-a") == full_name("sn1.isp-a", "isp-a") == "sn1.isp-a"
    with pytest.raises(ConfigError, match="not of domain"):
        _ = full_name("sn1.isp-b", "isp-a")


def alice(name: str = "a.isp-a", *, keys: Keys = ALICE) -> Request:
    return Request(name, keys.identity_key, keys.pipe_key, (), (), 9_999)


def test_who_is_enrolled_again_lives_longer_and_is_there_once(tmp_path: Path) -> None:
    _ = Roll(ISSUER, tmp_path / "r", 1_000).enrol(alice())
    longer = Issuer("isp-a", 1, ISSUER.keys, expires_unix_s=3_000)

    records = Roll(longer, tmp_path / "r", 1_000).enrol(alice())

    assert records.refused == ()
    assert records.enrolments[ALICE.address(1)].expires_unix_s == 3_000
    assert len(read_records(tmp_path / "r")) == 2


def test_one_key_is_not_enrolled_under_two_names(tmp_path: Path) -> None:
    roll = Roll(ISSUER, tmp_path / "r", 1_000)
    _ = roll.enrol(alice())

    with pytest.raises(ConflictError, match=r"its identity key is that of a\.isp-a"):
        _ = roll.enrol(alice("b.isp-a"))


def test_what_is_renewed_also_when_it_is_over(tmp_path: Path) -> None:
    _ = Roll(ISSUER, tmp_path / "r", 1_000).enrol(alice())
    later = Issuer("isp-a", 1, ISSUER.keys, expires_unix_s=9_000)

    names = Roll(later, tmp_path / "r", 5_000).renew()

    records = Roll(later, tmp_path / "r", 5_000).read()
    assert names == ["isp-a", "a.isp-a"]
    assert records.refused == ()
    assert records.enrolments.keys() == {ALICE.address(1)}


def test_what_a_domain_declares_counts_for_who_has_the_record_before(tmp_path: Path) -> None:
    roll = Roll(ISSUER, tmp_path / "r", 1_000)
    _ = roll.enrol(alice())
    old = read_records(tmp_path / "r")

    _ = roll.declare(providers=(7, 9))
    declared = roll.declare(directories=())

    assert declared.providers == (7, 9)
    both = verify_records(
        [*old, *read_records(tmp_path / "r")],
        trust={"isp-a": ISSUER.keys.identity_key},
        unix_s=1_000,
    )
    assert both.domains["isp-a"] == declared
    assert roll.read().enrolments.keys() == {ALICE.address(1)}


def test_what_nobody_would_believe_is_not_declared(tmp_path: Path) -> None:
    roll = Roll(ISSUER, tmp_path / "r", 1_000)
    _ = roll.enrol(alice())
    before = (tmp_path / "r").read_bytes()

    with pytest.raises(ConflictError, match="not the number of another domain"):
        _ = roll.declare(providers=(1,))

    assert (tmp_path / "r").read_bytes() == before


def test_what_others_signed_is_neither_renewed_nor_revoked_nor_shown(tmp_path: Path) -> None:
    other = Issuer("isp-b", 2, make_keys(b"o" * 32), expires_unix_s=2_000)
    foreign = [other.domain(), other.enrol(BOB, "b.isp-b")]
    write_records(tmp_path / "r", foreign)
    roll = Roll(ISSUER, tmp_path / "r", 1_000)

    _ = roll.renew()
    _ = roll.revoke([BOB.identity_key])

    assert set(foreign) <= set(read_records(tmp_path / "r"))
    assert roll.read().refused == ()


def test_a_revoked_host_goes_with_all_that_it_said(tmp_path: Path) -> None:
    roll = Roll(ISSUER, tmp_path / "r", 1_000)
    node = ISSUER.node(BOB, "sn.isp-a", endpoints=("127.0.0.1:1",), services=())
    _ = roll.add(lambda _: [node])
    _ = roll.enrol(alice())
    _ = roll.add(lambda _: [ISSUER.attach(ALICE, nodes=(BOB.address(1),), sequence=1)])

    first = roll.revoke([ALICE.identity_key])
    second = roll.revoke()

    assert (first.number, second.number) == (1, 2)
    assert first.keys == second.keys == (ALICE.identity_key,)
    assert len(read_records(tmp_path / "r")) == 3  # domain, node, the newest list
    assert roll.read().names.keys() == {"sn.isp-a"}


def test_a_list_is_refreshed_and_follows_one_that_was_seen_elsewhere(tmp_path: Path) -> None:
    roll = Roll(ISSUER, tmp_path / "r", 1_000)
    _ = roll.revoke([ALICE.identity_key])
    first = roll.refresh(None)
    write_records(tmp_path / "r", [ISSUER.domain()])  # somebody copied an old file over it

    second = roll.refresh(first)

    assert (first.body.number, second.body.number) == (2, 3)
    assert second.body.keys == (ALICE.identity_key,)
    assert read_records(tmp_path / "r") == [ISSUER.domain(), second.envelope]


def test_a_wrong_key_removes_no_list_of_the_right_one(tmp_path: Path) -> None:
    _ = Roll(ISSUER, tmp_path / "r", 1_000).revoke([ALICE.identity_key])
    before = read_records(tmp_path / "r")
    wrong = Issuer("isp-a", 1, BOB, expires_unix_s=2_000)

    _ = Roll(wrong, tmp_path / "r", 1_000).refresh(None)

    assert read_records(tmp_path / "r")[:-1] == before


def test_a_key_finds_its_domain() -> None:
    envelopes = [b"junk", ISSUER.enrol(ALICE, "a.isp-a"), ISSUER.domain()]

    found = find_domain(envelopes, ISSUER.keys)

    assert found is not None
    assert found.name == "isp-a"
    assert find_domain(envelopes, ALICE) is None


def test_a_node_stays_where_it_is_when_it_is_enrolled_again_or_renewed(tmp_path: Path) -> None:
    asked = Request("n.isp-a", ALICE.identity_key, ALICE.pipe_key, ("127.0.0.1:1",), (16,), 9_999)
    roll = Roll(ISSUER, tmp_path / "r", 1_000)
    _ = roll.enrol(asked)
    _ = roll.locate("n", (48, 11))
    longer = Roll(Issuer("isp-a", 1, ISSUER.keys, expires_unix_s=3_000), tmp_path / "r", 1_000)

    _ = longer.renew()
    records = longer.enrol(asked)

    assert [node.location for node in records.nodes.values()] == [(48, 11)]
    assert len(read_records(tmp_path / "r")) == 2


def test_the_record_that_says_where_a_node_is_counts_more_than_the_one_before(
    tmp_path: Path,
) -> None:
    roll = Roll(ISSUER, tmp_path / "r", 1_000)
    before = ISSUER.node(ALICE, "n.isp-a", endpoints=("127.0.0.1:1",), services=(16,))
    _ = roll.add(lambda _: [before])

    _ = roll.locate("n.isp-a", (48, 11))

    both = [*read_records(tmp_path / "r"), before]
    trust = {"isp-a": ISSUER.keys.identity_key}
    (node,) = verify_records(both, trust=trust, unix_s=1_000).nodes.values()
    assert node.location == (48, 11)
