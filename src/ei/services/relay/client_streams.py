"""What a stream of a circuit begins with, on a host: an opening, and the status that answers it."""

from ei.errors import DeadlineError, DeniedError, EiError, PeerError, StreamError, UnreachableError
from ei.host.circuits import Circuit
from ei.host.streams import Stream
from ei.services.relay.messages import (
    LENGTH_BYTES,
    MAX_STATUS_BYTES,
    Admission,
    KeysOf,
    Opening,
    Status,
    read_status,
    write_opening,
)

OF_CIRCUIT = frozenset({"not_admitted", "token_over"})
"""Words after which a stream is tried on another circuit."""
OF_TOKEN = frozenset({"token_spent", "old_key", "unknown_key", "bad_signature", "token_elsewhere"})
"""Words after which another token is tried."""

SENTENCES = {
    "same_operator": "the exit has the operator of the node in use: it would know both ends",
    "unknown_operator": "the node in use does not know who operates the exit's domain",
    "exit_unreachable": "no node leads to the exit now",
    "too_many_circuits": "the node in use carries as many circuits of this host as it may",
    "hop_lost": "a node on the way to the exit is gone",
    "bad_exit": "the exit is no node that runs the relay",
    "circuit_in_use": "the circuit is another's",
}
"""Why there is no circuit, by the word that a node says of it."""

DENIED = {"not_allowed", "no_first_node", "same_operator", "unknown_operator", "unknown_issuer"}


def no_circuit(word: str) -> EiError:
    """Return the error for a circuit that a node on its way refuses, or ended."""
    detail = SENTENCES.get(word, f"there is no circuit: {word}")
    if word in DENIED:
        remedy = "Use an exit of another operator."
        return DeniedError(detail, remedy=remedy if word == "same_operator" else "")
    return StreamError(detail, kind=word)


def error_of(status: Status) -> EiError:
    """Return the error that a status is."""
    word, detail = status.word, status.detail
    if word in DENIED:
        remedy = "ei node status NAME, at that node, shows the line that would allow it."
        return DeniedError(detail, remedy=remedy if word == "not_allowed" else "")
    if word == "unreachable":
        return UnreachableError(detail)
    if word == "deadline":
        return DeadlineError(detail)
    return StreamError(detail, kind=word)


def expect(status: Status) -> Status:
    """Return a status that says that it is as was asked for.

    Raises:
        EiError: It does not: what it is.
    """
    if status.word:
        raise error_of(status)
    return status


async def begin(
    circuit: Circuit, opening: Opening, first: bytes = b"", *, deadline_s: float
) -> tuple[Stream, Status]:
    """Open a stream and return it with what it was answered by.

    Raises:
        StreamError: The circuit is gone.
        PeerError: The exit says something else, or nothing.
        DeadlineError: It says nothing in time.
    """
    stream = await circuit.open_stream(write_opening(opening), deadline_s=deadline_s)
    try:
        await stream.write(first, deadline_s=deadline_s)
        status = await _receive_status(stream, deadline_s=deadline_s)
    except BaseException:
        stream.abort()
        raise
    return stream, status


async def ask(circuit: Circuit, opening: KeysOf | Admission, *, deadline_s: float) -> Status:
    """Open a stream for nothing but its status.

    Raises:
        EiError: As `begin`.
    """
    stream, status = await begin(circuit, opening, deadline_s=deadline_s)
    stream.abort()
    return status


async def _receive_status(stream: Stream, *, deadline_s: float) -> Status:
    head = await stream.read_exactly(LENGTH_BYTES, deadline_s=deadline_s)
    length = int.from_bytes(head, "little")
    if length > MAX_STATUS_BYTES:
        raise PeerError(f"a status of {length} B: at most {MAX_STATUS_BYTES} allowed")
    try:
        return read_status(await stream.read_exactly(length, deadline_s=deadline_s))
    except ValueError as error:
        raise PeerError(str(error)) from error
