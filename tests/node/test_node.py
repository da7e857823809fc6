"""What a node tells its datapath, and what it answers."""

from dataclasses import replace

import msgspec
import pytest

from ei._core import Datapath
from ei.attachment import ATTACHMENT, Draining, Moved, encode
from ei.errors import ConfigError, LimitError
from ei.node.config import NodeConfig
from ei.node.datapath import DatapathControl, PureControl
from ei.node.draining import Drained, DrainStatus
from ei.node.node import Node
from ei.node.notices import DatapathFailed, PeerMoved, WorkerFailed
from ei.node.peers import MAX_PEERS
from ei.node.remembering import RememberingControl
from ei.records.issuer import Issuer
from ei.records.keys import Keys, make_keys
from ei.records.lists import RevocationList, SignedList, open_list, seal_list
from ei.records.record_set import RecordSet, verify_records, with_revocations
from ei.runtime.loader import ENVIRONMENT_COUNTERS, load_service
from ei.sdk import Address, Attachment, AttachmentOf, GroupOf, Manifest

DOMAIN, SN1, SN2, ALICE, BOB = (make_keys(letter * 32) for letter in (b"d", b"1", b"2", b"a", b"b"))
TRUST = {"isp-a": DOMAIN.identity_key.hex()}
ISSUER = Issuer("isp-a", 1, DOMAIN, expires_unix_s=2_000)
DELIVERY = Manifest(id=16, name="delivery", version="1.0.0", summary="x", drop_reasons=("lost",))
SHIELD = Manifest(id=64, name="shield", version="1.0.0", summary="x", match_metadata=4)


def records(  # noqa: PLR0913 all that differs between tests
    *,
    sn1: Keys = SN1,
    sn2: Keys = SN2,
    bob: Keys = BOB,
    sn2_at: str = "127.0.0.2:1",
    bob_at: Keys | None = SN1,
    revoked: tuple[Keys, ...] | None = None,
    unix_s: float = 1_000,
) -> RecordSet:
    """Nodes sn1 and sn2; alice at sn1; bob where the test wants him."""
    envelopes = [
        ISSUER.domain(),
        ISSUER.node(sn1, "sn1.isp-a", endpoints=("127.0.0.1:1",), services=(16,)),
        ISSUER.node(sn2, "sn2.isp-a", endpoints=(sn2_at,), services=(16,)),
        ISSUER.enrol(ALICE, "alice.isp-a"),
        ISSUER.enrol(bob, "bob.isp-a"),
        ISSUER.attach(ALICE, nodes=(SN1.address(1), SN2.address(1)), sequence=1),
    ]
    if bob_at is not None:
        envelopes.append(ISSUER.attach(BOB, nodes=(bob_at.address(1),), sequence=1))
    if revoked is not None:
        body = RevocationList("isp-a", 1, 1_000, tuple(sorted(each.pipe_key for each in revoked)))
        envelopes.append(seal_list(body, [DOMAIN]))
    trust = {"isp-a": DOMAIN.identity_key}
    found = verify_records(envelopes, trust=trust, unix_s=unix_s)
    assert revoked or unix_s > 1_000 or found.refused == ()
    return found


def with_pipe_key(keys: Keys, other: Keys) -> Keys:
    return Keys(keys.identity_secret, other.pipe_secret)


def config(**changes: object) -> NodeConfig:
    settled: dict[str, object] = {
        "version": 1,
        "name": "sn1.isp-a",
        "domain_number": 1,
        "binds": ["127.0.0.1:1"],
        "services": ["delivery", "shield"],
        "trust": TRUST,
        **changes,
    }
    return msgspec.convert(settled, NodeConfig)


def node(datapath: DatapathControl, known: RecordSet | None = None, **changes: object) -> Node:
    return Node(
        config(**changes),
        keys=SN1,
        records=known or records(),
        manifests=[DELIVERY, SHIELD],
        datapath=datapath,
    )


def commands(datapath: RememberingControl, name: str) -> list[tuple[object, ...]]:
    return [command[1:] for command in datapath.commands if command[0] == name]


def test_another_version_of_a_service_is_told_to_the_datapath_and_to_routing() -> None:
    control = RememberingControl()
    running = node(control)
    other = msgspec.structs.replace(DELIVERY, version="1.1.0", max_hops=7)

    running.renew(other, now_s=5.0)

    assert control.commands[-1][:2] == ("add_service", 16)
    assert other in running.services
    assert running.next_deadline_s() <= 5.0


def test_all_nodes_and_the_hosts_of_the_domain_become_peers() -> None:
    datapath = RememberingControl()

    node(datapath, records(bob_at=SN2)).start()

    assert commands(datapath, "add_peer") == [
        (SN2.address(1), SN2.pipe_key, "node", "127.0.0.2:1"),
        (ALICE.address(1), ALICE.pipe_key, "host", None),
        (BOB.address(1), BOB.pipe_key, "host", None),
    ]


def test_other_nodes_are_called_at_start_while_they_are_few() -> None:
    few, many = RememberingControl(), RememberingControl()

    node(few, mesh_nodes=1).start()
    node(many, mesh_nodes=0).start()

    assert commands(few, "dial") == [(SN2.address(1),)]
    assert commands(many, "dial") == []


def test_only_neighbours_are_called_where_there_are_some() -> None:
    own, abroad = RememberingControl(), RememberingControl()

    node(own, neighbours={"isp-b": "peer"}, mesh_nodes=0).start()
    node(abroad, neighbours={}, mesh_nodes=0).start()

    assert commands(own, "dial") == [(SN2.address(1),)]
    assert commands(abroad, "dial") == []


def test_packets_of_absent_services_visit_reach_where_it_runs() -> None:
    datapath = RememberingControl()
    reach = load_service("reach").manifest

    Node(
        config(services=["reach"]), keys=SN1, records=records(), manifests=[reach],
        datapath=datapath,
    ).start()  # fmt: skip

    assert commands(datapath, "set_fallback") == [(reach.id,)]


def test_services_come_with_the_bounds_of_their_manifests() -> None:
    datapath = RememberingControl()

    node(datapath).start()

    delivery, shield = commands(datapath, "add_service")
    assert delivery == (
        16, None, False, 1_024, 64, 0, ("lost",), ENVIRONMENT_COUNTERS, "closed", False, False,
    )  # fmt: skip
    assert shield[:2] == (64, 4)


def test_chains_and_guards_are_set_by_number() -> None:
    datapath = RememberingControl()

    node(
        datapath,
        chains={"delivery": ["shield", "delivery"]},
        guards={"alice.isp-a": ["shield"]},
    ).start()

    assert commands(datapath, "set_chain") == [(16, (64, 16))]
    assert commands(datapath, "set_guards") == [(ALICE.address(1), (64,))]


def test_new_guards_come_with_a_new_configuration_or_not_at_all() -> None:
    datapath = RememberingControl()
    running = node(datapath, guards={"alice.isp-a": ["shield"]})
    running.start()
    datapath.commands.clear()

    with pytest.raises(ConfigError, match=r"'bob\.isp-a' is not attached"):
        running.update(records(bob_at=SN2), config(guards={"bob.isp-a": ["shield"]}))
    assert datapath.commands == []
    running.update(records(), config(guards={"bob.isp-a": ["shield"]}))

    assert commands(datapath, "set_guards") == [(ALICE.address(1), ()), (BOB.address(1), (64,))]


def test_new_records_change_only_what_differs() -> None:
    datapath = RememberingControl()
    running = node(datapath)
    running.start()
    datapath.commands.clear()

    running.update(records(sn2_at="127.0.0.9:1", bob_at=None))

    assert datapath.commands == [
        ("add_peer", SN2.address(1), SN2.pipe_key, "node", "127.0.0.9:1"),
        ("dial", SN2.address(1)),
    ]


def test_a17_the_pipe_of_a_revoked_key_is_cut_at_once() -> None:
    datapath = RememberingControl()
    running = node(datapath)
    running.start()
    datapath.commands.clear()

    running.update(records(revoked=(ALICE,)))

    assert datapath.commands == [("remove_peer", ALICE.address(1))]


def test_a17_from_a_domain_with_a_stale_list_no_pipe_opens_and_none_is_cut() -> None:
    datapath = RememberingControl()
    running = node(datapath, records(revoked=()))
    running.start(unix_s=1_000)
    datapath.notices = [("peer_up", ALICE.address(1))]
    _ = running.handle_notices(now_s=0.0, unix_s=1_000)
    datapath.commands.clear()

    running.check_ages(unix_s=1_000 + 900)
    assert datapath.commands == []
    running.check_ages(unix_s=1_000 + 901)

    assert datapath.commands == [
        ("remove_peer", SN2.address(1)),
        ("remove_peer", BOB.address(1)),
    ]
    status = running.status()
    assert (status.stale_revocations, status.revocation_stale) == ({"isp-a": 901}, 2)


def test_a_pipe_that_goes_down_while_the_list_is_stale_stays_down() -> None:
    datapath = RememberingControl()
    running = node(datapath, records(revoked=()))
    running.start(unix_s=1_000)
    datapath.notices = [("peer_up", ALICE.address(1))]
    _ = running.handle_notices(now_s=0.0, unix_s=1_000)
    running.check_ages(unix_s=9_000)
    datapath.commands.clear()

    datapath.notices = [("peer_down", ALICE.address(1))]
    _ = running.handle_notices(now_s=0.0, unix_s=9_000)

    assert datapath.commands == [("remove_peer", ALICE.address(1))]
    assert running.status().revocation_stale == 3


def test_a_newer_list_lets_pipes_open_again() -> None:
    datapath = RememberingControl()
    running = node(datapath, records(revoked=()))
    running.start(unix_s=9_000)
    assert commands(datapath, "add_peer") == []
    known = records(revoked=())
    fresh = RevocationList("isp-a", 2, 9_000, ())
    opened = open_list(seal_list(fresh, [DOMAIN]))

    running.update(with_revocations(known, SignedList(fresh, opened.signers, opened.envelope)))

    assert len(commands(datapath, "add_peer")) == 3
    assert commands(datapath, "dial") == [(SN2.address(1),)]
    assert running.status().revocation_stale == 0


@pytest.mark.parametrize("jump_s", [3_600, -3_600])
def test_a17_a_clock_that_jumps_an_hour_and_back_cuts_nobody_who_talks(jump_s: int) -> None:
    datapath = RememberingControl()
    running = node(datapath, records(revoked=()))
    running.start(unix_s=1_010)
    everybody = [SN2.address(1), ALICE.address(1), BOB.address(1)]
    datapath.notices = [("peer_up", address) for address in everybody]
    _ = running.handle_notices(now_s=0.0, unix_s=1_010)
    datapath.commands.clear()

    for unix_s in (1_010 + jump_s, 1_020):
        running.check_ages(unix_s=unix_s)

    assert datapath.commands == []
    assert running.status().stale_revocations == {}


def test_two_peers_may_swap_their_pipe_keys() -> None:
    datapath = Datapath(role="node", address=SN1.address(1), private_key=SN1.pipe_secret)
    running = node(PureControl(datapath, lambda: 0))
    running.start()

    running.update(records(sn2=with_pipe_key(SN2, BOB), bob=with_pipe_key(BOB, SN2)))

    assert datapath.statistics()["peers"].keys() == {
        keys.address(1).hex() for keys in (SN2, ALICE, BOB)
    }


def test_records_that_lack_what_the_configuration_needs_change_nothing() -> None:
    datapath = RememberingControl()
    running = node(datapath, guards={"bob.isp-a": ["shield"]})
    running.start()
    datapath.commands.clear()

    with pytest.raises(ConfigError, match=r"'bob\.isp-a' is not attached to sn1\.isp-a"):
        running.update(records(bob_at=SN2))

    assert datapath.commands == []
    assert BOB.address(1) in running.records.attachments


def test_queries_are_answered_from_the_records() -> None:
    datapath = RememberingControl()
    running = node(datapath)
    query = msgspec.msgpack.encode(AttachmentOf(ALICE.address(1)))
    unknown = msgspec.msgpack.encode(GroupOf(Address(bytes(16))))
    datapath.notices = [("resolve", 16, query), ("resolve", 16, unknown)]

    left = running.handle_notices(now_s=0.0, unix_s=1_000)

    nodes = (SN1.address(1), SN2.address(1))
    answer = msgspec.msgpack.encode(Attachment(ALICE.address(1), nodes))
    assert left == []
    assert commands(datapath, "resolved") == [(16, query, answer), (16, unknown, None)]


def test_what_the_shell_must_know_comes_back_by_name() -> None:
    datapath = RememberingControl()
    datapath.notices = [
        ("peer_up", ALICE.address(1)),
        ("worker_slow", 16),
        ("worker_lost", 99),
        ("failed", "a thread ended"),
    ]

    left = node(datapath).handle_notices(now_s=0.0, unix_s=1_000)

    assert left == [
        PeerMoved(ALICE.address(1), "alice.isp-a", is_up=True),
        WorkerFailed("delivery", "worker_slow"),
        WorkerFailed("99", "worker_lost"),
        DatapathFailed("a thread ended"),
    ]


def test_a_node_that_the_records_do_not_know_says_what_to_do() -> None:
    with pytest.raises(ConfigError, match="know no node with the key of sn1") as caught:
        Node(
            config(),
            keys=BOB,
            records=records(),
            manifests=[DELIVERY, SHIELD],
            datapath=RememberingControl(),
        )

    assert "sign a node record" in caught.value.remedy


def test_a18_a_node_whose_record_has_expired_is_told_the_command_that_renews_it() -> None:
    with pytest.raises(ConfigError, match="expired 7200 s ago") as caught:
        _ = node(RememberingControl(), records(unix_s=9_200))

    assert "ei domain renew sn1.isp-a" in caught.value.remedy


def test_a_node_with_the_key_of_another_is_refused() -> None:
    with pytest.raises(ConfigError, match="know node sn2"):
        Node(
            config(),
            keys=SN2,
            records=records(),
            manifests=[DELIVERY, SHIELD],
            datapath=RememberingControl(),
        )


def test_a_node_whose_record_names_another_pipe_key_is_refused() -> None:
    with pytest.raises(ConfigError, match="know another pipe key of sn1"):
        _ = node(RememberingControl(), records(sn1=with_pipe_key(SN1, DOMAIN)))


@pytest.mark.slow
def test_more_peers_than_a_datapath_holds_change_nothing() -> None:
    datapath = RememberingControl()
    running = node(datapath)
    running.start()
    datapath.commands.clear()
    known = records()
    sn2 = known.nodes[SN2.address(1)]
    crowd = {Address(number.to_bytes(16, "big")): sn2 for number in range(MAX_PEERS)}

    with pytest.raises(LimitError, match=r"131075 peers of sn1\.isp-a, allowed are 131072"):
        running.update(replace(known, nodes={**known.nodes, **crowd}))

    assert datapath.commands == []


def test_a_service_without_a_manifest_is_named() -> None:
    with pytest.raises(ConfigError, match="no manifest of shield"):
        Node(
            config(),
            keys=SN1,
            records=records(),
            manifests=[DELIVERY],
            datapath=RememberingControl(),
        )


def test_two_services_of_one_number_are_refused() -> None:
    twin = msgspec.structs.replace(SHIELD, id=DELIVERY.id)

    with pytest.raises(ConfigError, match="delivery and shield both have number 16"):
        Node(
            config(),
            keys=SN1,
            records=records(),
            manifests=[DELIVERY, twin],
            datapath=RememberingControl(),
        )


def test_status_joins_counters_with_names() -> None:
    datapath = RememberingControl()
    running = node(datapath)
    running.start()
    datapath.counted = {
        "received": 9,
        "forwarded": 5,
        "dropped": {"unknown_type": 1},
        "missed_dropped": {"lost": 2, "unknown_type": 1},
        "services": {16: {"missed": 3, "queue_packets": 1, "decisions": 2, "counters": {"x": 4}}},
        "peers": {ALICE.address(1).hex(): {"is_up": True, "rtt_s": 0.002, "endpoint": "[::1]:7"}},
    }

    status = running.status()

    assert (status.name, status.domain, status.received) == ("sn1.isp-a", "isp-a", 9)
    assert status.dropped == {"unknown_type": 2, "lost": 2}
    assert status.services[0].missed == 3
    assert [(peer.name, peer.is_up, peer.endpoint) for peer in status.peers] == [
        ("sn2.isp-a", False, "127.0.0.2:1"),
        ("alice.isp-a", True, "[::1]:7"),
        ("bob.isp-a", False, None),
    ]


@pytest.mark.parametrize("service", [ATTACHMENT, 9])
def test_a_control_message_that_a_node_does_not_know_changes_nothing(service: int) -> None:
    datapath = RememberingControl()
    running = node(datapath)
    running.start()
    datapath.notices = [("control", ALICE.address(1), service, b"nonsense")]
    datapath.commands.clear()

    assert running.handle_notices(now_s=0.0, unix_s=1_000) == []
    assert datapath.commands == []


def test_f1_a_node_that_drains_tells_all_that_are_up_and_is_done_when_they_have_moved() -> None:
    datapath = RememberingControl()
    running = node(datapath)
    running.start()
    datapath.notices = [("peer_up", ALICE.address(1)), ("peer_up", SN2.address(1))]
    _ = running.handle_notices(now_s=0.0, unix_s=1_000)

    running.drain(5.0, grace_s=10.0, spread_s=0.0)
    assert {peer for peer, _, _ in commands(datapath, "send_control")} == {
        ALICE.address(1), SN2.address(1),
    }  # fmt: skip
    assert running.step_drain(6.0) is None
    moved = encode(Moved())
    datapath.notices = [("control", keys.address(1), ATTACHMENT, moved) for keys in (ALICE, SN2)]
    _ = running.handle_notices(now_s=0.0, unix_s=1_000)
    datapath.counted = {"waiting": 1}
    assert running.step_drain(6.5, owned=1) is None
    assert running.step_drain(7.0) is None
    assert running.status().drain == DrainStatus(2, 2, 0, 1, is_over=False)

    datapath.counted = {}
    assert running.step_drain(8.0) == Drained(2, (), 0, 3.0)
    running.close()

    assert {peer for (peer,) in commands(datapath, "close_peer")} == {
        ALICE.address(1), SN2.address(1),
    }  # fmt: skip
    # Who calls again at once finds nobody, rather than a pipe that dies without a word.
    assert {peer for (peer,) in commands(datapath, "remove_peer")} >= {
        ALICE.address(1), SN2.address(1),
    }  # fmt: skip


def test_a_node_that_is_asked_to_leave_another_says_that_it_has() -> None:
    datapath = RememberingControl()
    running = node(datapath)
    running.start()
    datapath.notices = [("control", SN2.address(1), ATTACHMENT, encode(Draining(1_000)))]

    _ = running.handle_notices(now_s=0.0, unix_s=1_000)

    assert commands(datapath, "set_peer_avoided") == [(SN2.address(1), True)]
    assert commands(datapath, "send_control") == [(SN2.address(1), ATTACHMENT, encode(Moved()))]


def test_who_opens_a_stream_is_known_by_the_key_in_its_record() -> None:
    datapath = RememberingControl()
    running = node(datapath)
    running.start()
    stranger = make_keys(b"x" * 32).address(1)
    datapath.notices = [
        ("stream_key_wanted", ALICE.address(1)),
        ("stream_key_wanted", stranger),
    ]

    assert running.handle_notices(now_s=0.0, unix_s=1_000) == []

    assert commands(datapath, "set_stream_peer") == [
        (ALICE.address(1), ALICE.identity_key),
        (stranger, None),
    ]


def test_what_services_may_reach_changes_with_the_configuration() -> None:
    datapath = RememberingControl()
    running = node(datapath)
    running.start()

    running.update(records(), config(internet={"allow": ["0.0.0.0/0:443"]}))
    running.update(records(), config(internet={"allow": ["0.0.0.0/0:443"]}))

    assert commands(datapath, "set_internet") == [(("0.0.0.0/0:443",),)]
