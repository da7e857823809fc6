"""The text that Prometheus scrapes."""

from ei.daemons.exposition import Histogram, Metric, exposition

DROPPED: Metric[dict[str, int]] = Metric(
    "ei_dropped_total",
    "counter",
    "Packets that went no further.",
    lambda counted: {(word,): count for word, count in counted.items()},
    labels=("reason",),
)
SUM: Metric[dict[str, int]] = Metric(
    "ei_sum", "gauge", "All together.", lambda counted: {(): sum(counted.values())}
)


def test_each_metric_says_what_it_is_and_then_its_values() -> None:
    assert exposition([DROPPED, SUM], {"no_pipe": 3, "replayed": 1}) == (
        "# HELP ei_dropped_total Packets that went no further.\n"
        "# TYPE ei_dropped_total counter\n"
        'ei_dropped_total{reason="no_pipe"} 3\n'
        'ei_dropped_total{reason="replayed"} 1\n'
        "# HELP ei_sum All together.\n"
        "# TYPE ei_sum gauge\n"
        "ei_sum 4\n"
    )


def test_a_label_cannot_end_its_own_quotes() -> None:
    text = exposition([DROPPED], {'a"b\\c\nd': 1})

    assert text.splitlines()[2] == r'ei_dropped_total{reason="a\"b\\c\nd"} 1'


def test_a_metric_without_values_is_not_mentioned() -> None:
    assert exposition([DROPPED], {}) == ""


def test_buckets_of_a_histogram_hold_all_that_took_no_longer() -> None:
    took = Histogram((0.001, 0.5), (2, 3, 1), total=1.25)
    metric: Metric[None] = Metric(
        "ei_took_seconds", "histogram", "Time.", lambda _: {("echo",): took}, labels=("service",)
    )

    assert exposition([metric], None).splitlines()[1:] == [
        "# TYPE ei_took_seconds histogram",
        'ei_took_seconds_bucket{service="echo",le="0.001"} 2',
        'ei_took_seconds_bucket{service="echo",le="0.5"} 5',
        'ei_took_seconds_bucket{service="echo",le="+Inf"} 6',
        'ei_took_seconds_sum{service="echo"} 1.25',
        'ei_took_seconds_count{service="echo"} 6',
    ]
