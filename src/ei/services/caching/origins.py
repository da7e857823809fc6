"""Streams that this cache opened: connections to origins, and to other nodes of the tier."""

from ei.sdk import CloseStream, StreamClosed, StreamData, StreamOpened, StreamWritable
from ei.services.caching import fetching, flights, requests
from ei.services.caching.state import Desk


def opened(desk: Desk, event: StreamOpened) -> None:
    """Send the request that waits for the connection."""
    link = desk.links.get(event.stream)
    flight = desk.flights.get(link.flight) if link is not None and link.flight else None
    if link is None or flight is None:
        desk.order(CloseStream(event.stream))
        return
    link.window = event.window
    fetching.send(desk, flight, link)
    requests.read_upload(desk, flight)


def came(desk: Desk, event: StreamData) -> None:
    """Take what an origin sent; of an idle connection: it is of no use any more."""
    link = desk.links.get(event.stream)
    if link is None:
        return
    flight = desk.flights.get(link.flight) if link.flight else None
    if flight is None:
        desk.order(CloseStream(event.stream))
        fetching.lose(desk, link)
        return
    flights.take(desk, flight, event.data, is_end=event.is_end)


def writable(desk: Desk, event: StreamWritable) -> None:
    """Send on."""
    link = desk.links.get(event.stream)
    if link is None:
        return
    link.window = event.window
    flight = desk.flights.get(link.flight) if link.flight else None
    if flight is not None:
        fetching.push(desk, flight, link)
        requests.read_upload(desk, flight)


def closed(desk: Desk, event: StreamClosed) -> None:
    """Forget a connection; who waited for its answer gets none by it."""
    link = desk.links.get(event.stream)
    if link is None:
        return
    flight = desk.flights.get(link.flight) if link.flight else None
    fetching.lose(desk, link)
    if flight is not None and flight.stream == event.stream:
        flight.stream = 0
        flights.fail(desk, flight, event.reason)
