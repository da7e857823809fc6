"""Names, addresses and attachments are answered by their home domain, and changes are told."""

from tests.directory.net import Net, World, abroad

from ei.directory import Addressed, Attached, Named
from ei.directory.messages import Ask, Find, Found, Refused, Register, Registered, Unfound
from ei.records.envelope import open_record
from ei.records.kinds import Absence, AttachmentRecord, Enrolment


def two_domains(**options: int) -> Net:
    """Alice in isp-a, bob in isp-b; two nodes each, the first one the directory."""
    world = World(domains=2, **options)
    world.add_host("alice.isp-a")
    world.add_host("bob.isp-b")
    return Net(world)


def registered(net: Net, *nodes: str, host: str = "bob.isp-b", sequence: int = 1) -> None:
    envelope = net.world.attach(host, *nodes, sequence=sequence, unix_s=net.unix_s)
    net.say(host, nodes[0], Register(envelope))
    net.run(0.5)


def test_a_host_of_another_domain_is_found_by_name() -> None:
    net = two_domains()

    found = net.resolve("sn2.isp-a", Named("bob.isp-b"))

    assert found is not None
    assert isinstance(found.record, Enrolment)
    assert found.record.address == net.world.names["bob.isp-b"]


def test_a_host_of_the_own_domain_is_found_without_asking_anybody() -> None:
    net = two_domains()

    found = net.ask("sn2.isp-a", Addressed(net.world.names["alice.isp-a"]))

    assert found is not None
    assert isinstance(found.record, Enrolment)
    assert net.sent == []


def test_an_attachment_that_a_host_registers_is_found_from_another_domain() -> None:
    net = two_domains()
    registered(net, "sn2.isp-b")

    found = net.resolve("sn2.isp-a", Attached(net.world.names["bob.isp-b"]))

    assert found is not None
    assert isinstance(found.record, AttachmentRecord)
    assert found.record.nodes == (net.world.names["sn2.isp-b"],)
    assert net.heard[net.world.names["bob.isp-b"]] == [Registered(net.world.names["bob.isp-b"], 1)]


def test_a_host_may_be_attached_in_a_domain_that_is_not_its_own() -> None:
    net = two_domains()

    registered(net, "sn2.isp-a")

    found = net.resolve("sn2.isp-b", Attached(net.world.names["bob.isp-b"]))
    assert found is not None
    assert isinstance(found.record, AttachmentRecord)


def test_a_changed_attachment_reaches_the_nodes_that_use_it_within_a_second() -> None:
    net = two_domains()
    registered(net, "sn2.isp-b")
    bob = Attached(net.world.names["bob.isp-b"])
    users = ("sn1.isp-a", "sn2.isp-a", "sn2.isp-b")
    for user in users:
        net.resolve(user, bob)
    moved_s = net.now_s

    registered(net, "sn1.isp-b", sequence=2)

    for user in users:
        at_s, last = net.answers_to(user, bob)[-1]
        assert isinstance(last.record, AttachmentRecord)
        assert last.record.sequence == 2
        assert at_s - moved_s < 1.0


def test_what_is_not_there_is_signed_and_asked_for_once() -> None:
    net = two_domains()

    first = net.resolve("sn2.isp-a", Named("nobody.isp-b"))
    asked = len(net.sent)
    second = net.ask("sn2.isp-a", Named("nobody.isp-b"))

    assert first is not None
    assert second == first
    assert first.record is None
    assert first.reason == ""
    record, _ = open_record(first.envelopes[-1])
    assert isinstance(record, Absence)
    assert len(net.sent) == asked


def test_a_host_finds_by_name_and_never_an_attachment() -> None:
    net = two_domains()
    registered(net, "sn2.isp-b")
    bob = net.world.names["bob.isp-b"]

    net.say("alice.isp-a", "sn2.isp-a", Find(7, Named("bob.isp-b")))
    net.say("alice.isp-a", "sn2.isp-a", Find(8, Attached(bob)))
    net.run(1.0)

    refused, found = net.heard[net.world.names["alice.isp-a"]]
    assert refused == Unfound(8, "attachment_asked")
    assert isinstance(found, Found)
    assert found.number == 7
    assert [type(open_record(each)[0]) for each in found.envelopes] == [Enrolment]
    assert net.node("sn2.isp-a").statistics().refused["attachment_asked"] == 1


def test_nobody_abroad_learns_which_host_or_node_asks() -> None:
    net = two_domains()
    registered(net, "sn2.isp-b")
    bob = net.world.names["bob.isp-b"]
    net.sent.clear()

    net.say("alice.isp-a", "sn2.isp-a", Find(7, Named("bob.isp-b")))
    net.resolve("sn2.isp-a", Attached(bob))

    asked = [sent for sent in abroad(net) if isinstance(sent.message, Ask)]
    assert {sent.message.query for sent in asked} == {Named("bob.isp-b"), Attached(bob)}
    assert {sent.sender for sent in abroad(net)} == {
        net.world.names["sn1.isp-a"],
        net.world.names["sn1.isp-b"],
    }


def test_a_directory_answers_strangers_about_its_own_domain_alone() -> None:
    net = two_domains()
    net.say("sn1.isp-a", "sn1.isp-b", Ask(Named("alice.isp-a"), 60))
    net.say("sn1.isp-a", "sn2.isp-b", Ask(Named("bob.isp-b"), 60))

    net.run(1.0)

    refused = [sent.message for sent in net.sent if isinstance(sent.message, Refused)]
    assert refused == [
        Refused(Named("alice.isp-a"), "not_home"),
        Refused(Named("bob.isp-b"), "not_a_directory"),
    ]
