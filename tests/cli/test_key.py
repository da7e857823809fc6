import stat
from pathlib import Path

from tests.cli.conftest import Run

from ei.cli.exits import Exit


def test_a_new_key_is_private_and_shown_again(ei: Run, tmp_path: Path) -> None:
    made = ei("key", "new", "key", "--domain", "7", "--json").document

    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert str(made["address"]).startswith("fd35:0:7:")
    assert ei("key", "show", "key", "--domain", "7", "--json").document == made


def test_a_key_is_never_overwritten(ei: Run, tmp_path: Path) -> None:
    assert ei("key", "new", "key").code == Exit.OK
    before = (tmp_path / "key").read_bytes()

    said = ei("key", "new", "key")

    assert said.code == Exit.CONFLICT
    assert "move it away first" in said.err
    assert (tmp_path / "key").read_bytes() == before


def test_a_key_that_others_can_read_is_refused(ei: Run, tmp_path: Path) -> None:
    assert ei("key", "new", "key").code == Exit.OK
    (tmp_path / "key").chmod(0o644)

    said = ei("key", "show", "key")

    assert said.code == Exit.REFUSED
    assert "chmod" in said.err


def test_no_secret_is_ever_printed(ei: Run, tmp_path: Path) -> None:
    said = ei("key", "new", "key")

    secrets = [line.split()[1] for line in (tmp_path / "key").read_text().splitlines()[1:3]]
    assert not any(secret in said.out + said.err for secret in secrets)


def test_a_domain_number_out_of_range_is_refused(ei: Run) -> None:
    for number in ("0", "-1", "4294967296", "x"):
        said = ei("key", "show", "key", f"--domain={number}")

        assert said.code == Exit.ERROR
        assert "is not a domain number: 1 to 2^32 - 1" in said.err
