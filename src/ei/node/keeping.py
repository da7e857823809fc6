"""Keeps what a node believes fresh, and says in time what ends.

Every few seconds: one node of a domain, which has its key, signs the list of revoked keys again;
the others read the record file again when a list grows old and the file has changed.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ei.daemons.log import Log
from ei.errors import EiError
from ei.node.node import Node
from ei.node.policy import RefusalWarnings
from ei.node.prepare import PreparedNode
from ei.node.sites import Sites
from ei.records.enrolling import Roll
from ei.records.expiry import DAY_S, ExpiryWarnings
from ei.records.issuer import Issuer
from ei.records.record_set import with_revocations
from ei.records.revocation import RESIGN_S, stale_domains

LOOK_S = 10.0


@dataclass(slots=True)
class _Seen:
    file_ns: int
    stale: frozenset[str]


class Keeper:
    """Looks after one running node.

    Args:
        prepared: What the node was made from.
        reload: Reads everything again; on an error the old records stay.
    """

    def __init__(
        self,
        prepared: PreparedNode,
        node: Node,
        sites: Sites,
        *,
        log: Log,
        reload: Callable[[], object],
    ) -> None:
        self._prepared = prepared
        self._node = node
        self._log = log
        self._reload = reload
        self._sites = sites
        self._warnings = ExpiryWarnings()
        self._refusals = RefusalWarnings()
        self._trouble = ""
        self._seen = _Seen(self._file_ns(), frozenset())

    def look(self, *, unix_s: float) -> None:
        """Do what is due."""
        try:
            self._sign(unix_s)
            self._read_news(unix_s)
        except (OSError, EiError) as error:
            if str(error) != self._trouble:  # it would be the same every few seconds
                self._log.error("records not kept fresh", reason=str(error))
            self._trouble = str(error)
        else:
            self._trouble = ""
        self._node.check_ages(unix_s=unix_s)
        self._tell(unix_s)

    def _sign(self, unix_s: float) -> None:
        keys = self._prepared.domain_keys
        if keys is None:
            return
        config, records = self._node.config, self._node.records
        domain = config.name.partition(".")[2]
        last = records.revocations.get(domain)
        # A clock that was set back would else be silent until it has caught up.
        if last is not None and abs(unix_s - last.body.signed_unix_s) < RESIGN_S:
            return
        issuer = Issuer(domain, config.domain_number, keys, expires_unix_s=int(unix_s))
        path = self._prepared.folder / config.records_file
        signed = Roll(issuer, path, unix_s).refresh(last)
        self._seen.file_ns = self._file_ns()
        if last is not None and signed.body.keys == last.body.keys:
            self._node.update(with_revocations(records, signed))
        else:
            _ = self._reload()

    def _read_news(self, unix_s: float) -> None:
        limit_s = self._node.config.revocation_limit_s / 3
        file_ns = self._file_ns()
        if file_ns != self._seen.file_ns and stale_domains(
            self._node.records.revocations, unix_s=unix_s, limit_s=limit_s
        ):
            self._seen.file_ns = file_ns
            _ = self._reload()

    def _tell(self, unix_s: float) -> None:
        status = self._sites.add_to(self._node.status(), unix_s=unix_s)
        stale = frozenset(status.stale_revocations)
        for domain in stale - self._seen.stale:
            self._log.warn(
                "revocations stale: no new pipes",
                domain=domain,
                age_s=round(status.stale_revocations[domain]),
                remedy="ei domain refresh",
            )
        for domain in self._seen.stale - stale:
            self._log.info("revocations fresh again", domain=domain)
        self._seen.stale = stale
        for each in self._warnings.due(status.expiring, unix_s=unix_s):
            days = max(0.0, (each.expires_unix_s - unix_s) / DAY_S)
            self._log.warn("expires soon", what=each.what, days=round(days, 1), renew=each.renew)

        for peer in self._refusals.due(status.peers, unix_s=unix_s):
            self._log.warn(
                "packets refused by policy", peer=peer.name, packets=peer.refused, allow=peer.allow
            )

    def _file_ns(self) -> int:
        path = self._prepared.folder / self._prepared.config.records_file
        return path.stat().st_mtime_ns if path.exists() else 0
