from ei.cli.statuses import counts, reasons


def test_reasons_are_counted_the_largest_first() -> None:
    assert reasons({"replayed": 2, "bad_seal": 30, "too_big": 0}) == "30 bad_seal, 2 replayed"
    assert reasons({}) == "0"


def test_what_never_happened_is_left_out() -> None:
    assert counts({"echo": 2, "datagram": 0}) == "2 echo"
    assert counts({"echo": 0}) == "nothing"
