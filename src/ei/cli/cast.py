"""`ei cast`: send a file to a group, and receive one."""

import argparse
from pathlib import Path

from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import UsageError, Verbs
from ei.cli.quantities import parse_megabits, parse_seconds
from ei.cli.targets import find_target, takes_target

SEND_EXAMPLES = """\
examples:
  ei cast send alice film.mp4 --to news.isp-a
  ei cast send alice film.mp4 --to news.isp-a --rate 20mbps
"""
RECEIVE_EXAMPLES = """\
examples:
  ei cast receive bob --from news.isp-a                    into the current folder
  ei cast receive bob --from news.isp-a --into films --timeout 10m
"""
DAY_S = 86_400.0


def add_parser(commands: Verbs) -> None:
    """Add `ei cast` and its verbs."""
    group = commands.add_noun("cast", summary="send a file to all members of a group")
    send = group.add(
        "send",
        summary="send a file",
        details="One copy crosses each pipe, whatever the number of members; what some of them "
        "lack is sent again. It ends when nobody has asked for anything for a while; members "
        "that come meanwhile get all of it, too.",
        execute=execute_send,
    )
    send.takes("words", nargs="*", metavar="[HOST] FILE", help="HOST of the lab, which sends it")
    send.takes("--to", required=True, metavar="GROUP", help="such as news.isp-a")
    send.takes(
        "--rate",
        type=parse_megabits,
        default=8.0,
        metavar="8mbps",
        help="how fast (default 8mbps)",
    )
    send.takes(
        "--linger",
        type=parse_seconds,
        default=5.0,
        metavar="5s",
        help="how long nobody asks for anything before it ends (default 5s)",
    )
    takes_target(send)
    send.ends(SEND_EXAMPLES)
    receive = group.add(
        "receive",
        summary="receive the next file",
        details="It is there as a whole, checked by its SHA-256, or not at all.",
        execute=execute_receive,
    )
    receive.takes("words", nargs="*", metavar="[HOST]", help="HOST of the lab, which receives it")
    receive.takes("--from", dest="group", required=True, metavar="GROUP", help="such as news.isp-a")
    receive.takes(
        "--into", type=Path, default=Path(), metavar="FOLDER", help="default: the current one"
    )
    receive.takes(
        "--timeout",
        type=parse_seconds,
        default=3_600.0,
        metavar="1h",
        help="how long to wait for all of it (default 1h)",
    )
    takes_target(receive)
    receive.ends(RECEIVE_EXAMPLES)


def execute_send(arguments: argparse.Namespace, output: Output) -> Exit:
    """Send it."""
    *host, file = _words(arguments, 1, "HOST and FILE", "ei cast send")
    wanted = {
        "group": arguments.to,
        "path": str(Path(file).absolute()),
        "rate_bytes_per_s": arguments.rate * 1e6 / 8,
        "linger_s": arguments.linger,
    }
    target = find_target(host[0] if host else None, arguments, kind="host")
    answer = target.ask("cast_send", wanted, deadline_s=DAY_S)
    again = f", {answer['repaired']} pieces of it again" if answer["repaired"] else ""
    output.fold(f"{answer['name']}: {_size(answer)} sent to {arguments.to}{again}")
    output.document("ei.cast/1", _fields(answer))
    return Exit.OK


def execute_receive(arguments: argparse.Namespace, output: Output) -> Exit:
    """Receive it."""
    host = _words(arguments, 0, "HOST", "ei cast receive")
    wanted = {
        "group": arguments.group,
        "folder": str(arguments.into.absolute()),
        "deadline_s": arguments.timeout,
    }
    target = find_target(host[0] if host else None, arguments, kind="host")
    answer = target.ask("cast_receive", wanted, deadline_s=arguments.timeout + 10.0)
    path = arguments.into / str(answer["name"])
    output.fold(f"{path}: {_size(answer)}, {answer['repaired']} pieces came again")
    output.document("ei.cast/1", _fields(answer))
    return Exit.OK


def _words(arguments: argparse.Namespace, own: int, what: str, command: str) -> list[str]:
    words: list[str] = arguments.words
    needed = own + (arguments.socket is None)
    if len(words) != needed:
        wanted = what if arguments.socket is None else what.removeprefix("HOST and ")
        raise UsageError(f"{wanted} needed, {len(words)} words given", command=command)
    return words


def _size(answer: dict[str, object]) -> str:
    return f"{answer['file_bytes']:,} B"


def _fields(answer: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in answer.items() if key != "schema"}
