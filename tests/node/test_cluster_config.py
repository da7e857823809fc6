"""`[cluster]` in node.toml."""

import pytest

from ei.errors import ConfigError
from ei.node.cluster_config import ClusterConfig, check_cluster
from ei.node.config import NodeConfig, check_node_config

ETCD = ("127.0.0.1:2379",)


def test_a_cluster_is_a_name_and_its_etcd() -> None:
    check_cluster(ClusterConfig(name="isp-a", etcd=ETCD))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (ClusterConfig(name="a", etcd=("nowhere",)), "cluster.etcd: "),
        (ClusterConfig(name="a", etcd=ETCD, cert_file="c"), "cert_file and key_file go together"),
        (
            ClusterConfig(name="a", etcd=ETCD, cert_file="c", key_file="k"),
            "cert_file and key_file go together, and with ca_file",
        ),
    ],
)
def test_what_cannot_be_is_refused(config: ClusterConfig, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        check_cluster(config)


def test_a_member_has_worker_processes() -> None:
    config = NodeConfig(
        version=1,
        name="sn1.isp-a",
        domain_number=1,
        binds=("127.0.0.1:3535",),
        trust={"isp-a": "00" * 32},
        workers="inline",
        cluster=ClusterConfig(name="isp-a", etcd=ETCD),
    )

    with pytest.raises(ConfigError, match='"process" allowed with'):
        check_node_config(config)
