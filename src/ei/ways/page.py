"""What the proxy shows: whether a browser goes through it, errors, and the PAC file. Pure."""

import json
from collections.abc import Iterable
from html import escape
from pathlib import Path
from string import Template

import msgspec

from ei.ways.http_heads import OWN_NAME
from ei.ways.refusals import Refusal

PAGE = Template(Path(__file__).with_name("page.html").read_text())
GOOD = {"light": "#12734a", "light_tint": "#e2f4ea", "dark": "#5fd39b", "dark_tint": "#17392b"}
ODD = {"light": "#9a5b00", "light_tint": "#fdf0d9", "dark": "#f0b75a", "dark_tint": "#3d2e14"}
BAD = {"light": "#b3261e", "light_tint": "#fce8e6", "dark": "#f2938c", "dark_tint": "#43211f"}

MAX_RULES = 1_000
"""Domains in the rules of a browser; names of further ones need their `.ei`."""
SHOWN = 6


class NodeSeen(msgspec.Struct, frozen=True):
    """A node of the host that the proxy speaks for. `rtt_s` is `None` while it is not known."""

    name: str
    is_up: bool
    is_used: bool
    rtt_s: float | None = None


class PartySeen(msgspec.Struct, frozen=True):
    """One of the two nodes of a private way, and who runs it. `location` is empty if not said."""

    node: str
    operator: str
    location: str = ""


class PrivateSeen(msgspec.Struct, frozen=True):
    """A private way at one moment.

    Attributes:
        is_up: It carries connections; while it does not, nothing goes out at all.
        first: Sees this host, and not where it goes; `None` while there is none.
        exit: Sees where that is, and not who asks; `None` while there is none.
        why_not: Why it is not up.
    """

    is_up: bool
    first: PartySeen | None = None
    exit: PartySeen | None = None
    why_not: str = ""


class About(msgspec.Struct, frozen=True):
    """What the proxy knows of itself.

    Attributes:
        host: Whose name and keys it uses.
        services: Names of the services that the node in use offers.
        domains: Whose names it takes also without `.ei` behind them.
        caches: The node in use keeps what http:// servers of the legacy Internet answer.
        carries_legacy: The node in use carries connections to the legacy Internet on.
        open: Connections of programs now.
        asked: Requests and connections so far.
        refused: Of those that came to nothing.
        private: The way by two operators that all goes by; `None` where nobody asked for one.
    """

    host: str
    endpoint: str
    nodes: tuple[NodeSeen, ...] = ()
    services: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    carries_legacy: bool = False
    caches: bool = False
    open: int = 0
    asked: int = 0
    refused: int = 0
    private: PrivateSeen | None = None


def about_page(about: About, *, is_proxied: bool) -> str:
    """Return the page that says whether the browser which shows it goes through the proxy."""
    used = next((node for node in about.nodes if node.is_used and node.is_up), None)
    if not is_proxied:
        return _page(
            ODD,
            sign="Not through the proxy",
            title="This browser asked for this page directly",
            lead=_text(
                "Give it the automatic proxy address",
                f"http://{about.endpoint}/ei.pac",
                "in its network settings, and then open",
                f"http://{OWN_NAME}/",
            ),
            cards=_cards(about),
        )
    if used is None:
        return _page(
            BAD,
            sign="No node",
            title="This browser uses the proxy, but no node answers it",
            lead=_text("Nothing reaches the Extensible Internet until one does. See", "ei status"),
            cards=_cards(about),
        )
    if about.private is not None:
        return _private_page(about, about.private)
    return _page(
        GOOD,
        sign="Connected",
        title="This browser goes through the Extensible Internet",
        lead=_text("As", about.host, "by the node", used.name),
        cards=_cards(about),
    )


def _private_page(about: About, private: PrivateSeen) -> str:
    """Return the page of a browser that goes by two operators, or nowhere."""
    first, leaves = private.first, private.exit
    if not private.is_up or first is None or leaves is None:
        return _page(
            BAD,
            sign="No private way",
            title="Nothing goes out: there is no private way now",
            lead=f"<p>{escape(private.why_not or 'It is being opened')}.</p>"
            "<p>Until there is one, this proxy refuses what it is asked for.</p>",
            cards=_cards(about),
        )
    return _page(
        GOOD,
        sign="Private",
        title="This browser goes out privately, by two operators",
        lead=_text(
            "", first.operator, "sees who asks, not where it goes;",
            leaves.operator, "sees where it goes, not who asks",
        ),
        cards=_private_card(first, leaves) + _cards(about),
    )  # fmt: skip


def _private_card(first: PartySeen, leaves: PartySeen) -> str:
    rows = [
        ("First node", f"{_party(first)}: knows this machine"),
        ("Exit", f"{_party(leaves)}: sites see it in your place"),
        (
            "Not hidden",
            "what you tell a site (names, cookies); both operators together know all of it",
        ),
    ]
    return _card("The private way", rows)


def _party(party: PartySeen) -> str:
    where = f", near {escape(party.location)}" if party.location else ""
    run_by = f"<code>{escape(party.node)}</code>, run by <code>{escape(party.operator)}</code>"
    return f"{run_by}{where}"


def refusal_page(refusal: Refusal, wanted: str) -> str:
    """Return the page that says why something is not there."""
    rows = [("Wanted", f"<code>{escape(wanted)}</code>")]
    if refusal.remedy:
        rows.append(("What helps", escape(refusal.remedy)))
    return _page(
        BAD,
        sign=f"{refusal.status.value} {refusal.status.phrase}",
        title="This did not come through",
        lead=f"<p>{escape(refusal.sentence[:1].upper() + refusal.sentence[1:])}.</p>",
        cards=_card("", rows),
    )


def pac(about: About) -> str:
    """Return the rules of a browser (a PAC file): which addresses go through the proxy.

    What the node does not carry on goes as it always did; of a private way nothing does, but for
    this machine and the network that it is in.
    """
    proxy = json.dumps(f"PROXY {about.endpoint}")
    others = json.dumps(f"PROXY {about.endpoint}; DIRECT" if about.carries_legacy else "DIRECT")
    is_here = "isPlainHostName(host)"
    if about.private is not None:
        others, is_here = proxy, 'host === "localhost"'  # a plain name would be asked about here
    domains = json.dumps([".ei", *(f".{domain}" for domain in about.domains[:MAX_RULES])])
    return f"""\
function FindProxyForURL(url, host) {{
  host = host.toLowerCase();
  if (host === "{OWN_NAME}" || /^\\[?fd35:/.test(host)) return {proxy};
  var ours = {domains};
  for (var i = 0; i < ours.length; i++) if (dnsDomainIs(host, ours[i])) return {proxy};
  if ({is_here} || /^(127|10|192\\.168)\\.|^\\[?::1\\]?$/.test(host)) return "DIRECT";
  return {others};
}}
"""


def _cards(about: About) -> str:
    nodes = [(escape(node.name), _state(node)) for node in about.nodes]
    names = ", ".join(f"<code>.{escape(each)}</code>" for each in ("ei", *about.domains[:SHOWN]))
    more = f" and {len(about.domains) - SHOWN} more" if len(about.domains) > SHOWN else ""
    others = (
        "carried on by the node, as far as its operator allows"
        if about.carries_legacy
        else "not through here: the node in use offers no <code>termination</code>"
    )
    own = "to that host, sealed from end to end"
    if about.private is not None:
        own = "refused here: that host would see who asks"
        others = "by the private way; the exit resolves names"
    where = [(f"Names under {names}{more}", own), ("Everything else", others)]
    if about.caches:
        where.insert(
            1, ("<code>http://</code> elsewhere", "to the node's cache, which may know it")
        )
    offered = ", ".join(f"<code>{escape(each)}</code>" for each in about.services)
    numbers = [
        ("Services", offered or "none known"),
        ("Connections", f"{about.open} open, {about.asked} so far, {about.refused} refused"),
    ]
    return _card("Nodes", nodes) + _card("What goes where", where) + _card("Here", numbers)


def _state(node: NodeSeen) -> str:
    words = ["in use" if node.is_used else "ready"] if node.is_up else ["does not answer"]
    if node.is_up and node.rtt_s is not None:
        words.append(f"{max(node.rtt_s * 1_000, 0.1):.1f} ms away")
    return ", ".join(words)


def _card(title: str, rows: Iterable[tuple[str, str]]) -> str:
    shown = "".join(f"<dt>{key}</dt><dd>{value}</dd>" for key, value in rows)
    head = f"<h2>{title}</h2>" if title else ""
    return f'<section class="card">{head}<dl>{shown}</dl></section>' if shown else ""


def _text(*parts: str) -> str:
    """Return a paragraph of words and, in turn, of what is typed or named."""
    shown = [
        f"<code>{escape(part)}</code>" if at % 2 else escape(part) for at, part in enumerate(parts)
    ]
    return f"<p>{' '.join(shown)}.</p>"


def _page(colours: dict[str, str], *, sign: str, title: str, lead: str, cards: str) -> str:
    return PAGE.substitute(
        colours,
        sign=escape(sign),
        title=escape(title),
        lead=lead,
        cards=cards,
        footer="From <code>ei proxy</code> on this machine; nobody else saw the question.",
    )
