import pytest

from ei.daemons.config_file import parse_config
from ei.errors import ConfigError
from ei.node.site_config import SiteConfig, check_sites

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


def test_a_site_whose_tls_is_to_end_here_has_a_certificate() -> None:
    named = {"a.example": SiteConfig(certificate="a.pem", key="a.key")}
    check_sites(named, {"termination": {"sites": {"a.example": "192.0.2.7:80"}}})
    check_sites({}, {"termination": {}, "delivery": {"sites": {"b.example": 1}}})

    with pytest.raises(ConfigError) as refused:
        check_sites(named, {"termination": {"sites": {"b.example": "192.0.2.7:80"}}})

    assert str(refused.value) == (
        'config.termination.sites: "b.example" has no certificate: a line of [sites] is missing'
    )
    assert refused.value.remedy == (
        'Say under [sites]: "b.example" = { certificate = "b.example.pem", key = "b.example.key" }'
    )
