"""What RFC 9111 says of a shared cache: what may be kept, for how long, and used for whom.

Functions of heads and times alone. All times are Unix time in seconds, since they are compared with
dates of other machines, and outlive this one.
"""

from typing import Literal

import msgspec

from ei.services.caching.fields import (
    Directives,
    read_age,
    read_date,
    read_directives,
    write_date,
)
from ei.services.caching.http1 import (
    Fields,
    Request,
    Response,
    end_to_end,
    members_of,
    value_of,
    values_of,
    without,
)

NAME = "ei"
"""Of this cache, in Via, Cache-Status and where origins speak to it."""
TARGETED = ("cdn-cache-control", "surrogate-control")
"""Fields with directives for caches like this one, in the place of those for all."""

HEURISTIC_SHARE = 0.1
"""Of the time since Last-Modified (RFC 9111 section 4.2.2)."""
HEURISTIC_MOST_S = 86_400.0

_HEURISTIC = frozenset({200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501})
"""May be kept without being told for how long (RFC 9110 section 15.1)."""
_UNDERSTOOD = frozenset({200, 203, 204, 206, 300, 301, 302, 303, 307, 308, 404, 405, 410, 414, 501})
"""May be kept although `must-understand` is said."""
_ERRORS = frozenset({500, 502, 503, 504})
"""Of these `stale-if-error` speaks (RFC 5861 section 4)."""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_OF_THE_BODY = frozenset(
    {"content-length", "content-encoding", "content-range", "content-md5", "etag"}
)
"""Say what the kept bytes are; a 304 does not change them (RFC 9111 section 3.2)."""
_FINAL = 200
_PARTIAL = 206
_NOT_MODIFIED = 304
_NOT_THAT_PART = 416


class Terms(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What the head of a response says of its use, read once; by default: not without asking.

    Attributes:
        lifetime_s: For so long it is fresh, counted from its making.
        is_dubious: It may not be used without asking, fresh or not.
        is_strict: It may not be used stale.
        grace_s: For so long after its freshness it may be used while it is asked for anew.
        error_s: Likewise when its origin fails; `None` where nothing is said.
    """

    lifetime_s: float = 0.0
    is_dubious: bool = True
    is_strict: bool = True
    grace_s: float = 0.0
    error_s: float | None = None


class Stored(msgspec.Struct, frozen=True, array_like=True):
    """What is kept of a response beside its body.

    Attributes:
        response: Its head, of what goes from end to end.
        requested_s: When the request for it left.
        received_s: When it came.
        age_s: How old it was then, as it said itself.
        vary: Names that its Vary lists.
        selecting: The values that the request had of them.
        terms: What it says of its use.
    """

    response: Response
    requested_s: float
    received_s: float
    age_s: float
    vary: tuple[str, ...]
    selecting: tuple[str, ...]
    terms: Terms = Terms()

    @property
    def fetched_s(self) -> float:
        """When the origin made it, or said last that it is as it was."""
        return self.requested_s - self.age_s


Use = Literal["fresh", "stale_ok", "validate"]
"""`fresh`: as it is. `stale_ok`: as it is, while it is asked for anew. `validate`: not without
asking."""


# -- keeping --------------------------------------------------------------------------------------


def may_store(request: Request, response: Response) -> bool:
    """Whether a response may be kept for others (RFC 9111 sections 3 and 3.5), and is worth it."""
    asked, said = read_directives(request.fields), directives_of(response)
    return (
        request.method == "GET"
        and _is_about_the_target(request, response)
        and "no-store" not in asked
        and not _is_forbidden(response, said)
        and _may_be_shared(request, response, said)
        and _has_use(response, said)
    )


def _is_about_the_target(request: Request, response: Response) -> bool:
    """Whether it says what the target is, or a part of it, to who asked for one."""
    if response.status == _PARTIAL:
        return value_of(request.fields, "range") is not None
    return response.status >= _FINAL and response.status not in (_NOT_MODIFIED, _NOT_THAT_PART)


def _is_forbidden(response: Response, said: Directives) -> bool:
    if "must-understand" in said:
        is_refused = response.status not in _UNDERSTOOD
    else:
        is_refused = "no-store" in said
    has_no_key = "*" in members_of(response.fields, "vary")
    return is_refused or said.is_whole("private") or has_no_key


def _has_use(response: Response, said: Directives) -> bool:
    """Whether it is said for how long it is fresh, or it can be asked for by what it is."""
    is_by_default = response.status in _HEURISTIC and has_validator(response)
    return _is_told(response, said) or is_by_default


def _is_told(response: Response, said: Directives) -> bool:
    """Whether the origin says in so many words that it may be kept."""
    is_directed = any(name in said for name in ("public", "s-maxage", "max-age"))
    return is_directed or value_of(response.fields, "expires") is not None


def _may_be_shared(request: Request, response: Response, said: Directives) -> bool:
    """Whether what one client was told may be told to another."""
    is_meant = "public" in said or "s-maxage" in said
    if value_of(response.fields, "set-cookie") is not None and not is_meant:
        return False  # RFC 9111 section 7.3 allows it: sessions of one client are not for others
    is_own = value_of(request.fields, "authorization") is not None
    if is_own and not is_meant and "must-revalidate" not in said:
        return False
    has_cookie = value_of(request.fields, "cookie") is not None
    is_told = is_meant or _is_told(response, said)
    return not has_cookie or is_told or "cookie" in members_of(response.fields, "vary")


def store(request: Request, response: Response, *, requested_s: float, now_s: float) -> Stored:
    """Return what is kept of a response that may be."""
    said = directives_of(response)
    private = said.fields("private") + said.fields("no-cache")
    fields = without(end_to_end(response.fields), ["age", *private])
    if value_of(fields, "date") is None:
        fields += (("date", write_date(now_s)),)
    vary = tuple(sorted(set(members_of(response.fields, "vary"))))
    kept = msgspec.structs.replace(response, fields=fields)
    return Stored(
        kept,
        requested_s,
        now_s,
        _age_at(response, requested_s=requested_s, now_s=now_s),
        vary,
        selecting_of(request.fields, vary),
        terms_of(kept, received_s=now_s),
    )


def terms_of(response: Response, *, received_s: float) -> Terms:
    """Return what a head that is kept says of its use."""
    said = directives_of(response)
    is_strict = any(name in said for name in ("must-revalidate", "proxy-revalidate", "s-maxage"))
    return Terms(
        _lifetime_s(response, said, received_s=received_s),
        said.is_whole("no-cache"),
        is_strict,
        said.seconds("stale-while-revalidate") or 0,
        said.seconds("stale-if-error"),
    )


def selecting_of(fields: Fields, vary: tuple[str, ...]) -> tuple[str, ...]:
    """Return the values by which a variant is selected, without differences that mean nothing."""
    return tuple(
        ",".join(part.strip() for value in values_of(fields, name) for part in value.split(","))
        if values_of(fields, name)
        else "\0"
        for name in vary
    )


def is_selected_by(stored: Stored, request: Request) -> bool:
    """Whether the variant is the one for this request (RFC 9111 section 4.1)."""
    return selecting_of(request.fields, stored.vary) == stored.selecting


def directives_of(response: Response) -> Directives:
    """Return the Cache-Control of a response, or what it says to caches like this one instead.

    Those are CDN-Cache-Control (RFC 9213) and, older, Surrogate-Control, each for all such caches
    or, after a semicolon, for one. Pragma means nothing in a response.
    """
    for name in TARGETED:
        said = [
            text.partition(";")[0]
            for text in members_of(response.fields, name)
            if text.partition(";")[2].strip() in ("", NAME)
        ]
        if said:
            return read_directives(((name, ",".join(said)),), name)
    return read_directives(response.fields)


def is_targeted(response: Response) -> bool:
    """Whether the origin speaks to caches like this one in particular."""
    return any(value_of(response.fields, name) for name in TARGETED)


# -- age and freshness ----------------------------------------------------------------------------


def _age_at(response: Response, *, requested_s: float, now_s: float) -> float:
    """Return how old a response is as it comes (RFC 9111 section 4.2.3)."""
    date_s = read_date(value_of(response.fields, "date"))
    apparent_s = 0.0 if date_s is None else max(0.0, now_s - date_s)
    # Dates have whole seconds: less than that is nobody's age.
    apparent_s = 0.0 if apparent_s < 1.0 else apparent_s
    return max(apparent_s, read_age(response.fields) + now_s - requested_s)


def age_of(stored: Stored, now_s: float) -> float:
    """Return how old it is now, in seconds."""
    return stored.age_s + max(0.0, now_s - stored.received_s)


def _lifetime_s(response: Response, said: Directives, *, received_s: float) -> float:
    """Return for how many seconds it is fresh, counted from its making (section 4.2.1)."""
    fields = response.fields
    for name in ("s-maxage", "max-age"):
        seconds = said.seconds(name)
        if seconds is not None:
            return seconds
    date_s = read_date(value_of(fields, "date"))
    made_s = received_s if date_s is None else date_s
    if values_of(fields, "expires") and not is_targeted(response):
        expires_s = read_date(values_of(fields, "expires")[0])
        return 0.0 if expires_s is None else max(0.0, expires_s - made_s)
    modified_s = read_date(value_of(fields, "last-modified"))
    if modified_s is None or not (response.status in _HEURISTIC or "public" in said):
        return 0.0
    return min(HEURISTIC_MOST_S, max(0.0, made_s - modified_s) * HEURISTIC_SHARE)


def is_fresh(stored: Stored, now_s: float) -> bool:
    """Whether it may be used for others than who it was fetched for, without asking."""
    return not stored.terms.is_dubious and stored.terms.lifetime_s > age_of(stored, now_s)


def use_of(
    stored: Stored, request: Request, *, now_s: float, is_purged_softly: bool = False
) -> Use:
    """Return how a variant that is selected may be used for a request (section 4)."""
    asked, terms = read_directives(request.fields), stored.terms
    if terms.is_dubious or _asks_to_validate(request, asked):
        return "validate"
    age_s = age_of(stored, now_s)
    left_s = terms.lifetime_s - age_s
    if is_purged_softly:
        left_s = min(left_s, 0.0)
    most_age_s, least_left_s = asked.seconds("max-age"), asked.seconds("min-fresh")
    if most_age_s is not None and age_s > most_age_s:
        return "validate"
    if left_s > 0 and (least_left_s is None or left_s >= least_left_s):
        return "fresh"
    if left_s > 0 or terms.is_strict:
        return "validate"
    if "max-stale" in asked and not is_purged_softly:
        limit_s = asked.seconds("max-stale") if asked.said["max-stale"] else None
        if limit_s is None or -left_s <= limit_s:
            return "fresh"
    return "stale_ok" if -left_s < terms.grace_s else "validate"


def may_use_on_error(stored: Stored, request: Request, *, now_s: float, default_s: float) -> bool:
    """Whether it may be used stale, since its origin cannot be asked (RFC 5861, section 4.2.4).

    Args:
        default_s: For how long where neither side says it; 0 is never.
    """
    asked, terms = read_directives(request.fields), stored.terms
    if terms.is_strict or terms.is_dubious or "no-cache" in asked:
        return False
    stale_s = age_of(stored, now_s) - terms.lifetime_s
    limits_s = (asked.seconds("stale-if-error"), terms.error_s)
    return stale_s <= max((each for each in limits_s if each is not None), default=default_s)


def is_error(response: Response) -> bool:
    """Whether a response counts as the failure of its origin."""
    return response.status in _ERRORS


def is_only_if_cached(request: Request) -> bool:
    """Whether the client wants nothing that has to be fetched."""
    return "only-if-cached" in read_directives(request.fields)


def _asks_to_validate(request: Request, asked: Directives) -> bool:
    has_pragma = "no-cache" in members_of(request.fields, "pragma")
    return "no-cache" in asked or (not asked.said and has_pragma)


# -- asking again ---------------------------------------------------------------------------------


def has_validator(response: Response) -> bool:
    """Whether an origin can be asked if it is still so."""
    return any(value_of(response.fields, name) is not None for name in ("etag", "last-modified"))


def validating(stored: Stored) -> Fields:
    """Return the fields that ask whether it is still so; none when it has nothing to ask by."""
    names = (("etag", "if-none-match"), ("last-modified", "if-modified-since"))
    fields = stored.response.fields
    return tuple(
        (asking, value) for name, asking in names if (value := value_of(fields, name)) is not None
    )


def is_confirmed_by(stored: Stored, response: Response) -> bool:
    """Whether a 304 is about this variant (section 4.3.4)."""
    said = value_of(response.fields, "etag")
    kept = value_of(stored.response.fields, "etag")
    return said is None or kept is None or said.removeprefix("W/") == kept.removeprefix("W/")


def updated(stored: Stored, response: Response, *, requested_s: float, now_s: float) -> Stored:
    """Return what is kept after a 304 said that it is still so (section 3.2)."""
    new = without(end_to_end(response.fields), {*_OF_THE_BODY, "age", "vary", "set-cookie"})
    names = {name for name, _ in new}
    fields = without(stored.response.fields, names) + new
    kept = msgspec.structs.replace(stored.response, fields=fields)
    return msgspec.structs.replace(
        stored,
        response=kept,
        requested_s=requested_s,
        received_s=now_s,
        age_s=_age_at(response, requested_s=requested_s, now_s=now_s),
        terms=terms_of(kept, received_s=now_s),
    )


# -- other methods --------------------------------------------------------------------------------


def is_safe(method: str) -> bool:
    """Whether requests of this method change nothing at the origin."""
    return method in _SAFE


def does_invalidate(method: str, response: Response) -> bool:
    """Whether what is kept of the target is in doubt now (section 4.4)."""
    return not is_safe(method) and 200 <= response.status < 400  # noqa: PLR2004 no errors
