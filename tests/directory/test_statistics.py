"""The books of a directory are plain values, fit for a status."""

import msgspec
from tests.directory.net import Net, World


def test_statistics_are_written_as_json() -> None:
    net = Net(World(domains=1))

    written = msgspec.json.decode(msgspec.json.encode(net.node("sn1.isp-a").statistics()))

    assert written["is_directory"]
    assert written["refused"] == {}
    assert written["publishing"]["subscriptions"]["subscriptions"] == 0
