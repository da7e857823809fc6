"""`ei dictionary`: train a dictionary for what a host sends, and offer it to its node."""

import argparse
import base64
from collections.abc import Iterable
from pathlib import Path

from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import UsageError, Verbs
from ei.cli.ping import service_number
from ei.cli.quantities import parse_seconds
from ei.cli.targets import find_target, takes_target
from ei.errors import LocalError

TRAIN_EXAMPLES = """\
examples:
  ei dictionary train --version 1 --out meter.dict samples/     each file one message
  ei dictionary train --version 2 --out meter.dict --lines log.jsonl
"""
OFFER_EXAMPLES = """\
examples:
  ei dictionary offer alice meter.dict                          for what she sends by delivery
  ei dictionary offer alice meter.dict --service multicast
"""


def add_parser(commands: Verbs) -> None:
    """Add `ei dictionary` and its verbs."""
    group = commands.add_noun(
        "dictionary", summary="dictionaries by which nodes compress what a host sends"
    )
    train = group.add(
        "train",
        summary="make a dictionary of messages like those that it will compress",
        details="A thousand messages are a good number. What is in a dictionary shows in the "
        "lengths of what it compresses: train with messages of one tenant alone.",
        execute=execute_train,
    )
    train.takes(
        "samples", nargs="+", type=Path, metavar="SAMPLES", help="files, or folders of them"
    )
    train.takes("--lines", action="store_true", help="each line is a message, not each file")
    train.takes(
        "--version", type=int, required=True, metavar="N", help="higher than that of the one before"
    )
    train.takes("--out", type=Path, required=True, metavar="FILE", help="where it is written")
    train.takes(
        "--size", type=int, default=8_192, metavar="BYTES", help="at most so long (default 8192)"
    )
    train.ends(TRAIN_EXAMPLES)
    offer = group.add(
        "offer",
        summary="sign a dictionary as a host, and give it to its node",
        details="It is used as soon as the next node has it too; until then packets are sent as "
        "before. Whether nodes compress is up to their operators.",
        execute=execute_offer,
    )
    offer.takes("words", nargs="*", metavar="[HOST] FILE", help="HOST of the lab, whose it is")
    offer.takes(
        "--service", default="delivery", help="that carries the messages (default delivery)"
    )
    offer.takes("--timeout", type=parse_seconds, default=10.0, metavar="10s", help="(default 10s)")
    takes_target(offer)
    offer.ends(OFFER_EXAMPLES)


def execute_train(arguments: argparse.Namespace, output: Output) -> Exit:
    """Train it, and write it."""
    from ei.services.compression.messages import MAX_DICTIONARY_BYTES, NUMBERS
    from ei.services.compression.stages import Reference, train

    if arguments.version < 1:
        raise UsageError(f"--version {arguments.version}: 1 and up", command="ei dictionary train")
    if not 0 < arguments.size <= MAX_DICTIONARY_BYTES:
        raise UsageError(
            f"--size {arguments.size}: 1 to {MAX_DICTIONARY_BYTES} B", command="ei dictionary train"
        )
    samples = list(read_samples(arguments.samples, by_line=arguments.lines))
    number = NUMBERS + arguments.version
    try:
        trained = train(samples, number=number, size_bytes=arguments.size)
    except ValueError as error:
        raise LocalError(
            f"{len(samples):,} messages: {error}",
            remedy="Take more of them, and such that are not all the same.",
        ) from error
    _ = arguments.out.write_bytes(trained)
    stage = Reference()
    stage.keep(trained)
    frames = [stage.compress(sample, number, 1_000) or sample for sample in samples]
    times = sum(map(len, samples)) / sum(map(len, frames))
    output.fold(
        f"{arguments.out}: {len(trained):,} B of {len(samples):,} messages, which it makes"
        f" {times:.1f} times smaller"
    )
    trained_of = {"file": str(arguments.out), "version": arguments.version}
    output.document("ei.trained/1", trained_of | {"messages": len(samples), "times": times})
    return Exit.OK


def read_samples(places: Iterable[Path], *, by_line: bool) -> Iterable[bytes]:
    """Yield the messages in files, and in the files of folders.

    Raises:
        LocalError: A file cannot be read.
    """
    for place in places:
        for file in sorted(place.iterdir()) if place.is_dir() else (place,):
            try:
                content = file.read_bytes()
            except OSError as error:
                raise LocalError(f"{file}: cannot be read: {error.strerror}") from error
            yield from content.splitlines() if by_line else (content,)


def execute_offer(arguments: argparse.Namespace, output: Output) -> Exit:
    """Have the host sign and offer it."""
    words: list[str] = arguments.words
    needed = 1 + (arguments.socket is None)
    if len(words) != needed:
        what = "HOST and FILE" if arguments.socket is None else "FILE"
        raise UsageError(f"{what} needed, {len(words)} words given", command="ei dictionary offer")
    host = find_target(words[0] if arguments.socket is None else None, arguments, kind="host")
    (trained,) = read_samples([Path(words[-1])], by_line=False)
    wanted = {
        "service": service_number(arguments.service, []),
        "trained": base64.b64encode(trained).decode(),
        "deadline_s": arguments.timeout,
    }
    answer = host.ask("offer_dictionary", wanted, deadline_s=arguments.timeout + 5.0)
    offered = {key: value for key, value in answer.items() if key != "schema"}
    output.fold(
        f"version {offered['version']} for {arguments.service}, {offered['size_bytes']:,} B:"
        " the node has it"
    )
    output.document("ei.dictionary/1", offered)
    return Exit.OK
