import argparse
import io

import pytest
from tests.cli.conftest import Run

from ei.cli.exits import Exit
from ei.cli.gateway import parse_server, private_line, tell_proxy
from ei.cli.output import Output
from ei.ways.page import PartySeen, PrivateSeen


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("127.0.0.1:8000", (80, "127.0.0.1", 8_000)),
        ("443=web.example:8443", (443, "web.example", 8_443)),
        ("22=[::1]:22", (22, "::1", 22)),
    ],
)
def test_a_server_is_a_place_and_a_port_here(text: str, server: tuple[int, str, int]) -> None:
    assert parse_server(text) == server


@pytest.mark.parametrize("text", ["", "8000", "host", "host:0", "host:65536", "0=host:1", "a b:1"])
def test_a_server_that_is_none_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"such as 127\.0\.0\.1:8000"):
        _ = parse_server(text)


def test_something_must_be_published(ei: Run) -> None:
    said = ei("gateway", "publish", "web")

    assert said.code == Exit.ERROR
    assert "--to" in said.err


def test_without_a_host_it_is_said_how_to_write_one(ei: Run) -> None:
    said = ei("gateway", "publish", "web", "--to", "127.0.0.1:8000")

    assert said.code == Exit.ERROR
    assert "ei host init" in said.err


@pytest.mark.slow
def test_a_host_without_a_way_in_is_told_how_to_run_one(lab: Run) -> None:
    said = lab("gateway", "status", "bob")

    assert said.code == Exit.NEGATIVE
    assert "without a gateway or a proxy" in said.err
    assert "ei proxy" in said.err


def test_a_proxy_is_shown_as_what_it_is() -> None:
    text = io.StringIO()
    output = Output(stdout=text, stderr=text, environ={})
    about = {"host": "bob.isp-b", "endpoint": "127.0.0.1:8118", "open": 3, "asked": 9, "refused": 1}

    told = tell_proxy({"schema": "ei.proxy-status/1", **about}, output)

    assert "bob.isp-b: a proxy at 127.0.0.1:8118, 3 connections open" in text.getvalue()
    assert "asked 9, refused 1" in text.getvalue()
    assert told["open"] == 3


def test_a_private_way_is_shown_by_its_two_operators_or_by_why_there_is_none() -> None:
    first, leaves = PartySeen("sn1.isp-a", "acme"), PartySeen("sn1.isp-b", "isp-b", "50N,14E")

    up = private_line(PrivateSeen(is_up=True, first=first, exit=leaves))
    down = private_line(PrivateSeen(is_up=False, why_not="no exit answers"))

    assert up == (
        "private: sn1.isp-a of acme sees who asks, sn1.isp-b of isp-b near 50N,14E sees where it"
        " goes"
    )
    assert down == "no private way, so nothing goes out: no exit answers"
