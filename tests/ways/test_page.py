"""What the proxy shows: pages that say what is, and rules for browsers."""

import json
import re
from http import HTTPStatus

import msgspec

from ei.ways.page import About, NodeSeen, PartySeen, PrivateSeen, about_page, pac, refusal_page
from ei.ways.refusals import Refusal
from ei.ways.socks import Reply

NODES = (
    NodeSeen("sn1.isp-a", is_up=True, is_used=True, rtt_s=0.0123),
    NodeSeen("sn2.isp-a", is_up=False, is_used=False),
)
ABOUT = About(
    "alice.isp-a",
    "127.0.0.1:8118",
    NODES,
    services=("delivery", "termination"),
    domains=("campus", "isp-a"),
    carries_legacy=True,
    open=1,
    asked=7,
    refused=2,
)


PRIVATE = PrivateSeen(
    True,  # noqa: FBT003 it is up
    PartySeen("sn1.isp-a", "isp-a", "48N,11E"),
    PartySeen("sn7.isp-b", "acme"),
)


def private_page(private: PrivateSeen) -> str:
    about = msgspec.structs.replace(ABOUT, private=private, carries_legacy=False)
    return text_of(about_page(about, is_proxied=True))


def text_of(page: str) -> str:
    """Return what a person reads."""
    body = page.partition("<body>")[2]
    return " ".join(re.sub(r"<[^>]*>", " ", body).split())


def test_who_goes_through_it_is_told_by_which_node_and_services() -> None:
    text = text_of(about_page(ABOUT, is_proxied=True))

    assert "This browser goes through the Extensible Internet" in text
    assert "As alice.isp-a by the node sn1.isp-a ." in text
    assert "sn1.isp-a in use, 12.3 ms away sn2.isp-a does not answer" in text
    assert "delivery , termination" in text
    assert "1 open, 7 so far, 2 refused" in text


def test_a_cache_is_shown() -> None:
    assert "http:// elsewhere to the node's cache" in about_page_text(caches=True)
    assert "cache" not in about_page_text(caches=False)


def about_page_text(*, caches: bool) -> str:
    about = About("alice.isp-a", "127.0.0.1:8118", NODES, caches=caches)
    return text_of(about_page(about, is_proxied=True))


def test_who_goes_privately_is_told_by_which_two_operators_and_what_is_not_hidden() -> None:
    text = private_page(PRIVATE)

    assert "This browser goes out privately, by two operators" in text
    assert "isp-a sees who asks, not where it goes; acme sees where it goes, not who asks" in text
    assert "First node sn1.isp-a , run by isp-a , near 48N,11E: knows this machine" in text
    assert "Exit sn7.isp-b , run by acme : sites see it in your place" in text
    assert "both operators together know all of it" in text
    assert "refused here: that host would see who asks" in text
    assert "Everything else by the private way; the exit resolves names" in text


def test_without_a_private_way_it_is_said_why_and_that_nothing_goes_out() -> None:
    text = private_page(PrivateSeen(is_up=False, why_not="nobody <but> acme offers it"))

    assert "Nothing goes out: there is no private way now nobody &lt;but&gt; acme" in text
    assert "privately" not in text


def test_who_does_not_is_told_how() -> None:
    text = text_of(about_page(ABOUT, is_proxied=False))

    assert "http://127.0.0.1:8118/ei.pac in its network settings, and then open http" in text


def test_without_a_node_nothing_is_promised() -> None:
    about = About("alice.isp-a", "127.0.0.1:8118", NODES[1:])

    text = text_of(about_page(about, is_proxied=True))

    assert "no node answers it" in text
    assert "goes through the Extensible Internet" not in text


def test_a_page_needs_nothing_from_elsewhere_and_suits_small_and_dark_screens() -> None:
    page = about_page(ABOUT, is_proxied=True)

    assert not re.search(r"(src|href)=|url\(|@import|<script", page)
    assert "width=device-width" in page
    assert "prefers-color-scheme: dark" in page
    assert "$" not in page


def test_what_others_wrote_is_text() -> None:
    refusal = Refusal(HTTPStatus.BAD_GATEWAY, Reply.FAILURE, "<b>no</b>", "<i>try</i>")

    page = refusal_page(refusal, "http://x/<script>alert(1)</script>")

    assert "<script" not in page
    assert "&lt;b&gt;no&lt;/b&gt;." in page.lower()
    assert "&lt;i&gt;try&lt;/i&gt;" in page
    assert "502 Bad Gateway" in page


def test_the_rules_send_our_names_through_the_proxy_and_the_rest_as_the_node_carries_it() -> None:
    rules = pac(ABOUT)

    assert f"var ours = {json.dumps(['.ei', '.campus', '.isp-a'])};" in rules
    assert rules.count('return "PROXY 127.0.0.1:8118";') == 2
    assert 'return "PROXY 127.0.0.1:8118; DIRECT";' in rules
    assert 'return "DIRECT";\n}' in pac(About("alice.isp-a", "127.0.0.1:8118"))


def test_a_thousand_domains_are_no_burden() -> None:
    about = About("alice.isp-a", "127.0.0.1:8118", domains=tuple(f"d{n}" for n in range(5_000)))

    assert "and 4994 more" in about_page(about, is_proxied=True)
    assert len(pac(about)) < 20_000


def test_of_a_private_way_nothing_goes_straight_but_to_this_machine_and_network() -> None:
    about = msgspec.structs.replace(ABOUT, private=PRIVATE)

    rules = pac(about)

    assert rules.count('"DIRECT"') == 1
    assert "isPlainHostName" not in rules
    assert 'return "PROXY 127.0.0.1:8118";\n}' in rules
