"""Drawings for reports, as inline SVG: a map, bars, a histogram, a timeline, growth. Pure.

Colours come from the page's CSS variables, so that one drawing serves light and dark screens.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from ei.lab.topology import LinkKind, Topology

SERIES = ("var(--a)", "var(--b)", "var(--c)")

COLUMN = 300
NODE_Y = 125
HOST_Y = 285
BOX_TOP = 55
BOX_HEIGHT = 300


def topology_map(topology: Topology, packets: Mapping[tuple[str, str], int]) -> str:
    """Draw domains, nodes and hosts; a pipe is as wide as the logarithm of its packets.

    Args:
        topology: What is drawn.
        packets: Of each pipe, both directions, by its ends in alphabetical order.
    """
    places = _places(topology)
    width = COLUMN * len(topology.domains)
    parts = [_domain_box(index, name) for index, name in enumerate(topology.domains)]
    busiest = max(packets.values(), default=1)
    # Pipes first, so that the circles lie on top of them.
    for link, count in sorted(packets.items(), key=lambda item: item[1]):
        if link[0] in places and link[1] in places:
            parts.append(_pipe(topology, places, link, count, busiest))
    parts += [_circle(name, *places[name], is_node=name in topology.nodes) for name in places]
    return _svg(width, BOX_TOP + BOX_HEIGHT + 10, parts, "map of the lab")


def bars(rows: Sequence[tuple[str, float]], *, unit: str) -> str:
    """Draw one horizontal bar a row: (label, value)."""
    top = max((value for _, value in rows), default=1) or 1
    parts: list[str] = []
    for index, (label, value) in enumerate(rows):
        y = 24 * index
        length = 420 * value / top
        parts += [
            f'<text class="label" x="270" y="{y + 15}" text-anchor="end">{escape(label)}</text>',
            f'<rect class="bar" x="280" y="{y + 4}" width="{length:.1f}" height="14" rx="3"/>',
            f'<text x="{288 + length:.1f}" y="{y + 15}">{value:,.0f} {escape(unit)}</text>',
        ]
    return _svg(860, 24 * len(rows) + 6, parts, "bars")


def histogram(groups: Sequence[tuple[str, Sequence[float]]], *, unit: str, bins: int = 40) -> str:
    """Draw how values spread, groups stacked upon each other: (label, values).

    The last bin has all values beyond the axis as well.
    """
    values = [value for _, group in groups for value in group]
    if not values:
        return "<p>nothing was measured</p>"
    # The few slowest would make all others look alike: they share the last bin.
    top = sorted(values)[int(len(values) * 0.98)] * 1.1 or 1.0
    counts = [[0] * bins for _ in groups]
    for row, (_, group) in zip(counts, groups, strict=True):
        for value in group:
            row[min(int(value / top * bins), bins - 1)] += 1
    highest = max(sum(column) for column in zip(*counts, strict=True))
    parts: list[str] = []
    for index in range(bins):
        base = 220.0
        for colour, row in zip(SERIES, counts, strict=False):
            height = 190 * row[index] / highest
            base -= height
            if row[index]:
                parts.append(
                    f'<rect x="{50 + 760 * index / bins:.1f}" y="{base:.1f}" '
                    f'width="{760 / bins - 2:.1f}" height="{height:.1f}" fill="{colour}">'
                    f"<title>{row[index]}</title></rect>"
                )
    parts += _axis(0.0, top, unit=unit)
    parts += _legend([label for label, _ in groups])
    parts.append(f'<text class="dim" x="44" y="36" text-anchor="end">{highest}</text>')
    return _svg(860, 290, parts, "histogram")


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment on a timeline."""

    at_s: float
    label: str


def timeline(
    series: Sequence[tuple[str, Sequence[float]]], marks: Sequence[Mark], *, bin_s: float
) -> str:
    """Draw how much happened per bin of time, one line a series: (label, counts)."""
    length = max((len(counts) for _, counts in series), default=0)
    if length < 2:  # noqa: PLR2004 a line needs two points
        return "<p>nothing was measured</p>"
    top = max((value for _, counts in series for value in counts), default=1) or 1
    parts: list[str] = []
    for colour, (_, counts) in zip(SERIES, series, strict=False):
        points = " ".join(
            f"{50 + 760 * index / (length - 1):.1f},{220 - 170 * value / top:.1f}"
            for index, value in enumerate(counts)
        )
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
        )
    end_s = bin_s * (length - 1)
    for index, mark in enumerate(marks):
        x = 50 + 760 * mark.at_s / end_s
        y = 18 + 14 * (index % 2)
        parts += [
            f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{y + 4}" y2="220"/>',
            f'<text x="{x:.1f}" y="{y}" text-anchor="middle">{escape(mark.label)}</text>',
        ]
    parts += _axis(0.0, end_s, unit="s")
    parts += _legend([label for label, _ in series])
    return _svg(860, 290, parts, "timeline")


def growth(points: Sequence[tuple[float, float]], *, what: str, unit: str) -> str:
    """Draw how something grows with a number: (number, value), the number by its logarithm.

    Args:
        what: The number is of.
        unit: Of the values.
    """
    if len(points) < 2:  # noqa: PLR2004 a line needs two points
        return "<p>nothing was measured</p>"
    top = max(value for _, value in points) * 1.15
    low, high = (math.log10(number) for number, _ in (points[0], points[-1]))
    places = [
        (60 + 740 * (math.log10(number) - low) / (high - low), 220 - 190 * value / top)
        for number, value in points
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    parts = [
        '<line class="axis" x1="50" x2="810" y1="220.5" y2="220.5"/>',
        f'<polyline points="{line}" fill="none" stroke="{SERIES[0]}" stroke-width="2"/>',
    ]
    for (number, value), (x, y) in zip(points, places, strict=True):
        parts += [
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{SERIES[0]}"/>',
            f'<text x="{x:.1f}" y="{y - 9:.1f}" text-anchor="middle">{value:,.0f}</text>',
            f'<text class="dim" x="{x:.1f}" y="238" text-anchor="middle">{number:,.0f}</text>',
        ]
    parts.append(f'<text class="dim" x="430" y="262" text-anchor="middle">{escape(what)}</text>')
    parts.append(f'<text class="dim" x="50" y="20">{escape(unit)}</text>')
    return _svg(860, 275, parts, f"{unit} by {what}")


# -- parts of the map ---------------------------------------------------------------------------


def _places(topology: Topology) -> dict[str, tuple[float, float]]:
    places: dict[str, tuple[float, float]] = {}
    for column, domain in enumerate(topology.domains):
        rows = (
            (NODE_Y, [node.name for node in topology.nodes.values() if node.domain == domain]),
            (HOST_Y, [host.name for host in topology.hosts.values() if host.domain == domain]),
        )
        for y, names in rows:
            for index, name in enumerate(names):
                places[name] = (COLUMN * (column + (index + 1) / (len(names) + 1)), y)
    return places


def _domain_box(index: int, name: str) -> str:
    x = COLUMN * index + 12
    return (
        f'<rect class="domain" x="{x}" y="{BOX_TOP}" width="{COLUMN - 24}" '
        f'height="{BOX_HEIGHT}" rx="14"/>'
        f'<text class="name" x="{x + 16}" y="{BOX_TOP + BOX_HEIGHT - 14}">{escape(name)}</text>'
    )


def _pipe(
    topology: Topology,
    places: Mapping[str, tuple[float, float]],
    link: tuple[str, str],
    count: int,
    busiest: int,
) -> str:
    (x1, y1), (x2, y2) = places[link[0]], places[link[1]]
    kind = topology.kind(*link)
    width = 0.6 + 5.4 * math.log1p(count) / math.log1p(busiest)
    # Pipes between domains bow upwards, so that they do not cross the nodes between them.
    bow = 25 + abs(x2 - x1) * 0.16 if kind is LinkKind.DOMAIN else 0
    path = f"M{x1:.1f},{y1:.1f} Q{(x1 + x2) / 2:.1f},{(y1 + y2) / 2 - bow:.1f} {x2:.1f},{y2:.1f}"
    title = f"{link[0]} – {link[1]}: {count:,} packets"
    return (
        f'<path class="pipe {kind}-pipe" d="{path}" stroke-width="{width:.2f}">'
        f"<title>{escape(title)}</title></path>"
    )


def _circle(name: str, x: float, y: float, *, is_node: bool) -> str:
    radius, kind, below = (19, "node", 38) if is_node else (11, "host", 28)
    own = escape(name.partition(".")[0])
    return (
        f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{radius}">'
        f"<title>{escape(name)}</title></circle>"
        f'<text class="own" x="{x:.1f}" y="{y + below:.1f}" text-anchor="middle">{own}</text>'
    )


# -- parts of charts ----------------------------------------------------------------------------


def _axis(low: float, high: float, *, unit: str) -> list[str]:
    parts = ['<line class="axis" x1="50" x2="810" y1="220.5" y2="220.5"/>']
    for index in range(6):
        value = low + (high - low) * index / 5
        # Three digits, and never an exponent.
        text = f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"  # noqa: PLR2004
        text += f" {unit}" * (index == 5)  # noqa: PLR2004 the last
        x = 50 + 760 * index / 5
        parts.append(f'<text class="dim" x="{x:.0f}" y="238" text-anchor="middle">{text}</text>')
    return parts


def _legend(labels: Sequence[str]) -> list[str]:
    parts: list[str] = []
    x = 50
    for colour, label in zip(SERIES, labels, strict=False):
        parts += [
            f'<rect x="{x}" y="258" width="12" height="12" rx="3" fill="{colour}"/>',
            f'<text x="{x + 18}" y="268">{escape(label)}</text>',
        ]
        x += 40 + 8 * len(label)
    return parts


def _svg(width: int, height: int, parts: Sequence[str], label: str) -> str:
    body = "\n".join(parts)
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}" '
        f'xmlns="http://www.w3.org/2000/svg">\n{body}\n</svg>'
    )
