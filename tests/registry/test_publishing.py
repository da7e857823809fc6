import pytest
from tests.registry.world import NOW, World
from tuf.api.metadata import Timestamp

from ei.errors import NotFoundError
from ei.registry.disk import FolderMap
from ei.registry.metadata import DAY_S, parse_metadata
from ei.registry.publishing import current_file, current_root, current_targets, is_due


def test_a_registry_that_has_not_begun_has_published_nothing() -> None:
    assert current_root({}) is None
    with pytest.raises(NotFoundError, match="has published no targets yet"):
        _ = current_targets({})


def test_what_is_half_over_is_signed_again_and_the_rest_is_not(world: World) -> None:
    files = FolderMap(world.public)

    def versions() -> list[int]:
        return [current_file(files, role)[0] for role in ("timestamp", "snapshot", "rollout")]

    before = versions()
    assert not world.registry.renew(unix_s=NOW + DAY_S / 2)
    assert is_due(files, unix_s=NOW + DAY_S / 2 + 1)
    assert world.registry.renew(unix_s=NOW + DAY_S / 2 + 1)
    assert versions() == [before[0] + 1, before[1], before[2]]
    assert world.registry.renew(unix_s=NOW + 4 * DAY_S)
    assert versions() == [before[0] + 2, before[1] + 1, before[2] + 1]


def test_a_node_follows_a_registry_that_renews_itself_for_a_year(world: World) -> None:
    world.approve(world.submit())
    client = world.client()
    for day in range(0, 364, 30):
        _ = world.registry.renew(unix_s=NOW + day * DAY_S)
        assert client.refresh(unix_s=NOW + day * DAY_S).releases


def test_a_share_of_what_is_not_approved_is_refused(world: World) -> None:
    with pytest.raises(NotFoundError, match=r"hello@0\.1\.0 is not approved"):
        world.registry.set_share("hello", "0.1.0", 1.0, unix_s=NOW)


def test_the_timestamp_names_the_snapshot(world: World) -> None:
    files = FolderMap(world.public)
    timestamp = parse_metadata(files["metadata/timestamp.json"], Timestamp, "timestamp").signed

    version, data = current_file(files, "snapshot")

    assert timestamp.snapshot_meta.version == version
    timestamp.snapshot_meta.verify_length_and_hashes(data)
