"""What a client of the scenario does: one request on a stream of its own."""

from dataclasses import dataclass

from ei.host.client import Host
from ei.services.caching.client import open_proxy


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client got: status, head and body."""

    status: int
    said: str
    body: bytes


async def fetch(host: Host, url: str, *lines: str, deadline_s: float = 10.0) -> Answer:
    """Ask for a page by a stream of its own."""
    stream = await open_proxy(host, deadline_s=deadline_s)
    authority = url.split("/")[2]
    head = (f"GET {url} HTTP/1.1", f"host: {authority}", *lines, "connection: close", "", "")
    await stream.write("\r\n".join(head).encode(), deadline_s=deadline_s)
    said = await stream.read_all(deadline_s=deadline_s)
    stream.abort()
    return answer_of(said)


def answer_of(said: bytes) -> Answer:
    """Read an answer that ends with its stream."""
    head, _, body = said.partition(b"\r\n\r\n")
    return Answer(int(head[9:12]), head.decode("latin-1"), body)
