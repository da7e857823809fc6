"""The typed side of admin verbs: arguments in, answers out."""

from typing import TypeVar, cast

import msgspec

from ei.daemons.messages import Answer, Request
from ei.errors import LocalError

ArgumentsT = TypeVar("ArgumentsT", bound=msgspec.Struct)


class NoArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of verbs that take none."""


def arguments_of(request: Request, kind: type[ArgumentsT]) -> ArgumentsT:
    """Return the arguments of a request as a Struct.

    Raises:
        LocalError: one is missing, unknown or wrong: which, and what is allowed.
    """
    try:
        return msgspec.convert(request.arguments, kind)
    except msgspec.ValidationError as error:
        known = ", ".join(field.name for field in msgspec.structs.fields(kind)) or "no arguments"
        raise LocalError(f"{request.verb}: {error}; it takes {known}") from error


def to_answer(content: msgspec.Struct, *, schema: str) -> Answer:
    """Return `content` as an answer of a schema."""
    return {"schema": schema, **cast("dict[str, object]", msgspec.to_builtins(content))}
