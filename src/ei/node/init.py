"""`ei node init`: the files of a new service node."""

from dataclasses import dataclass
from pathlib import Path

from ei.daemons.config_file import toml_string
from ei.daemons.startup import explained
from ei.errors import ConflictError
from ei.node.config import DEFAULT_SERVICES
from ei.records.enrolling import Roll, full_name
from ei.records.key_files import write_keys
from ei.records.keys import make_keys
from ei.records.locations import Location
from ei.runtime.loader import load_service
from ei.sdk.packets import Address

TEMPLATE = """\
# A service node of the Extensible Internet. Run it: ei node run --config {path}
# Relative paths start at this file's folder. What is commented out shows the default.
version = 1

# Who this node is, as its domain has signed it.
name = {name}
domain_number = {domain_number}

# Where pipes are answered (UDP), one of IPv4 and one of IPv6. Open the port in your firewall.
binds = [{bind}]

# The node's private keys; mode 0600. And the signed records of everybody, all domains together.
# key_file = "key"
records_file = {records_file}

# Records are copied by hand here, so attachments may live for longer than the hour, and lists of
# revoked keys for longer than the quarter of an hour, that are the rule.
attachment_limit_s = 31_536_000
revocation_limit_s = 31_536_000

# The domain's key, at one node of a domain, which then signs the list of revoked keys every minute.
# domain_key_file = ""

# What the services keep across restarts, and where `ei node status` asks.
# state_directory = "state"
# admin_socket = "admin.sock"

# Where Prometheus asks for /metrics, and others for /healthz and /readyz; "" serves nobody.
# Usual is "127.0.0.1:9464".
# metrics_bind = ""

# Services, by the names of their folders; further folders are searched first.
services = [{services}]
# service_folders = ["/srv/ei/services"]

# Bundles in those folders that are expanded here: chains of the services above, with a number.
# bundles = ["small"]

# "process": a worker process for each service. "inline": threads of the node, for small machines
# that trust their services.
# workers = "process"

# Worker processes are jailed: no files but their store, no network. "open" opens all jails, to find
# out whether one is in the way. Services of others do not run where a layer of it is missing, but
# for those that you have read.
# jail = "closed"
# trusted_services = ["mine"]

# Services of whose events what each cost is kept, for who writes them: ei dev.
# watched_services = ["mine"]

# Datapath threads, and how long each polls before it sleeps.
# threads = 1
# spin_us = 50

# Network devices that hand over packets singly, which AF_XDP then takes before a socket gets them,
# for half to three quarters of the node's processor time. It needs privileges, and what it takes
# passes no firewall of this machine: docs/how-to/run-a-node.md
# xdp = ["eth0"]

# Most cached decisions, and the largest datagram sent (1_360 to 65_000).
# cache_entries = 65_536
# max_datagram_bytes = 1_452

# Copies that the packets of one peer may become in a second, as with multicast; 0 has no bound.
# copies_per_s = 1_000_000

# What the node and its workers may hold, in MiB: over it, who holds most goes. 0 is half of the
# machine's memory, or of its control group's.
# memory_limit_mib = 0

# Other nodes are called at start while there are at most so many, else when there is traffic.
# mesh_nodes = 64

# Who sends a packet may ask what became of it. "hops": each node answers for itself. "domain": the
# first node in the domain answers for all, and names none. "nothing": nothing is told of it.
# explains = "hops"

# A collector of OpenTelemetry that is told what the node counts and traces: OTLP over HTTP. Needs
# pip install 'extensible-internet[otel]'
# telemetry = {{ otlp = "http://127.0.0.1:4318", every_s = 10 }}

# The cluster that this node is a member of, and its etcd: docs/how-to/run-a-cluster.md
# cluster = {{ name = "isp-a", etcd = ["192.0.2.1:2379", "192.0.2.2:2379", "192.0.2.3:2379"] }}

# Whose releases of which services run here by themselves, and its first root.
# registry = {{ url = "https://registry.example", root = "root.json", services = ["hello"] }}

# How many members of the cluster must have a service's state before it is acknowledged, where that
# differs from the service's own word. 1 keeps it on this node alone.
# copies = {{ register = 3 }}

# Whose packets are taken. "strict": of the own domain, of the [neighbours] below, and of hosts of
# these guests. "lab-permissive": of everybody known; for labs.
# policy = "strict"
# guests = ["isp-b"]

# Who lists further domains to believe, such as "governance.toml" of ei governance init.
# governance = ""

# Whose records are believed: domain name to Ed25519 key.
[trust]
{trust}

# Neighbour domains, and what each is to this one: customer, peer or provider. Under the policy
# "strict" packets of no other domain are taken. ei peer add writes both tables.
# [neighbours]
# isp-b = "peer"

# What services such as termination may reach in the legacy Internet: networks with ports. Private
# addresses only if a rule names them. Nothing by default.
# [internet]
# allow = ["0.0.0.0/0:80,443", "[2000::]/3:80,443", "udp 9.9.9.9:53"]

# Sites whose TLS ends here, for termination and the like: name to certificate and key.
# [sites]
# "www.example.org" = {{ certificate = "www.example.org.pem", key = "www.example.org.key" }}

# Services that the operator interposes: a packet for the first visits all, in order.
# [chains]
# delivery = ["telemetry", "delivery"]

# Services that run before the last pipe to a host that is attached here, or before that to a node.
# [guards]
# "alice.isp-a" = ["shield"]
# "sn1.isp-b" = ["compression"]

# What differs from a service's own defaults.
# [config.delivery]
# decision_s = 10.0
"""

SYSTEM_FOLDER = Path("/etc")
SYSTEM_PLACES = {
    '# state_directory = "state"': 'state_directory = "/var/lib/ei"',
    '# admin_socket = "admin.sock"': 'admin_socket = "/run/ei/node.sock"',
}
"""Below `/etc` a daemon writes nothing: these folders systemd makes for it."""


@dataclass(frozen=True, slots=True)
class NewNode:
    """What was written.

    Attributes:
        identity_key: For the domain, to sign.
    """

    path: Path
    name: str
    address: Address
    identity_key: bytes


def init_node(  # noqa: PLR0913 all that a node is made of
    folder: Path,
    *,
    name: str,
    bind: str,
    endpoint: str,
    roll: Roll,
    randomness: bytes,
    services: tuple[str, ...] = DEFAULT_SERVICES,
    location: Location | None = None,
    system_folder: Path = SYSTEM_FOLDER,
) -> NewNode:
    """Write `node.toml`, `key` and the state directory; have the domain sign the node.

    Args:
        folder: Made when it is not there.
        name: Own or full name.
        bind: Where it is to listen, such as `[::]:3535`.
        endpoint: Where others reach it, such as `192.0.2.1:3535`; goes into its record.
        roll: The domain's record file.
        randomness: 32 bytes of the system, for its keys.
        services: Names of those that it runs.
        location: Roughly where it is; goes into its record.
        system_folder: Below it a node is one of the system, which systemd runs.

    Raises:
        ConflictError: `node.toml` or the key exists, or the name is taken; nothing is overwritten.
        EiError: the system refused.
    """
    domain = roll.issuer
    full = full_name(name, domain.name)
    path = folder / "node.toml"
    keys = make_keys(randomness)
    numbers = tuple(load_service(service).manifest.id for service in services)
    with explained("cannot write the node's files"):
        folder.mkdir(parents=True, exist_ok=True)
        if path.exists():
            raise ConflictError(f"{path} exists, and is not overwritten")
        write_keys(folder / "key", keys)
        record = domain.node(keys, full, endpoints=(endpoint,), services=numbers, location=location)
        _ = roll.add(lambda _: [record])
        text = TEMPLATE.format(
            path=path,
            name=toml_string(full),
            domain_number=domain.number,
            records_file=toml_string(str(roll.path.resolve())),
            bind=toml_string(bind),
            services=", ".join(map(toml_string, services)),
            trust=f"{toml_string(domain.name)} = {toml_string(domain.keys.identity_key.hex())}",
        )
        if system_folder in folder.resolve().parents:
            for usual, place in SYSTEM_PLACES.items():
                text = text.replace(usual, place)
        _ = path.write_text(text, encoding="utf-8")
    return NewNode(path, full, keys.address(domain.number), keys.identity_key)
