import pytest

from ei.daemons.config_file import parse_config
from ei.errors import ConfigError
from ei.node.site_config import SiteConfig

FILES = 'certificate = "a.pem"\nkey = "a.key"\n'


def test_a_site_speaks_http_1_unless_it_says_more() -> None:
    assert parse_config(FILES, SiteConfig).protocols == ("http/1.1",)
    more = parse_config(FILES + 'protocols = ["h2", "http/1.1"]', SiteConfig)
    assert more.protocols == ("h2", "http/1.1")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('certificate = "a.pem"', "`key` is missing"),
        (FILES + 'protocols = [""]', "protocols"),
        (FILES + 'chain = "b.pem"', "chain"),
    ],
)
def test_what_is_no_site_is_named(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        _ = parse_config(text, SiteConfig)
