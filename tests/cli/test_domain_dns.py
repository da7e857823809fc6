import argparse
from pathlib import Path

import pytest
from tests.cli.conftest import Run

from ei.cli.domain_dns import parse_ttl
from ei.cli.exits import Exit


def test_a_lifetime_is_a_second_to_a_day() -> None:
    assert parse_ttl("300") == 300
    for text in ("0", "86401", "-1", "5m"):
        with pytest.raises(argparse.ArgumentTypeError):
            _ = parse_ttl(text)


def test_the_lines_of_a_zone_are_shown(
    ei: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert ei("domain", "init", "isp-a", "--number", "1").code == Exit.OK
    nothing = ei("domain", "dns", "--zone", "isp-a.example")
    assert (nothing.code, "ei node init" in nothing.err) == (Exit.ERROR, True)
    made = ei("node", "init", "sn1.isp-a", "--endpoint", "192.0.2.1:3535")
    assert made.code == Exit.OK, made.err

    said = ei("domain", "dns", "--zone", "isp-a.example", "--ttl", "60")

    assert said.code == Exit.OK, said.err
    assert said.out.splitlines() == [
        "_ei._udp.isp-a.example. 60 IN SRV 10 10 3535 sn1.isp-a.example.",
        "sn1.isp-a.example. 60 IN A 192.0.2.1",
    ]


def test_what_is_no_zone_is_refused(
    ei: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert ei("domain", "init", "isp-a", "--number", "1").code == Exit.OK
    made = ei("node", "init", "sn1.isp-a", "--endpoint", "192.0.2.1:3535")
    assert made.code == Exit.OK, made.err

    said = ei("domain", "dns", "--zone", "not a name")

    assert (said.code, "DNS domain" in said.err) == (Exit.ERROR, True)
