"""The report of a demo: one HTML file that needs nothing else. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from ei.lab.charts import Mark, bars, histogram, timeline, topology_map
from ei.lab.promises import HEADER, Promise, Report, rows
from ei.lab.topology import Topology

MAX_BARS = 24


@dataclass(frozen=True, slots=True)
class Transfer:
    """A file that went over a stream."""

    name: str
    size_bytes: int
    seconds: float
    sha256: str
    source: str
    destination: str


@dataclass(frozen=True, slots=True)
class Load:
    """What happened while a worker was killed: counts per bin of `bin_s`, one line a service."""

    bin_s: float
    series: Sequence[tuple[str, Sequence[float]]]
    marks: Sequence[Mark]


@dataclass(frozen=True, slots=True)
class Findings:
    """All that a report shows.

    Attributes:
        topology: Where it happened.
        summary: A few (label, value) pairs.
        packets: By pipe, both directions.
        round_trips_ms: (label, milliseconds) of all pings.
        copies: (pipe, copies of each packet of the group).
        steps: (seconds since the start, what happened).
    """

    topology: Topology
    summary: Sequence[tuple[str, str]]
    packets: Mapping[tuple[str, str], int]
    round_trips_ms: Sequence[tuple[str, Sequence[float]]]
    copies: Sequence[tuple[str, float]]
    transfer: Transfer | None
    load: Load | None
    steps: Sequence[tuple[float, str]] = field(default=())


def render_report(report: Report, findings: Findings) -> str:
    """Return the HTML of a report."""
    verdict = "all promises kept" if report.is_ok else "a promise is broken"
    sections = [
        ("What was promised", _promises(report.promises)),
        ("The lab", _map(findings)),
        ("Packets per pipe", _busiest(findings.packets)),
        ("Round trips of all pairs of hosts", histogram(findings.round_trips_ms, unit="ms")),
    ]
    if findings.transfer is not None:
        sections.append(("A file over a stream", _transfer(findings.transfer)))
    if findings.copies:
        note = "<p>Copies of each packet of the group that crossed a pipe. One is enough.</p>"
        sections.append(("Multicast", note + bars(findings.copies, unit="per packet")))
    if (load := findings.load) is not None:
        note = "<p>Answers per moment, while the worker of one service is killed under load.</p>"
        drawn = timeline(load.series, load.marks, bin_s=load.bin_s)
        sections.append(("A worker is killed", note + drawn))
    if findings.steps:
        sections.append(("What happened when", _steps(findings.steps)))
    body = "\n".join(
        f"<section><h2>{escape(title)}</h2>\n{content}\n</section>" for title, content in sections
    )
    mark = "ok" if report.is_ok else "bad"
    return _PAGE.format(
        style=_STYLE,
        title="Extensible Internet: demo",
        verdict=f'<span class="verdict {mark}">{verdict}</span>',
        summary="".join(
            f"<div><dt>{escape(label)}</dt><dd>{escape(value)}</dd></div>"
            for label, value in findings.summary
        ),
        body=body,
    )


def _promises(promises: Sequence[Promise]) -> str:
    head = "".join(f"<th>{escape(title)}</th>" for title in HEADER)
    lines = "".join(
        "<tr>"
        + "".join(f"<td>{escape(cell)}</td>" for cell in row[:-1])
        + f'<td><span class="pill {row[-1]}">{row[-1]}</span></td></tr>'
        for row in rows(promises)
    )
    return f'<div class="wide"><table><tr>{head}</tr>{lines}</table></div>'


def _map(findings: Findings) -> str:
    note = (
        "<p>Large circles are service nodes, small ones hosts. A pipe is as wide as the logarithm "
        "of the packets that crossed it; point at it for their number.</p>"
    )
    return note + topology_map(findings.topology, findings.packets)


def _busiest(packets: Mapping[tuple[str, str], int]) -> str:
    ordered = sorted(packets.items(), key=lambda item: (-item[1], item[0]))
    shown = bars(
        [(" – ".join(link), float(count)) for link, count in ordered[:MAX_BARS]], unit="packets"
    )
    rest = ordered[MAX_BARS:]
    if not rest:
        return shown
    return f"{shown}<p>and {len(rest)} more with {sum(count for _, count in rest):,} packets</p>"


def _transfer(transfer: Transfer) -> str:
    rate = transfer.size_bytes * 8 / transfer.seconds / 1e6 if transfer.seconds else 0.0
    lines = (
        ("file", transfer.name),
        ("from, to", f"{transfer.source}, {transfer.destination}"),
        ("size", f"{transfer.size_bytes:,} B in {transfer.seconds:.2f} s: {rate:.0f} Mb/s"),
        ("SHA-256 at both ends", transfer.sha256),
    )
    cells = "".join(
        f"<tr><th>{escape(label)}</th><td>{escape(value)}</td></tr>" for label, value in lines
    )
    return f'<div class="wide"><table>{cells}</table></div>'


def _steps(steps: Sequence[tuple[float, str]]) -> str:
    lines = "".join(
        f'<tr><td class="number">{at_s:.1f} s</td><td>{escape(text)}</td></tr>'
        for at_s, text in steps
    )
    return f"<table>{lines}</table>"


_STYLE = """
:root { color-scheme: light dark; --ink: #1c2733; --dim: #6b7885; --paper: #f6f7f9; --card: #fff;
  --line: #dde3e9; --a: #2f6fde; --b: #e08a1e; --c: #1f9d76; --ok: #1f9d76; --bad: #cf3d3d;
  --domain: #eef3fb; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4eaf0; --dim: #93a1ae; --paper: #12171d;
  --card: #1a2129; --line: #2b3540; --a: #6ea0ff; --b: #f0a94e; --c: #4cc79f; --ok: #4cc79f;
  --bad: #ff7b72; --domain: #1f2935; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
main { max-width: 980px; margin: 0 auto; padding: 32px 20px 64px; }
h1 { font-size: 26px; margin: 0 0 4px; } h2 { font-size: 17px; margin: 0 0 12px; }
section, header { background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  padding: 20px 24px; margin-bottom: 16px; }
p { margin: 0 0 10px; color: var(--dim); }
svg { width: 100%; height: auto; display: block; }
svg text { font-size: 12px; fill: var(--ink); } svg .dim { fill: var(--dim); }
svg .own { paint-order: stroke; stroke: var(--card); stroke-width: 4px; }
svg .name { font-size: 14px; font-weight: 600; } svg .label { fill: var(--dim); }
.domain { fill: var(--domain); stroke: var(--line); } .node { fill: var(--a); }
.host { fill: var(--card); stroke: var(--a); stroke-width: 2.5; } .bar { fill: var(--a); }
.pipe { fill: none; stroke: var(--a); stroke-opacity: .5; stroke-linecap: round; }
.domain-pipe { stroke: var(--b); } .host-pipe { stroke: var(--c); stroke-opacity: .45; }
.line { fill: none; stroke-width: 2; }
.pipe:hover { stroke-opacity: 1; } .axis { stroke: var(--line); }
.mark { stroke: var(--bad); stroke-dasharray: 4 3; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
td, th { text-align: left; padding: 6px 10px 6px 0; border-top: 1px solid var(--line);
  vertical-align: top; overflow-wrap: anywhere; }
th { color: var(--dim); font-weight: 500; } tr:first-child > * { border-top: 0; }
.number { white-space: nowrap; color: var(--dim); width: 70px; } .wide { overflow-x: auto; }
td:not(:first-child), th { overflow-wrap: normal; }
.pill { white-space: nowrap; border-radius: 99px; padding: 1px 10px; font-size: 13px;
  color: var(--card); background: var(--bad); } .pill.ok { background: var(--ok); }
.pill.invalid, .pill.unsupported { background: var(--dim); }
.verdict { font-weight: 600; color: var(--bad); } .verdict.ok { color: var(--ok); }
dl { display: flex; flex-wrap: wrap; gap: 8px 32px; margin: 14px 0 0; }
dt { color: var(--dim); font-size: 13px; } dd { margin: 0; font-weight: 600; }
"""

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
<main>
<header><h1>{title}</h1>{verdict}<dl>{summary}</dl></header>
{body}
</main>
</html>
"""
