"""What an operator may say about a registry."""

import msgspec
import pytest

from ei.node.registry_config import RegistryConfig


def test_a_registry_is_a_place_and_the_services_that_it_says() -> None:
    config = msgspec.convert({"url": "http://r:1", "services": ("hello",)}, RegistryConfig)

    assert (config.root, config.poll_s, config.most_errors) == ("root.json", 30.0, 0.01)


@pytest.mark.parametrize(
    "values",
    [{"url": "http://r:1"}, {"url": "", "services": ("a",)}, {"url": "x", "services": ()}],
)
def test_it_takes_both(values: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        _ = msgspec.convert(values, RegistryConfig)
