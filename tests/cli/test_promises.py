import io
import json

from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.promises import show_promise, show_report
from ei.lab.promises import Promise, Report, promise


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
        }
    ]
