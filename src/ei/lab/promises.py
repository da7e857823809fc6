"""What a scenario says: promises with their measured figure, limit, baseline and status."""

import operator
import re
from collections.abc import Callable, Sequence
from typing import Literal, cast

import msgspec

from ei.errors import EiError, LocalError

SCHEMA = "ei.promises/1"

Figure = float | int | str | bool | None
Status = Literal["ok", "broken", "invalid", "unsupported"]
Comparison = Literal["<=", ">=", "=="]

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
}


class Limit(msgspec.Struct, frozen=True):
    """`measured op value` is what is promised."""

    op: Comparison
    value: float | int | str | bool


class Promise(msgspec.Struct, frozen=True):
    """One promise and what became of it.

    Attributes:
        name: What is promised, such as `echo: replies to 100 pings`.
        measured: In `unit`; `None` when nothing could be measured.
        unit: Such as `ms`; empty for words and yes or no.
        limit: What `measured` is held against.
        baseline: The same measure without the service, in the same run; `None` where there is none.
        status: `ok`, `broken`, `invalid` (the load was not reached: no figure) or `unsupported`
            (by this backend).
        note: How it came about, for who wants to know; empty for nothing.
    """

    name: str
    measured: Figure
    unit: str
    limit: Limit
    baseline: Figure
    status: Status
    note: str = ""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All promises of one run; as JSON its schema is `ei.promises/1`.

    Attributes:
        digest: SHA-256 over the event log, in hex; `None` for real processes.
    """

    schema: str = SCHEMA
    scenario: str
    backend: str
    seed: int
    digest: str | None
    promises: tuple[Promise, ...]

    @property
    def is_ok(self) -> bool:
        """Whether there are promises and all are kept."""
        return bool(self.promises) and all(promise.status == "ok" for promise in self.promises)

    @property
    def exit_code(self) -> int:
        """0 if all promises are kept, else 1."""
        return 0 if self.is_ok else 1

    def json(self) -> str:
        """Return the report as one JSON object on one line."""
        return msgspec.json.encode(self).decode()


def promise(  # noqa: PLR0913 a row of a table has its columns
    name: str,
    measured: Figure,
    op: Comparison,
    limit: float | str | bool,  # noqa: FBT001 a value, not a flag
    *,
    unit: str = "",
    baseline: Figure = None,
    is_valid: bool = True,
) -> Promise:
    """Hold `measured` against its limit.

    Args:
        is_valid: Whether the load under which it was measured was reached.

    Raises:
        LocalError: a figure is none.
    """
    _check_figure(name, "measured", measured)
    _check_figure(name, "promised", limit)
    status: Status = "invalid"
    if is_valid:
        status = "ok" if _is_kept(measured, op, limit) else "broken"
    return Promise(name, measured, unit, Limit(op, limit), baseline, status)


def unsupported(
    name: str,
    op: Comparison,
    limit: float | str | bool,  # noqa: FBT001 a value, not a flag
    *,
    unit: str = "",
) -> Promise:
    """A promise that the backend at hand cannot measure."""
    return Promise(name, None, unit, Limit(op, limit), None, "unsupported")


def ended_by(error: EiError | ExceptionGroup, what: str) -> Promise:
    """The broken promise that `what` runs to its end.

    Raises:
        Exception: `error` itself, when its first cause is none of ours: then it is a mistake in
            the program, not a finding.
    """
    cause = first_cause(error)
    if not isinstance(cause, EiError):
        raise error
    return promise(f"{what} runs to its end", f"{type(cause).__name__}: {cause}", "==", "it ends")


def first_cause(error: BaseException) -> BaseException:
    """Return `error`, or what first went wrong in the tasks of a group of errors."""
    cause: BaseException = error
    while isinstance(cause, BaseExceptionGroup):
        cause = cast("BaseExceptionGroup[BaseException]", cause).exceptions[0]
    return cause


HEADER = ("promise", "measured", "promised", "unit", "baseline", "status")


def rows(promises: Sequence[Promise]) -> list[tuple[str, ...]]:
    """Return the promises as cells of a table, in the order of `HEADER`."""
    return [
        (
            row.name,
            shown(row.measured),
            f"{row.limit.op} {shown(row.limit.value)}",
            row.unit,
            shown(row.baseline),
            row.status,
        )
        for row in promises
    ]


def plainly(promises: Sequence[Promise]) -> str:
    """Return a line for each promise, for programs that print no table."""
    lines = (
        f"{each.status:8} {each.name}: {each.measured} {each.limit.op} {each.limit.value}"
        f" {each.unit}".rstrip()
        for each in promises
    )
    return "".join(f"{line}\n" for line in lines)


def shown(figure: Figure) -> str:
    """Return a figure as a reader wants it: yes or no, four digits, the start of a digest."""
    match figure:
        case None:
            return "-"
        case bool():
            return "yes" if figure else "no"
        case int():
            return f"{figure:_}" if abs(figure) >= 10**5 else str(figure)
        case float():
            return f"{figure:.4g}"
        case str():
            return f"{figure[:8]}..." if DIGEST.fullmatch(figure) else figure


DIGEST = re.compile(r"[0-9a-f]{32,}")


def _check_figure(name: str, what: str, figure: object) -> None:
    """Refuse what no table can show; the types of a scenario may never have been checked."""
    if not isinstance(figure, float | int | str | None):
        raise LocalError(
            f"{name}: {figure!r} {what}; a number, a word, or yes or no (True, False) are allowed"
        )


def _is_kept(measured: Figure, op: Comparison, limit: float | str) -> bool:
    if isinstance(measured, str) or isinstance(limit, str):
        return op == "==" and measured == limit
    return measured is not None and _COMPARE[op](measured, limit)
