"""The client of etcd, against an HTTP server that answers as it is told. Real etcd: tests/peers."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import cast

import pytest

from ei.errors import ConfigError, LocalError, UnreachableError
from ei.node.cluster_config import ClusterConfig
from ei.node.etcd import Etcd, Item, etcd_of


class Server(HTTPServer):
    """Answers each request with the next answer, and remembers what was asked."""

    answers: list[tuple[int, bytes]]
    asked: list[tuple[str, dict[str, object]]]

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """Takes what is asked."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        server = cast("Server", self.server)
        length = int(self.headers["Content-Length"])
        server.asked.append((self.path, json.loads(self.rfile.read(length))))
        status, content = server.answers.pop(0)
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        _ = self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 as its base has it
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server(("127.0.0.1", 0), Handler)
    made.answers, made.asked = [], []
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def told(server: Server, answer: object, status: int = 200) -> None:
    server.answers.append((status, json.dumps(answer).encode()))


def test_what_is_kept_is_read(server: Server) -> None:
    told(server, {"kvs": [{"key": "L2VpL2E=", "value": "MQ==", "mod_revision": "7"}]})
    etcd = Etcd([server.endpoint])

    assert etcd.read("/ei/") == [Item("/ei/a", b"1", 7)]

    assert server.asked == [("/v3/kv/range", {"key": "L2VpLw==", "range_end": "L2VpMA=="})]
    etcd.close()


def test_a_change_names_the_revision_before_it(server: Server) -> None:
    told(server, {"succeeded": True})
    told(server, {})
    etcd = Etcd([server.endpoint])

    assert etcd.change("k", b"v", revision=3)
    assert not etcd.change("k", b"v", revision=0)

    compare = [{"key": "aw==", "target": "MOD", "mod_revision": "3"}]
    write = [{"request_put": {"key": "aw==", "value": "dg=="}}]
    assert server.asked[0] == ("/v3/kv/txn", {"compare": compare, "success": write})
    etcd.close()


def test_leases_are_granted_kept_and_revoked(server: Server) -> None:
    for answer in ({"ID": "5"}, {}, {"result": {"TTL": "2"}}, {"result": {}}, {}):
        told(server, answer)
    etcd = Etcd([server.endpoint])

    assert etcd.grant(2) == 5
    etcd.put("k", b"v", lease=5)
    assert etcd.keep_alive(5)
    assert not etcd.keep_alive(5)
    etcd.revoke(5)

    assert [path for path, _ in server.asked] == [
        "/v3/lease/grant",
        "/v3/kv/put",
        "/v3/lease/keepalive",
        "/v3/lease/keepalive",
        "/v3/lease/revoke",
    ]
    etcd.close()


def test_when_one_endpoint_is_gone_the_next_is_asked(server: Server) -> None:
    told(server, {"header": {"member_id": "1"}, "leader": "1"})
    etcd = Etcd(["127.0.0.1:1", server.endpoint])

    assert etcd.is_leader()

    etcd.close()


def test_one_that_cannot_now_is_not_asked_for_ever(server: Server) -> None:
    for _ in range(2):
        told(server, {"error": "etcdserver: no leader"}, status=503)
    etcd = Etcd([server.endpoint])

    with pytest.raises(UnreachableError, match=r"status 503: .*no leader"):
        etcd.read("/ei/")

    etcd.close()


def test_a_request_that_is_wrong_is_our_fault(server: Server) -> None:
    told(server, {"error": "duplicate key"}, status=400)
    etcd = Etcd([server.endpoint])

    with pytest.raises(LocalError, match=r"etcd refuses kv/put: .*duplicate key"):
        etcd.put("k", b"v")

    etcd.close()


def test_certificates_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    config = ClusterConfig(name="c", etcd=("127.0.0.1:1",), ca_file="ca.pem")

    with pytest.raises(ConfigError, match=r"cluster: ca\.pem"):
        etcd_of(config, tmp_path)
    assert repr(etcd_of(ClusterConfig(name="c", etcd=("127.0.0.1:1",)), Path())) == (
        "<Etcd 127.0.0.1:1>"
    )
