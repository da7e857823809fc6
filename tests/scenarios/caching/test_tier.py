"""What the origin of a tier says on its pages."""

from ei.scenarios.caching.origin import Origin
from ei.scenarios.caching.tier import NEW, OLD, PAGES, say


def test_all_pages_say_the_same_and_carry_the_tag_that_is_purged() -> None:
    origin = Origin(port=1)

    say(origin, OLD)
    say(origin, NEW)

    assert len(origin.pages) == PAGES
    assert {page.body for page in origin.pages.values()} == {NEW}
    assert all("cache-tag: news" in page.fields for page in origin.pages.values())
