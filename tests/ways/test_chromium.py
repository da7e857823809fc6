"""A real browser goes through the proxy by its automatic proxy address."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.ways.places import PICTURES, Place

Way = Callable[[Place], tuple[str, ...]]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(150)]


def by_rules(place: Place) -> tuple[str, ...]:
    """Return what has Chromium go by the rules of the proxy."""
    return (f"--proxy-pac-url=http://{place.proxy}/ei.pac",)


def by_proxy(place: Place) -> tuple[str, ...]:
    """Return what has Chromium send all to the proxy, for this machine's own addresses as well."""
    return (f"--proxy-server=http://{place.proxy}", "--proxy-bypass-list=<-loopback>")


def shown(place: Place, url: str, profile: Path, way: Way = by_rules) -> str:
    """Return what a page has become after its scripts."""
    return subprocess.run(
        [
            "chromium",
            "--headless=new",
            "--no-sandbox",  # tests may run as root
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--no-first-run",
            f"--user-data-dir={profile}",
            *way(place),
            "--virtual-time-budget=20000",
            "--dump-dom",
            url,
        ],
        capture_output=True,
        check=True,
        text=True,
        env={"PATH": os.defpath, "HOME": str(profile)},
    ).stdout


def test_a_page_with_pictures_and_scripts_is_complete(place: Place, tmp_path: Path) -> None:
    page = shown(place, "http://files.campus.ei/page", tmp_path)

    assert f"<title>{PICTURES} pictures, posted, by files.campus.ei</title>" in page


def test_the_browser_can_see_that_it_goes_through(place: Place, tmp_path: Path) -> None:
    page = shown(place, "http://ei.local/", tmp_path)

    assert "This browser goes through the Extensible Internet" in page
    assert "<code>sn1.isp-a</code>" in page


def test_a_name_that_nobody_has_is_explained_on_a_page(place: Place, tmp_path: Path) -> None:
    page = shown(place, "http://nobody.campus.ei/", tmp_path)

    assert "No record of nobody.campus: its domain says that there is none." in page


def test_a_page_is_complete_by_two_operators(private_place: Place, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{private_place.web_port}/page"

    page = shown(private_place, url, tmp_path, by_proxy)

    assert f"<title>{PICTURES} pictures, posted, by 127.0.0.1:" in page


def test_the_browser_can_see_by_which_two_operators_it_goes(
    private_place: Place, tmp_path: Path
) -> None:
    page = shown(private_place, "http://ei.local/", tmp_path)

    assert "This browser goes out privately, by two operators" in page
    assert "<code>acme</code> sees who asks, not where it goes" in page
    assert "<code>sn1.isp-b</code>, run by <code>isp-b</code>, near 50N,14E" in page


def test_a_host_that_would_see_who_asks_is_refused_on_a_page(
    private_place: Place, tmp_path: Path
) -> None:
    page = shown(private_place, "http://bob.isp-b.ei/", tmp_path)

    assert "would see who asks" in page
