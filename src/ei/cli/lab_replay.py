"""`ei lab replay`: make a simulated run again, up to any moment, and show what happened then."""

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ei.cli.exits import Exit
from ei.cli.output import Output, printable
from ei.cli.parser import UsageError, Verbs
from ei.cli.quantities import parse_count, parse_seconds

if TYPE_CHECKING:
    from ei.lab.recording import Recording
    from ei.lab.replay import Event, Outcome

DETAILS = """\
ei lab run keeps what makes a simulated run again: its scenario, its seed, its event log. Here it is
run from its seed, each event is held against the recorded one, and the last events of a span of
time are shown. Without RUN the runs that are kept are listed. Exit code 1 when it differs."""
EXAMPLES = """\
examples:
  ei lab run failover --seed 1051
  ei lab replay failover-1051                          all of it, and its last events
  ei lab replay failover-1051 --until 2.5s --node bob  what bob saw before
  ei lab replay failover-1051 --from 2.4s --step       event by event
"""
HEADER = ("s", "from", "to", "B", "what", "fate")


def add_parser(verbs: Verbs) -> None:
    """Add `ei lab replay`."""
    verb = verbs.add(
        "replay",
        summary="make a simulated run again, and show what happened at any moment of it",
        details=DETAILS,
        execute=execute,
    )
    verb.takes("run", nargs="?", metavar="RUN", help="its name: SCENARIO-SEED")
    verb.takes(
        "--from", dest="since", type=parse_seconds, metavar="TIME", default=0.0,
        help="show events from this time of the run on (default: its start)",
    )  # fmt: skip
    verb.takes(
        "--until",
        type=parse_seconds,
        metavar="TIME",
        help="stop after this time (default: its end)",
    )
    verb.takes("--node", metavar="NAME", help="only what goes from or to this node or host")
    verb.takes("--lines", type=parse_count, metavar="N", default=20, help="the last N (default 20)")
    verb.takes(
        "--step", action="store_true", help="wait for Enter after each event; q and Enter ends it"
    )
    verb.ends(EXAMPLES)


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """Replay, compare, and show."""
    from ei.lab.recording import RunStore

    store = RunStore(os.environ)
    if arguments.run is None:
        return _list(store.names(), output, of=store.load)
    recording = store.load(arguments.run)
    events = store.events(arguments.run)
    return _replay(arguments, recording, events, output)


def _list(names: list[str], output: Output, *, of: "Callable[[str], Recording]") -> Exit:
    runs = {name: of(name) for name in names}
    if runs:
        output.table(
            ("run", "seed", "events", "lasted s", "not kept"),
            [
                (
                    name,
                    str(run.seed),
                    str(run.entries),
                    f"{run.ended_s:.3f}",
                    run.error or ", ".join(run.broken) or "-",
                )
                for name, run in runs.items()
            ],
        )
    else:
        output.data("no run is kept")
    output.document("ei.lab-runs/1", {"runs": names})
    output.next(*[f"ei lab replay {name}" for name in names[:1]], "ei lab run failover --seed 7")
    return Exit.OK


def _replay(
    arguments: argparse.Namespace, recording: "Recording", events: Iterator[bytes], output: Output
) -> Exit:
    import msgspec

    from ei.lab.recording import code_digest, scenario_digest
    from ei.lab.replay import Window, replay
    from ei.lab.scenario import load_scenario

    if arguments.step and output.is_json:
        raise UsageError("--step shows people one event after another", command="ei lab replay")
    scenario = load_scenario(recording.scenario)
    node = None if arguments.node is None else scenario.topology.find(arguments.node)
    changed = {
        "the program": recording.code_digest != code_digest(),
        "the scenario": recording.scenario_digest != scenario_digest(scenario),
    }
    for what, has_changed in changed.items():
        if has_changed:
            output.talk(f"{output.mark('warn', is_talk=True)} {what} has changed since the run")
    outcome = replay(
        scenario,
        events,
        seed=recording.seed,
        is_whole=recording.is_whole,
        window=Window(arguments.since, arguments.until, node, arguments.lines),
        on_event=_stepper(output) if arguments.step else None,
    )
    is_equal = outcome.difference is None and outcome.run_digest in {None, recording.digest}
    if not arguments.step:
        output.table(HEADER, [_cells(event) for event in outcome.events])
    _judge(outcome, recording, output, is_equal=is_equal)
    output.document(
        "ei.lab-replay/1",
        {
            "run": arguments.run,
            "seed": recording.seed,
            "is_equal": is_equal,
            "program_changed": changed["the program"],
            "scenario_changed": changed["the scenario"],
            **msgspec.to_builtins(outcome),
        },
    )
    return Exit.OK if is_equal else Exit.NEGATIVE


def _judge(outcome: "Outcome", recording: "Recording", output: Output, *, is_equal: bool) -> None:
    """Say whether the run is the recorded one, or where it first is not."""
    mark = output.mark("ok" if is_equal else "bad")
    if (difference := outcome.difference) is not None:
        output.fold(f"{mark} event {difference.number} is not as recorded")
        output.fold(f"  recorded: {printable(difference.recorded or 'the end')}")
        output.fold(f"  replayed: {printable(difference.replayed or 'the end')}")
    elif is_equal:
        digest = outcome.run_digest or outcome.digest
        of = "the run" if outcome.run_digest else "their log"
        output.fold(
            f"{mark} {outcome.entries} of {recording.entries} events are as recorded, "
            f"SHA-256 of {of} {digest[:16]}"
        )
    else:
        output.fold(f"{mark} all events are as recorded, but not all headers")


def _stepper(output: Output) -> Callable[["Event"], bool]:
    def show(event: "Event") -> bool:
        time, sender, receiver, length, what, fate = map(printable, _cells(event))
        place = f"{sender} → {receiver}  {length} B  {what}  " if sender else ""
        output.fold(f"{time}  {place}{fate}", indent=" " * 12)
        return sys.stdin.readline().strip() != "q"

    return show


def _cells(event: "Event") -> tuple[str, ...]:
    length = str(event.length) if event.sender else ""
    return (f"{event.at_s:.6f}", event.sender, event.receiver, length, event.what, event.fate)
