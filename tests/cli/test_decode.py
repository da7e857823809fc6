from pathlib import Path

import pytest
from tests.cli.conftest import Run

from ei.cli.exits import Exit
from ei.lab.capture import Capture

COOKIE = b"\x13\0\0\0" + bytes(range(52))


@pytest.fixture
def capture(tmp_path: Path) -> str:
    path = tmp_path / "two.pcapng"
    with path.open("wb") as file:
        writer = Capture(file.write, program="test")
        writer.frame(0, "127.0.0.1:3535", "127.0.0.2:9", COOKIE)
        writer.frame(0, "127.0.0.1:3535", "127.0.0.2:9", b"\x15", comment="fate=dropped reason=x")
    return str(path)


def test_every_field_is_shown_with_its_title(ei: Run, capture: str) -> None:
    said = ei("decode", capture)

    assert said.code == Exit.OK
    assert "127.0.0.1:3535 → 127.0.0.2:9" in said.out
    assert "ei.cookie.nonce" in said.out


def test_json_has_the_fields_of_every_datagram(ei: Run, capture: str) -> None:
    document = ei("decode", capture, "--json").document

    assert document["schema"] == "ei.decode/1"
    packets = document["packets"]
    assert isinstance(packets, list)
    assert [packet["fields"]["ei.type"] for packet in packets] == ["3", "5"]
    assert packets[1]["fields"]["ei.drop_reason"] == "x"


def test_only_what_fits_is_shown(ei: Run, capture: str) -> None:
    assert len(ei("decode", capture, "--where", "ei.type=3").out.splitlines()) == 8
    assert ei("decode", capture, "--where", "ei.type=1").code == Exit.NEGATIVE


def test_an_unknown_field_is_suggested(ei: Run, capture: str) -> None:
    said = ei("decode", capture, "--where", "ei.servis=16")

    assert said.code == Exit.ERROR
    assert "did you mean ei.service" in said.err


def test_a_missing_file_is_said_plainly(ei: Run) -> None:
    said = ei("decode", "nowhere.pcapng")

    assert said.code == Exit.NEGATIVE
    assert "EI-1002" in said.err
    assert "nowhere.pcapng" in said.err


def test_the_dissector_for_wireshark_is_in_the_package(ei: Run) -> None:
    path = Path(ei("decode", "--dissector").out.strip())

    assert path.name == "ei.lua"
    assert path.exists()
