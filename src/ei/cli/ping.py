"""`ei ping`: round trips from one host to another, or through a service."""

import argparse
import statistics
from pathlib import Path
from typing import TYPE_CHECKING

from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import UsageError, Verb, Verbs, suggestion
from ei.cli.quantities import duration, parse_count, parse_seconds
from ei.cli.targets import Target, find_name, find_target, has_lab, takes_target

if TYPE_CHECKING:
    from ei.host.verbs_ping import Pings

ONE_WAY_S = 0.5
"""What is sent through a service to a host is answered by nobody: so long it may take."""
EXAMPLES = """\
examples:
  ei ping alice bob                   the stack of bob answers
  ei ping alice --service echo        the service answers, at a node of alice
  ei lab shell alice -- ei ping bob   as alice
"""


def add_parser(commands: Verbs) -> None:
    """Add `ei ping`."""
    verb = commands.add(
        "ping",
        summary="measure round trips from one host to another, or through a service",
        details="Exit code 1 when nothing came back.",
        execute=execute,
    )
    takes_path(verb)
    verb.takes("--count", type=parse_count, metavar="N", default=3, help="how many (default 3)")
    verb.takes("--interval", type=parse_seconds, metavar="1s", default=0.2, help="between two")
    verb.takes("--size", type=parse_count, metavar="BYTES", default=32, help="of payload")
    verb.ends(EXAMPLES)


def takes_path(verb: Verb) -> None:
    """Let a verb take where packets come from and where they go."""
    verb.takes(
        "names",
        nargs="*",
        metavar="[FROM] [TO]",
        help="hosts of the lab; FROM is left out where a socket names it",
    )
    verb.takes(
        "--service",
        metavar="SERVICE",
        help="ask this service, in the place of a host",
    )
    verb.takes(
        "--timeout", type=parse_seconds, metavar="2s", default=2.0, help="for each (default 2s)"
    )
    verb.takes(
        "--services",
        action="append",
        type=parse_services,
        default=[],
        metavar="FOLDER",
        help="where service modules of yours are",
    )
    takes_target(verb)


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """Send them, wait for the answers, and show the round trips."""
    host, pings = send(
        arguments,
        count=arguments.count,
        interval_s=arguments.interval,
        length_bytes=arguments.size,
        is_traced=False,
    )
    answered = f"{len(pings.rtts_s)} of {pings.sent} came back"
    output.fold(f"{host.name} → {pings.to}: {answered}")
    if pings.rtts_s:
        output.fold(f"round trip {spread(pings.rtts_s)}")
    if pings.reason:
        output.fold(f"{output.mark('bad')} {pings.reason}")
    output.document(
        "ei.ping/1",
        {
            "from": host.name,
            "to": pings.to,
            "sent": pings.sent,
            "rtts_s": pings.rtts_s,
            "reason": pings.reason,
        },
    )
    output.next(f"ei trace {words_of(arguments)} --explain" if pings.rtts_s else "ei status")
    return Exit.OK if pings.rtts_s else Exit.NEGATIVE


def send(
    arguments: argparse.Namespace,
    *,
    count: int,
    interval_s: float,
    length_bytes: int,
    is_traced: bool,
) -> "tuple[Target, Pings]":
    """Send packets along the path that `arguments` name; return who sent, and what came back."""
    import msgspec

    from ei.host.verbs_ping import Pings

    names: list[str] = arguments.names
    needed = (arguments.socket is None) + (arguments.service is None)
    to = goes_to(arguments) if is_traced else ""
    if len(names) != needed + bool(to):
        what = "FROM and TO" if needed == 2 else "one name" if needed else "no name"  # noqa: PLR2004
        raise UsageError(f"{what} needed, {len(names)} given", command=arguments.parser.prog)
    host = find_target(names[0] if arguments.socket is None else None, arguments, kind="host")
    timeout_s = min(arguments.timeout, ONE_WAY_S) if to else arguments.timeout
    wanted: dict[str, object] = {
        "count": count,
        "interval_s": interval_s,
        "deadline_s": timeout_s,
        "is_traced": is_traced,
        "length_bytes": length_bytes,
    }
    limit_s = count * (interval_s + arguments.timeout) + 1.0
    if arguments.service is None:
        verb = "ping"
        wanted["to"] = _full(names[-1], arguments)
    else:
        verb = "ask"
        wanted["service"] = service_number(arguments.service, arguments.services)
        if to:
            wanted["metadata"] = to
    pings = msgspec.convert(host.ask(verb, wanted, deadline_s=limit_s), Pings)
    if arguments.service is not None:
        # The host knows the number only.
        pings = msgspec.structs.replace(pings, to=f"service {arguments.service}")
    return host, pings


def goes_to(arguments: argparse.Namespace) -> str:
    """Return to which host a packet goes through a service; empty where the service answers."""
    names: list[str] = arguments.names
    is_through = arguments.service is not None and len(names) > (arguments.socket is None)
    return _full(names[-1], arguments) if is_through else ""


def words_of(arguments: argparse.Namespace) -> str:
    """Return the words that name the same path again."""
    words = list(arguments.names)
    if arguments.service is not None:
        words += ["--service", arguments.service]
    for folder in arguments.services:
        words += ["--services", str(folder)]
    return " ".join(words)


def service_number(name: str, folders: list[Path]) -> int:
    """Return the number of a service or bundle by its name, or the number that `name` is.

    Raises:
        UsageError: there is no such service.
    """
    from ei.bundles import find_bundles, load_bundle
    from ei.runtime.loader import find_services
    from ei.sdk.manifest import load_manifest

    if name.isascii() and name.isdigit():
        return int(name)
    known, bundles = find_services(folders), find_bundles(folders)
    if name in bundles:
        return load_bundle(bundles[name]).id
    if name not in known:
        where = "" if folders else "without --services FOLDER, "
        hint = suggestion(name, sorted({*known, *bundles}))
        raise UsageError(f"{where}no service is called {name!r}{hint}", command="ei ping")
    return load_manifest(known[name]).id


def parse_services(text: str) -> Path:
    """Parse the name of a folder with services in it."""
    folder = Path(text)
    try:
        files = [
            *folder.glob("manifest.toml"), *folder.glob("*/manifest.toml"),
            *folder.glob("bundle.toml"), *folder.glob("*/bundle.toml"),
        ]  # fmt: skip
    except OSError:  # no name that a folder could have
        files = []
    if not files:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no folder of services, each a folder with a manifest.toml"
        )
    return folder


def spread(rtts_s: list[float]) -> str:
    """Return smallest, median and largest round trip in words; there is at least one."""
    shown = (min(rtts_s), statistics.median(rtts_s), max(rtts_s))
    return f"{' / '.join(duration(rtt_s) for rtt_s in shown)} (min / median / max)"


def _full(name: str, arguments: argparse.Namespace) -> str:
    """Return the full name of a destination; outside of a lab the host knows who is meant."""
    return find_name(name, arguments) if has_lab(arguments) else name
