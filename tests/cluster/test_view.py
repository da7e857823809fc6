"""What etcd keeps of a cluster."""

import pytest
from tests.cluster.trio import ONE, TWO

from ei.cluster.ownership import Ownership, encode_ownership
from ei.cluster.view import (
    encode_live,
    encode_member,
    live_key,
    member_key,
    read_view,
    service_key,
)
from ei.errors import ConfigError


def test_what_is_written_is_read() -> None:
    record = Ownership(3, ONE, (ONE, TWO))
    items = [
        (member_key("c", ONE), encode_member("sn1.isp-a", is_leaving=False), 5),
        (member_key("c", TWO), encode_member("sn2.isp-a", is_leaving=True), 6),
        (live_key("c", ONE), encode_live(77), 7),
        (service_key("c", 200), encode_ownership(record), 8),
        ("/ei/c/newer/x", b"?", 9),
    ]

    view = read_view("c", items)

    assert [(each.name, each.is_leaving) for each in view.members.values()] == [
        ("sn1.isp-a", False),
        ("sn2.isp-a", True),
    ]
    assert view.staying == {ONE}
    assert view.leases == {ONE: 77}
    assert view.services == {200: Ownership(3, ONE, (ONE, TWO), 8)}


def test_keys_are_for_people_too() -> None:
    assert member_key("isp-a", ONE) == f"/ei/isp-a/members/{ONE.hex()}"
    assert service_key("isp-a", 200) == "/ei/isp-a/services/200"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("/ei/c/members/zz", encode_member("a.b", is_leaving=False)),
        ("/ei/c/members/00", b"?"),
        ("/ei/c/live/00", b"{}"),
        ("/ei/c/services/one", b"{}"),
    ],
)
def test_what_somebody_else_writes_there_is_named(key: str, value: bytes) -> None:
    with pytest.raises(ConfigError, match=f"as {key}|etcd keeps no ownership"):
        read_view("c", [(key, value, 1)])
