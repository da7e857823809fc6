"""Posts what a daemon tells to a collector over HTTP, on a thread of its own.

Whoever hands something over never waits: a collector that is slow or gone costs what it would have
got, which is counted.
"""

import queue
import threading
from collections import Counter
from http.client import HTTPException
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from ei.errors import ConfigError

WAITING = 8
"""Bodies that may wait for the collector."""
PATIENCE_S = 5.0
END_S = 0.2


class Exporter:
    """Posts bodies of protobuf, in order, until it is closed.

    Args:
        url: Of the collector, without a path: `http://127.0.0.1:4318`.
        patience_s: How long the collector may take for one.
    """

    def __init__(self, url: str, *, patience_s: float = PATIENCE_S) -> None:
        self._url = url.rstrip("/")
        self._patience_s = patience_s
        self._waiting: queue.Queue[tuple[str, bytes] | None] = queue.Queue(WAITING)
        self._counted: Counter[str] = Counter(sent=0, failed=0, dropped=0)
        self._thread = threading.Thread(target=self._run, name="telemetry", daemon=True)
        self._trouble = ""

    @property
    def trouble(self) -> str:
        """Why the last one was not taken; empty when it was."""
        return self._trouble

    def open(self) -> None:
        """Start the thread."""
        self._thread.start()

    def offer(self, path: str, body: bytes) -> None:
        """Have a body posted to `path` at the collector; with too many waiting it is dropped."""
        try:
            self._waiting.put_nowait((path, body))
        except queue.Full:
            self._counted["dropped"] += 1

    def statistics(self) -> dict[str, int]:
        """Return how many were sent, failed and dropped."""
        return dict(self._counted)

    def close(self) -> None:
        """End the thread, at the latest with the process: a collector is not waited for."""
        if self._thread.is_alive():
            while True:
                try:
                    self._waiting.put_nowait(None)
                    break
                except queue.Full:
                    _ = self._waiting.get_nowait()
            self._thread.join(END_S)

    def __repr__(self) -> str:
        return f"<Exporter to {self._url}: {dict(self._counted)}>"

    def _run(self) -> None:
        while (item := self._waiting.get()) is not None:
            path, body = item
            request = Request(  # noqa: S310 the scheme was checked: check_collector
                self._url + path, data=body, headers={"Content-Type": "application/x-protobuf"}
            )
            try:
                with urlopen(request, timeout=self._patience_s) as answer:  # noqa: S310
                    _ = answer.read(1)
            except (URLError, HTTPException, OSError) as error:
                self._trouble = str(getattr(error, "reason", None) or error)
                self._counted["failed"] += 1
            else:
                self._trouble = ""
                self._counted["sent"] += 1


def check_collector(url: str, *, where: str) -> None:
    """Check the URL of a collector.

    Raises:
        ConfigError: it is none; it names `where`.
    """
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good:
        raise ConfigError(
            f"{where}: {url!r} is no URL of a collector",
            remedy='Such as otlp = "http://127.0.0.1:4318"',
        )
