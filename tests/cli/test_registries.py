"""A registry is shown with how fresh it is, how far releases are, and why it is not believed."""

from ei.cli.registries import line_of
from ei.node.registry_status import FollowedStatus, RegistryStatus


def test_a_registry_is_one_line() -> None:
    status = RegistryStatus(
        url="http://r:1",
        version=7,
        seen_unix_s=940.0,
        expires_unix_s=1_000.0 + 86_400,
        trouble="",
        refused={},
        services=(FollowedStatus("hello", "1.1.0", "sha256:1", 0.05, is_taken=True),),
    )

    assert line_of(status, unix_s=1_000.0) == (
        "registry http://r:1: version 7, believed 60 s ago, good for 24 hours; hello 1.1.0 for"
        " 5% of nodes, runs here"
    )


def test_what_was_never_believed_is_said() -> None:
    status = RegistryStatus("http://r:1", 0, 0.0, 0.0, "freeze", {}, (FollowedStatus("hello"),))

    assert line_of(status, unix_s=1.0) == (
        "registry http://r:1: never believed yet; hello has no release"
    )
