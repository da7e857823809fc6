"""Metrics as text, in the format that Prometheus scrapes.

    # HELP ei_packets_dropped_total Packets that went no further, by reason.
    # TYPE ei_packets_dropped_total counter
    ei_packets_dropped_total{reason="no_pipe"} 3

Source: https://prometheus.io/docs/instrumenting/exposition_formats, version 0.0.4. Three kinds of
line need no library.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Generic, Literal, TypeVar

ObservedT = TypeVar("ObservedT")
Labels = tuple[tuple[str, str], ...]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Histogram:
    """How often something took how long.

    Attributes:
        bounds: Ascending; the last bucket has none.
        counts: Of each bucket alone, one more than there are bounds.
        total: The sum of all values.
    """

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float


Values = Mapping[tuple[str, ...], float | Histogram]
"""A value for each combination of label values; `()` is that of a metric without labels."""


@dataclass(frozen=True, slots=True)
class Metric(Generic[ObservedT]):
    """One metric, and how it is read from what was observed.

    Attributes:
        name: Ends with its unit; that of a counter with `_total`.
        meaning: One sentence.
        read: Has nothing to say where it returns no values.
        labels: Names; each has few values, whatever happens.
        is_core: Name, labels and meaning stay within a major version.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    meaning: str
    read: Callable[[ObservedT], Values]
    labels: tuple[str, ...] = ()
    is_core: bool = False


def exposition(metrics: Iterable[Metric[ObservedT]], observed: ObservedT) -> str:
    """Return all metrics as one text."""
    return "".join(f"{line}\n" for metric in metrics for line in _lines(metric, observed))


def _lines(metric: Metric[ObservedT], observed: ObservedT) -> list[str]:
    samples = [
        line
        for words, value in metric.read(observed).items()
        for line in _samples(metric.name, tuple(zip(metric.labels, words, strict=True)), value)
    ]
    if not samples:
        return []
    head = [f"# HELP {metric.name} {metric.meaning}", f"# TYPE {metric.name} {metric.kind}"]
    return head + samples


def _samples(name: str, labels: Labels, value: float | Histogram) -> Iterator[str]:
    if not isinstance(value, Histogram):
        yield f"{name}{_labelled(labels)} {value}"
        return
    bounds = (*map(str, value.bounds), "+Inf")
    for bound, count in zip(bounds, accumulate(value.counts), strict=True):
        yield f"{name}_bucket{_labelled((*labels, ('le', bound)))} {count}"
    yield f"{name}_sum{_labelled(labels)} {value.total}"
    yield f"{name}_count{_labelled(labels)} {sum(value.counts)}"


def _labelled(labels: Labels) -> str:
    pairs = [f'{label}="{_escaped(word)}"' for label, word in labels]
    return "{" + ",".join(pairs) + "}" if pairs else ""


def _escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
