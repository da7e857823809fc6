"""The lab of a module that is written; `tests/cli/test_dev.py` has it run."""

from pathlib import Path

import pytest

from ei.errors import LocalError
from ei.lab.workshop import NODE, Workshop, lab_name_of, topology_of
from ei.runtime.loader import OWN_FOLDER


def test_the_name_of_a_lab_is_one_that_labs_may_have() -> None:
    assert lab_name_of("my_first") == "dev-my-first"
    assert lab_name_of("a" * 31 + "_") == "dev-" + "a" * 28


def test_the_module_is_a_strangers_and_watched(tmp_path: Path) -> None:
    topology = topology_of(tmp_path / "hello", "hello")

    assert topology.nodes[NODE].services == ("delivery", "hello")
    assert (topology.strangers, topology.watched) == (("hello",), ("hello",))


def test_what_comes_with_the_program_is_in_memory_before_any_save(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="echo comes with this program") as caught:
        _ = Workshop(
            OWN_FOLDER / "echo", name="dev-echo", environ={"XDG_STATE_HOME": str(tmp_path)}
        )

    assert "cp -r" in caught.value.remedy
