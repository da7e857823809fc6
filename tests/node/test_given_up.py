"""What a node has given up it remembers."""

from pathlib import Path

from ei.node.given_up import MAX_GIVEN_UP, GivenUp


def test_what_was_given_up_is_known_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "registry" / "given_up.json"

    GivenUp(path).add("sha256:1", "too many errors")

    again = GivenUp(path)
    assert "sha256:1" in again
    assert "sha256:2" not in again
    assert (again.why("sha256:1"), again.why("sha256:2")) == ("too many errors", "")


def test_the_oldest_are_forgotten_and_a_spoilt_file_counts_for_nothing(tmp_path: Path) -> None:
    path = tmp_path / "given_up.json"
    given_up = GivenUp(path)
    for number in range(MAX_GIVEN_UP + 1):
        given_up.add(str(number), "")

    assert "0" not in given_up
    assert str(MAX_GIVEN_UP) in given_up
    _ = path.write_text("[]")
    assert "1" not in GivenUp(path)
