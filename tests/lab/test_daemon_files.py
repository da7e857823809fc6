"""What the files that a lab writes promise: the daemons' own readers accept them."""

import stat
from dataclasses import replace
from pathlib import Path

from ei.host.config import load_host_config
from ei.lab.catalogue import find_topology
from ei.lab.daemon_files import HOST_FILE, NODE_FILE, write_daemon_files
from ei.lab.layout import lay_out
from ei.lab.population import populate
from ei.lab.run_folder import Daemon
from ei.lab.seeds import derive
from ei.lab.topology_file import parse_topology
from ei.node.cluster_config import ClusterConfig
from ei.node.config import load_node_config
from ei.records.key_files import read_keys
from ei.records.record_files import read_records
from ei.records.record_set import verify_records
from ei.records.trust import trusted_keys

UNIX_S = 1_800_000_000
NUMBERS = {"delivery": 16, "echo": 17, "multicast": 48}


def write(folder: Path) -> dict[str, Daemon]:
    topology = find_topology("threedomains")
    people = populate(topology, randomness=lambda label: derive(7, label), unix_s=UNIX_S)
    return write_daemon_files(
        folder,
        population=people,
        layout=lay_out(topology, subnet="127.1"),
        service_numbers=NUMBERS,
    )


def test_a_node_finds_its_files_right(tmp_path: Path) -> None:
    daemons = write(tmp_path)

    config = load_node_config(tmp_path / "sn1.isp-a" / NODE_FILE)

    assert (config.name, config.domain_number) == ("sn1.isp-a", 1)
    assert config.binds == (daemons["sn1.isp-a"].endpoint,) == ("127.1.0.1:3535",)
    assert config.services == ("delivery", "echo", "multicast")
    assert stat.S_IMODE((tmp_path / "sn1.isp-a" / "key").stat().st_mode) == 0o600


def test_a_host_finds_its_files_right(tmp_path: Path) -> None:
    daemons = write(tmp_path)

    config = load_host_config(tmp_path / "alice.isp-a" / HOST_FILE)

    assert config.nodes == ("sn1.isp-a", "sn2.isp-a")
    assert config.bind == daemons["alice.isp-a"].endpoint


def test_all_records_hold_and_name_the_keys_on_disk(tmp_path: Path) -> None:
    daemons = write(tmp_path)

    for name, daemon in daemons.items():
        folder = tmp_path / name
        load = load_node_config if daemon.kind == "node" else load_host_config
        config = load(folder / (NODE_FILE if daemon.kind == "node" else HOST_FILE))
        records = verify_records(
            read_records(folder / "records.eir"),
            trust=trusted_keys(config.trust),
            unix_s=UNIX_S,
            attachment_limit_s=config.attachment_limit_s,
        )
        assert records.refused == ()
        assert (len(records.nodes), len(records.groups)) == (5, 1)
        assert records.names[name] == read_keys(folder / "key").address(config.domain_number)


def test_each_sees_the_others_at_the_relays_between_them(tmp_path: Path) -> None:
    write(tmp_path)
    seen: set[tuple[str, ...]] = set()
    for viewer in ("sn1.isp-a", "sn2.isp-a", "alice.isp-a"):
        folder = tmp_path / viewer
        is_node = (folder / NODE_FILE).exists()
        config = (
            load_node_config(folder / NODE_FILE)
            if is_node
            else load_host_config(folder / HOST_FILE)
        )
        records = verify_records(
            read_records(folder / "records.eir"),
            trust=trusted_keys(config.trust),
            unix_s=UNIX_S,
            attachment_limit_s=config.attachment_limit_s,
        )
        seen.add(records.nodes[records.names["sn1.isp-a"]].endpoints)

    assert len(seen) == 3


def test_members_of_a_cluster_know_its_etcd_and_others_do_not(tmp_path: Path) -> None:
    topology = parse_topology(
        "version = 1\nservices = ['echo']\n[domains.a.nodes.x]\n[domains.a.nodes.y]\n"
        "[domains.a.cluster]\nmembers = ['x']\netcd = 1",
        name="t",
    )
    people = populate(topology, randomness=lambda label: derive(7, label), unix_s=UNIX_S)

    daemons = write_daemon_files(
        tmp_path,
        population=people,
        layout=lay_out(topology, subnet="127.1"),
        service_numbers=NUMBERS,
        etcd={"etcd1.a": "127.1.127.254"},
    )

    assert (daemons["etcd1.a"].kind, daemons["etcd1.a"].endpoint) == ("etcd", "127.1.127.254:2379")
    assert load_node_config(tmp_path / "x.a" / NODE_FILE).cluster == ClusterConfig(
        name="a", etcd=("127.1.127.254:2379",)
    )
    assert load_node_config(tmp_path / "y.a" / NODE_FILE).cluster is None


def test_what_services_may_reach_is_written_for_the_node(tmp_path: Path) -> None:
    topology = parse_topology(
        'version = 1\nservices = ["delivery"]\n'
        '[domains.a.nodes.x]\ninternet = ["127.0.0.0/8:*"]\n[domains.a.nodes.y]',
        name="t",
    )
    people = populate(topology, randomness=lambda label: derive(7, label), unix_s=UNIX_S)
    _ = write_daemon_files(
        tmp_path,
        population=people,
        layout=lay_out(topology, subnet="127.1"),
        service_numbers=NUMBERS,
    )

    first, second = (load_node_config(tmp_path / name / NODE_FILE) for name in ("x.a", "y.a"))
    assert first.internet.allow == ("127.0.0.0/8:*",)
    assert second.internet.allow == ()


def test_modules_of_the_labs_own_folders_are_trusted_and_no_others(tmp_path: Path) -> None:
    module = tmp_path / "services" / "mine"
    module.mkdir(parents=True)
    _ = (module / "manifest.toml").write_text("")
    topology = parse_topology(
        'version = 1\nservices = ["delivery"]\nservice_folders = ["services"]\n'
        '[domains.a.nodes.x]\nservices = ["echo", "mine"]\n[domains.a.nodes.y]',
        name="t",
        folder=tmp_path,
    )
    people = populate(topology, randomness=lambda label: derive(7, label), unix_s=UNIX_S)
    _ = write_daemon_files(
        tmp_path,
        population=people,
        layout=lay_out(topology, subnet="127.1"),
        service_numbers={**NUMBERS, "mine": 0xF0000001},
    )

    first, second = (load_node_config(tmp_path / name / NODE_FILE) for name in ("x.a", "y.a"))
    assert first.trusted_services == ("mine",)
    assert second.trusted_services == ()


def test_a_stranger_is_not_trusted_and_who_is_watched_is_named(tmp_path: Path) -> None:
    module = tmp_path / "mine"
    module.mkdir()
    _ = (module / "manifest.toml").write_text(
        'id = 0xF0000001\nname = "mine"\nversion = "0.1.0"\nsummary = "x"\n'
        'state = "replicated"\nstable_bytes = 1000\n'
    )
    topology = replace(
        parse_topology("version = 1\nservices = ['mine']\n[domains.a.nodes.x]", name="t"),
        service_folders=(module,),
        strangers=("mine",),
        watched=("mine",),
    )
    people = populate(topology, randomness=lambda label: derive(7, label), unix_s=UNIX_S)
    _ = write_daemon_files(
        tmp_path,
        population=people,
        layout=lay_out(topology, subnet="127.1"),
        service_numbers={"mine": 0xF0000001},
    )

    config = load_node_config(tmp_path / "x.a" / NODE_FILE)
    assert config.trusted_services == ()
    assert config.watched_services == ("mine",)
    assert config.copies == {"mine": 1}


def test_a_node_finds_what_its_services_are_configured_with(tmp_path: Path) -> None:
    text = """
        version = 1
        services = ["echo"]
        [domains.a.nodes.x.config.echo]
        nodes = ["@x"]
        deep = { "a b" = [1.5, true] }
    """
    topology = parse_topology(text, name="t")
    people = populate(topology, randomness=lambda label: derive(7, label), unix_s=UNIX_S)
    daemons = write_daemon_files(
        tmp_path,
        population=people,
        layout=lay_out(topology, subnet="127.1"),
        service_numbers=NUMBERS,
    )

    config = load_node_config(tmp_path / "x.a" / NODE_FILE)

    said = {"nodes": [daemons["x.a"].address], "deep": {"a b": [1.5, True]}}
    assert config.config == {"echo": said}
