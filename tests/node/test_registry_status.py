"""What is said of a registry goes over the admin socket and comes back the same."""

import msgspec

from ei.node.registry_status import FollowedStatus, RegistryStatus


def test_it_is_the_same_after_the_admin_socket() -> None:
    status = RegistryStatus(
        "http://r:1", 1, 2.0, 3.0, "", {"bad@1.0.0": "unlogged"}, (FollowedStatus("hello"),)
    )

    sent = msgspec.json.encode(msgspec.to_builtins(status))

    assert msgspec.json.decode(sent, type=RegistryStatus) == status
