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
    return _page(
        GOOD,
        sign="Connected",
        title="This browser goes through the Extensible Internet",
        lead=_text("As", about.host, "by the node", used.name),
        cards=_cards(about),
    )


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

    What the node does not carry on goes as it always did.
    """
    proxy = json.dumps(f"PROXY {about.endpoint}")
    others = json.dumps(f"PROXY {about.endpoint}; DIRECT" if about.carries_legacy else "DIRECT")
    domains = json.dumps([".ei", *(f".{domain}" for domain in about.domains[:MAX_RULES])])
    return f"""\
function FindProxyForURL(url, host) {{
  host = host.toLowerCase();
  if (host === "{OWN_NAME}" || /^\\[?fd35:/.test(host)) return {proxy};
  var ours = {domains};
  for (var i = 0; i < ours.length; i++) if (dnsDomainIs(host, ours[i])) return {proxy};
  if (isPlainHostName(host) || /^(127|10|192\\.168)\\.|^\\[?::1\\]?$/.test(host)) return "DIRECT";
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
    where = [
        (f"Names under {names}{more}", "to that host, sealed from end to end"),
        ("Everything else", others),
    ]
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
