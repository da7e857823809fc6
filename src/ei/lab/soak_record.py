"""What a soak saw, as a file and as drawings, for who wants to know what grew."""

from html import escape

import msgspec

from ei.lab.charts import timeline
from ei.lab.promises import Promise, plainly
from ei.lab.use import Use

SCHEMA = "ei.soak/1"

PAGE = """\
<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>ei soak</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; }}
svg {{ font: 13px system-ui, sans-serif; --a: #3b7dd8; }}
text {{ fill: #1b2430; }} .dim {{ fill: #808890; }} .axis {{ stroke: #808890; }}
</style></head><body>
<h1>ei soak</h1>
<pre>{promises}</pre>
{drawings}
</body></html>
"""


class Sample(msgspec.Struct, frozen=True):
    """What was in use at one time.

    Attributes:
        at_s: Since the load began.
        rounds: Of load, by then.
        uses: By the name of a node, or of the program with all hosts.
    """

    at_s: float
    rounds: int
    uses: dict[str, Use]


class SoakRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A soak as its file says it."""

    schema: str = SCHEMA
    topology: str
    seconds: float
    seed: int
    rounds: int
    lost: int
    faults: int
    samples: tuple[Sample, ...]
    promises: tuple[Promise, ...]


def page(record: SoakRecord) -> str:
    """Return the course of each memory, above the least that it was, as HTML."""
    drawings: list[str] = []
    for name in record.samples[0].uses if record.samples else ():
        memory_kib = [sample.uses[name].memory_kib for sample in record.samples]
        least_kib = min(memory_kib)
        label = f"{name}: KiB above {least_kib:,}, at most {max(memory_kib) - least_kib:,}"
        above = [float(each - least_kib) for each in memory_kib]
        took_s = record.samples[-1].at_s - record.samples[0].at_s
        drawings.append(
            timeline([(label, above)], [], bin_s=took_s / max(1, len(record.samples) - 1))
        )
    return PAGE.format(promises=escape(plainly(record.promises)), drawings="\n".join(drawings))


def files_of(record: SoakRecord) -> dict[str, str]:
    """Return all of it as JSON, and its page, by the names of files."""
    as_json = msgspec.json.format(msgspec.json.encode(record)).decode()
    return {"soak.json": as_json, "soak.html": page(record)}
