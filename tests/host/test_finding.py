"""What a host finds in its records."""

import pytest
from tests.host.conftest import keys_of

from ei.errors import ConfigError, NotFoundError
from ei.host.finding import find_enrolment, find_nodes, host_key, lost_keys, service_key
from ei.host.stack import Identity
from ei.records.issuer import Issuer
from ei.records.keys import Keys, make_keys
from ei.records.record_set import RecordSet, verify_records

DOMAIN = make_keys(b"d" * 32)
ALICE, NODE = keys_of("alice"), keys_of("sn1")
ISSUER = Issuer("isp-a", 1, DOMAIN, expires_unix_s=2_000)
IDENTITY = Identity("alice.isp-a", ALICE.address(1), ALICE)


def records(alice: Keys = ALICE, *, is_attached: bool = True) -> RecordSet:
    envelopes = [
        ISSUER.domain(),
        ISSUER.node(NODE, "sn1.isp-a", endpoints=("127.0.0.1:1",), services=(32,)),
        ISSUER.enrol(alice, "alice.isp-a"),
    ]
    if is_attached:
        envelopes.append(ISSUER.attach(alice, nodes=(NODE.address(1),), sequence=1))
    return verify_records(envelopes, trust={"isp-a": DOMAIN.identity_key}, unix_s=1_000)


def test_nodes_are_those_named_or_those_of_the_attachment() -> None:
    assert find_nodes(IDENTITY, records(), []) == [NODE.address(1)]
    assert find_nodes(IDENTITY, records(is_attached=False), ["sn1.isp-a"]) == [NODE.address(1)]


def test_without_any_the_way_to_name_one_is_said() -> None:
    with pytest.raises(ConfigError, match="is not in the records") as caught:
        find_nodes(IDENTITY, records(is_attached=False), [])

    assert "nodes = " in caught.value.remedy


def test_a_host_whose_pipe_key_is_another_is_told() -> None:
    other = Keys(ALICE.identity_secret, NODE.pipe_secret[::-1])

    with pytest.raises(ConfigError, match="another pipe key of alice"):
        find_enrolment(IDENTITY, records(other))


def test_a_key_is_lost_when_it_is_gone_or_another() -> None:
    before = records().enrolments
    renewed = records(Keys(ALICE.identity_secret, NODE.pipe_secret[::-1])).enrolments

    assert lost_keys(before, before) == set()
    assert lost_keys(before, {}) == lost_keys(before, renewed) == {ALICE.address(1)}


def test_a_key_is_found_of_a_host_and_of_a_node_that_offers_the_service() -> None:
    known = records()

    assert host_key(known, ALICE.address(1)) == ALICE.identity_key
    assert service_key(known, NODE.address(1), 32) == NODE.identity_key
    with pytest.raises(NotFoundError, match=r"no record of the host sn1\.isp-a"):
        host_key(known, NODE.address(1))
    with pytest.raises(NotFoundError, match=r"no record of the node alice\.isp-a"):
        service_key(known, ALICE.address(1), 32)
    with pytest.raises(NotFoundError, match=r"sn1\.isp-a does not offer service 33; it offers 32"):
        service_key(known, NODE.address(1), 33)
