"""`ei lab up`: start a lab of real daemons."""

import argparse
import time

from ei.cli.exits import Exit
from ei.cli.lab_run import parse_seed
from ei.cli.output import Output
from ei.cli.parser import Verbs
from ei.cli.targets import lab_name, takes_lab

BACKENDS = ("processes", "netns")


def add_parser(verbs: Verbs) -> None:
    """Add `ei lab up`."""
    verb = verbs.add(
        "up",
        summary="start a lab of real daemons: processes over 127/8, or in network namespaces",
        execute=execute,
    )
    verb.takes(
        "topology",
        nargs="?",
        default="threedomains",
        metavar="TOPOLOGY",
        help="a name (ei lab examples lists them), a topology.toml, or its folder "
        "(default: threedomains)",
    )
    takes_lab(verb)
    verb.takes(
        "--backend",
        choices=BACKENDS,
        metavar="BACKEND",
        default=BACKENDS[0],
        help="processes (over 127/8; default), or netns (each in a network namespace, where "
        "foreign programs run as well; as root)",
    )
    verb.takes("--seed", type=parse_seed, metavar="N", default=1, help="of what links do")


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """Start every node and host, and say what runs."""
    from ei.lab.catalogue import find_topology
    from ei.lab.processes import start_lab

    topology = find_topology(arguments.topology)
    total = len(topology.nodes) + len(topology.hosts)
    ready: list[str] = []

    def on_ready(name: str) -> None:
        ready.append(name)
        output.progress(f"{len(ready)} of {total} ready: {name}")

    output.progress(f"starting {total} daemons")
    began_s = time.monotonic()
    lab = start_lab(
        topology,
        name=lab_name(arguments),
        seed=arguments.seed,
        backend=arguments.backend,
        on_progress=on_ready,
    )
    took_s = round(time.monotonic() - began_s, 2)
    services = {service for node in topology.nodes.values() for service in node.services}
    output.fold(
        f"domains {len(topology.domains)} ({', '.join(topology.domains)})"
        f"   service nodes {len(topology.nodes)}   hosts {len(topology.hosts)}"
        f"   services {len(services)}"
    )
    output.data(f"seed {lab.seed}, addresses {lab.subnet}.0.0/16, {lab.backend}: up in {took_s} s")
    output.document(
        "ei.lab-up/1",
        {
            "name": lab.name,
            "topology": lab.topology,
            "backend": lab.backend,
            "took_s": took_s,
            "seed": lab.seed,
            "subnet": lab.subnet,
            "domains": list(topology.domains),
            "nodes": list(topology.nodes),
            "hosts": list(topology.hosts),
            "services": sorted(services),
        },
    )
    hosts = [name.partition(".")[0] for name in topology.hosts]
    ping = [f"ei ping {hosts[0]} {hosts[-1]}"] if len(hosts) > 1 else []
    shell = [f"ei lab shell {hosts[0]}"] if hosts and lab.backend == "netns" else []
    output.next("ei status", *ping, *shell, "ei lab down")
    return Exit.OK
