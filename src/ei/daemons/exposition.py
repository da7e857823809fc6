"""Metrics as text, in the format that Prometheus scrapes.

    # HELP ei_packets_dropped_total Packets that went no further, by reason.
    # TYPE ei_packets_dropped_total counter
    ei_packets_dropped_total{reason="no_pipe"} 3

Source: https://prometheus.io/docs/instrumenting/exposition_formats, version 0.0.4. Three kinds of
line need no library.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

ObservedT = TypeVar("ObservedT")

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Values = Mapping[tuple[str, ...], float]
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
    kind: Literal["counter", "gauge"]
    meaning: str
    read: Callable[[ObservedT], Values]
    labels: tuple[str, ...] = ()
    is_core: bool = False


def exposition(metrics: Iterable[Metric[ObservedT]], observed: ObservedT) -> str:
    """Return all metrics as one text."""
    return "".join(f"{line}\n" for metric in metrics for line in _lines(metric, observed))


def _lines(metric: Metric[ObservedT], observed: ObservedT) -> list[str]:
    samples = [
        f"{metric.name}{_labelled(metric.labels, words)} {value}"
        for words, value in metric.read(observed).items()
    ]
    if not samples:
        return []
    head = [f"# HELP {metric.name} {metric.meaning}", f"# TYPE {metric.name} {metric.kind}"]
    return head + samples


def _labelled(labels: tuple[str, ...], words: tuple[str, ...]) -> str:
    pairs = [f'{label}="{_escaped(word)}"' for label, word in zip(labels, words, strict=True)]
    return "{" + ",".join(pairs) + "}" if pairs else ""


def _escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
