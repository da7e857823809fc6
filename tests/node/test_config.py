"""`node.toml`: what it may say, and how it says what is wrong."""

from pathlib import Path

import msgspec
import pytest

from ei.errors import ConfigError
from ei.node.config import NodeConfig, load_node_config

KEY = "ab" * 32
GOOD = f"""
version = 1
name = "sn1.isp-a"
domain_number = 1
binds = ["127.0.0.1:3535"]
services = ["delivery", "shield"]
[trust]
isp-a = "{KEY}"
[chains]
delivery = ["shield", "delivery"]
"""


def load(folder: Path, text: str) -> NodeConfig:
    path = folder / "node.toml"
    path.write_text(text)
    return load_node_config(path)


def test_what_is_not_said_has_a_default(tmp_path: Path) -> None:
    config = load(tmp_path, GOOD)

    assert (config.threads, config.workers, config.cache_entries) == (1, "process", 65_536)


BAD = [
    ("version = 1", "version = 2", "version"),
    ("binds", "bindz", "no key 'bindz' is known; did you mean 'binds'"),
    ("domain_number = 1", "domain_number = 0", "domain_number"),
    ('name = "sn1.isp-a"', "name = 5", "Expected `str`, got `int` - at `name`"),
    ('"shield", "delivery"', '"shield"', "chains.delivery: must end with 'delivery'"),
    ('["shield", "delivery"]', '["dns", "delivery"]', "'dns' does not run here; services are"),
    ('["delivery", "shield"]', '["delivery", "delivery", "shield"]', "named once"),
    (KEY, "abcd", "2 bytes seen, an Ed25519 key has 32"),
    (KEY, "xyz", "'xyz' is not hexadecimal"),
    (f'isp-a = "{KEY}"', "", "names no domain"),
    ("[trust]", "[trust", "not TOML"),
    (
        "version = 1",
        "version = 1\nmemory_limit_mib = 31",
        "memory_limit_mib: 31 seen; allowed are 0",
    ),
    ("binds", 'xdp = ["eth0", "eth0"]\nbinds', "xdp: each device is named once"),
    ("binds", 'xdp = ["a-name-of-16-chr"]\nbinds', "xdp"),
    ("binds", 'threads = 2\nxdp = ["eth0"]\nbinds', "threads: 2 seen; 1 allowed with xdp"),
    ('binds = ["127.0.0.1:3535"]', "binds = []", "binds"),
    ('"127.0.0.1:3535"', '"nonsense"', "binds: 'nonsense' is not IP:PORT, such as"),
    ("[chains]", '[internet]\nallow = ["example.org:443"]\n[chains]', "internet.allow: 'example"),
    ("binds", 'metrics_bind = "x"\nbinds', "metrics_bind: 'x' is not IP:PORT, such as"),
    (
        '"127.0.0.1:3535"',
        '"127.0.0.1:3535", "127.0.0.1:3535"',
        "binds: .*at most one is IPv4 and one IPv6",
    ),
    ('["shield", "delivery"]', '["delivery", "delivery"]', "chains.delivery: .* named once"),
]


@pytest.mark.parametrize(("good", "bad", "said"), BAD, ids=[bad[1][:30] for bad in BAD])
def test_a_mistake_is_named_with_file_and_key(
    tmp_path: Path, good: str, bad: str, said: str
) -> None:
    assert good in GOOD

    with pytest.raises(ConfigError, match=rf"node\.toml: .*{said}"):
        load(tmp_path, GOOD.replace(good, bad))


def test_values_for_a_service_that_does_not_run_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'echo' does not run here"):
        load(tmp_path, GOOD + "[config.echo]\nx = 1\n")


def test_guards_must_run_here(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"guards.*'echo' does not run here"):
        load(tmp_path, GOOD + '[guards]\n"alice.isp-a" = ["echo"]\n')


def test_a_chain_is_bounded(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="names 9 services, allowed are 8"):
        load(tmp_path, GOOD + '[guards]\n"alice.isp-a" = [' + '"shield",' * 9 + "]\n")


def test_its_schema_can_be_had_for_editors() -> None:
    schema = msgspec.json.schema(NodeConfig)

    definition = schema["$defs"]["NodeConfig"]
    assert definition["additionalProperties"] is False
    assert set(definition["required"]) == {"version", "name", "domain_number", "binds"}
