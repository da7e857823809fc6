"""Which figures there are, and how to measure some of them."""

from collections.abc import Callable, Iterator, Mapping

from ei.bench.changes import changes
from ei.bench.copies import copies
from ei.bench.decisions import decisions
from ei.bench.directory import directory
from ei.bench.figures import Figure, Report, machine
from ei.bench.handshake import handshake
from ei.bench.hit import fanout, hit
from ei.bench.latency import latency
from ei.bench.miss import miss
from ei.bench.pipes import pipes
from ei.bench.receipts import receipts
from ei.bench.relays import relays
from ei.bench.services import services
from ei.bench.simulate import simulate
from ei.bench.splice import splice
from ei.bench.stream import stream
from ei.bench.threads import threads
from ei.bench.xdp import xdp
from ei.errors import NotFoundError

Bench = Callable[..., Iterator[Figure]]

BENCHES: Mapping[str, Bench] = {
    "hit": hit, "xdp": xdp, "fanout": fanout, "relays": relays,
    "decisions": decisions, "copies": copies, "pipes": pipes, "threads": threads,
    "miss": miss, "latency": latency, "handshake": handshake, "directory": directory,
    "changes": changes, "receipts": receipts, "services": services, "simulate": simulate,
    "splice": splice, "stream": stream,
}  # fmt: skip
DEFAULT_RUNS = 5


def measure(
    names: tuple[str, ...] = (),
    *,
    runs: int = DEFAULT_RUNS,
    benches: Mapping[str, Bench] = BENCHES,
    on_figure: Callable[[Figure], object] = lambda _: None,
) -> Report:
    """Measure the figures of `names`, or all.

    Args:
        runs: Interleaved runs of each figure and its baseline.
        benches: Which figures there are.
        on_figure: Gets each figure as it is known.

    Raises:
        NotFoundError: no such figure.
    """
    for name in names:
        if name not in benches:
            raise NotFoundError(f"no figure {name!r}; there are {', '.join(benches)}")
    figures: list[Figure] = []
    for name in names or tuple(benches):
        for found in benches[name](runs=runs):
            figures.append(found)
            _ = on_figure(found)
    repeat = " ".join(["ei bench", *names, f"--runs {runs}"])
    return Report(machine=machine(), repeat=repeat, figures=tuple(figures))
