"""A name in a topology's configuration is found wherever it is."""

from ei.lab.names import configured


def test_names_are_replaced_in_lists_and_tables_and_nothing_else_is() -> None:
    table = {"nodes": ["@a", "b"], "deep": {"one": "@c", "two": [[1, "@"], "x@y"]}, "is_on": True}

    found = configured(table, str.upper)

    assert found == {
        "nodes": ["A", "b"],
        "deep": {"one": "C", "two": [[1, ""], "x@y"]},
        "is_on": True,
    }
