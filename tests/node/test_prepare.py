"""All that a node is made of is checked before anything runs, and nothing is written."""

from pathlib import Path

import pytest

from ei.errors import ConfigError
from ei.node.prepare import prepare_node
from ei.records.key_files import write_keys
from ei.records.keys import make_keys

MANIFEST = """
id = 0xF0000001
name = "plain"
version = "0.0.1"
summary = "Drops."
drop_reasons = ["unwanted"]
"""
SERVICE = """
from ei.sdk import DropPacket, Service


class Plain(Service[None]):
    __slots__ = ()

    def on_packet(self, event, ctx):
        yield DropPacket("unwanted")

SERVICE = Plain
"""


def test_a_key_file_that_is_missing_is_said(node_file: Path) -> None:
    (node_file.parent / "key").unlink()

    with pytest.raises(ConfigError, match="no key file"):
        _ = prepare_node(node_file)


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        ("domain_number = 1", "domain_number = 2", "key of sn1.isp-a and domain_number 2"),
        ('name = "sn1.isp-a"', 'name = "sn2.isp-a"', "know node sn1.isp-a with the key of sn2"),
        ("# [guards]", '[guards]\n"alice.isp-a" = ["echo"]', "'alice.isp-a' is not attached"),
    ],
)
def test_what_the_records_do_not_know_is_said_before_anything_runs(
    node_file: Path, good: str, bad: str, said: str
) -> None:
    _ = node_file.write_text(node_file.read_text().replace(good, bad))

    with pytest.raises(ConfigError, match=said):
        _ = prepare_node(node_file)


def test_only_the_key_of_its_own_domain_signs_for_a_node(node_file: Path) -> None:
    text = node_file.read_text().replace('# domain_key_file = ""', 'domain_key_file = "d.key"')
    _ = node_file.write_text(text)
    path = node_file.parent / "d.key"

    write_keys(path, make_keys(b"x" * 32))
    with pytest.raises(ConfigError, match=r"is the key of no domain in the records, not of isp-a"):
        _ = prepare_node(node_file)

    path.unlink()
    write_keys(path, make_keys(b"d" * 32))
    assert prepare_node(node_file).domain_keys == make_keys(b"d" * 32)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            "[config.delivery]\nnope = 1",
            r"no key 'nope' in \[config\.delivery\] is known; allowed: ",
        ),
        ("[config.delivery]\ndecison_s = 1.0", "did you mean 'decision_s'"),
        ("[config.delivery]\ndecision_s = '1'", r"got `str` - at `config\.delivery\.decision_s`"),
    ],
)
def test_what_a_service_cannot_be_told_is_said_of_the_node_file(
    node_file: Path, values: str, said: str
) -> None:
    _ = node_file.write_text(f"{node_file.read_text()}\n{values}\n")

    with pytest.raises(ConfigError, match=rf"node\.toml: .*{said}"):
        _ = prepare_node(node_file)


def test_a_service_that_takes_no_values_is_told_none(node_file: Path) -> None:
    folder = node_file.parent / "plain"
    folder.mkdir()
    _ = (folder / "manifest.toml").write_text(MANIFEST)
    _ = (folder / "service.py").write_text(SERVICE)
    text = node_file.read_text().replace(
        "\nservices = [",
        '\nservice_folders = ["plain"]\ntrusted_services = ["plain"]\nservices = ["plain", ',
    )
    _ = node_file.write_text(f"{text}\n[config.plain]\nnope = 1\n")

    with pytest.raises(
        ConfigError, match=r"node\.toml: no key 'nope' in \[config\.plain\] is known; allowed: none"
    ):
        _ = prepare_node(node_file)


def test_checking_a_node_leaves_nothing_behind(node_file: Path) -> None:
    before = sorted(node_file.parent.iterdir())

    _ = prepare_node(node_file)

    assert sorted(node_file.parent.iterdir()) == before
