"""What the report of a demo promises."""

import re
from html.parser import HTMLParser

from ei.lab.catalogue import find_topology
from ei.lab.charts import Mark
from ei.lab.promises import Promise, Report, promise
from ei.lab.report import Findings, Load, Transfer, render_report


def page(*promises: Promise) -> str:
    report = Report(scenario="demo", backend="processes", seed=1, digest=None, promises=promises)
    findings = Findings(
        topology=find_topology("demo"),
        summary=[("hosts", "8")],
        packets={("sn1.isp-a", "sn1.isp-b"): 1_000},
        round_trips_ms=[("same domain", [1.0, 2.0])],
        copies=[("sn1.isp-a – sn1.isp-b", 1.0)],
        transfer=Transfer("<file>", 1_000_000, 0.5, "ab" * 32, "alice.isp-a", "bob.isp-b"),
        load=Load(0.05, [("echo", [1.0, 2.0])], [Mark(0.05, "killed")]),
        steps=[(0.5, "started")],
    )
    return render_report(report, findings)


def test_a_report_needs_nothing_from_elsewhere() -> None:
    html = page(promise("p", 1, "==", 1))

    assert not re.findall(r"(?:src|href)\s*=|url\(|@import|<script", html)


VOID = {"meta", "html"}


def test_every_tag_is_closed() -> None:
    open_tags: list[str] = []

    class Checker(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag not in VOID:
                open_tags.append(tag)

        def handle_endtag(self, tag: str) -> None:
            if tag not in VOID:
                assert open_tags.pop() == tag

    # Elements such as <rect .../> come as a start and an end.
    Checker().feed(page(promise("p", 1, "==", 1)))

    assert open_tags == []


def test_the_verdict_is_that_of_the_promises() -> None:
    assert "all promises kept" in page(promise("p", 1, "==", 1))
    assert "a promise is broken" in page(promise("p", 1, "==", 2))


def test_what_was_measured_is_shown() -> None:
    html = page(promise("every host answers", 56, "==", 56, unit="pings"))

    for text in ("every host answers", "16 Mb/s", "ab" * 32, "&lt;file&gt;", "killed", "started"):
        assert text in html
