import datetime as dt
from pathlib import Path

import pytest

from ei.errors import ConfigError
from ei.lab.certificates import make_certificate
from ei.node.site_config import SiteConfig
from ei.node.sites import Site, Sites, read_sites
from ei.node.status import NodeStatus

NAME = "www.example.org"
WEB = make_certificate(NAME)
NOON = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
DAY_S = 86_400
CONFIG = {NAME: SiteConfig(certificate=f"{NAME}.pem", key=f"{NAME}.key")}
STATUS = NodeStatus(
    name="sn1.isp-a", address="", domain="isp-a", services=(), peers=(), refused_records={}
)


class Taker:
    """Takes sites as an engine does."""

    def __init__(self, complaint: str = "") -> None:
        self.complaint = complaint
        self.taken: list[list[tuple[str, bytes, bytes, list[str]]]] = []

    def set_sites(self, sites: list[tuple[str, bytes, bytes, list[str]]]) -> None:
        if self.complaint:
            raise ValueError(self.complaint)
        self.taken.append(sites)


def site(ends: dt.datetime = NOON) -> Site:
    return Site(NAME, b"certificate", b"secret", ("http/1.1",), int(ends.timestamp()))


def test_a_site_is_read_with_the_day_on_which_it_ends(tmp_path: Path) -> None:
    made = make_certificate(NAME, last_day=NOON)
    _ = made.write(tmp_path)

    assert read_sites(tmp_path, CONFIG) == (
        Site(NAME, made.certificate, made.key, ("http/1.1",), int(NOON.timestamp())),
    )


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("pem", b"", "no certificate seen, PEM allowed"),
        ("pem", WEB.key, "no certificate seen, PEM allowed"),
        ("pem", bytes(300_000), "is larger than the allowed 262144 B"),
        ("key", b"", "no private key seen, PEM without a password allowed"),
        ("key", WEB.certificate, "no private key seen"),
        ("key", make_certificate(NAME).key, f"{NAME}.key is not the key of {NAME}.pem"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    tmp_path: Path, file: str, content: bytes, said: str
) -> None:
    _ = WEB.write(tmp_path)
    _ = (tmp_path / f"{NAME}.{file}").write_bytes(content)

    with pytest.raises(ConfigError, match=said) as refused:
        _ = read_sites(tmp_path, CONFIG)

    assert str(refused.value).startswith(f'sites."{NAME}".')


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"sites.*certificate: cannot read .*No such file"):
        _ = read_sites(tmp_path, CONFIG)


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o660])
def test_a_key_that_everybody_may_read_or_another_write_is_refused(
    tmp_path: Path, mode: int
) -> None:
    _certificate, key = WEB.write(tmp_path)
    key.chmod(0o640)
    assert read_sites(tmp_path, CONFIG)
    key.chmod(mode)

    with pytest.raises(ConfigError, match=f"mode {mode:04o}.*allowed are 0600 and 0640") as refused:
        _ = read_sites(tmp_path, CONFIG)

    assert refused.value.remedy == f"If nobody else has read it: chmod 600 {key}"


def test_the_key_of_a_site_is_in_no_log() -> None:
    assert repr(site()) == "Site('www.example.org')"


def test_an_engine_is_given_the_sites_of_the_start_and_those_that_follow() -> None:
    taker = Taker()

    sites = Sites((site(),), taker)
    sites.use(())

    assert taker.taken == [[(NAME, b"certificate", b"secret", ["http/1.1"])], []]


def test_sites_that_native_code_refuses_are_the_configurations_fault() -> None:
    with pytest.raises(ConfigError, match="sites: site a: why"):
        _ = Sites((site(),), Taker("site a: why"))
    assert Sites((site(),), None).add_to(STATUS, unix_s=0.0) == STATUS


def test_a_certificate_that_ends_soon_is_among_what_ends() -> None:
    sites = Sites((site(),), None)

    soon = sites.add_to(STATUS, unix_s=NOON.timestamp() - 20 * DAY_S).expiring

    assert [each.what for each in soon] == [f"the certificate of {NAME}"]
    assert "ei node reload" in soon[0].renew
    assert sites.add_to(STATUS, unix_s=NOON.timestamp() - 40 * DAY_S) == STATUS
