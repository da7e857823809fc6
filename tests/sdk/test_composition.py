"""What a service says of the payloads that it takes and gives."""

from pathlib import Path

import pytest

from ei.errors import ConfigError
from ei.sdk.composition import EVERY_KIND, KINDS, Port
from ei.sdk.manifest import Manifest, load_manifest

LEAST = 'id = 100\nname = "mine"\nversion = "1.2.3"\nsummary = "Mine."\n'


def parse(tmp_path: Path, text: str) -> Manifest:
    folder = tmp_path / "mine"
    folder.mkdir()
    _ = (folder / "manifest.toml").write_text(LEAST + text)
    return load_manifest(folder)


def test_every_kind_is_explained() -> None:
    assert tuple(KINDS) == EVERY_KIND


def test_who_says_nothing_does_not_look(tmp_path: Path) -> None:
    manifest = parse(tmp_path, "")

    assert [manifest.in_chain.out(kind) for kind in EVERY_KIND] == list(EVERY_KIND)
    assert not manifest.hands_on
    assert manifest.before_pipe is None


def test_what_comes_becomes_what_is_given() -> None:
    port = Port(takes=("plain",), gives="sealed")

    assert (port.out("plain"), port.out("compressed")) == ("sealed", None)


def test_a_place_before_pipes_is_said_apart(tmp_path: Path) -> None:
    manifest = parse(
        tmp_path,
        'takes = ["compressed"]\ngives = "plain"\nadds_bytes = 4\n'
        '[before_pipe]\ntakes = ["plain"]\ngives = "compressed"\n',
    )

    assert manifest.in_chain == Port(takes=("compressed",), gives="plain", adds_bytes=4)
    assert manifest.before_pipe == Port(takes=("plain",), gives="compressed")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("takes = []", "takes: [] seen, a list of plain, compressed, sealed, private allowed"),
        ('gives = "raw"', "gives: 'raw' seen, plain, compressed, sealed, private allowed"),
        ("adds_bytes = 5000", "adds_bytes: 5000 seen, 0 to 1024 bytes allowed"),
        ("before_pipe = 1", "before_pipe: 1 seen, a table of takes, gives and adds_bytes allowed"),
    ],
)
def test_what_is_not_allowed_is_named_with_what_is(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        _ = parse(tmp_path, text)

    assert said in str(caught.value)
