"""nginx has its pages, and all that it writes has a place in its folder."""

from pathlib import Path

from ei.lab.certificates import make_certificate
from ei.scenarios.termination.nginx import LITTLE, MUCH, Nginx, write_site
from ei.scenarios.termination.servers import content


def test_it_serves_much_and_little_on_two_ports(tmp_path: Path) -> None:
    config = write_site(tmp_path, address="198.18.0.7", nginx=Nginx(8_001, 8_002))

    text = config.read_text()
    assert "listen 198.18.0.7:8001;" in text
    assert "listen 198.18.0.7:8002 http2;" in text
    assert f"root {tmp_path}/pages;" in text
    assert (tmp_path / "pages" / "much").read_bytes() == content(MUCH)
    assert (tmp_path / "pages" / "little").read_bytes() == content(LITTLE)


def test_with_a_certificate_it_serves_by_tls_as_well(tmp_path: Path) -> None:
    nginx = Nginx(8_001, 8_002, 8_003)

    config = write_site(tmp_path, address="198.18.0.7", nginx=nginx, tls=make_certificate("web"))

    text = config.read_text()
    assert "listen 198.18.0.7:8003 ssl;" in text
    assert f"ssl_certificate_key {tmp_path}/web.key;" in text
