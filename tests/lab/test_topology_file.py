"""What topology.toml promises to those who write it."""

from pathlib import Path

import pytest

import ei.lab
from ei.errors import ConfigError, LocalError
from ei.lab.topology import LinkKind
from ei.lab.topology_file import load_topology, parse_topology

NODES = "version = 1\n[domains.a.nodes.x]\n[domains.a.nodes.y]\n"


def test_short_names_mean_the_own_domain() -> None:
    plan = parse_topology(
        NODES + "[domains.b.nodes.z]\n[domains.b.hosts.h]\nnodes = ['z', 'x.a']\naliases = ['w']",
        name="t",
    )

    assert plan.hosts["h.b"].nodes == ("z.b", "x.a")
    assert plan.find("w.b") == "h.b"


def test_services_are_the_files_unless_the_node_lists_its_own() -> None:
    text = "version = 1\nservices = ['echo']\n[domains.a.nodes.x]\n[domains.a.nodes.y]\nservices=[]"

    plan = parse_topology(text, name="t")

    assert (plan.nodes["x.a"].services, plan.nodes["y.a"].services) == (("echo",), ())


def test_names_in_the_configuration_of_a_service_are_of_the_own_domain_unless_said() -> None:
    text = "[domains.b.nodes.z]\nservices = ['echo']\nconfig.echo.nodes = ['@z', '@x.a', 'x']"

    plan = parse_topology(NODES + text, name="t")

    assert plan.nodes["z.b"].config == {"echo": {"nodes": ["@z.b", "@x.a", "x"]}}


def test_a_cluster_has_members_of_its_domain_and_an_etcd_of_its_own() -> None:
    plan = parse_topology(NODES + "[domains.a.cluster]\nmembers = ['x', 'y']\netcd = 1", name="t")

    cluster = plan.domains["a"].cluster
    assert cluster is not None
    assert (cluster.members, plan.etcd) == (("x.a", "y.a"), {"etcd1.a": "a"})
    assert plan.find("etcd1") == "etcd1.a"


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("members = ['z']", "domains.a.cluster"),
        ("members = ['w.b']", "w.b is a node of another domain"),
        ("members = ['x']\netcd = 0", "etcd = 0 is not 1 to 9"),
        ("members = ['x']\nsize = 3", "no key 'size'"),
    ],
)
def test_a_cluster_that_cannot_be_is_said(table: str, said: str) -> None:
    text = NODES + "[domains.b.nodes.w]\n[domains.a.cluster]\n" + table

    with pytest.raises(LocalError, match=said):
        _ = parse_topology(text, name="t")


def test_a_listed_link_keeps_what_it_does_not_say_from_its_kind() -> None:
    plan = parse_topology(
        NODES + "[link_defaults.node]\ndelay_ms = 4\n[[links]]\nbetween = ['y', 'x']\nloss = 0.5",
        name="t",
    )

    assert plan.impairment("x.a", "y.a").delay_ms == 4
    assert plan.impairment("x.a", "y.a").loss == 0.5


def test_domains_without_a_number_get_the_free_ones() -> None:
    plan = parse_topology(NODES + "[domains.b]\nnumber = 1\n[domains.c]", name="t")

    assert [domain.number for domain in plan.domains.values()] == [2, 1, 3]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("version = ", "not TOML"),
        ("version = " + "9" * 5_000, "not TOML: Exceeds the limit"),
        ("version = " + "[" * 20_000, "nested too deeply"),
        ("[domains.a]", "missing required field `version`"),
        ("version = 2\n[domains.a]", "version = 2: this build reads version 1"),
        ("version = 1\ndomain = 3", "top level: no key 'domain'; did you mean 'domains'?"),
        ("version = 1\n[domains.a.nodez.x]", "domains.a: no key 'nodez'; did you mean 'nodes'?"),
        (NODES + "services = 3", "`domains.a.nodes.y.services`"),
        (NODES + "[domains.a.hosts.h]", "domains.a.hosts.h: missing required field `nodes`"),
        (NODES + "[link_defaults.hosts]", "no kind 'hosts'; did you mean 'host'?"),
        (NODES + "[link_defaults.host]\nloss = 1.5", "`link_defaults.host.loss`"),
        (NODES + "[[links]]\nbetween = ['x']", r"links\[0\]: between = \['x'\] must be two names"),
        (NODES + "[[links]]\nbetween = ['x', 'q']", "no node or host is called 'q'"),
        (NODES + "[[links]]\nbetween = ['x', 'y']\nlos = 1", "no key 'los'; did you mean 'loss'"),
        (NODES + "[[links]]\nbetween=['x','y']\n[[links]]\nbetween=['y','x']", "listed twice"),
        ("version = 1\ndomains = 3", "`domains`"),
        ("version = 1\ndomains.a = 3", "got `int` - at `domains"),
    ],
)
def test_a_wrong_file_says_where_and_what_is_allowed(text: str, complaint: str) -> None:
    with pytest.raises(LocalError, match=complaint):
        parse_topology(text, name="t")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match=r"cannot read .*absent\.toml"):
        load_topology(tmp_path / "absent.toml")


def test_service_folders_are_beside_the_file(tmp_path: Path) -> None:
    path = tmp_path / "topology.toml"
    path.write_text("version = 1\nservice_folders = ['mine']\n[domains.a.nodes.x]")

    assert load_topology(path).service_folders == (tmp_path / "mine",)


def test_strangers_are_services_that_some_node_runs() -> None:
    text = "version = 1\nservices = ['mine']\nstrangers = ['{}']\n[domains.a.nodes.x]"

    assert parse_topology(text.format("mine"), name="t").strangers == ("mine",)
    with pytest.raises(LocalError, match=r"there is no 'main'; did you mean 'mine'\?"):
        _ = parse_topology(text.format("main"), name="t")


def test_an_error_names_its_file(tmp_path: Path) -> None:
    path = tmp_path / "topology.toml"
    path.write_text("version = 2\n[domains]")

    with pytest.raises(LocalError, match=r"topology\.toml: version = 2"):
        load_topology(path)


@pytest.mark.parametrize(("name", "counts"), [("threedomains", (3, 5, 6)), ("demo", (3, 5, 8))])
def test_the_built_in_topologies_have_their_promised_size(
    name: str, counts: tuple[int, int, int]
) -> None:
    folder = Path(str(ei.lab.__file__)).parent / "topologies"

    plan = load_topology(folder / f"{name}.toml")

    assert plan.name == name
    assert (len(plan.domains), len(plan.nodes), len(plan.hosts)) == counts
    assert plan.link_defaults[LinkKind.DOMAIN].delay_ms > 0


def test_a_domain_says_what_its_nodes_tell_of_packets() -> None:
    plan = parse_topology(NODES + '[domains.b]\nexplains = "domain"', name="t")

    assert {name: domain.explains for name, domain in plan.domains.items()} == {
        "a": "hops",
        "b": "domain",
    }


def test_what_services_may_reach_is_said_of_all_nodes_or_of_one() -> None:
    plan = parse_topology(
        'version = 1\ninternet = ["127.0.0.0/8:*"]\n'
        '[domains.a.nodes.x]\n[domains.a.nodes.y]\ninternet = ["10.0.0.0/8:80"]',
        name="t",
    )

    assert {name: node.internet for name, node in plan.nodes.items()} == {
        "x.a": ("127.0.0.0/8:*",),
        "y.a": ("10.0.0.0/8:80",),
    }


@pytest.mark.parametrize(
    ("guards", "said"),
    [
        ("guards.nobody = ['echo']", r"a\.d: guards: .*'nobody\.d'"),
        ("guards.b = ['delivery']", r"a\.d: guards of b\.d: .*'delivery'"),
    ],
)
def test_guards_before_a_node_name_a_node_and_services_that_run_here(
    guards: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        _ = parse_topology(
            f"version = 1\nservices = ['echo']\n[domains.d.nodes.a]\n{guards}\n[domains.d.nodes.b]",
            name="t",
        )
