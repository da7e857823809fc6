import argparse
from pathlib import Path

import pytest

from ei.cli.domain_file import open_domain, parse_days
from ei.errors import ConfigError
from ei.records.issuer import Issuer
from ei.records.key_files import write_keys
from ei.records.keys import make_keys
from ei.records.record_files import write_records

KEYS = make_keys(b"d" * 32)


def test_the_records_say_which_domain_a_key_is_of(tmp_path: Path) -> None:
    arguments = argparse.Namespace(domain_key=tmp_path / "key", records=tmp_path / "records.eir")
    write_keys(arguments.domain_key, KEYS)
    write_records(arguments.records, [Issuer("isp-a", 7, KEYS, expires_unix_s=9).domain()])

    issuer = open_domain(arguments, lifetime_s=100).issuer

    assert (issuer.name, issuer.number) == ("isp-a", 7)


def test_a_key_of_no_domain_in_the_records_signs_nothing(tmp_path: Path) -> None:
    arguments = argparse.Namespace(domain_key=tmp_path / "key", records=tmp_path / "records.eir")
    write_keys(arguments.domain_key, KEYS)
    write_records(arguments.records, [])

    with pytest.raises(ConfigError, match="no record of a domain with key"):
        open_domain(arguments)


def test_without_a_key_the_way_to_make_one_is_said(tmp_path: Path) -> None:
    arguments = argparse.Namespace(domain_key=tmp_path / "key", records=tmp_path / "records.eir")

    with pytest.raises(ConfigError) as caught:
        open_domain(arguments)

    assert "ei domain init" in caught.value.remedy


def test_days_are_whole_and_at_most_ten_years() -> None:
    assert parse_days("2") == 172_800
    for text in ("0", "-1", "3651", "x"):
        with pytest.raises(argparse.ArgumentTypeError, match="1 to 3650"):
            parse_days(text)
