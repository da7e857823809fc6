"""`ei help`: explain a command, an error code, or what became of a packet."""

import argparse
from difflib import get_close_matches

from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import UsageError, Verbs
from ei.cli.problems import KINDS


def add_parser(commands: Verbs) -> None:
    """Add `ei help`."""
    verb = commands.add(
        "help",
        summary="explain a command, an error code, or what became of a packet",
        execute=execute,
    )
    verb.takes("topic", nargs="*", metavar="TOPIC", help="such as: lab up, EI-1005, slow_path_busy")


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """Print what is known of a topic."""
    topic = " ".join(arguments.topic)
    text = _error(topic) or _command(arguments.topic) or _fate_or_drop(topic)
    output.data(text)
    output.document("ei.help/1", {"topic": topic, "text": text})
    return Exit.OK


def _error(topic: str) -> str | None:
    for kind in KINDS:
        if kind.name == topic.upper():
            return f"{kind.name}  {kind.title}\n{kind.action}\nExit code {int(kind.exit)}."
    return None


def _command(words: list[str]) -> str | None:
    from ei.cli.main import build_parser

    parser = build_parser()
    for word in words:
        if word not in parser.children:
            return None
        parser = parser.children[word]
    return parser.format_help().rstrip()


FATES = {
    "forwarded": "A decision sent it on, to one peer or several.",
    "delivered": "It reached the application on a host.",
    "consumed": "A handshake or control message: it was for the datapath itself.",
    "missed": "No decision was cached, so its service was asked. How that ended is counted apart.",
}


def _fate_or_drop(topic: str) -> str:
    from ei import _core
    from ei.host.reasons import HOST_REASONS, RECEIPT_REASONS
    from ei.node.reasons import NODE_REASONS
    from ei.node.stream_status import STREAM_REASONS
    from ei.registry.releases import REASONS
    from ei.runtime.loader import CLUSTER_REASONS

    if topic in FATES:
        return f"A packet counted as {topic}: {FATES[topic]}"
    ours = NODE_REASONS | CLUSTER_REASONS | HOST_REASONS | RECEIPT_REASONS
    reasons = {**dict(_core.reasons()), **ours}
    said: list[str] = []
    if topic in reasons:
        said.append(f"A packet dropped as {topic}: {reasons[topic].strip()}")
    if topic in STREAM_REASONS:
        said.append(f"A stream closed as {topic}: {STREAM_REASONS[topic]}")
    if topic in REASONS:
        said.append(f"What a registry shows is refused as {topic}: {REASONS[topic]}")
    if said:
        return "\n".join(said)
    raise _unknown(topic, [*FATES, *reasons, *STREAM_REASONS, *REASONS])


def _unknown(topic: str, reasons: list[str]) -> UsageError:
    from ei.cli.main import COMMANDS

    known = [*COMMANDS, *reasons, *(kind.name for kind in KINDS)]
    near = get_close_matches(topic, known, n=2, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else "ei --help lists the commands"
    return UsageError(f"there is no help on {topic!r}; {hint}", command="ei help")
