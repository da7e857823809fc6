"""Foreign programs through the proxy, to servers behind a gateway and to the legacy Internet."""

import hashlib
import socket
import subprocess
from pathlib import Path

import pytest
from tests.ways.places import ASKED, EI, Place, digest_of_big

pytestmark = pytest.mark.slow

FILES = "http://files.campus.ei"
PARTIAL, BAD_GATEWAY, RECEIVE_FAILED = 18, 22, 56


def test_what_curl_gets_is_what_the_server_sent(place: Place) -> None:
    for url in (f"{FILES}/hello", "http://files.campus/hello"):
        assert place.curl(url).stdout == b"hello\n"
    assert place.curl(f"{FILES}/hello", scheme="socks5h").stdout == b"hello\n"
    assert place.curl("-p", f"{FILES}/hello").stdout == b"hello\n"
    assert place.curl(f"{FILES}/chunked").stdout == b"one two three"


@pytest.mark.timeout(150)
def test_a_hundred_megabytes_arrive_as_they_were(place: Place, tmp_path: Path) -> None:
    whole = tmp_path / "big"

    assert place.curl("-o", str(whole), f"{FILES}/big").returncode == 0

    with whole.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == digest_of_big()


def test_what_is_posted_comes_back(place: Place, tmp_path: Path) -> None:
    body = tmp_path / "body"
    _ = body.write_bytes(bytes(range(256)) * 20_000)

    said = place.curl("--data-binary", f"@{body}", f"{FILES}/echo")

    assert said.stdout == body.read_bytes()


def test_the_connection_to_the_proxy_is_kept(place: Place) -> None:
    urls = [f"{FILES}/hello"] * 3

    said = place.curl("-w", "%{num_connects}\n", *urls)

    assert said.stdout == b"hello\n1\nhello\n0\nhello\n0\n"


def test_a_program_that_ends_its_own_direction_still_gets_the_answer(place: Place) -> None:
    with place.proxied() as program:
        program.sendall(b"CONNECT files.campus.ei:22 HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = program.makefile("rb")
        assert answer.readline() == b"HTTP/1.1 200 Connection established\r\n"
        assert answer.readline() == b"\r\n"
        assert answer.readline() == b"ready\n"
        program.sendall(bytes(3_000_000))
        program.shutdown(socket.SHUT_WR)

        assert answer.read() == b"3000000\n"


def test_a_server_that_dies_in_mid_body_is_no_success(place: Place) -> None:
    for words in ((), ("-p",)):
        said = place.curl(*words, "-f", "-o", "/dev/null", f"{FILES}/die")

        # A reset overtakes what came before it, sometimes all of it.
        assert said.returncode in {PARTIAL, BAD_GATEWAY, RECEIVE_FAILED}, said.stderr


def test_a_server_that_refuses_is_a_bad_gateway_with_the_reason(place: Place) -> None:
    said = place.curl("-w", "%{http_code}", f"{FILES}:81/")

    assert b"the server behind its gateway refuses connections" in said.stdout
    assert said.stdout.endswith(b"502")
    tunnel = place.curl("-p", "-w", "%{http_connect}", f"{FILES}:81/")
    assert tunnel.stdout.endswith(b"502")
    assert b"(5)" in place.curl(f"{FILES}:81/", scheme="socks5h").stderr


def test_a_port_where_nobody_listens_and_a_name_that_nobody_has_are_said(place: Place) -> None:
    nobody = place.curl("http://nobody.campus.ei/").stdout

    assert b"nobody listens there" in place.curl(f"{FILES}:99/").stdout
    assert b"no record of nobody.campus: its domain says that there is none" in nobody


def test_the_rest_goes_on_from_the_node_as_far_as_it_is_allowed(place: Place) -> None:
    for scheme in ("http", "socks5h"):
        url = f"http://127.0.0.1:{place.web_port}/hello"
        assert place.curl(url, scheme=scheme).stdout == b"hello\n"

    refused = place.curl("-w", "%{http_code}", f"http://127.0.0.1:{place.dead_port}/")
    assert refused.stdout.endswith(b"502")
    denied = place.curl("-p", "-w", "%{http_connect}", "http://192.0.2.1/")
    assert denied.stdout.endswith(b"502")
    assert b"(2)" in place.curl("http://192.0.2.1/", scheme="socks5h").stderr


def test_what_the_cache_of_the_node_knows_is_fetched_once(place: Place) -> None:
    before = ASKED["/kept"]
    url = f"http://127.0.0.1:{place.web_port}/kept"

    answers = [place.curl(url).stdout for _ in range(3)]

    assert answers == [b"kept\n"] * 3
    assert ASKED["/kept"] == before + 1
    assert b"allow" in place.curl("http://192.0.2.1/").stdout


def test_a_gateway_tells_what_it_did(place: Place) -> None:
    assert place.curl(f"{FILES}/hello").returncode == 0
    socket_path = str(place.folder / "files.campus" / "admin.sock")

    said = subprocess.run(
        [*EI, "gateway", "status", "--socket", socket_path], capture_output=True, check=True
    ).stdout

    assert b"files.campus: " in said
    assert b"web: port 80 \xe2\x86\x92 127.0.0.1:" in said
    assert b"ended " in said


def test_a_second_daemon_of_the_same_host_is_refused(place: Place) -> None:
    config = str(place.host_file("alice.isp-a"))

    said = subprocess.run([*EI, "proxy", "--config", config], capture_output=True, check=False)

    assert said.returncode == 6
    assert b"in use" in said.stderr or b"a daemon is running" in said.stderr


def test_privately_servers_are_reached_and_hosts_and_the_cache_are_not(
    private_place: Place,
) -> None:
    before = ASKED["/kept"]
    url = f"http://127.0.0.1:{private_place.web_port}/kept"

    for _ in range(2):
        assert private_place.curl(url).stdout == b"kept\n"
    assert private_place.curl(url, scheme="socks5h").stdout == b"kept\n"
    refused = private_place.curl("http://bob.isp-b.ei/")

    assert ASKED["/kept"] == before + 3
    assert b"bob.isp-b.ei is a host of the Extensible Internet, which would see" in refused.stdout
