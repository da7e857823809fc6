"""What `bundle.toml` may say, and what is said of what it may not."""

from pathlib import Path

import pytest
from tests.bundles.toys import write_bundle

from ei.bundles import load_bundle
from ei.errors import ConfigError


def test_a_bundle_is_a_number_a_name_and_services_in_order(tmp_path: Path) -> None:
    bundle = load_bundle(write_bundle(tmp_path, "query at first", "delivery"))

    assert (bundle.id, bundle.title) == (112, "mine@1.0.0")
    assert [(part.name, part.at) for part in bundle.services] == [
        ("query", "first"),
        ("delivery", "every"),
    ]
    assert (bundle.takes, bundle.gives, bundle.nodes) == ("plain", "plain", 2)


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ('takes = "raw"', "`takes` cannot be 'raw'; allowed: 'plain', 'compressed'"),
        ("nodes = 0", ">= 1 - at `nodes`"),
        ('services_ = "x"', "no key 'services_' is known; did you mean 'services'?"),
        ('constraints = ["cheap"]', "'cheap'"),
    ],
)
def test_a_wrong_field_is_named_with_what_is_allowed(tmp_path: Path, extra: str, said: str) -> None:
    folder = write_bundle(tmp_path, "delivery", extra=extra)

    with pytest.raises(ConfigError) as caught:
        _ = load_bundle(folder)

    assert f"{folder / 'bundle.toml'}: " in str(caught.value)
    assert said in str(caught.value)


def test_a_range_that_is_none_is_refused(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path, "delivery")
    with (folder / "bundle.toml").open("a") as file:
        _ = file.write('version = "~1"\n')

    with pytest.raises(ConfigError, match="'~1' is no range of versions"):
        _ = load_bundle(folder)


def test_a_bundle_has_the_name_of_its_folder(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path, "delivery").rename(tmp_path / "other")

    with pytest.raises(ConfigError, match="name: 'mine' seen, the folder's name 'other' allowed"):
        _ = load_bundle(folder)


def test_a_bundle_cannot_take_the_number_of_a_service(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path, "delivery")
    file = folder / "bundle.toml"
    _ = file.write_text(file.read_text().replace("112", "16"))

    with pytest.raises(ConfigError, match=">= 112 - at `id`"):
        _ = load_bundle(folder)
