"""Names and filters of topics (MQTT 5, 4.7), which are the subjects and filters of pubsub. Pure."""

import re

from ei.services.pubsub.subjects import MAX_LEVELS
from ei.ways.mqtt.reasons import MqttError, Reason

MAX_TOPIC_BYTES = 200
"""Of a subject of pubsub."""
SHARED = re.compile(r"\$share/([^/+#]+)/(.+)", re.DOTALL)
SYSTEM = "$SYS"


def check_topic(topic: str) -> None:
    """See that a message may have this topic.

    Raises:
        MqttError: it is empty, too long, or has wildcards.
    """
    if "+" in topic or "#" in topic:
        raise MqttError(f"topic {topic!r} has a wildcard", Reason.BAD_TOPIC)
    _check_length(topic, Reason.BAD_TOPIC)


def check_published(topic: str) -> None:
    """See that a client may publish to this topic.

    Raises:
        MqttError: as `check_topic`, or it is the gateway's own.
    """
    check_topic(topic)
    if is_system(topic):
        raise MqttError(f"topic {topic!r} is the gateway's own", Reason.NOT_AUTHORIZED)


def check_filter(wanted: str) -> None:
    """See that a filter may be subscribed to.

    Raises:
        MqttError: it is empty, too long, or a wildcard is where none may be.
    """
    _check_length(wanted, Reason.BAD_FILTER)
    levels = wanted.split("/")
    for place, level in enumerate(levels):
        is_bad = ("+" in level or "#" in level) and len(level) > 1
        if is_bad or (level == "#" and place != len(levels) - 1):
            raise MqttError(f"filter {wanted!r} has a wildcard in the middle", Reason.BAD_FILTER)


def parse_filter(wanted: str) -> tuple[str, str]:
    """Return the group of a shared subscription, or empty, and the filter.

    Raises:
        MqttError: as `check_filter`, or it is a shared one without group or filter.
    """
    group = ""
    found = SHARED.fullmatch(wanted)
    if found:
        group, wanted = found[1], found[2]
    elif wanted.partition("/")[0] == "$share":
        raise MqttError(f"{wanted!r} is no $share/GROUP/FILTER", Reason.BAD_FILTER)
    check_filter(wanted)
    return group, wanted


def is_system(name: str) -> bool:
    """Whether a topic or filter is of what the gateway says of itself."""
    return name.partition("/")[0] == SYSTEM


def matches(wanted: str, topic: str) -> bool:
    """Whether a topic is meant by a filter. A wildcard in front means none that begins with $."""
    if topic[:1] == "$" and wanted[:1] in ("+", "#"):
        return False
    levels, names = wanted.split("/"), topic.split("/")
    for place, level in enumerate(levels):
        if level == "#":
            return True
        if place == len(names) or level not in ("+", names[place]):
            return False
    return len(levels) == len(names)


def _check_length(name: str, reason: Reason) -> None:
    size_bytes = len(name.encode())
    if not 1 <= size_bytes <= MAX_TOPIC_BYTES:
        raise MqttError(f"{size_bytes} bytes of topic seen, 1 to {MAX_TOPIC_BYTES} allowed", reason)
    if name.count("/") >= MAX_LEVELS:
        raise MqttError(f"{name.count('/') + 1} levels of topic seen, {MAX_LEVELS} allowed", reason)
