"""What `ei.lua` knows by heart is what the project says elsewhere; see tests/peers for the rest."""

import re
from importlib.resources import files

from ei.dissector.datagrams import PROTECTIONS, TYPES
from ei.dissector.fields import FIELDS
from ei.dissector.messages import MESSAGES
from ei.registry.numbers import numbers

LUA = (files("ei.dissector") / "ei.lua").read_text()


def table(name: str) -> dict[int, str]:
    """Return a table of numbers and words in the script."""
    found = re.search(rf"local {name} = \{{(.*?)\}}", LUA, re.DOTALL)
    assert found
    return {int(number): word for number, word in re.findall(r'\[(\d+)\] = "(\w+)"', found[1])}


def test_it_names_the_services_by_their_numbers() -> None:
    assert table("SERVICES") == {each.number: each.name for each in numbers().service}


def test_it_names_the_control_messages_alike() -> None:
    found = re.search(r"local MESSAGES = \{(.*?)\n\}", LUA, re.DOTALL)
    assert found

    services = re.findall(r"\[(\d+)\] = \{(.*?)\}", found[1], re.DOTALL)

    assert {
        int(service): {int(kind): name for kind, name in re.findall(r'\[(\d+)\] = "(\w+)"', rest)}
        for service, rest in services
    } == MESSAGES


def test_it_names_types_and_protections_alike() -> None:
    assert table("TYPES") == TYPES
    assert table("PROTECTIONS") == PROTECTIONS


def test_it_has_every_field_with_the_same_title() -> None:
    fields = re.findall(r'^field\("([\w.]+)", [^"]*"([^"]+)"', LUA, re.MULTILINE)

    assert {f"ei.{name}": title for name, title in fields} == {
        name: title for name, (_, title) in FIELDS.items()
    }
