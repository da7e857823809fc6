"""All that a node is made of is checked before anything runs, and nothing is written."""

from pathlib import Path

import pytest

from ei.errors import ConfigError
from ei.node.prepare import prepare_node


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


def test_checking_a_node_leaves_nothing_behind(node_file: Path) -> None:
    before = sorted(node_file.parent.iterdir())

    _ = prepare_node(node_file)

    assert sorted(node_file.parent.iterdir()) == before
