"""What an operator may say about a registry."""

import msgspec
import pytest

from ei.errors import ConfigError
from ei.node.registry_config import RegistryConfig, check_registry


def test_a_registry_is_a_place_and_the_services_that_it_says() -> None:
    config = msgspec.convert({"url": "http://r:1", "services": ("hello",)}, RegistryConfig)

    assert (config.root, config.poll_s, config.most_errors) == ("root.json", 30.0, 0.01)


@pytest.mark.parametrize(
    "values",
    [{"services": ("a",)}, {"url": "", "services": ("a",)}, {"url": "x", "services": ("a",) * 65}],
)
def test_it_is_somewhere_and_bounded(values: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        _ = msgspec.convert(values, RegistryConfig)


def test_it_says_something_and_nothing_twice() -> None:
    check_registry(RegistryConfig(url="x", bundles=("small",)))

    with pytest.raises(ConfigError, match="neither services nor bundles"):
        check_registry(RegistryConfig(url="x"))
    with pytest.raises(ConfigError, match="small named twice"):
        check_registry(RegistryConfig(url="x", services=("small",), bundles=("small",)))
