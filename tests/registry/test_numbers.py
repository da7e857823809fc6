import pytest

from ei.dissector.datagrams import CONTROL_SERVICE
from ei.dissector.messages import MESSAGES
from ei.errors import ConflictError
from ei.registry.numbers import check_number, numbers
from ei.runtime.loader import find_services
from ei.sdk.manifest import load_manifest


def test_each_manifest_has_the_number_and_the_words_of_the_file() -> None:
    manifests = [load_manifest(folder) for folder in find_services().values()]
    modules = {
        (each.number, each.name, each.summary) for each in numbers().service if each.number > 15
    }

    assert {(each.id, each.name, each.summary) for each in manifests} <= modules


def test_the_code_knows_no_other_numbers() -> None:
    given = {each.number: each.name for each in numbers().service}

    assert given[CONTROL_SERVICE] == "control"
    assert MESSAGES.keys() <= given.keys()


def test_a_number_and_a_name_are_given_once() -> None:
    given = numbers().service

    assert len({each.number for each in given}) == len({each.name for each in given}) == len(given)
    assert [each.number for each in given] == sorted(each.number for each in given)
    assert all(each.number < numbers().experimental.first for each in given)


@pytest.mark.parametrize(
    ("name", "number", "said"),
    [
        ("hello", 17, "number 17 of hello belongs to echo"),
        ("echo", 0xF0000003, "echo has the number 17, and not 4026531843"),
        ("hello", 99, "number 99 of hello was given to nobody"),
        ("hello", 0xF0000001, "number 4026531841 of hello belongs to other"),
        ("other", 0xF0000002, "other has the number 4026531841, and not 4026531842"),
    ],
)
def test_a_number_that_is_not_ones_own_is_refused(name: str, number: int, said: str) -> None:
    with pytest.raises(ConflictError, match=said) as caught:
        check_number(name, number, given=numbers(), taken={"other": 0xF0000001})

    assert "into its manifest" in caught.value.remedy


def test_ones_own_number_and_a_free_one_are_good() -> None:
    check_number("echo", 17, given=numbers(), taken={})
    check_number("other", 0xF0000001, given=numbers(), taken={"other": 0xF0000001})
    check_number("hello", 0xF0000002, given=numbers(), taken={"other": 0xF0000001})
