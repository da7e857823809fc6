"""In which line of a `bundle.toml` something is."""

from ei.bundles.faults import Lines

TABLES = """\
id = 112
name = "mine"

[[services]]
name = "query"
[[services]]
name = "delivery"
"""
INLINE = """\
name = "mine"
nodes = 3
services = [
    { name = "query" },
    { name = "delivery" },
]
"""


def test_the_line_of_a_service_is_where_its_name_is() -> None:
    assert [
        Lines(TABLES).of_service(at, name) for at, name in enumerate(("query", "delivery"))
    ] == [5, 7]
    assert [
        Lines(INLINE).of_service(at, name) for at, name in enumerate(("query", "delivery"))
    ] == [4, 5]


def test_services_on_one_line_are_there() -> None:
    text = 'name = "mine"\nservices = [{name="query"}, {name="delivery"}]\n'

    assert Lines(text).of_service(1, "delivery") == 2


def test_a_name_that_cannot_be_found_is_among_the_services() -> None:
    assert Lines('"name" = "x"\nservices = []\n').of_service(0, "query") == 2


def test_a_key_is_where_its_line_begins() -> None:
    assert Lines(INLINE).of_key("nodes") == 2
    assert Lines(TABLES).of_key("services") == 4
    assert Lines(TABLES).of_key("gives") == 1
