from pathlib import Path

from tests.cli.conftest import Run

from ei.cli.exits import Exit


def test_without_a_host_it_is_said_how_to_write_one(ei: Run) -> None:
    said = ei("proxy")

    assert said.code == Exit.ERROR
    assert "ei host init" in said.err


def test_a_place_to_listen_on_is_an_endpoint(ei: Run, tmp_path: Path) -> None:
    said = ei("proxy", "--listen", "localhost", "--config", str(tmp_path / "host.toml"))

    assert said.code == Exit.ERROR
    assert "localhost" in said.err


def test_its_help_shows_how_programs_use_it(ei: Run) -> None:
    said = ei("proxy", "--help")

    assert "curl -x http://127.0.0.1:8118 http://files.campus.ei/" in said.out
    assert "--proxy-pac-url" in said.out
