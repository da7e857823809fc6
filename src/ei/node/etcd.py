"""A client of etcd: its JSON gateway over HTTP, which versions 3.4 to 3.6 serve at the same paths.

Blocks; for a thread. Short time-outs, then the next endpoint: a member that waits for a dead one
waits for nothing (measured: writes back in 0.4 s with 200 ms, in 5 s with 5 s).
"""

import base64
import http.client
import json
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, cast

from ei.errors import ConfigError, LocalError, UnreachableError
from ei.node.cluster_config import ClusterConfig

TIMEOUT_S = 0.2
MAX_ANSWER_BYTES = 4 * 1024 * 1024


class Item(NamedTuple):
    """A key with its value; `revision` is that of its last change."""

    key: str
    value: bytes
    revision: int


class Etcd:
    """Talks to whichever endpoint answers.

    Args:
        endpoints: Such as "127.0.0.1:2379"; one at least.
        timeout_s: For one endpoint, and one answer.
        tls: For https, with the certificates that etcd asks for.
    """

    def __init__(
        self,
        endpoints: Sequence[str],
        *,
        timeout_s: float = TIMEOUT_S,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._endpoints = list(endpoints)
        self._timeout_s = timeout_s
        self._tls = tls
        self._connection: http.client.HTTPConnection | None = None

    def __repr__(self) -> str:
        return f"<Etcd {', '.join(self._endpoints)}>"

    def read(self, prefix: str) -> list[Item]:
        """Return all keys with a prefix, as the majority has them now.

        Raises:
            UnreachableError: no endpoint answers: etcd has no quorum, or is not there.
        """
        answer = self._post(
            "kv/range", {"key": _encoded(prefix.encode()), "range_end": _encoded(_end_of(prefix))}
        )
        found = cast("list[dict[str, str]]", answer.get("kvs", []))
        return [
            Item(
                base64.b64decode(each["key"]).decode(),
                base64.b64decode(each.get("value", "")),
                int(each["mod_revision"]),
            )
            for each in found
        ]

    def change(self, key: str, value: bytes, *, revision: int) -> bool:
        """Write a key if it has not changed since `revision`, 0 for not being there; say whether.

        Raises:
            UnreachableError: no endpoint answers; it may be done all the same, now or soon.
        """
        encoded = _encoded(key.encode())
        condition = {"key": encoded, "target": "MOD", "mod_revision": str(revision)}
        write = {"request_put": {"key": encoded, "value": _encoded(value)}}
        answer = self._post("kv/txn", {"compare": [condition], "success": [write]})
        return bool(answer.get("succeeded"))

    def put(self, key: str, value: bytes, *, lease: int = 0) -> None:
        """Write a key, which goes with a lease if one is given."""
        body = {"key": _encoded(key.encode()), "value": _encoded(value), "lease": str(lease)}
        _ = self._post("kv/put", body)

    def grant(self, ttl_s: int) -> int:
        """Return a new lease, which ends `ttl_s` seconds after it was last kept alive."""
        answer = self._post("lease/grant", {"TTL": str(ttl_s)})
        return int(cast("str", answer["ID"]))

    def keep_alive(self, lease: int) -> bool:
        """Keep a lease alive; return whether it still was."""
        answer = self._post("lease/keepalive", {"ID": str(lease)})
        result = cast("dict[str, str]", answer.get("result", {}))
        return int(result.get("TTL", "0")) > 0

    def revoke(self, lease: int) -> None:
        """End a lease, with the keys that go with it."""
        _ = self._post("lease/revoke", {"ID": str(lease)})

    def is_leader(self) -> bool:
        """Whether who answers leads etcd."""
        answer = self._post("maintenance/status", {})
        header = cast("dict[str, str]", answer["header"])
        return answer.get("leader") == header["member_id"]

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    # -- the parts ------------------------------------------------------------------------------

    def _post(self, method: str, body: Mapping[str, object]) -> dict[str, object]:
        encoded = json.dumps(body).encode()
        why = ""
        # A connection that was kept may just have been closed: each endpoint has a second chance.
        for _ in range(len(self._endpoints) + 1):
            try:
                return self._try(method, encoded)
            except (OSError, http.client.HTTPException, ValueError, _RefusedError) as error:
                why = f"{self._endpoints[0]}: {str(error) or type(error).__name__}"
                self.close()
                self._endpoints.append(self._endpoints.pop(0))
        raise UnreachableError(
            f"etcd does not answer: {why}", remedy="See whether most of its members run."
        )

    def _try(self, method: str, body: bytes) -> dict[str, object]:
        if self._connection is None:
            self._connection = self._connect(self._endpoints[0])
        headers = {"Content-Type": "application/json"}
        self._connection.request("POST", f"/v3/{method}", body=body, headers=headers)
        response = self._connection.getresponse()
        content = response.read(MAX_ANSWER_BYTES)
        if response.status != http.client.OK:
            said = content[:200].decode(errors="replace").strip()
            if response.status == http.client.BAD_REQUEST:
                raise LocalError(f"etcd refuses {method}: {said}")
            raise _RefusedError(f"status {response.status}: {said}")
        # The answer of a stream has one line for each message; what is asked here has one.
        answer: dict[str, object] = json.loads(content.splitlines()[0])
        return answer

    def _connect(self, endpoint: str) -> http.client.HTTPConnection:
        host, _, port = endpoint.rpartition(":")
        host = host.strip("[]")
        if self._tls is not None:
            return http.client.HTTPSConnection(
                host, int(port), timeout=self._timeout_s, context=self._tls
            )
        return http.client.HTTPConnection(host, int(port), timeout=self._timeout_s)


def etcd_of(config: ClusterConfig, folder: Path) -> Etcd:
    """Return a client of the cluster's etcd; it connects when it is asked.

    Args:
        folder: At which relative paths start.

    Raises:
        ConfigError: a certificate cannot be read.
    """
    if not config.ca_file:
        return Etcd(config.etcd)
    try:
        tls = ssl.create_default_context(cafile=str(folder / config.ca_file))
        if config.cert_file:
            tls.load_cert_chain(folder / config.cert_file, folder / config.key_file)
    except OSError as error:
        raise ConfigError(f"cluster: {config.ca_file or config.cert_file}: {error}") from error
    return Etcd(config.etcd, tls=tls)


class _RefusedError(Exception):
    """An endpoint answers, and cannot do it now."""


def _encoded(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _end_of(prefix: str) -> bytes:
    """Return the first key after all that begin with a prefix."""
    encoded = prefix.encode()
    return encoded[:-1] + bytes([encoded[-1] + 1])
