"""Who shares what: keys, tenants, and what is not let through."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ei.sdk import Address
from ei.services.caching.http1 import HttpError, Request
from ei.services.caching.targets import (
    Target,
    handed_on,
    key_of,
    lane_of,
    owner_of,
    target_of,
    unknown_fields,
)

TEXTS = st.text("ab/.", max_size=6)
TARGETS = st.builds(Target, TEXTS, st.integers(1, 99), TEXTS)
TENANTS = st.sampled_from([b"\0\0\0\1", b"\0\0\0\2", bytes(16)])


def get(target: str, *fields: tuple[str, str], method: str = "GET", minor: int = 1) -> Request:
    return Request(method, target, minor, fields or (("host", "h"),))


@given(TENANTS, TARGETS, TENANTS, TARGETS)
def test_two_requests_share_a_key_only_if_tenant_and_target_are_the_same(
    tenant: bytes, target: Target, other_tenant: bytes, other: Target
) -> None:
    is_same = (tenant, target) == (other_tenant, other)

    assert (key_of(tenant, target) == key_of(other_tenant, other)) is is_same


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("http://A.example/x?y=1", Target("a.example", 80, "/x?y=1")),
        ("HTTP://a.example:8080", Target("a.example", 8080, "/")),
        ("http://a.example?q", Target("a.example", 80, "/?q")),
        ("http://a.example./x", Target("a.example", 80, "/x")),
        ("http://[2001:DB8::1]:81/x", Target("2001:db8::1", 81, "/x")),
    ],
)
def test_a_proxy_is_told_the_whole_url(target: str, found: Target) -> None:
    assert target_of(get(target), None) == found
    assert target_of(get(found.url), None) == found


@pytest.mark.parametrize(
    "target",
    [
        "/x",
        "*",
        "https://a/x",
        "http://user@a/x",
        "http://a/x#part",
        "http://a:0/",
        "http://a:65536/",
        "http:///x",
        "http://./",
        "http://[....]/",
        "http://a b/",
    ],
)
def test_a_target_that_is_none_for_a_proxy_is_refused(target: str) -> None:
    with pytest.raises(HttpError, match="bad_target"):
        _ = target_of(get(target), None)


def test_a_stream_for_a_site_is_for_that_one_whatever_host_says() -> None:
    request = get("/x", ("host", "evil.example"))

    assert target_of(request, ("a.example", 80)) == Target("a.example", 80, "/x")
    with pytest.raises(HttpError, match="bad_target"):
        _ = target_of(get("http://evil.example/x"), ("a.example", 80))


@pytest.mark.parametrize(
    "fields", [(("host", "a"), ("host", "b")), (("x", "y"),), (("host", "a b"),)]
)
def test_host_is_there_once_and_a_name(fields: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(HttpError, match="bad_host"):
        _ = target_of(get("http://a/", *fields), None)


@pytest.mark.parametrize("method", ["CONNECT", "TRACE"])
def test_some_methods_are_not_handed_on(method: str) -> None:
    with pytest.raises(HttpError, match="bad_method"):
        _ = target_of(get("http://a/", method=method), None)


@pytest.mark.parametrize(
    "name",
    ["x-forwarded-host", "x-forwarded-scheme", "forwarded", "x-original-url", "x-rewrite-url",
     "x-http-method-override", "x-host", "true-client-ip", "x-ei-age-ms"],
)  # fmt: skip
def test_a_client_does_not_say_what_is_the_proxys_to_say(name: str) -> None:
    assert handed_on(((name, "evil"), ("accept", "*/*"), ("host", "a"))) == (("accept", "*/*"),)


def test_fields_by_which_an_origin_may_answer_without_saying_so_are_known() -> None:
    fields = (
        ("accept", ""),
        ("cookie", ""),
        ("sec-fetch-mode", ""),
        ("x-evil", ""),
        ("test-id", ""),
    )

    assert unknown_fields(fields, ["test-id"]) == ["x-evil"]


@given(st.sets(st.binary(min_size=16, max_size=16), min_size=2, max_size=6), st.binary(max_size=8))
def test_when_a_node_goes_only_its_own_targets_move(nodes: set[bytes], key: bytes) -> None:
    before = owner_of(key, map(Address, sorted(nodes)))
    gone = max(nodes)

    after = owner_of(key, map(Address, sorted(nodes - {gone})))

    assert before in {after, gone}


def test_lanes_differ_by_key_and_by_what_selects() -> None:
    lanes = {lane_of(key, said) for key in (b"a", b"b") for said in ([], ["x"], ["y"], ["x", "y"])}

    assert len(lanes) == 8
