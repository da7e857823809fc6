"""What went wrong, for people: a stable code, the cause in one sentence, what to do in another."""

import errno
import os
import traceback
from dataclasses import dataclass
from pathlib import Path

from ei.cli.exits import Exit
from ei.cli.output import Output, printable
from ei.cli.parser import UsageError
from ei.errors import LocalError, PeerError, ServiceError


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
NOT_FOUND = Kind(1002, Exit.NEGATIVE, "A file or folder does not exist.", "Check the path.")
NOT_ALLOWED = Kind(
    1003, Exit.REFUSED, "The system does not permit it.",
    "Check owner and mode of what the message names, or run as a user who may.",
)  # fmt: skip
DISK_FULL = Kind(1004, Exit.LIMIT, "The disk is full.", "Free some space, then repeat the command.")
IN_USE = Kind(
    1005, Exit.CONFLICT, "An address or port is in use.",
    "End the program that holds it (`ss -lunp` shows which), or choose another port.",
)  # fmt: skip
UNREACHABLE = Kind(
    1006, Exit.UNREACHABLE, "No daemon answers there.",
    "Start it: ei lab up, ei node run or ei host run; ei doctor shows what is wrong.",
)  # fmt: skip
TOO_MANY_FILES = Kind(
    1007, Exit.LIMIT, "Too many files are open.", "Raise the limit: ulimit -n 65536, then repeat."
)
WRONG_KIND = Kind(
    1008, Exit.ERROR, "A path is not the kind of file that is needed.", "Check the path."
)
SYSTEM = Kind(
    1009, Exit.ERROR, "The system refused a call.", "Run ei doctor to see what is missing."
)
NOT_BUILT = Kind(
    1010, Exit.ERROR, "The native part is missing or does not fit this Python.",
    "Build it: make build (in a clone), or install the package again.",
)  # fmt: skip
SERVICE = Kind(
    2000, Exit.ERROR, "A service module broke its contract.",
    "Read the node's log; the module's own test shows where.",
)  # fmt: skip
PEER = Kind(
    3000, Exit.INTEGRITY, "Received bytes do not verify or do not parse.",
    "Check that both ends run the same version and have each other's records.",
)  # fmt: skip
TIMEOUT = Kind(
    3001, Exit.TIMEOUT, "There was no answer within the deadline.",
    "Run ei status to see what is up, or allow more time with --timeout.",
)  # fmt: skip
INTERNAL = Kind(
    9000, Exit.ERROR, "This program has a bug.", "Report it together with the file named above."
)

KINDS = (
    LOCAL, USAGE, NOT_FOUND, NOT_ALLOWED, DISK_FULL, IN_USE, UNREACHABLE, TOO_MANY_FILES,
    WRONG_KIND, SYSTEM, NOT_BUILT, SERVICE, PEER, TIMEOUT, INTERNAL,
)  # fmt: skip
"""All kinds, by code."""

BY_ERRNO = {
    errno.ENOENT: NOT_FOUND,
    errno.EACCES: NOT_ALLOWED,
    errno.EPERM: NOT_ALLOWED,
    errno.EROFS: NOT_ALLOWED,
    errno.ENOSPC: DISK_FULL,
    errno.EDQUOT: DISK_FULL,
    errno.EADDRINUSE: IN_USE,
    errno.ECONNREFUSED: UNREACHABLE,
    errno.ECONNRESET: UNREACHABLE,
    errno.EPIPE: UNREACHABLE,
    errno.EMFILE: TOO_MANY_FILES,
    errno.ENFILE: TOO_MANY_FILES,
    errno.EISDIR: WRONG_KIND,
    errno.ENOTDIR: WRONG_KIND,
    errno.ETIMEDOUT: TIMEOUT,
}

BY_TYPE = {
    UsageError: USAGE,
    LocalError: LOCAL,
    ServiceError: SERVICE,
    PeerError: PEER,
    TimeoutError: TIMEOUT,
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that went wrong: a kind, and what was seen this time."""

    kind: Kind
    cause: str
    action: str


def problem_of(error: Exception) -> Problem:
    """Return what `error` means for a person."""
    kind = _kind_of(error)
    cause = sentence(error)
    if isinstance(error, UsageError):
        return Problem(kind, cause, f"Run {error.command} --help for what it takes.")
    if isinstance(error, OSError) and error.errno is not None:
        return Problem(kind, _system_sentence(error), kind.action)
    if kind is INTERNAL:
        cause = f"{type(error).__name__}: {cause} Details: {_keep_traceback(error)}"
    return Problem(kind, cause, kind.action)


def _kind_of(error: Exception) -> Kind:
    if isinstance(error, OSError) and error.errno is not None:
        return BY_ERRNO.get(error.errno, SYSTEM)
    if isinstance(error, ImportError) and error.name == "ei._core":
        return NOT_BUILT
    return next((kind for blamed, kind in BY_TYPE.items() if isinstance(error, blamed)), INTERNAL)


def show_problem(error: Exception, output: Output) -> Exit:
    """Print `error` on stderr (in JSON mode also as an object on stdout); return the exit code."""
    problem = problem_of(error)
    kind = problem.kind
    cause = printable(problem.cause)
    output.complain(f"{output.mark('bad', is_talk=True)} {kind.name} {cause}\n  {problem.action}")
    output.complain(f"  More: ei help {kind.name}")
    output.document(
        "ei.error/1",
        {"code": kind.name, "cause": cause, "action": problem.action, "exit": kind.exit},
    )
    return kind.exit


def sentence(error: Exception) -> str:
    """Return the message of `error` as one sentence: never empty, first letter large, full stop."""
    text = " ".join(str(error).split()) or f"{type(error).__name__} without a message"
    return text[:1].upper() + text[1:] + ("" if text[-1] in ".?!" else ".")


def _system_sentence(error: OSError) -> str:
    what = error.strerror or os.strerror(error.errno or 0)
    names = [str(name) for name in (error.filename, error.filename2) if name is not None]
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
