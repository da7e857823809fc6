"""What goes wrong when a daemon starts, in its words and with its remedy."""

import errno
from collections.abc import Generator
from contextlib import contextmanager

from ei.errors import ConfigError, DeniedError, EiError, LimitError


@contextmanager
def explained(doing: str) -> Generator[None]:
    """Turn what the system refuses into an `EiError`.

    Args:
        doing: Begins the sentence: `cannot write the state directory`.

    Raises:
        LimitError: the disk is full, or too many files are open.
        DeniedError: a permission is missing.
        ConfigError: anything else that the system refuses.
    """
    try:
        yield
    except EiError:
        raise
    except OSError as error:
        raise _explain(doing, error) from error


def _explain(doing: str, error: OSError) -> EiError:
    place = f" {error.filename}" if error.filename and str(error.filename) not in doing else ""
    text = f"{doing}{place}: {error.strerror or error}"
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return LimitError(text, remedy="Free some space, then start again: df -h shows it.")
        case errno.EMFILE | errno.ENFILE:
            return LimitError(text, remedy="Raise the limit of open files: ulimit -n 65536")
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return DeniedError(text, remedy="Check owner and mode, or run as a user who may.")
        case _:
            return ConfigError(text)
