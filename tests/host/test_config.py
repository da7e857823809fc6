"""`host.toml`: what it may say, and how it says what is wrong."""

from pathlib import Path

import msgspec
import pytest

from ei.errors import ConfigError
from ei.host.config import HostConfig, load_host_config

GOOD = f"""
version = 1
name = "alice.isp-a"
domain_number = 1
[trust]
isp-a = "{"ab" * 32}"
"""


def load(folder: Path, text: str) -> HostConfig:
    path = folder / "host.toml"
    path.write_text(text)
    return load_host_config(path)


def test_what_is_not_said_has_a_default(tmp_path: Path) -> None:
    config = load(tmp_path, GOOD)

    assert (config.bind, config.nodes, config.attachment_limit_s) == ("0.0.0.0:0", (), 3_600)


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        ("domain_number", "domain_nubmer", "did you mean 'domain_number'"),
        ("version = 1", "version = 3", "version"),
        ('"alice.isp-a"', "7", "at `name`"),
        ('isp-a = "', 'isp-a = "ab', "33 bytes seen"),
        ("[trust]", 'bind = "nonsense"\n[trust]', "bind: 'nonsense' is not IP:PORT, such as"),
    ],
)
def test_a_mistake_is_named_with_file_and_key(
    tmp_path: Path, good: str, bad: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=rf"host\.toml: .*{said}"):
        _ = load(tmp_path, GOOD.replace(good, bad))


def test_its_schema_can_be_had_for_editors() -> None:
    schema = msgspec.json.schema(HostConfig)

    definition = schema["$defs"]["HostConfig"]
    assert definition["additionalProperties"] is False
    assert set(definition["required"]) == {"version", "name", "domain_number"}


def test_a_dns_domain_and_resolvers_are_checked(tmp_path: Path) -> None:
    asked = 'dns_domain = "isp-a.example"\nresolvers = ["192.0.2.53:53"]\n[trust]'
    config = load(tmp_path, GOOD.replace("[trust]", asked))
    assert (config.dns_domain, config.resolvers) == ("isp-a.example", ("192.0.2.53:53",))

    for wrong, said in (
        ('dns_domain = "not a name"', "not the name of a DNS domain"),
        ('resolvers = ["192.0.2.53"]', "resolvers: '192.0.2.53' is not IP:PORT"),
    ):
        with pytest.raises(ConfigError, match=rf"host\.toml: .*{said}"):
            _ = load(tmp_path, GOOD.replace("[trust]", f"{wrong}\n[trust]"))
