"""Asking many daemons at once, so that one that hangs does not hide the others."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ei.cli.targets import Target
from ei.errors import EiError

MOST_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Polled:
    """What one daemon answered.

    Attributes:
        answer: `None` when there was none in time.
        trouble: Why there was none.
    """

    target: Target
    answer: dict[str, object] | None
    trouble: str = ""


def poll(
    targets: Iterable[Target],
    verb: str,
    arguments: Mapping[str, object] | None = None,
    *,
    deadline_s: float = 2.0,
) -> list[Polled]:
    """Ask all `targets` the same, side by side; return their answers in the same order."""

    def ask(target: Target) -> Polled:
        try:
            return Polled(target, target.ask(verb, arguments, deadline_s=deadline_s))
        except EiError as error:
            return Polled(target, None, str(error))

    with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
        return list(pool.map(ask, targets))
