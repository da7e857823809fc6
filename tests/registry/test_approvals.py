import pytest
from msgspec import structs
from tests.registry.world import World
from tuf.api.metadata import TargetFile

from ei.errors import IntegrityError
from ei.registry.approvals import (
    approved,
    certificate_place,
    check_is,
    is_in,
    package_place,
    share_of,
    unapproved,
)

PATH = "hello/0.1.0.eim"


def test_places_are_those_of_the_update_framework(world: World) -> None:
    release = world.submit(is_certified=True)

    assert (world.public / package_place(release)).exists()
    assert (world.public / certificate_place(release)).exists()


def test_what_is_approved_is_what_was_submitted(world: World) -> None:
    release = world.submit()
    world.approve(release)

    assert approved(PATH, world.registry.targets().targets[PATH])[0] == release
    for path in ("hello", "hello/newest.eim", "hello/1.0.eim", "../0.1.0.eim", "/0.1.0.eim"):
        with pytest.raises(IntegrityError):
            _ = approved(path, world.registry.targets().targets[PATH])


def test_a_share_counts_for_the_same_bytes_alone(world: World) -> None:
    world.approve(world.submit(), share=0.25)
    rollout, targets = world.registry.rollout(), world.registry.targets()
    target = targets.targets[PATH]
    other = TargetFile(1, {"sha256": "00"}, PATH)

    assert share_of(rollout, target) == 0.25
    assert share_of(rollout, other) == 0.0
    assert not is_in(None, target)
    assert not list(unapproved(rollout, targets))
    rollout.targets[PATH].unrecognized_fields["custom"] = {"share_ppm": "all"}
    assert share_of(rollout, target) == 0.0
    targets.targets[PATH] = other
    assert list(unapproved(rollout, targets)) == [("hello@0.1.0", "unapproved")]


def test_a_package_is_inside_what_it_is_outside(world: World) -> None:
    release = world.submit()
    package = (world.public / package_place(release)).read_bytes()

    check_is(release, package)
    for wrong in (structs.replace(release, number=7), structs.replace(release, version="9.9.9")):
        with pytest.raises(IntegrityError, match="inside"):
            check_is(wrong, package)
