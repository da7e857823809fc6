"""Any packets of MQTT, for property tests."""

from hypothesis import strategies as st

from ei.ways.mqtt.packets import (
    V3,
    Ack,
    Connack,
    Connect,
    Disconnect,
    Kind,
    Packet,
    Ping,
    Publish,
    Subscribe,
    Unsubscribe,
    Verdicts,
    Wanted,
    Will,
)
from ei.ways.mqtt.properties import NEVER_ZERO, NONE, REPEATED, TABLE, Place, Properties
from ei.ways.mqtt.properties import Kind as Written
from ei.ways.mqtt.reasons import IN_3_1_1, Reason

TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=20)
NUMBERS = st.integers(1, 65_535)
QOS = st.integers(0, 2)


def _values(  # noqa: PLR0911 one each
    name: str, kind: Written
) -> st.SearchStrategy[object]:
    least = 1 if name in NEVER_ZERO else 0
    match kind:
        case Written.BIT:
            return st.integers(0, 1)
        case Written.BYTE_2:
            return st.integers(least, 2**16 - 1)
        case Written.BYTE_4:
            return st.integers(least, 2**32 - 1)
        case Written.VARINT:
            return st.integers(least, 2**28 - 1)
        case Written.BINARY:
            return st.binary(max_size=20)
        case Written.TEXT:
            return TEXTS
        case Written.PAIR:
            return st.tuples(TEXTS, TEXTS)


def properties(place: Place, version: int) -> st.SearchStrategy[Properties]:
    """Any that a packet of 5 may have; none in 3.1.1."""
    if version == V3:
        return st.just(NONE)
    optional: dict[str, st.SearchStrategy[object]] = {}
    for name, kind, places in TABLE.values():
        if place in places:
            one = _values(name, kind)
            most = 1 if name == "subscriptions" and place is Place.SUBSCRIBE else 3
            is_many = name in REPEATED
            optional[name] = st.lists(one, max_size=most).map(tuple) if is_many else one
    return st.fixed_dictionaries({}, optional=optional).map(lambda given: Properties(**given))


def packets(version: int) -> st.SearchStrategy[Packet]:
    """Any packet of a version, that either side may send."""
    acks = st.sampled_from([Kind.PUBACK, Kind.PUBREC, Kind.PUBREL, Kind.PUBCOMP])
    reasons = st.just(Reason.SUCCESS) if version == V3 else st.sampled_from(list(Reason))
    connacks = st.sampled_from([*IN_3_1_1, Reason.UNAVAILABLE]) if version == V3 else reasons
    options = st.booleans() if version != V3 else st.just(False)  # noqa: FBT003 a value
    wanted = st.builds(Wanted, TEXTS, QOS, options, options, QOS if version != V3 else st.just(0))
    wills = st.builds(
        Will, TEXTS, st.binary(max_size=50), QOS, st.booleans(), properties(Place.WILL, version)
    )
    users = st.none() | TEXTS
    publishes = st.builds(
        Publish,
        TEXTS,
        st.binary(max_size=300),
        st.integers(1, 2),
        st.booleans(),
        st.booleans(),
        NUMBERS,
        properties(Place.PUBLISH, version),
    )
    connects = st.builds(
        Connect,
        TEXTS,
        st.just(version),
        st.booleans(),
        st.integers(0, 65_535),
        properties(Place.CONNECT, version),
        st.none() | wills,
        users,
    )
    verdicts = st.lists(
        reasons
        if version != V3
        else st.sampled_from([Reason(0), Reason(1), Reason(2), Reason(128)]),
        max_size=4,
    ).map(tuple)
    return st.one_of(
        publishes,
        publishes.map(lambda one: Publish(one.topic, one.payload, 0, one.is_retained)),
        connects,
        connects.map(lambda one: one if one.user is None else _with_password(one)),
        st.builds(Connack, connacks, st.booleans(), properties(Place.CONNACK, version)),
        st.builds(Ack, acks, NUMBERS, reasons, properties(Place.ACK, version)),
        st.builds(
            Subscribe,
            NUMBERS,
            st.lists(wanted, min_size=1, max_size=4).map(tuple),
            properties(Place.SUBSCRIBE, version),
        ),
        st.builds(
            Unsubscribe,
            NUMBERS,
            st.lists(TEXTS, min_size=1, max_size=4).map(tuple),
            properties(Place.UNSUBSCRIBE, version),
        ),
        st.builds(
            Verdicts, st.just(Kind.SUBACK), NUMBERS, verdicts, properties(Place.ACK, version)
        ),
        st.builds(Ping, st.sampled_from([Kind.PINGREQ, Kind.PINGRESP])),
        st.builds(Disconnect, reasons, properties(Place.DISCONNECT, version)),
    )


def _with_password(connect: Connect) -> Connect:
    return Connect(
        connect.client_id, connect.version, user=connect.user, password=b"secret", will=connect.will
    )
