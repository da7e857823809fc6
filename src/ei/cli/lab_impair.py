"""`ei lab impair`: make a link of a running lab slow, lossy, narrow, or dead."""

import argparse

from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import UsageError, Verbs
from ei.cli.quantities import parse_megabits, parse_milliseconds, parse_share
from ei.cli.targets import lab_name, takes_lab

EXAMPLES = """\
examples:
  ei lab impair sn1.isp-a--sn1.isp-b --delay 40ms --jitter 5ms --loss 2%
  ei lab impair alice--sn1.isp-a --cut
  ei lab impair alice--sn1.isp-a                   nothing is wrong with it any more
"""
QUANTITIES = {
    "delay": ("delay_ms", parse_milliseconds, "40ms", "from end to end"),
    "jitter": ("jitter_ms", parse_milliseconds, "5ms", "up to so much more"),
    "loss": ("loss", parse_share, "2%", "are lost"),
    "reorder": ("reorder", parse_share, "2%", "overtake others"),
    "duplicate": ("duplicate", parse_share, "2%", "come twice"),
    "corrupt": ("corrupt", parse_share, "2%", "come with a wrong byte"),
    "rate": ("rate_mbps", parse_megabits, "10mbps", "fit through"),
}


def add_parser(verbs: Verbs) -> None:
    """Add `ei lab impair`."""
    verb = verbs.add(
        "impair",
        summary="make a link of a running lab slow, lossy, narrow, or dead",
        details="What is not given is not impaired. Both directions are alike.",
        execute=execute,
    )
    verb.takes("link", metavar="A--B", help="its two ends; ei lab status lists all links")
    for flag, (_, parse, example, text) in QUANTITIES.items():
        verb.takes(f"--{flag}", type=parse, metavar=example, help=text)
    verb.takes("--cut", action="store_true", help="nothing passes: a partition")
    takes_lab(verb)
    verb.ends(EXAMPLES)


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """Give the link its new properties, and say which they are."""
    from ei.cli.lab_status import words
    from ei.lab.processes import ask_lab

    ends = find_ends(arguments, command="ei lab impair")
    impairment: dict[str, float | bool] = {
        name: value
        for flag, (name, *_) in QUANTITIES.items()
        if (value := getattr(arguments, flag)) is not None
    }
    if arguments.cut:
        impairment["is_cut"] = True
    wanted = {"a": ends[0], "b": ends[1], "impairment": impairment}
    _ = ask_lab("impair", wanted, name=lab_name(arguments))
    output.data(f"{'--'.join(ends)}: {words(impairment)}")
    output.document("ei.lab-impair/1", wanted)
    heal = [f"ei lab impair {arguments.link}   (to heal it)"] if impairment else []
    output.next("ei lab status", *heal)
    return Exit.OK


def find_ends(arguments: argparse.Namespace, *, command: str) -> list[str]:
    """Return the full names of the two ends of the link `A--B`."""
    from ei.cli.targets import find_name

    a, dashes, b = arguments.link.partition("--")
    if not dashes:
        raise UsageError(f"{arguments.link!r} is not A--B", command=command)
    return [find_name(end, arguments) for end in (a, b)]
