from ei.cli.exits import Exit


def test_the_numbers_never_change() -> None:
    assert {one.name: one.value for one in Exit} == {
        "OK": 0, "NEGATIVE": 1, "ERROR": 2, "UNREACHABLE": 3, "REFUSED": 4, "TIMEOUT": 5,
        "CONFLICT": 6, "INTEGRITY": 7, "LIMIT": 8, "HUNG_UP": 129, "INTERRUPTED": 130,
        "TERMINATED": 143,
    }  # fmt: skip
