"""Asks a daemon on its admin socket. Blocks, with a deadline."""

import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from ei.daemons.messages import (
    MAX_LINE_BYTES,
    MAX_PATH_BYTES,
    PROGRESS,
    Answer,
    encode_line,
    parse_answer,
)
from ei.errors import DeadlineError, DeniedError, LocalError, PeerError, UnreachableError


def ask(
    path: Path,
    verb: str,
    arguments: Mapping[str, object] | None = None,
    *,
    deadline_s: float = 5.0,
    on_progress: Callable[[Answer], object] | None = None,
) -> dict[str, object]:
    """Send one request to the daemon at `path` and return its answer.

    Args:
        path: Of the admin socket.
        arguments: Of the verb; see `node/admin.py` and `host/admin.py`.
        deadline_s: For the whole exchange.
        on_progress: Gets each `ei.progress/1` answer before the last one.

    Raises:
        UnreachableError: nobody listens there, or the daemon ended while it was asked.
        DeniedError: the socket belongs to somebody else.
        DeadlineError: no answer in time.
        EiError: as the daemon answered.
    """
    ends_s = time.monotonic() + deadline_s
    with _connect(path, deadline_s) as connection, connection.makefile("rb") as lines:
        try:
            connection.sendall(encode_line({**(arguments or {}), "verb": verb}))
            while True:
                connection.settimeout(max(ends_s - time.monotonic(), 1e-6))
                line = lines.readline(MAX_LINE_BYTES)
                if not line.endswith(b"\n"):
                    raise UnreachableError(f"the daemon at {path} ended before it answered {verb}")
                answer = parse_answer(line)
                if answer["schema"] != PROGRESS:
                    return answer
                if on_progress is not None:
                    _ = on_progress(answer)
        except TimeoutError as error:
            if isinstance(error, DeadlineError):
                raise
            waited = f"{verb} at {path}: no answer in {deadline_s:g} s"
            raise DeadlineError(waited) from error
        except OSError as error:
            raise UnreachableError(f"the daemon at {path} went away: {error.strerror}") from error


def _connect(path: Path, deadline_s: float) -> socket.socket:
    if len(bytes(path)) > MAX_PATH_BYTES:
        raise LocalError(f"the path {path} exceeds the {MAX_PATH_BYTES} B of a Unix socket's name")
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(deadline_s)
    try:
        connection.connect(str(path))
    except PermissionError as error:
        connection.close()
        raise DeniedError(f"may not use the admin socket {path}") from error
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError) as error:
        connection.close()
        raise UnreachableError(f"no daemon answers at {path}") from error
    except OSError as error:
        connection.close()
        raise PeerError(f"cannot ask {path}: {error.strerror}") from error
    return connection
