import io
import json

from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.promises import show_promise, show_repeated, show_report, show_run
from ei.lab.promises import Promise, Report, promise
from ei.lab.repeated import merge


def make(*promises: Promise, is_json: bool = False) -> tuple[Exit, str, str]:
    stdout, stderr = io.StringIO(), io.StringIO()
    output = Output(stdout=stdout, stderr=stderr, environ={}, is_json=is_json)
    for each in promises:
        show_promise(each, output)
    report = Report(scenario="x", backend="simulation", seed=1, digest="ab" * 32, promises=promises)
    return show_report(report, output), stdout.getvalue(), stderr.getvalue()


def test_kept_promises_are_a_table_and_a_success() -> None:
    code, out, err = make(promise("replies", 10, "==", 10, unit="pings"))

    assert code is Exit.OK
    assert "1 of 1 promises kept" in out
    assert "✓ replies: 10 pings" in err


def test_one_broken_or_invalid_promise_is_a_failure() -> None:
    assert make(promise("a", 1, "==", 1), promise("b", 2, "<=", 1))[0] is Exit.NEGATIVE
    assert make(promise("a", 1, "==", 1, is_valid=False))[0] is Exit.NEGATIVE
    assert make()[0] is Exit.NEGATIVE


def test_as_json_it_is_one_object_of_the_schema() -> None:
    _, out, _ = make(promise("replies", 10, "==", 10, unit="pings"), is_json=True)

    document = json.loads(out)
    assert document["schema"] == "ei.promises/1"
    assert document["promises"] == [
        {
            "name": "replies",
            "measured": 10,
            "unit": "pings",
            "limit": {"op": "==", "value": 10},
            "baseline": None,
            "status": "ok",
            "note": "",
        }
    ]


def test_repeated_runs_show_the_worst_with_its_seed_and_fail_if_one_did() -> None:
    stdout, stderr = io.StringIO(), io.StringIO()
    output = Output(stdout=stdout, stderr=stderr, environ={})
    reports = [
        Report(
            scenario="x",
            backend="processes",
            seed=seed,
            digest=None,
            promises=(promise("gap", gap, "<=", 500.0, unit="ms"),),
        )
        for seed, gap in ((7, 300.0), (8, 600.0))
    ]
    for report in reports:
        show_run(report, output)

    code = show_repeated(merge(reports), output)

    assert code is Exit.NEGATIVE
    assert "✓ seed 7: 1 of 1 promises kept" in stderr.getvalue()
    assert "✗ gap: 600 ms" in stderr.getvalue()
    assert "worst of 2" in stdout.getvalue()
    assert "1 of 2 runs kept all promises" in stdout.getvalue()
