"""`[cluster]` in `node.toml`: which cluster a node is a member of."""

from typing import Annotated

import msgspec
from msgspec import Meta

from ei.errors import ConfigError, LocalError
from ei.records.endpoints import parse_endpoint

MAX_ENDPOINTS = 16


class ClusterConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A cluster, and the etcd that knows it.

    Attributes:
        name: Of the cluster, part of its keys in etcd: a word of a-z, 0-9 and hyphens.
        etcd: Endpoints of etcd's members.
        lease_s: How long a member that says nothing counts as living, for people.
        ca_file, cert_file, key_file: For etcd over TLS: who is believed, and who this is.
    """

    name: Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9-]{0,63}$")]
    etcd: Annotated[tuple[str, ...], Meta(min_length=1, max_length=MAX_ENDPOINTS)]
    lease_s: Annotated[int, Meta(ge=2, le=3_600)] = 5
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""


def check_cluster(config: ClusterConfig) -> None:
    """Check what no field can say alone.

    Raises:
        ConfigError: what is wrong.
    """
    for endpoint in config.etcd:
        try:
            _ = parse_endpoint(endpoint)
        except LocalError as error:
            raise ConfigError(
                f"cluster.etcd: {error}", remedy='Such as etcd = ["127.0.0.1:2379"]'
            ) from error
    if bool(config.cert_file) != bool(config.key_file) or (config.cert_file and not config.ca_file):
        raise ConfigError("cluster: cert_file and key_file go together, and with ca_file")
