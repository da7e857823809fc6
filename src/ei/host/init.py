"""`ei host init`: the files of a new host."""

from dataclasses import dataclass
from pathlib import Path

from ei.daemons.config_file import toml_string
from ei.daemons.startup import explained
from ei.errors import ConfigError, ConflictError
from ei.records.enrolling import Roll, full_name
from ei.records.key_files import write_keys
from ei.records.keys import make_keys
from ei.records.record_set import RecordSet
from ei.sdk.packets import Address

MICROSECONDS = 1_000_000

TEMPLATE = """\
# A host of the Extensible Internet. Run it as a daemon: ei host run --config {path}
# Or in a program: ei.connect({path_text})
# Relative paths start at this file's folder. What is commented out shows the default.
version = 1

# Who this host is, as its domain has enrolled it.
name = {name}
domain_number = {domain_number}

# The host's one UDP socket; port 0 takes any.
# bind = "0.0.0.0:0"

# Nodes to attach to, the preferred first. Empty takes those of the host's attachment record.
# nodes = []

# A DNS domain whose SRV records say which nodes to attach to; those above are for when it does not.
# dns_domain = "isp-a.example"
# resolvers = []

# Services that the nodes run before the pipe to this host, as it signs; a node without them drops
# what is for it. Services of others are named by number.
# guards = ["filtering"]

# Domains that packets to other hosts must not pass, and that they must; at most 8 in all.
# avoid_domains = []
# require_domains = []

# The host's private keys; mode 0600. And the signed records of everybody, all domains together.
# key_file = "key"
records_file = {records_file}

# Records are copied by hand here, so attachments may live for longer than the hour, and lists of
# revoked keys for longer than the quarter of an hour, that are the rule.
attachment_limit_s = 31_536_000
revocation_limit_s = 31_536_000

# Where `ei host` asks a running daemon.
# admin_socket = "admin.sock"

# The largest datagram sent (1_360 to 65_000).
# max_datagram_bytes = 1_452

# Who lists further domains to believe, such as "governance.toml" of ei governance init.
# governance = ""

# Whose records are believed: domain name to Ed25519 key.
[trust]
{trust}
"""


@dataclass(frozen=True, slots=True)
class NewHost:
    """What was written."""

    path: Path
    name: str
    address: Address
    nodes: tuple[str, ...]


def init_host(
    folder: Path, *, name: str, nodes: tuple[str, ...], roll: Roll, randomness: bytes
) -> NewHost:
    """Write `host.toml` and `key`; have the domain enrol the host, and attach it to `nodes`.

    Args:
        folder: Made when it is not there.
        name: Own or full name.
        nodes: Names in the record file, the preferred first; none takes its first two nodes.
        roll: The domain's record file.
        randomness: 32 bytes of the system, for its keys.

    Raises:
        ConflictError: `host.toml` or the key exists, or the name is taken; nothing is overwritten.
        ConfigError: there is no such node, or none at all.
        EiError: the system refused.
    """
    domain = roll.issuer
    full = full_name(name, domain.name)
    path = folder / "host.toml"
    keys = make_keys(randomness)
    chosen: list[str] = []

    def enrol(records: RecordSet) -> list[bytes]:
        found = _choose(records, nodes)
        chosen.extend(records.name_of(node) for node in found)
        sequence = int(roll.unix_s * MICROSECONDS)
        return [domain.enrol(keys, full), domain.attach(keys, nodes=found, sequence=sequence)]

    with explained("cannot write the host's files"):
        folder.mkdir(parents=True, exist_ok=True)
        if path.exists():
            raise ConflictError(f"{path} exists, and is not overwritten")
        _ = roll.add(enrol)
        write_keys(folder / "key", keys)
        text = TEMPLATE.format(
            path=path,
            path_text=toml_string(str(path)),
            name=toml_string(full),
            domain_number=domain.number,
            records_file=toml_string(str(roll.path.resolve())),
            trust=f"{toml_string(domain.name)} = {toml_string(domain.keys.identity_key.hex())}",
        )
        _ = path.write_text(text, encoding="utf-8")
    return NewHost(path, full, keys.address(domain.number), tuple(chosen))


def _choose(records: RecordSet, names: tuple[str, ...]) -> tuple[Address, ...]:
    if not records.nodes:
        raise ConfigError("the record file knows no node", remedy="First: ei node init")
    if not names:
        return tuple(records.nodes)[:2]
    found = tuple(records.find(name) for name in names)
    for name, node in zip(names, found, strict=True):
        if node not in records.nodes:
            raise ConfigError(f"{name} is not a node")
    return found
