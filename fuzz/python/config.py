"""Any text as a configuration file, by the first byte: it is taken, or refused in our words."""

import tempfile
from pathlib import Path

from harness import followed, fuzz

with followed("ei", "tomllib"):
    from ei.daemons.governance_file import load_governance
    from ei.errors import ConfigError
    from ei.host.config import load_host_config
    from ei.lab.topology_file import load_topology
    from ei.node.config import load_node_config


LOADS = (load_node_config, load_host_config, load_governance, load_topology)
path = Path(tempfile.mkdtemp(prefix="ei-fuzz-", dir="/dev/shm")) / "file.toml"


def one(data: bytes) -> None:
    if not data:
        return
    load = LOADS[data[0] % len(LOADS)]
    _ = path.write_bytes(data[1:])
    try:
        _ = load(path)
    except ConfigError as error:
        assert str(path) in str(error)


fuzz(one)
