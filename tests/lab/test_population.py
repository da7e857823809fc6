"""What the keys and records of a lab promise."""

import pytest

from ei.errors import ConfigError
from ei.lab.builder import TopologyBuilder
from ei.lab.population import Population, populate
from ei.lab.seeds import derive
from ei.lab.topology_file import parse_topology
from ei.records.addresses import format_address
from ei.records.envelope import open_record
from ei.records.kinds import AttachmentRecord, Enrolment, GroupRecord, NodeRecord
from ei.records.operators import operator_of
from ei.records.record_set import verify_records

UNIX_S = 1_800_000_000


def population(*, seed: int = 7, extra: str = "") -> Population:
    builder = TopologyBuilder("pair")
    builder.domain("d")
    builder.node("a.d", config={"echo": {"to": ["@h.d", "@news.d"], "limit_s": 1.5}})
    builder.host("h.d", nodes=["a.d"])
    builder.group("news.d", nodes=["a.d"])
    if extra:
        builder.host(extra, nodes=["a.d"])
    return populate(builder.build(), randomness=lambda label: derive(seed, label), unix_s=UNIX_S)


def test_the_same_seed_makes_the_same_people() -> None:
    assert population().private == population().private
    assert population().private != population(seed=8).private


def test_a_newcomer_changes_nobody_else() -> None:
    assert population(extra="i.d").residents["h.d"] == population().residents["h.d"]


def test_records_are_signed_by_those_who_may_say_so() -> None:
    people = population()

    signers = {
        type(record): signer
        for record, signer in map(open_record, (*people.public, *people.private["d"]))
    }

    assert signers[Enrolment] == people.domains["d"].identity_key
    assert signers[AttachmentRecord] == people.residents["h.d"].keys.identity_key
    assert signers[GroupRecord] == people.domains["d"].identity_key


def test_node_records_say_where_the_one_who_looks_will_find_them() -> None:
    (envelope,) = population().node_records(lambda name: f"{name}:1", lambda _: 16)

    record, _ = open_record(envelope)

    assert isinstance(record, NodeRecord)
    assert record.endpoints == ("a.d:1",)
    assert record.services == (16, 16)


def test_names_lead_back_from_addresses() -> None:
    people = population()

    assert people.names[people.residents["h.d"].address] == "h.d"
    assert people.names[people.groups["news.d"]] == "news.d"


def test_names_in_the_configuration_of_services_are_addresses_there() -> None:
    people = population()

    said = people.config_of("a.d")

    host, group = people.residents["h.d"].address, people.groups["news.d"]
    addresses = [format_address(host), format_address(group)]
    assert said == {"echo": {"to": addresses, "limit_s": 1.5}}


def test_the_record_of_a_group_names_who_may() -> None:
    topology = parse_topology(
        """
        version = 1
        [domains.d.nodes.a]
        [domains.d.hosts.x]
        nodes = ["a"]
        [domains.e.nodes.a]
        [domains.d.groups.news]
        nodes = ["a"]
        senders = ["x"]
        members = ["e", "x"]
        """,
        name="t",
    )

    people = populate(topology, randomness=lambda label: derive(1, label), unix_s=UNIX_S)

    records = [open_record(sealed)[0] for sealed in people.public]
    (record,) = [each for each in records if isinstance(each, GroupRecord)]
    host = people.residents["x.d"].address
    assert record.senders == (host,)
    assert record.members == (topology.domains["e"].number, host)


def test_guards_of_a_host_are_in_what_it_signs() -> None:
    topology = parse_topology(
        "version = 1\nservices = ['echo']\n[domains.d.nodes.a]\n"
        "[domains.d.hosts.h]\nnodes = ['a']\nguards = ['echo']\n"
        "[domains.d.hosts.i]\nnodes = ['a']\n",
        name="t",
    )

    people = populate(
        topology,
        randomness=lambda label: derive(7, label),
        unix_s=UNIX_S,
        service_numbers={"echo": 17},
    )

    records = [open_record(sealed)[0] for sealed in people.private["d"]]
    guards = {each.host: each.guards for each in records if isinstance(each, AttachmentRecord)}
    assert guards == {people.residents["h.d"].address: (17,), people.residents["i.d"].address: None}


def test_operators_of_the_topology_are_governances_word_and_need_none_otherwise() -> None:
    topology = parse_topology(
        "version = 1\n[domains.a.nodes.n]\n[domains.b]\noperator = 'a'\n[domains.c]\n", name="t"
    )
    people = populate(topology, randomness=lambda label: derive(7, label), unix_s=UNIX_S)
    assert people.governance is not None

    known = verify_records(
        people.public,
        trust={name: keys.identity_key for name, keys in people.domains.items()},
        unix_s=UNIX_S,
        governance=people.governance,
    )

    assert [operator_of(number, known) for number in (1, 2, 3)] == ["a", "a", "c"]
    assert population().governance is None


def test_an_operator_that_is_no_name_is_refused_with_its_domain() -> None:
    text = "version = 1\n[domains.a.nodes.n]\n[domains.b]\noperator = 'A b'\n"

    with pytest.raises(ConfigError, match="'A b', operator of b"):
        populate(
            parse_topology(text, name="t"),
            randomness=lambda label: derive(7, label),
            unix_s=UNIX_S,
        )
