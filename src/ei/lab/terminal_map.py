"""Draws a topology with characters: a box per domain, nodes above, hosts below. Pure."""

from ei.lab.topology import Topology

MIN_WIDTH = 16
GAP = "   "
JOINT = "═══"
MAX_NAMES = 8


def draw_map(topology: Topology, *, width: int = 100) -> str:
    """Return the map as lines of text; domains that do not fit beside each other go below.

    Args:
        topology: What is drawn; of many nodes or hosts only the first 8 are named.
        width: Columns there are.
    """
    boxes = [_box(topology, domain) for domain in topology.domains]
    rows: list[list[list[str]]] = [[]]
    used = 0
    for box in boxes:
        if rows[-1] and used + len(GAP) + len(box[0]) > width:
            rows.append([])
            used = 0
        rows[-1].append(box)
        used += len(GAP) + len(box[0])
    return "\n".join(_beside(row) for row in rows)


def _box(topology: Topology, domain: str) -> list[str]:
    nodes = _own_names([node.name for node in topology.nodes.values() if node.domain == domain])
    hosts = _own_names([host.name for host in topology.hosts.values() if host.domain == domain])
    content = ["   ".join(f"● {name}" for name in nodes), "", "   ".join(f"○ {h}" for h in hosts)]
    inner = max(MIN_WIDTH, len(domain) + 4, *(len(line) + 4 for line in content))
    return [
        f"╭─ {domain} {'─' * (inner - len(domain) - 3)}╮",
        *(f"│  {line.ljust(inner - 2)}│" for line in content),
        f"╰{'─' * inner}╯",
    ]


def _own_names(names: list[str]) -> list[str]:
    own = [name.partition(".")[0] for name in names]
    return own[:MAX_NAMES] + ([f"and {len(own) - MAX_NAMES} more"] if len(own) > MAX_NAMES else [])


def _beside(boxes: list[list[str]]) -> str:
    """Join boxes line by line; the line of the nodes joins the domains."""
    return "\n".join(
        (JOINT if index == 1 else GAP).join(box[index] for box in boxes)
        for index in range(len(boxes[0]))
    )
