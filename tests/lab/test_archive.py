"""Who has which records in a lab."""

from ei.lab.archive import Archive
from ei.lab.builder import TopologyBuilder
from ei.lab.population import Population, populate
from ei.lab.seeds import derive
from ei.records.issuer import Issuer
from ei.records.keys import make_keys

UNIX_S = 1_800_000_000


def people() -> Population:
    builder = TopologyBuilder("three")
    for domain in ("a", "b", "c"):
        builder.domain(domain)
        builder.node(f"n.{domain}")
    builder.host("alice.a", nodes=["n.a"])
    builder.host("bob.b", nodes=["n.b", "n.c"])
    builder.group("news.a", nodes=["n.a"])
    return populate(builder.build(), randomness=lambda label: derive(7, label), unix_s=UNIX_S)


def archive(population: Population) -> Archive:
    nodes = population.node_records(lambda _: "10.0.0.1:1", lambda _: 16)
    return Archive(population, nodes, unix_s=UNIX_S)


def test_domains_nodes_and_groups_are_known_to_everybody() -> None:
    made = archive(people())

    for domain in ("a", "b", "c"):
        view = made.view(domain)
        assert view.refused == ()
        assert (set(view.domains), len(view.nodes)) == ({"a", "b", "c"}, 3)
        assert "news.a" in view.names


def test_hosts_are_known_at_home_and_where_they_are_attached() -> None:
    made = archive(people())

    known = {
        domain: {name for name in ("alice.a", "bob.b") if name in made.view(domain).names}
        for domain in ("a", "b", "c")
    }

    assert known == {"a": {"alice.a"}, "b": {"bob.b"}, "c": {"bob.b"}}


def test_what_is_added_later_goes_where_it_belongs() -> None:
    population = people()
    made = archive(population)
    keys = population.domains["a"]
    later = Issuer("a", 1, keys, expires_unix_s=UNIX_S + 10**9)
    carol = make_keys(b"c" * 32)

    added = made.add([later.enrol(carol, "carol.a")], unix_s=UNIX_S)

    assert added.refused == ()
    assert "carol.a" in made.view("a").names
    assert "carol.a" not in made.view("b").names


def test_what_is_refused_is_said() -> None:
    population = people()
    stranger = Issuer("a", 1, population.domains["b"], expires_unix_s=UNIX_S + 10**9)

    added = archive(population).add(
        [stranger.enrol(population.residents["n.c"].keys, "eve.a")], unix_s=UNIX_S
    )

    assert [refusal.record for refusal in added.refused] == ["enrolment eve.a"]
