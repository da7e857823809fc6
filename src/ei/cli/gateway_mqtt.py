"""`ei gateway mqtt`: clients of MQTT, on the subjects of the service pubsub."""

import argparse
import os
from collections.abc import Mapping
from typing import cast

from ei.cli.exits import Exit
from ei.cli.node import expect_file, takes_config
from ei.cli.output import Output
from ei.cli.parser import Verbs
from ei.cli.quantities import parse_count, parse_seconds

LISTEN = "127.0.0.1:1883"
EXAMPLES = """\
examples:
  ei gateway mqtt                                   then, elsewhere:
  mosquitto_sub -h 127.0.0.1 -t 'house/+/temperature' -q 1
  mosquitto_pub -h 127.0.0.1 -t house/kitchen/temperature -m 21 -q 1
  ei gateway mqtt --listen 192.0.2.7:1883 --connections 5000 --sessions-for 24h
"""


def add_verb(verbs: Verbs) -> None:
    """Add `ei gateway mqtt`."""
    from ei.cli.host import PLACES

    verb = verbs.add(
        "mqtt",
        summary="run this host as a broker of MQTT, until Ctrl-C or SIGTERM",
        details="MQTT 5 and 3.1.1 over TCP, on the subjects of the service pubsub: topics are "
        "subjects, QoS 1 and 2 are kept messages. Sessions are kept beside host.toml, so that a "
        "restart loses nothing that was acknowledged.\n\n"
        "Whoever reaches the port publishes with this host's name; users and passwords are not "
        "looked at. It is the host itself, so no `ei host run` may run beside it.",
        execute=execute,
    )
    verb.takes(
        "--listen",
        default=LISTEN,
        metavar="IP:PORT",
        help=f"where clients reach it (default {LISTEN}; port 0 takes any)",
    )
    verb.takes(
        "--connections",
        type=parse_count,
        default=1_024,
        metavar="N",
        help="at a time, more are refused (default 1024)",
    )
    verb.takes(
        "--sessions-for",
        type=parse_seconds,
        default=7 * 86_400.0,
        metavar="168h",
        help="keep the sessions of clients that are gone for so long at most (default 168h)",
    )
    takes_config(verb, PLACES)
    verb.ends(EXAMPLES)


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """Run the host and its broker; both log to stderr."""
    from ei.host.connect import find_host_config
    from ei.host.daemon import run_host
    from ei.records.endpoints import parse_endpoint
    from ei.ways.mqtt.beside import STATE_FILE, mqtt_beside
    from ei.ways.mqtt.limits import MqttLimits

    _ = parse_endpoint(arguments.listen)
    path = expect_file(find_host_config(arguments.config, environ=os.environ), init="ei host init")
    limits = MqttLimits(
        connections=arguments.connections, session_s=max(1, int(arguments.sessions_for))
    )
    address, _, port = arguments.listen.rpartition(":")
    output.next(f"mosquitto_sub -h {address.strip('[]')} -p {port} -t '#'")
    run_host(
        path, beside=mqtt_beside(arguments.listen, state=path.parent / STATE_FILE, limits=limits)
    )
    return Exit.OK


def tell_mqtt(answer: Mapping[str, object], output: Output) -> Mapping[str, object]:
    """Show what a broker of MQTT says of itself; return it."""
    import msgspec

    from ei.ways.mqtt.system import MqttStatus

    status = msgspec.convert(answer, MqttStatus)
    output.data(f"{status.name}: MQTT at {status.endpoint}, {status.connections} connected")
    output.data(f"{status.sessions} sessions, {status.subscriptions} subscriptions")
    output.data(f"messages from clients {status.received}, to clients {status.sent}")
    for word, count in sorted(status.endings.items()):
        output.data(f"connections {word} {count}")
    for word, count in sorted(status.dropped.items()):
        output.data(f"messages dropped {word} {count}")
    return cast("dict[str, object]", msgspec.to_builtins(status))
