"""What a host daemon answers on its admin socket (`ei.daemons.messages` says how).

    status                                                   ei.host-status/1
    ping            to, count, interval_s, deadline_s,       ei.ping/1
                    is_traced, length_bytes
    ask             service, count, interval_s, metadata,    ei.ping/1      such as echo, 17
                    deadline_s, is_traced, length_bytes
    invoke          service, payload, metadata, deadline_s   ei.invoked/1   one packet
    find            to, deadline_s                           ei.found/1     who is that?
    explain         service, connection, deadline_s          ei.explained/1   of a traced packet
    send_file       to, path, port, deadline_s               ei.file/1      after ei.progress/1
    receive_file    path, port, deadline_s                   ei.file/1      after ei.progress/1
    control         service, message, every_s, node          ei.done/1      such as joining a group
    collect         name, service, metadata, port            ei.done/1      numbered traffic
    collected       name, is_last                            ei.collected/1
    send_packets    service, metadata, count, rate_pps,      ei.sent/1      numbered packets
                    length_bytes, first
    send_datagrams  to, port, count, rate_pps,               ei.sent/1      numbered datagrams
                    length_bytes, first
    send_receipts   to, port, count, deadline_s              ei.receipts/1
    log_level       level                                    ei.done/1
    reload                                                   ei.done/1      reads the records again
    stop                                                     ei.done/1

What runs beside the host has verbs of its own: `proxy` (ei.proxy-status/1) of `ei proxy`, `gateway`
(ei.gateway-status/1) of `ei gateway`, `publish` and `subscribe` (see `ei.ways.publishing`) and
`offer_dictionary` (ei.done/1) of `ei host run`.

`to` and `node` are names or addresses. `message` and `payload` are hexadecimal; so is `metadata`,
or it is the name of a host or group, for its address. A control message with `every_s` is repeated
until the same one comes with `every_s` 0.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Literal

import msgspec

from ei.daemons.log import Level, Log
from ei.daemons.messages import Answer, Request
from ei.daemons.verbs import NoArguments, arguments_of, to_answer
from ei.errors import LocalError
from ei.host.client import Host
from ei.host.verbs_explain import ExplainVerbs
from ei.host.verbs_files import FileVerbs
from ei.host.verbs_find import FindVerbs
from ei.host.verbs_invoke import InvokeVerbs
from ei.host.verbs_ping import PingVerbs
from ei.host.verbs_traffic import DONE, TrafficVerbs

Verb = Callable[[Request], AsyncIterator[Answer]]


class LogLevel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Arguments of `log_level`."""

    level: Literal["debug", "info", "warn", "error"]


class HostAdmin:
    """Answers requests to a host daemon.

    Args:
        host: Open.
        reload: Reads the records again.
        stop: Ends the daemon.
    """

    def __init__(  # noqa: PLR0913 one for each kind of verb
        self,
        host: Host,
        *,
        ping: PingVerbs,
        find: FindVerbs,
        files: FileVerbs,
        traffic: TrafficVerbs,
        reload: Callable[[], None],
        stop: Callable[[], None],
        log: Log,
    ) -> None:
        self._host = host
        self._reload = reload
        self._stop = stop
        self._log = log
        self._verbs: dict[str, Verb] = {
            "status": self._status,
            "ping": ping.ping,
            "ask": ping.ask,
            "invoke": InvokeVerbs(host).invoke,
            "find": find.find,
            "explain": ExplainVerbs(host).explain,
            "send_file": files.send,
            "receive_file": files.receive,
            "control": traffic.control,
            "collect": traffic.collect,
            "collected": traffic.collected,
            "send_packets": traffic.send_packets,
            "send_datagrams": traffic.send_datagrams,
            "send_receipts": traffic.send_receipts,
            "log_level": self._log_level,
            "reload": self._read_again,
            "stop": self._end,
        }

    def add(self, verbs: Mapping[str, Verb]) -> None:
        """Answer further verbs, of what runs beside the host."""
        self._verbs.update(verbs)

    def answer(self, request: Request) -> AsyncIterator[Answer]:
        """Answer one request.

        Raises:
            LocalError: no such verb, or wrong arguments; else as the verb.
        """
        verb = self._verbs.get(request.verb)
        if verb is None:
            raise LocalError(f"no verb {request.verb!r}; allowed: {', '.join(self._verbs)}")
        return verb(request)

    async def _status(self, request: Request) -> AsyncIterator[Answer]:
        _ = arguments_of(request, NoArguments)
        yield to_answer(self._host.status(), schema="ei.host-status/1")

    async def _log_level(self, request: Request) -> AsyncIterator[Answer]:
        wanted = arguments_of(request, LogLevel)
        self._log.level = Level[wanted.level.upper()]
        yield DONE

    async def _read_again(self, request: Request) -> AsyncIterator[Answer]:
        _ = arguments_of(request, NoArguments)
        self._reload()
        yield DONE

    async def _end(self, request: Request) -> AsyncIterator[Answer]:
        _ = arguments_of(request, NoArguments)
        self._stop()
        yield DONE
