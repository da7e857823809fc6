"""A program that speaks HTTP to the proxy: CONNECT, requests for servers, and pages of our own.

Messages are parsed and written anew by h11, so that nothing reaches a server that we read in
another way than it does. One request is one stream; the program's connection is kept for the next.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus

import h11

from ei.daemons.log import Log
from ei.errors import DeadlineError, EiError, PeerError, StreamError
from ei.ways.dialing import Dialler, dial_settled
from ei.ways.ends import End, given_up_on_error, part
from ei.ways.http_heads import Forward, Own, Tunnel, is_for_people, passed_on, wish_of
from ei.ways.page import About, about_page, pac, refusal_page
from ei.ways.pump import pump
from ei.ways.refusals import Refusal, refusal_of
from ei.ways.socks import Reply

MAX_HEAD_BYTES = 64 * 1024
GOODBYE_S = 1.0
GOODBYE_BYTES = 1024 * 1024
"""What a program still sends after its request was refused is taken for so long, so much of it:
else its system throws our answer away."""

Cache = Callable[[str], Awaitable[End | None]]

PAGE_HEADERS = [
    (b"Cache-Control", b"no-store"),
    (b"Content-Security-Policy", b"default-src 'none'; style-src 'unsafe-inline'"),
    (b"Cross-Origin-Resource-Policy", b"same-origin"),
    (b"X-Content-Type-Options", b"nosniff"),
    (b"X-Frame-Options", b"DENY"),
    (b"Referrer-Policy", b"no-referrer"),
]


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """What a program may take.

    Attributes:
        head_s: From the first byte of a head to its last.
        kept_s: Between two requests.
        idle_s: So long a server may say nothing in its answer, and a program take nothing of it.
        tunnel_s: Without a byte either way, of a tunnel.
    """

    head_s: float = 10.0
    kept_s: float = 60.0
    idle_s: float = 300.0
    tunnel_s: float = 3_600.0


class OriginLostError(PeerError):
    """The server, or the way to it, broke in mid-exchange; `refusal` says how."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.sentence)
        self.refusal = refusal


class HttpClient:
    """One connection of a program.

    Args:
        cache: Opens a stream to a cache for the server of a name, or returns `None`.
        about: What the proxy shows of itself.
        count: Told of each request (`asked`), and of those that came to nothing (`refused`).
    """

    def __init__(  # noqa: PLR0913 who is there, who answers, who is told
        self,
        program: End,
        dialler: Dialler,
        *,
        cache: Cache | None,
        about: Callable[[], About],
        own_port: int,
        limits: HttpLimits,
        count: Callable[[str], object],
        log: Log,
    ) -> None:
        self._program = program
        self._dialler = dialler
        self._cache = cache
        self._about = about
        self._own_port = own_port
        self._limits = limits
        self._count = count
        self._log = log
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)
        self._has_no_body = False
        """Answers are heads alone."""

    async def serve(self, first: bytes) -> None:
        """Answer requests until the program leaves.

        Args:
            first: What came already.

        Raises:
            StreamError: the program's connection broke.
        """
        self._http.receive_data(first)
        limit_s = self._limits.head_s
        async with asyncio.TaskGroup() as group:
            while await self._answer(group, limit_s):
                self._http.start_next_cycle()
                limit_s = self._limits.kept_s

    async def _answer(self, group: asyncio.TaskGroup, limit_s: float) -> bool:
        """Answer one request; return whether another may follow."""
        request = await self._request(limit_s)
        if request is None:
            return False
        self._has_no_body = request.method == b"HEAD"
        wish = wish_of(
            request.method, request.target, list(request.headers), own_port=self._own_port
        )
        match wish:
            case Forward():
                return await self._forward(wish, request, group)
            case Tunnel():
                await self._tunnel(wish, request)
            case Own():
                await self._show(wish, request)
            case Refusal():
                await self._refuse(wish, request)
        return False

    async def _request(self, limit_s: float) -> h11.Request | None:
        """Return the next request; `None` when none came that can be read."""
        try:
            async with asyncio.timeout(limit_s):
                request = await self._next()
        except TimeoutError:
            return None
        except h11.RemoteProtocolError as error:
            _ = self._count("asked")
            await self._refuse(_unclear(error))
            return None
        if not isinstance(request, h11.Request):
            return None
        _ = self._count("asked")
        return request

    # -- for others -------------------------------------------------------------------------------

    async def _tunnel(self, wish: Tunnel, request: h11.Request) -> None:
        try:
            far = await dial_settled(self._dialler, wish.host, wish.port)
        except EiError as error:
            await self._refuse(refusal_of(error), request)
            return
        with given_up_on_error(far):
            await self._send(
                h11.Response(status_code=200, headers=[], reason=b"Connection established")
            )
        early, _ = self._http.trailing_data
        _ = await pump(self._program, far, early=early, idle_s=self._limits.tunnel_s)

    async def _forward(self, wish: Forward, request: h11.Request, group: asyncio.TaskGroup) -> bool:
        try:
            far, target = await self._server_of(wish)
        except EiError as error:
            await self._refuse(refusal_of(error), request)
            return False
        origin = _Origin(far, idle_s=self._limits.idle_s)
        try:
            await self._exchange(request, origin, target=target, authority=wish.authority)
        except OriginLostError as lost:
            far.abort()
            if origin.has_answered:
                # Half an answer must not look like a whole one.
                self._log.debug("broken off", host=wish.host, reason=str(lost))
                self._program.abort()
            else:
                await self._refuse(lost.refusal, request)
            return False
        except h11.RemoteProtocolError as error:
            far.abort()
            await self._refuse(_unclear(error), request)
            return False
        except BaseException:
            far.abort()
            raise
        _ = group.create_task(part(far))
        return self._http.our_state is h11.DONE and self._http.their_state is h11.DONE

    async def _server_of(self, wish: Forward) -> tuple[End, bytes]:
        """Return who answers a request, and its target in the form that is expected there."""
        if self._cache is not None and (cache := await self._cache(wish.host)) is not None:
            return cache, b"http://" + wish.authority.encode("latin-1") + wish.target
        return await self._dialler.dial(wish.host, wish.port), wish.target

    async def _exchange(
        self, request: h11.Request, origin: "_Origin", *, target: bytes, authority: str
    ) -> None:
        """Send a request and return its answer.

        Raises:
            OriginLostError: the server's side broke.
            StreamError: the program's side broke.
            h11.RemoteProtocolError: the program's body is none.
        """
        headers = passed_on(request.headers.raw_items(), authority=authority)
        await origin.send(h11.Request(method=request.method, target=target, headers=headers))
        sending = asyncio.ensure_future(self._send_body(origin))  # noqa: TID251 owned here
        returning = asyncio.ensure_future(self._return(origin))  # noqa: TID251 owned here
        both = (sending, returning)
        try:
            _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
            await returning  # an answer may come before all was sent
        finally:
            for task in both:
                _ = task.cancel()
            _ = await asyncio.gather(*both, return_exceptions=True)

    async def _send_body(self, origin: "_Origin") -> None:
        while True:
            event = await self._next()
            if not isinstance(event, h11.Data | h11.EndOfMessage):
                raise StreamError("the program left in mid-request", kind="lost")
            try:
                await origin.send(event)
            except OriginLostError:
                return  # what it said before, if anything, is still read
            if isinstance(event, h11.EndOfMessage):
                return

    async def _return(self, origin: "_Origin") -> None:
        while True:
            event = await origin.next()
            match event:
                case h11.InformationalResponse() if self._http.their_http_version == b"1.0":
                    continue  # which knows none
                case h11.InformationalResponse() | h11.Response():
                    kept = passed_on(event.headers.raw_items())
                    origin.has_answered |= isinstance(event, h11.Response)
                    await self._send(
                        type(event)(
                            status_code=event.status_code, headers=kept, reason=event.reason
                        )
                    )
                case h11.Data():
                    await self._send(h11.Data(data=event.data))
                case h11.EndOfMessage():
                    # Trailers only where there is room for them.
                    has_room = self._http.their_http_version != b"1.0"
                    trailers = list(event.headers.raw_items()) if has_room else []
                    await self._send(h11.EndOfMessage(headers=trailers))
                    return
                case _:
                    raise AssertionError(f"no part of an answer: {event}")

    # -- for itself -------------------------------------------------------------------------------

    async def _show(self, wish: Own, request: h11.Request) -> None:
        if request.method not in {b"GET", b"HEAD"}:
            text = "the proxy's own pages are for GET and HEAD"
            await self._refuse(Refusal(HTTPStatus.METHOD_NOT_ALLOWED, Reply.FAILURE, text), request)
        elif wish.path == "/":
            page = about_page(self._about(), is_proxied=wish.is_proxied)
            await self._page(HTTPStatus.OK, page, b"text/html; charset=utf-8")
        elif wish.path == "/ei.pac":
            await self._page(
                HTTPStatus.OK, pac(self._about()), b"application/x-ns-proxy-autoconfig"
            )
        else:
            text = "the proxy's own pages are / and /ei.pac"
            await self._refuse(Refusal(HTTPStatus.NOT_FOUND, Reply.FAILURE, text), request)

    async def _refuse(self, refusal: Refusal, request: h11.Request | None = None) -> None:
        _ = self._count("refused")
        wanted = "" if request is None else request.target.decode("latin-1")
        self._log.debug("refused", wanted=wanted, reason=refusal.sentence)
        if request is not None and is_for_people(list(request.headers)):
            text, kind = refusal_page(refusal, wanted), b"text/html; charset=utf-8"
        else:
            remedy = f" {refusal.remedy}" if refusal.remedy else ""
            text, kind = f"ei proxy: {refusal.sentence}.{remedy}\n", b"text/plain; charset=utf-8"
        await self._page(refusal.status, text, kind)

    async def _page(self, status: HTTPStatus, text: str, kind: bytes) -> None:
        """Answer, and hang up."""
        body = text.encode()
        if self._http.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
            self._program.abort()
            return
        headers = [
            (b"Content-Type", kind),
            (b"Content-Length", b"%d" % len(body)),
            *PAGE_HEADERS,
            (b"Connection", b"close"),
        ]
        reason = status.phrase.encode()
        await self._send(h11.Response(status_code=status, headers=headers, reason=reason))
        if not self._has_no_body:
            await self._send(h11.Data(data=body))
        await self._send(h11.EndOfMessage())
        await self._leave()

    async def _leave(self) -> None:
        """Say goodbye so that the program gets the answer, whatever it still sends."""
        await self._program.finish()
        taken = 0
        try:
            async with asyncio.timeout(GOODBYE_S):
                while taken < GOODBYE_BYTES and (piece := await self._program.read()):
                    taken += len(piece)
        except TimeoutError:
            return

    # -- bytes ------------------------------------------------------------------------------------

    async def _next(self) -> h11.Event:
        """Return what the program says next."""
        while not isinstance(event := self._http.next_event(), h11.Event):
            self._http.receive_data(await self._program.read(MAX_HEAD_BYTES))
        return event

    async def _send(self, event: h11.Event) -> None:
        data = self._http.send(event)
        try:
            async with asyncio.timeout(self._limits.idle_s):
                if data:
                    await self._program.write(data)
        except TimeoutError as error:
            self._program.abort()
            raise StreamError("the program takes nothing", kind="deadline") from error


class _Origin:
    """The server's side of one exchange."""

    def __init__(self, end: End, *, idle_s: float) -> None:
        self._end = end
        self._idle_s = idle_s
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
        self._has_ended = False
        self.has_answered = False

    async def send(self, event: h11.Event) -> None:
        data = self._http.send(event)
        try:
            async with asyncio.timeout(self._idle_s):
                if data:
                    await self._end.write(data)
        except (EiError, TimeoutError) as error:
            raise self._lost(error) from error

    async def next(self) -> h11.Event:
        try:
            async with asyncio.timeout(self._idle_s):
                while not isinstance(event := self._http.next_event(), h11.Event):
                    piece = await self._end.read()
                    self._has_ended = not piece
                    self._http.receive_data(piece)
        except (EiError, TimeoutError, h11.RemoteProtocolError) as error:
            raise self._lost(error) from error
        return event

    def _lost(self, error: Exception) -> OriginLostError:
        match error:
            case h11.RemoteProtocolError():
                text = f"what the server sends is no answer of HTTP: {error}"
                if self._has_ended:
                    text = "the server ended the connection before its answer was complete"
                return OriginLostError(refusal_of(StreamError(text, kind="lost")))
            case EiError():
                return OriginLostError(refusal_of(error))
            case _:
                text = f"for {self._idle_s:g} s the server said nothing"
                return OriginLostError(refusal_of(DeadlineError(text)))


def _unclear(error: h11.RemoteProtocolError) -> Refusal:
    status = HTTPStatus(error.error_status_hint)
    return Refusal(status, Reply.FAILURE, f"no request that can be read in one way: {error}")
