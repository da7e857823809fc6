"""What RFC 9111 lets a shared cache keep, and use, and what it does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ei.services.caching.fields import write_date
from ei.services.caching.http1 import Fields, Request, Response, value_of
from ei.services.caching.rules import (
    Stored,
    Use,
    age_of,
    does_invalidate,
    is_confirmed_by,
    is_selected_by,
    may_store,
    may_use_on_error,
    selecting_of,
    store,
    updated,
    use_of,
    validating,
)

NOW_S = 1_800_000_000.0
DATE = ("date", write_date(NOW_S))


def asked(*fields: tuple[str, str], method: str = "GET") -> Request:
    return Request(method, "/", 1, fields)


def said(*fields: tuple[str, str], status: int = 200) -> Response:
    return Response(status, "", 1, fields)


def kept(*fields: tuple[str, str], request: Request | None = None, status: int = 200) -> Stored:
    response = said(*fields, status=status)
    return store(request or asked(), response, requested_s=NOW_S, now_s=NOW_S)


def cc(text: str) -> tuple[str, str]:
    return ("cache-control", text)


# -- keeping --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        (cc("max-age=60"),),
        (cc("s-maxage=60"),),
        (cc("public"),),
        (("expires", write_date(NOW_S)),),
        (("etag", '"a"'),),
        (("last-modified", write_date(0)),),
        (cc("no-cache"), ("etag", '"a"')),
        (cc('private="set-cookie", max-age=60'),),
        (cc("no-store, must-understand, max-age=60"),),
        (cc("public, max-age=60"), ("set-cookie", "a=b")),
        (cc("no-store"), ("surrogate-control", "max-age=60")),
    ],
)
def test_what_may_be_kept_is(fields: Fields) -> None:
    assert may_store(asked(), said(*fields))


@pytest.mark.parametrize(
    "fields",
    [
        (),
        (cc("no-store, max-age=60"),),
        (cc("private, max-age=60"),),
        (cc("max-age=60"), ("vary", "*")),
        (cc("max-age=60"), ("vary", "accept, *")),
        (cc("max-age=60"), ("set-cookie", "session=1")),
        (cc("max-age=60"), ("cdn-cache-control", "no-store")),
    ],
)
def test_what_may_not_be_kept_is_not(fields: Fields) -> None:
    assert not may_store(asked(), said(*fields))


@pytest.mark.parametrize(
    ("request_", "response"),
    [
        (asked(method="POST"), said(cc("max-age=60"))),
        (asked(method="HEAD"), said(cc("max-age=60"))),
        (asked(cc("no-store")), said(cc("max-age=60"))),
        (asked(("authorization", "x")), said(cc("max-age=60"))),
        (asked(), said(cc("max-age=60"), status=206)),
        (asked(), said(cc("max-age=60"), status=304)),
        (asked(), said(cc("max-age=60"), status=103)),
        (asked(), said(("etag", '"a"'), status=500)),
        (asked(), said(cc("max-age=60, must-understand"), status=599)),
    ],
)
def test_some_requests_and_statuses_are_not_for_others(
    request_: Request, response: Response
) -> None:
    assert not may_store(request_, response)


@pytest.mark.parametrize("text", ["public", "s-maxage=60", "must-revalidate, max-age=60"])
def test_what_an_authorized_client_gets_is_kept_only_if_the_origin_says_so(text: str) -> None:
    assert may_store(asked(("authorization", "x")), said(cc(text)))


def test_what_is_for_this_hop_or_one_client_is_not_kept() -> None:
    stored = kept(
        cc('max-age=60, no-cache="x-a", private="x-b"'),
        ("x-a", "1"),
        ("x-b", "1"),
        ("connection", "x-c"),
        ("x-c", "1"),
        ("age", "3"),
        ("x-d", "1"),
    )

    assert [name for name, _ in stored.response.fields] == ["cache-control", "x-d", "date"]


# -- age and freshness ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "lifetime_s"),
    [
        ((cc("max-age=60"),), 60),
        ((cc("max-age=60, s-maxage=30"),), 30),
        ((cc("max-age=60"), ("expires", write_date(NOW_S + 99))), 60),
        ((DATE, ("expires", write_date(NOW_S + 99))), 99),
        ((DATE, ("expires", "0")), 0),
        ((DATE, ("expires", write_date(NOW_S - 99))), 0),
        ((DATE, ("last-modified", write_date(NOW_S - 1_000))), 100),
        ((DATE, ("last-modified", write_date(0))), 86_400),
        ((DATE, ("last-modified", write_date(NOW_S + 99))), 0),
        ((DATE,), 0),
        ((cc("max-age=60"), ("cdn-cache-control", "max-age=5")), 5),
        ((cc("max-age=60"), ("surrogate-control", "max-age=5;other")), 60),
        ((cc("max-age=60"), ("surrogate-control", "max-age=5;ei")), 5),
    ],
)
def test_a_response_is_fresh_for_as_long_as_it_says(fields: Fields, lifetime_s: float) -> None:
    assert kept(*fields).terms.lifetime_s == lifetime_s


def test_a_response_is_as_old_as_it_says_and_as_its_way_took() -> None:
    response = said(cc("max-age=60"), ("age", "10"), DATE)

    stored = store(asked(), response, requested_s=NOW_S, now_s=NOW_S + 2)

    assert age_of(stored, NOW_S + 5) == 15
    assert stored.fetched_s == NOW_S - 12


def test_a_date_long_ago_is_an_age() -> None:
    stored = kept(cc("max-age=60"), ("date", write_date(NOW_S - 40)))

    assert age_of(stored, NOW_S) == 40


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_nothing_grows_younger(first_s: float, later_s: float) -> None:
    stored = kept(cc("max-age=60"), DATE)

    assert age_of(stored, NOW_S + first_s) <= age_of(stored, NOW_S + first_s + later_s)


@pytest.mark.parametrize(
    ("response", "request_", "after_s", "use"),
    [
        ("max-age=60", "", 59, "fresh"),
        ("max-age=60", "", 60, "validate"),
        ("max-age=60, no-cache", "", 0, "validate"),
        ("max-age=60", "no-cache", 0, "validate"),
        ("max-age=60", "max-age=0", 1, "validate"),
        ("max-age=60", "max-age=30", 20, "fresh"),
        ("max-age=60", "max-age=30", 31, "validate"),
        ("max-age=60", "min-fresh=30", 20, "fresh"),
        ("max-age=60", "min-fresh=30", 40, "validate"),
        ("max-age=60", "max-stale", 99, "fresh"),
        ("max-age=60", "max-stale=30", 80, "fresh"),
        ("max-age=60", "max-stale=30", 99, "validate"),
        ("max-age=60, must-revalidate", "max-stale", 99, "validate"),
        ("max-age=60, proxy-revalidate", "max-stale", 99, "validate"),
        ("s-maxage=60", "max-stale", 99, "validate"),
        ("max-age=60, stale-while-revalidate=30", "", 80, "stale_ok"),
        ("max-age=60, stale-while-revalidate=30", "", 99, "validate"),
        ("max-age=60, stale-while-revalidate=30, must-revalidate", "", 80, "validate"),
        ("max-age=60, stale-while-revalidate=30", "no-cache", 80, "validate"),
    ],
)
def test_what_is_kept_is_used_as_both_sides_allow(
    response: str, request_: str, after_s: float, use: Use
) -> None:
    fields = (cc(request_),) if request_ else ()

    assert use_of(kept(cc(response)), asked(*fields), now_s=NOW_S + after_s) == use


def test_pragma_asks_for_news_where_cache_control_is_silent() -> None:
    stored = kept(cc("max-age=60"))
    pragma = ("pragma", "no-cache")

    assert use_of(stored, asked(pragma), now_s=NOW_S) == "validate"
    assert use_of(stored, asked(pragma, cc("max-stale")), now_s=NOW_S) == "fresh"


def test_what_is_purged_softly_is_stale() -> None:
    stored = kept(cc("max-age=60, stale-while-revalidate=30"))

    assert use_of(stored, asked(), now_s=NOW_S, is_purged_softly=True) == "stale_ok"
    assert use_of(kept(cc("max-age=60")), asked(), now_s=NOW_S, is_purged_softly=True) == "validate"


@pytest.mark.parametrize(
    ("text", "after_s", "is_used"),
    [
        ("max-age=60", 69, True),
        ("max-age=60", 71, False),
        ("max-age=60, stale-if-error=30", 89, True),
        ("max-age=60, stale-if-error=30", 91, False),
        ("max-age=60, stale-if-error=0", 61, False),
        ("max-age=60, must-revalidate", 61, False),
        ("s-maxage=60", 61, False),
        ("max-age=60, no-cache", 1, False),
    ],
)
def test_when_an_origin_fails_what_is_stale_may_do(
    text: str,
    after_s: float,
    is_used: bool,  # noqa: FBT001
) -> None:
    stored = kept(cc(text))

    assert may_use_on_error(stored, asked(), now_s=NOW_S + after_s, default_s=10.0) is is_used


# -- variants -------------------------------------------------------------------------------------


def test_a_variant_is_for_requests_with_the_same_values() -> None:
    request = asked(("accept-language", "de,  en"), ("x", "1"))
    stored = kept(cc("max-age=60"), ("vary", "Accept-Language"), request=request)

    assert is_selected_by(stored, asked(("accept-language", "de"), ("accept-language", "en")))
    assert not is_selected_by(stored, asked(("accept-language", "en, de")))
    assert not is_selected_by(stored, asked())


def test_absent_and_empty_are_not_the_same() -> None:
    assert selecting_of((), ("a",)) != selecting_of((("a", ""),), ("a",))


# -- asking again ---------------------------------------------------------------------------------


def test_it_asks_by_all_that_it_has() -> None:
    stored = kept(cc("max-age=1"), ("etag", 'W/"a"'), ("last-modified", write_date(0)))

    assert validating(stored) == (
        ("if-none-match", 'W/"a"'),
        ("if-modified-since", write_date(0)),
    )
    assert validating(kept(cc("max-age=1"))) == ()


def test_a_304_makes_it_fresh_again_and_leaves_what_describes_the_body() -> None:
    stored = kept(cc("max-age=1"), ("etag", '"a"'), ("content-length", "5"), ("x", "old"))
    answer = said(
        cc("max-age=60"), ("etag", '"a"'), ("content-length", "9"), ("x", "new"), status=304
    )

    new = updated(stored, answer, requested_s=NOW_S + 9, now_s=NOW_S + 10)

    assert value_of(new.response.fields, "x") == "new"
    assert value_of(new.response.fields, "content-length") == "5"
    assert use_of(new, asked(), now_s=NOW_S + 60) == "fresh"
    assert new.selecting == stored.selecting


def test_a_304_about_another_one_confirms_nothing() -> None:
    stored = kept(("etag", '"a"'))

    assert is_confirmed_by(stored, said(("etag", 'W/"a"')))
    assert is_confirmed_by(stored, said())
    assert not is_confirmed_by(stored, said(("etag", '"b"')))


@pytest.mark.parametrize(
    ("method", "status", "does"),
    [("POST", 200, True), ("DELETE", 204, True), ("PUT", 303, True), ("POST", 500, False),
     ("GET", 200, False), ("M-SEARCH", 200, True)],
)  # fmt: skip
def test_a_change_that_worked_puts_what_is_kept_in_doubt(
    method: str,
    status: int,
    does: bool,  # noqa: FBT001
) -> None:
    assert does_invalidate(method, said(status=status)) is does
