"""A real browser goes through the proxy by its automatic proxy address."""

import os
import subprocess
from pathlib import Path

import pytest
from tests.ways.places import PICTURES, Place

pytestmark = [pytest.mark.slow, pytest.mark.timeout(150)]


def shown(place: Place, url: str, profile: Path) -> str:
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
            f"--proxy-pac-url=http://{place.proxy}/ei.pac",
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
