"""What is asked of the private way is one wish, and none without it."""

import re
from pathlib import Path
from random import Random

import pytest
from tests.cli.conftest import Run

from ei.cli.exits import Exit
from ei.errors import DeniedError
from ei.host.connect import prepare_host
from ei.ways.exits import ExitWish, choose_exit


@pytest.mark.parametrize("command", [("proxy",), ("run", "true")])
@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--exit", "sn1.isp-b"), "--exit and --near are for --private"),
        (("--private", "--exit", "sn1.isp-b", "--near", "48,11"), "not both"),
    ],
)
def test_a_wish_that_is_none_is_refused(
    ei: Run, command: tuple[str, ...], words: tuple[str, ...], reason: str
) -> None:
    said = ei(command[0], *words, *command[1:])

    assert said.code == Exit.ERROR
    assert reason in said.err


@pytest.mark.parametrize("command", ["proxy", "run"])
def test_help_says_what_it_does_and_shows_it(ei: Run, command: str) -> None:
    said = ei(command, "--help")

    assert "what cannot go so does not go at all" in " ".join(said.out.split())
    assert f"ei {command} --private" in said.out


def test_a_host_that_was_enrolled_by_hand_has_an_exit_once_it_trusts_a_neighbour(
    ei: Run, tmp_path: Path
) -> None:
    keys = {}
    for letter, number in (("a", "1"), ("b", "2")):
        records = ("--domain-key", f"{letter}.key", "--records", f"{letter}.eir")
        said = ei("domain", "init", f"isp-{letter}", "--number", number, *records)
        keys[letter] = re.findall(r"key ([0-9a-f]{64})", said.out)[0]
        node = ("--endpoint", f"192.0.2.{number}:3535", "--service", "delivery")
        relay = ("--service", "relay", "--location", f"{number}0,11")
        assert ei("node", "init", f"sn1.isp-{letter}", *node, *relay, *records).code == Exit.OK
    assert ei("host", "init", "h.isp-a", "--domain-key", "a.key", "--records", "a.eir").code == 0
    file = tmp_path / "h.isp-a" / "host.toml"

    def exits() -> set[str]:
        prepared = prepare_host(file)
        found = choose_exit(
            prepared.records, prepared.nodes[0], wish=ExitWish(), tried=(), random=Random(1)
        )
        return {prepared.records.name_of(found)}

    with pytest.raises(DeniedError, match=r"seen: isp-a \(of isp-a: 1 of 1 nodes offer it\)"):
        _ = exits()

    peer = ("peer", "add", "b.eir", "--fingerprint", keys["b"])
    assert ei(*peer, "--config", "sn1.isp-a/node.toml").code == Exit.OK
    _ = file.write_text(f'{file.read_text()}isp-b = "{keys["b"]}"\n')

    assert exits() == {"sn1.isp-b"}
