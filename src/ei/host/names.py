"""Words of admin requests as bytes: addresses by name, metadata and messages by their digits."""

from ei.errors import LocalError, NotFoundError
from ei.host.client import Host


async def metadata_of(host: Host, text: str) -> bytes:
    """Return metadata: hexadecimal digits, or the address of what is called `text`.

    Raises:
        LocalError: neither.
    """
    try:
        return bytes.fromhex(text)
    except ValueError:
        pass
    try:
        return await host.lookup(text)
    except NotFoundError as error:
        raise LocalError(f"metadata {text!r} is neither hexadecimal nor a name: {error}") from error


def bytes_of(text: str, *, what: str) -> bytes:
    """Return the bytes that hexadecimal digits write.

    Raises:
        LocalError: they are none; `what` begins the sentence.
    """
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise LocalError(f"{what} {text!r} is not hexadecimal: {error}") from error
