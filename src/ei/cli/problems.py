"""What went wrong, for people: a stable code, the cause in one sentence, what to do in another."""

import errno
import os
import traceback
from dataclasses import dataclass
from pathlib import Path

from ei import errors
from ei.cli.columns import folded
from ei.cli.exits import Exit
from ei.cli.output import Output, printable
from ei.cli.parser import UsageError
from ei.errors import EiError

WIDEST = 10_000


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem. Its code is stable; `docs/reference/errors.md` lists all kinds.

    Attributes:
        code: Thousands say whose fault it is: 1 this machine or its user, 2 a service module,
            3 somebody else's bytes or silence, 9 this program.
        title: What it means in general.
        action: What to do about it.
    """

    code: int
    exit: Exit
    title: str
    action: str

    @property
    def name(self) -> str:
        """The code as it is printed: `EI-1001`."""
        return f"EI-{self.code:04}"


LOCAL = Kind(
    1000, Exit.ERROR, "Something here is not as it must be.", "Correct what the message names."
)
USAGE = Kind(
    1001, Exit.ERROR, "The arguments do not make a command.", "Run the command with --help."
)
NOT_FOUND = Kind(
    1002, Exit.NEGATIVE, "What was named does not exist.",
    "Check how it is written, and where it is looked for.",
)  # fmt: skip
DENIED = Kind(
    1003, Exit.REFUSED, "The system, a file's mode or a policy does not allow it.",
    "Check owner and mode of what the message names, or run as a user who may.",
)  # fmt: skip
LIMIT = Kind(
    1004, Exit.LIMIT, "A bound is reached: a full disk or queue, or too many of something.",
    "Make room, or raise the limit that the message names.",
)  # fmt: skip
CONFLICT = Kind(
    1005, Exit.CONFLICT, "Something is in the way: it exists already, or a port is in use.",
    "Choose another name or place, or end or remove what is there.",
)  # fmt: skip
UNREACHABLE = Kind(
    1006, Exit.UNREACHABLE, "No daemon answers there.",
    "Start it: ei lab up, ei node run or ei host run; ei doctor shows what is wrong.",
)  # fmt: skip
CONFIG = Kind(
    1007, Exit.ERROR, "A configuration file cannot be read, or something in it is wrong.",
    "Correct what the message names, then run the command again.",
)  # fmt: skip
SYSTEM = Kind(
    1008, Exit.ERROR, "The system refused a call.", "Run ei doctor to see what is missing."
)
NOT_BUILT = Kind(
    1009, Exit.ERROR, "The native part is missing or does not fit this Python.",
    "Build it: make build (in a clone), or install the package again.",
)  # fmt: skip
SERVICE = Kind(
    2000, Exit.ERROR, "A service module broke its contract.",
    "Read the node's log; the module's own test shows where.",
)  # fmt: skip
LOADING = Kind(
    2001, Exit.ERROR, "A service module does not load.",
    "Mend the line that the message names; ei module test shows what else is wrong.",
)  # fmt: skip
RAISED = Kind(
    2002, Exit.ERROR, "A handler raised an error, or asked for what its module may not.",
    "Mend the line that the message names; that event had no effect, and a test can repeat it.",
)  # fmt: skip
CPU_EXCEEDED = Kind(
    2003, Exit.ERROR, "An event took more CPU time than its module's manifest allows.",
    "Do less for one event, or ask for more: handler_ms and tier in manifest.toml.",
)  # fmt: skip
DIED = Kind(
    2004, Exit.ERROR, "The process of a service module died.",
    "See what it did last; it is started again, and what it had not answered is dropped.",
)  # fmt: skip
NO_ANSWER = Kind(
    2005, Exit.ERROR, "A handler left a packet without an answer.",
    "Send it, pass it on, hold it, or drop it for a reason of the manifest.",
)  # fmt: skip
PEER = Kind(
    3000, Exit.INTEGRITY, "Received bytes do not parse or break the protocol.",
    "Check that a file is whole and of the right kind, and that both ends run the same version.",
)  # fmt: skip
TIMEOUT = Kind(
    3001, Exit.TIMEOUT, "There was no answer within the deadline.",
    "Run ei status to see what is up, or allow more time with --timeout.",
)  # fmt: skip
INTEGRITY = Kind(
    3002, Exit.INTEGRITY, "A signature, seal, checksum or identity does not verify.",
    "Take a damaged file again from its source; both ends need the same trust roots and records.",
)  # fmt: skip
STREAM = Kind(
    3003, Exit.NEGATIVE, "A stream ended before its time.",
    "Check that the other host is up and listens: ei status, ei ping.",
)  # fmt: skip
INTERNAL = Kind(
    9000, Exit.ERROR, "This program has a bug.", "Report it together with the file named above."
)

KINDS = (
    LOCAL, USAGE, NOT_FOUND, DENIED, LIMIT, CONFLICT, UNREACHABLE, CONFIG, SYSTEM, NOT_BUILT,
    SERVICE, LOADING, RAISED, CPU_EXCEEDED, DIED, NO_ANSWER, PEER, TIMEOUT, INTEGRITY, STREAM,
    INTERNAL,
)  # fmt: skip
"""All kinds, by code."""

BY_TYPE: dict[type[Exception], Kind] = {
    UsageError: USAGE,
    errors.ConfigError: CONFIG,
    errors.NotFoundError: NOT_FOUND,
    errors.DeniedError: DENIED,
    errors.ConflictError: CONFLICT,
    errors.LimitError: LIMIT,
    errors.LocalError: LOCAL,
    errors.IntegrityError: INTEGRITY,
    errors.StreamError: STREAM,
    errors.PeerError: PEER,
    errors.UnreachableError: UNREACHABLE,
    errors.LoadError: LOADING,
    errors.ServiceError: SERVICE,
    TimeoutError: TIMEOUT,
}
"""The first type that fits decides, so the special ones come before their bases."""

BY_ERRNO = {
    errno.ENOENT: NOT_FOUND,
    errno.EACCES: DENIED,
    errno.EPERM: DENIED,
    errno.EROFS: DENIED,
    errno.ENOSPC: LIMIT,
    errno.EDQUOT: LIMIT,
    errno.EMFILE: LIMIT,
    errno.ENFILE: LIMIT,
    errno.EADDRINUSE: CONFLICT,
    errno.EEXIST: CONFLICT,
    errno.ECONNREFUSED: UNREACHABLE,
    errno.ECONNRESET: UNREACHABLE,
    errno.EPIPE: UNREACHABLE,
    errno.EISDIR: LOCAL,
    errno.ENOTDIR: LOCAL,
    errno.ETIMEDOUT: TIMEOUT,
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that went wrong: a kind, and what was seen this time."""

    kind: Kind
    cause: str
    action: str


def problem_of(error: Exception) -> Problem:
    """Return what `error` means for a person."""
    match error:
        case ExceptionGroup(exceptions=[Exception() as only]):
            return problem_of(only)  # of the one task in a group that failed
        case _:
            pass
    kind = _kind_of(error)
    cause, action = sentence(error), kind.action
    if isinstance(error, UsageError):
        action = f"Run {error.command} --help for what it takes."
    elif isinstance(error, EiError):
        action = error.remedy or action
    elif isinstance(error, OSError) and error.errno is not None:
        cause = _system_sentence(error)
        if error.errno == errno.EADDRINUSE:
            action = "Choose another port, or end who holds it: ss -lunp shows it."
    elif kind is INTERNAL:
        cause = f"{type(error).__name__}: {cause} Details: {_keep_traceback(error)}"
    return Problem(kind, cause, action)


def _kind_of(error: Exception) -> Kind:
    for blamed, kind in BY_TYPE.items():
        if isinstance(error, blamed):
            return kind
    if isinstance(error, OSError) and error.errno is not None:
        return BY_ERRNO.get(error.errno, SYSTEM)
    if isinstance(error, ImportError) and "_core" in str(error):
        return NOT_BUILT
    return INTERNAL


def show_problem(error: Exception, output: Output) -> Exit:
    """Print `error` on stderr (in JSON mode also as an object on stdout); return the exit code."""
    return say_problem(problem_of(error), output)


def say_problem(problem: Problem, output: Output, *, width: int = WIDEST) -> Exit:
    """Print a problem; see `show_problem`.

    Args:
        problem: What went wrong.
        output: Where it is said.
        width: Columns of a line.
    """
    kind = problem.kind
    cause = printable(problem.cause)
    lines = folded(f"{output.mark('bad', is_talk=True)} {kind.name} {cause}", width, indent=" " * 4)
    lines += folded(f"  {problem.action}", width, indent="  ")
    output.complain("\n".join(lines))
    output.complain(f"  More: ei help {kind.name}")
    output.document(
        "ei.error/1",
        {"code": kind.name, "cause": cause, "action": problem.action, "exit": kind.exit},
    )
    return kind.exit


def sentence(error: Exception) -> str:
    """Return the message of `error` as one sentence: never empty, first letter large, full stop.

    What begins with a name or a path keeps it as it is.
    """
    text = " ".join(str(error).split()) or f"{type(error).__name__} without a message"
    if text.partition(" ")[0].isalpha():
        text = text[:1].upper() + text[1:]
    return text + ("" if text[-1] in ".?!" else ".")


def _system_sentence(error: OSError) -> str:
    what = error.strerror or os.strerror(error.errno or 0)
    given = [name for name in (error.filename, error.filename2) if name is not None]
    names = [os.fsdecode(name) if isinstance(name, bytes) else str(name) for name in given]
    return f"{' -> '.join(names)}: {what}." if names else f"{what}."


def _keep_traceback(error: Exception) -> str:
    """Write the traceback where a report can take it from; return the file's name."""
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    path = Path(home) / "ei" / "last-bug.txt"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _ = path.write_text("".join(traceback.format_exception(error)))
    except OSError as trouble:
        return f"could not be kept ({trouble.strerror})"
    return str(path)
