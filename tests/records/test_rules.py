"""Nobody states what they may not."""

import msgspec
import pytest

from ei.records.addresses import make_group_address
from ei.records.fields import Refused
from ei.records.keys import Keys, make_keys
from ei.records.kinds import (
    EVERYBODY,
    Absence,
    AnyRecord,
    AttachmentRecord,
    DomainRecord,
    Enrolment,
    GroupRecord,
    NodeRecord,
)
from ei.records.roots import Roots
from ei.records.rules import Verifier
from ei.sdk.packets import Address

NOW_S = 1_000.0
LATER_S = 2_000
DOMAIN, OTHER, ALICE, NODE, BERT = (
    make_keys(letter * 32) for letter in (b"d", b"o", b"a", b"n", b"b")
)


def enrolment(
    keys: Keys = ALICE, *, number: int = 1, name: str = "alice.isp-a", pipe_key: bytes = b"p" * 32
) -> Enrolment:
    return Enrolment(keys.address(number), (name,), keys.identity_key, pipe_key, LATER_S)


def node(
    keys: Keys = NODE,
    *,
    name: str = "sn1.isp-a",
    pipe_key: bytes = b"",
    endpoint: str = "127.0.0.1:1",
) -> NodeRecord:
    return NodeRecord(
        keys.address(1),
        name,
        keys.identity_key,
        pipe_key or keys.pipe_key,
        (endpoint,),
        (16,),
        LATER_S,
    )


def attachment(
    *, nodes: tuple[Address, ...] = (NODE.address(1),), sequence: int = 1, expires: int = LATER_S
) -> AttachmentRecord:
    return AttachmentRecord(ALICE.address(1), nodes, sequence, expires)


def group(
    owner: Keys = DOMAIN,
    *,
    name: str = "news.isp-a",
    sequence: int = 1,
    senders: tuple[int | bytes, ...] = (),
    members: tuple[int | bytes, ...] = (EVERYBODY,),
) -> GroupRecord:
    address = make_group_address(1, owner.identity_key, name)
    nodes = (NODE.address(1),)
    key = owner.identity_key
    return GroupRecord(address, name, key, nodes, sequence, LATER_S, senders, members)


def absence(*, name: str = "", address: bytes = b"", expires: int = 1_060) -> Absence:
    return Absence(name, address, is_attachment=False, expires_unix_s=expires)


def verifier(
    *, attachment_limit_s: int = 3_600, revoked: dict[str, set[bytes]] | None = None
) -> Verifier:
    """One that knows domain isp-a, its node sn1 and its host alice."""
    made = empty_verifier(attachment_limit_s=attachment_limit_s, revoked=revoked)
    made.add(DomainRecord("isp-a", 1, LATER_S), DOMAIN.identity_key)
    made.add(node(), DOMAIN.identity_key)
    made.add(enrolment(), DOMAIN.identity_key)
    return made


def empty_verifier(
    *, attachment_limit_s: int = 3_600, revoked: dict[str, set[bytes]] | None = None
) -> Verifier:
    return Verifier(
        roots=Roots({"isp-a": DOMAIN.identity_key, "isp-b": OTHER.identity_key}),
        unix_s=NOW_S,
        attachment_limit_s=attachment_limit_s,
        revoked=revoked,
    )


def test_what_the_right_ones_say_is_kept() -> None:
    kept = verifier()

    kept.add(attachment(), ALICE.identity_key)
    kept.add(group(senders=(0, 7, ALICE.address(1))), DOMAIN.identity_key)
    kept.add(absence(name="bob.isp-a"), NODE.identity_key)

    assert kept.names.keys() == {"alice.isp-a", "sn1.isp-a", "news.isp-a"}
    assert kept.attachments == {ALICE.address(1): attachment()}


BAD: list[tuple[AnyRecord, Keys, str]] = [
    (DomainRecord("isp-c", 3, LATER_S), DOMAIN, "no key of domain 'isp-c' is trusted"),
    (DomainRecord("isp-b", 2, LATER_S), DOMAIN, "trusted is"),
    (DomainRecord("isp-b", 1, LATER_S), OTHER, "number 1 is that of domain isp-a"),
    (DomainRecord("isp-b", 0, LATER_S), OTHER, "number 0 is not 1 to"),
    (DomainRecord("isp-b", 2, LATER_S, (2,)), OTHER, "its provider 2 is not"),
    (DomainRecord("isp-b", 2, LATER_S, (0,)), OTHER, "its provider 0 is not"),
    (DomainRecord("isp-b", 2, LATER_S, tuple(range(3, 68))), OTHER, "65 providers, allowed are 64"),
    (DomainRecord("isp-b", 2, LATER_S, (), (Address(b"x"),)), OTHER, "its directory 78 is no node"),
    (
        DomainRecord("isp-b", 2, LATER_S, (), (OTHER.address(2),) * 9),
        OTHER,
        "9 directories, allowed are 8",
    ),
    (DomainRecord("isp-a", 1, LATER_S), DOMAIN, "a second record"),
    (DomainRecord("isp-a", 9, LATER_S + 1), DOMAIN, "its number is 9 here and 1 there"),
    (DomainRecord("isp-b", 2, 1_000), OTHER, "expired 0 s ago"),
    (enrolment(OTHER, name="mallory.isp-a"), OTHER, "not by domain isp-a"),
    (enrolment(OTHER, number=7), DOMAIN, "domain number 7 is not known"),
    (enrolment(OTHER), DOMAIN, "the name alice.isp-a is taken"),
    (enrolment(OTHER, name="bob.isp-b"), DOMAIN, "not <name>.isp-a"),
    (enrolment(OTHER, name="Bob.isp-a"), DOMAIN, "not <name>.isp-a"),
    (enrolment(OTHER, name="bob.isp-a", pipe_key=b"p"), DOMAIN, "pipe key has 1 bytes, not 32"),
    (enrolment(), DOMAIN, "a second record of the same, which expires no later"),
    (enrolment(name="mallory.isp-a"), DOMAIN, r"its identity key is that of alice\.isp-a"),
    (enrolment(NODE, name="bob.isp-a"), DOMAIN, r"its identity key is that of sn1\.isp-a"),
    (enrolment(OTHER, name="bob.isp-a"), DOMAIN, r"its pipe key is that of alice\.isp-a"),
    (
        Enrolment(ALICE.address(1), ("bob.isp-a",), OTHER.identity_key, b"p" * 32, LATER_S),
        DOMAIN,
        "does not follow from its identity key",
    ),
    (
        Enrolment(ALICE.address(1), ("bob.isp-a",), b"short", b"p" * 32, LATER_S),
        DOMAIN,
        "identity key has 5 bytes, not 32",
    ),
    (
        Enrolment(OTHER.address(1), (), OTHER.identity_key, b"p" * 32, LATER_S),
        DOMAIN,
        "has 0 names, allowed are 1 to 16",
    ),
    (node(OTHER, name="sn2.isp-a"), OTHER, "not by domain isp-a"),
    (
        node(OTHER, name="sn2.isp-a", endpoint="192.0.2.1"),
        DOMAIN,
        r"endpoint '192\.0\.2\.1' is not IP:PORT, such as",
    ),
    (
        node(OTHER, name="sn2.isp-a", pipe_key=NODE.pipe_key),
        DOMAIN,
        r"its pipe key is that of sn1\.isp-a",
    ),
    (
        enrolment(OTHER, name="bob.isp-a", pipe_key=NODE.pipe_key[:16] + bytes(16)),
        DOMAIN,
        r"its pipe key is that of sn1\.isp-a",
    ),
    (attachment(), NODE, "not by its host"),
    (attachment(nodes=()), ALICE, "has 0 nodes, allowed are 1 to 8"),
    (attachment(nodes=(OTHER.address(1),)), ALICE, "names no node that has a record"),
    (attachment(nodes=(NODE.address(1),) * 2), ALICE, "names a node twice"),
    (attachment(expires=4_601), ALICE, "lives 3601 s more, allowed are 3600 s"),
    (
        AttachmentRecord(OTHER.address(1), (NODE.address(1),), 1, LATER_S),
        OTHER,
        "its host is not enrolled",
    ),
    (group(), ALICE, "not by its owner"),
    (group(OTHER), OTHER, "neither domain isp-a nor a host of it"),
    (
        GroupRecord(
            Address(b"\xfd\x35\0\0\0\1" + bytes(10)),
            "news.isp-a",
            DOMAIN.identity_key,
            (),
            1,
            LATER_S,
        ),
        DOMAIN,
        "does not follow from its owner and name",
    ),
    (
        GroupRecord(Address(b"\xfd\x35\0\0\0\1" + bytes(10)), "x.isp-a", b"k", (), 1, LATER_S),
        Keys(b"k" * 32, b"k" * 32),
        "not by its owner",
    ),
    (group(senders=tuple(range(49))), DOMAIN, "allows 49 senders, at most 48"),
    (group(senders=(2, 1)), DOMAIN, "senders are not numbers, then addresses, each in order"),
    (group(senders=(ALICE.address(1), 1)), DOMAIN, "senders are not numbers, then addresses"),
    (group(members=(1, 1)), DOMAIN, "members are not numbers, then addresses"),
    (group(members=(2**32,)), DOMAIN, "members name a domain number above"),
    (group(members=(b"x",)), DOMAIN, "members name an address of other than 16 bytes"),
    (absence(name="bob.isp-a"), ALICE, "no directory of isp-a"),
    (absence(name="bob.isp-a"), DOMAIN, "no directory of isp-a"),
    (absence(name="bob.isp-z"), NODE, "the domain of 'bob.isp-z' is not known"),
    (absence(address=OTHER.address(7)), NODE, "domain number 7 is not known"),
    (absence(name="bob.isp-a", address=OTHER.address(1)), NODE, "not about either a name or an"),
    (absence(), NODE, "not about either a name or an address"),
    (absence(name="bob.isp-a", expires=1_061), NODE, "lives 61 s more, allowed are 60 s"),
    (absence(name="bob.isp-a", expires=1_000), NODE, "expired 0 s ago"),
]


@pytest.mark.parametrize(("record", "signer", "reason"), BAD, ids=[bad[2] for bad in BAD])
def test_what_nobody_may_say_is_refused_with_the_reason(
    record: AnyRecord, signer: Keys, reason: str
) -> None:
    with pytest.raises(Refused, match=reason):
        verifier().add(record, signer.identity_key)


def test_a_newer_record_of_the_same_replaces_the_older() -> None:
    kept = verifier()
    longer_s = LATER_S + 1
    new = Enrolment(
        ALICE.address(1), ("alice.isp-a", "al.isp-a"), ALICE.identity_key, b"q" * 32, longer_s
    )
    domain = DomainRecord("isp-a", 1, longer_s)
    moved = msgspec.structs.replace(node(endpoint="127.0.0.9:1"), expires_unix_s=longer_s)

    for record in (domain, moved, new):
        kept.add(record, DOMAIN.identity_key)

    assert kept.domains["isp-a"] == domain
    assert kept.nodes[NODE.address(1)] == moved
    assert kept.enrolments[ALICE.address(1)] == new
    assert kept.names["al.isp-a"] == ALICE.address(1)


def test_a_name_that_a_newer_enrolment_gives_up_is_free() -> None:
    kept = verifier()
    two = Enrolment(
        ALICE.address(1), ("alice.isp-a", "al.isp-a"), ALICE.identity_key, b"p" * 32, LATER_S + 1
    )
    kept.add(two, DOMAIN.identity_key)
    kept.add(
        msgspec.structs.replace(two, names=("alice.isp-a",), expires_unix_s=LATER_S + 2),
        DOMAIN.identity_key,
    )

    kept.add(enrolment(OTHER, name="al.isp-a", pipe_key=b"o" * 32), DOMAIN.identity_key)

    assert kept.names["al.isp-a"] == OTHER.address(1)


@pytest.mark.parametrize(
    ("record", "signer"),
    [
        (enrolment(OTHER, name="bob.isp-a", pipe_key=b"o" * 32), DOMAIN),
        (node(OTHER, name="sn2.isp-a"), DOMAIN),
        (enrolment(BERT, name="bert.isp-a", pipe_key=OTHER.pipe_key), DOMAIN),
        (group(OTHER), OTHER),
        (attachment(), ALICE),
        (DomainRecord("isp-b", 2, LATER_S), OTHER),
    ],
    ids=["host", "node", "pipe key", "group", "attachment", "domain"],
)
def test_a17_every_record_of_a_revoked_key_is_refused(record: AnyRecord, signer: Keys) -> None:
    revoked = {OTHER.identity_key, OTHER.pipe_key, ALICE.identity_key}
    strict = empty_verifier(revoked={"isp-a": revoked, "isp-b": revoked})
    strict.add(DomainRecord("isp-a", 1, LATER_S), DOMAIN.identity_key)
    strict.add(node(), DOMAIN.identity_key)

    with pytest.raises(Refused, match="revoked by isp-"):
        strict.add(record, signer.identity_key)


def test_no_domain_revokes_in_another() -> None:
    kept = verifier(revoked={"isp-b": {ALICE.identity_key}})

    assert ALICE.address(1) in kept.enrolments


def test_what_rests_on_a_domain_that_does_not_count_says_why_it_does_not() -> None:
    kept = empty_verifier()
    with pytest.raises(Refused):
        kept.add(DomainRecord("isp-a", 1, 990), DOMAIN.identity_key)

    with pytest.raises(Refused, match="domain number 1 is not known: isp-a expired 10 s ago"):
        kept.add(node(), DOMAIN.identity_key)


def test_a_host_may_own_a_group() -> None:
    kept = verifier()

    kept.add(group(ALICE), ALICE.identity_key)

    assert kept.names["news.isp-a"] == group(ALICE).group


def test_of_two_attachments_the_newer_counts_and_the_older_is_refused() -> None:
    kept = verifier()

    kept.add(attachment(sequence=2), ALICE.identity_key)
    with pytest.raises(Refused, match="sequence 1 is not above 2"):
        kept.add(attachment(sequence=1), ALICE.identity_key)
    kept.add(attachment(sequence=3), ALICE.identity_key)

    assert kept.attachments[ALICE.address(1)].sequence == 3


def test_a_node_that_has_no_record_any_more_takes_nobody_along() -> None:
    kept = verifier()

    kept.add(attachment(nodes=(OTHER.address(1), NODE.address(1))), ALICE.identity_key)

    assert kept.attachments[ALICE.address(1)].nodes == (NODE.address(1),)


def test_a_newer_group_record_replaces_the_older() -> None:
    kept = verifier()

    kept.add(group(sequence=1), DOMAIN.identity_key)
    kept.add(group(sequence=2), DOMAIN.identity_key)

    assert kept.groups[group().group].sequence == 2


def test_a_configuration_may_allow_longer_attachments() -> None:
    kept = verifier(attachment_limit_s=10_000)

    kept.add(attachment(expires=9_000), ALICE.identity_key)

    assert ALICE.address(1) in kept.attachments


def test_only_the_directories_that_a_domain_names_say_that_something_is_not_there() -> None:
    named = empty_verifier()
    named.add(
        DomainRecord("isp-a", 1, LATER_S, directories=(OTHER.address(1),)), DOMAIN.identity_key
    )
    for keys, name in ((NODE, "sn1.isp-a"), (OTHER, "sn2.isp-a")):
        named.add(node(keys, name=name), DOMAIN.identity_key)

    named.add(absence(name="bob.isp-a"), OTHER.identity_key)

    with pytest.raises(Refused, match="no directory of isp-a"):
        named.add(absence(name="bob.isp-a"), NODE.identity_key)


def test_what_is_known_is_looked_at_and_not_changed() -> None:
    known = verifier()

    over = Verifier(
        roots=Roots({"isp-a": DOMAIN.identity_key}),
        unix_s=NOW_S,
        attachment_limit_s=3_600,
        known=known,
    )
    over.add(attachment(), ALICE.identity_key)

    assert over.attachments == {ALICE.address(1): attachment()}
    assert known.attachments == {}
