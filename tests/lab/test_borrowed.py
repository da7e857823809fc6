"""Programs of others are found where they may be."""

from pathlib import Path

from ei.lab.borrowed import BORROWED, find_program


def test_a_program_in_the_path_comes_first(tmp_path: Path) -> None:
    program = tmp_path / "sh"
    program.touch(mode=0o755)

    assert find_program("sh", {"PATH": str(tmp_path)}) == str(program)


def test_what_is_nowhere_is_not_found(tmp_path: Path) -> None:
    assert find_program("no-such-program", {"PATH": str(tmp_path)}) is None


def test_borrowed_programs_are_beside_what_is_built() -> None:
    assert BORROWED.parts[-2:] == ("build", "tools")
    assert (BORROWED.parents[1] / "pyproject.toml").exists()
