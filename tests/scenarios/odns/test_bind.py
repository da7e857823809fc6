import shutil

import pytest

from ei.scenarios.odns.bind import PROGRAMS, missing, read_key


def test_what_is_missing_is_named() -> None:
    assert missing({"PATH": "/nowhere"}) in {"", *PROGRAMS}
    assert missing() in {each for each in PROGRAMS if shutil.which(each) is None} | {""}


def test_a_key_is_an_anchor_in_the_words_of_delv() -> None:
    printed = "257 3 13 bGrRybvPwA WcoYdoEXXisk49==\nDNSKEY 13 2 3600 20261213 example. sig==\n"

    assert read_key(printed) == '257 3 13 "bGrRybvPwAWcoYdoEXXisk49=="'


@pytest.mark.parametrize("printed", ["", "\n"])
def test_without_a_key_there_is_no_anchor(printed: str) -> None:
    assert read_key(printed) == ""
