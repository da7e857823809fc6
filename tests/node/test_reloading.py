"""`node.toml` is read again as a whole, or not at all."""

import random
import tomllib
from pathlib import Path

import msgspec
import pytest
from tests.node.test_node import node as make_node

from ei.errors import ConfigError
from ei.lab.certificates import make_certificate
from ei.node.config import NodeConfig, check_node_config, load_node_config
from ei.node.reloading import CHANGEABLE, read_again
from ei.node.remembering import RememberingControl

KEY = "ab" * 32
TEXT = f"""\
version = 1
name = "sn1.isp-a"
domain_number = 1
binds = ["127.0.0.1:3535"]
services = ["delivery", "shield"]
mesh_nodes = 8
threads = 2

[trust]
isp-a = "{KEY}"

[chains]
delivery = ["shield", "delivery"]

[guards]
"alice.isp-a" = ["shield"]
"""

SITE = '[sites.web]\ncertificate = "web.pem"\nkey = "web.key"\n'


def written(tmp_path: Path, text: str = TEXT) -> Path:
    path = tmp_path / "node.toml"
    _ = path.write_text(text)
    return path


def test_whom_a_node_believes_and_guards_changes_while_it_runs(tmp_path: Path) -> None:
    path = written(tmp_path)
    running = load_node_config(path)

    _ = path.write_text(TEXT.replace("mesh_nodes = 8", "mesh_nodes = 9") + 'bob = ["delivery"]\n')
    found = read_again(path, running)

    assert found.needs_restart == ()
    assert found.config.mesh_nodes == 9
    assert set(found.config.guards) == {"alice.isp-a", "bob"}


def test_the_files_of_sites_are_read_whether_or_not_the_configuration_has_changed(
    tmp_path: Path,
) -> None:
    first, second = make_certificate("web"), make_certificate("web")
    _ = first.write(tmp_path)
    path = written(tmp_path, TEXT + SITE)
    running = load_node_config(path)

    _ = second.write(tmp_path)
    found = read_again(path, running)

    assert found.config == running
    assert [each.certificates for each in found.sites] == [second.certificate]


def test_a_certificate_that_cannot_be_used_leaves_all_as_it_was(tmp_path: Path) -> None:
    path = written(tmp_path, TEXT + SITE)

    with pytest.raises(ConfigError, match=r"sites\.\"web\"\.certificate: cannot read"):
        _ = read_again(path, load_node_config(path))


def test_what_needs_a_restart_is_named_and_left_as_it_is(tmp_path: Path) -> None:
    path = written(tmp_path)
    running = load_node_config(path)

    _ = path.write_text(TEXT.replace("threads = 2", "threads = 3").replace("3535", "3536"))
    found = read_again(path, running)

    assert found.needs_restart == ("binds", "threads")
    assert found.config == running


def test_a_change_that_rests_on_a_restart_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path)
    running = load_node_config(path)

    more = TEXT.replace('"shield"]\nmesh', '"shield", "cache"]\nmesh').replace(
        '["shield"]', '["cache"]'
    )
    _ = path.write_text(more)

    with pytest.raises(ConfigError, match=r"guards.*'cache' does not run here") as refused:
        _ = read_again(path, running)
    assert "services" in refused.value.remedy


def test_f2_reload_is_atomic(tmp_path: Path) -> None:
    """500 random edits: each is taken as a whole, or refused and nothing moves; pipes stay."""
    chance = random.Random(5)
    datapath = RememberingControl()
    path = written(tmp_path)
    running = make_node(datapath, **tomllib.loads(TEXT))
    running.start()
    taken = 0

    for _ in range(500):
        datapath.commands.clear()
        before = running.config
        _ = path.write_text(edited(TEXT, chance))
        try:
            running.update(running.records, read_again(path, before).config)
        except ConfigError:
            assert running.config is before
            assert not datapath.commands
        else:
            taken += 1
            check_node_config(running.config)
            assert fixed(running.config) == fixed(before)
            assert {command[0] for command in datapath.commands} <= {"set_guards"}

    assert 100 < taken < 400


def edited(text: str, chance: random.Random) -> str:
    """Return a file in which somebody changed a number or a list, or slipped."""
    match chance.randrange(4):
        case 0:
            return text.replace("mesh_nodes = 8", f"mesh_nodes = {chance.randrange(100)}")
        case 1:
            return text.replace('= ["shield"]', chance.choice(["= []", '= ["delivery"]']))
        case _:
            word = chance.choice(["8", '"x"', "[", "]", "=", "threads = 1\n", "[trust]", "#"])
            start = chance.randrange(len(text))
            return text[:start] + word + text[start + chance.randrange(6) :]


def fixed(config: NodeConfig) -> dict[str, object]:
    values = msgspec.structs.asdict(config)
    return {name: value for name, value in values.items() if name not in CHANGEABLE}


def test_what_services_may_reach_changes_while_a_node_runs(tmp_path: Path) -> None:
    path = written(tmp_path)
    running = load_node_config(path)

    _ = path.write_text(TEXT + '\n[internet]\nallow = ["0.0.0.0/0:443"]\n')
    found = read_again(path, running)

    assert found.needs_restart == ()
    assert found.config.internet.allow == ("0.0.0.0/0:443",)
