"""What `ei run` says of itself; programs are run by the tests of the command."""

from ei.ways.run import Running, proxy_variables


def test_the_variables_that_programs_heed_name_the_proxy() -> None:
    found = proxy_variables("127.0.0.1:8118")

    assert found["http_proxy"] == found["HTTPS_PROXY"] == "http://127.0.0.1:8118"
    assert found["ALL_PROXY"] == found["all_proxy"] == "socks5h://127.0.0.1:8118"
    assert found["no_proxy"] == "localhost,127.0.0.1,::1"


def test_what_is_not_covered_is_said_of_each_mode() -> None:
    assert Running("namespace", "alice.isp-a").uncovered.startswith("pings to the legacy Internet")
    by_daemon = Running("namespace", "alice.isp-a", is_by_daemon=True)
    assert by_daemon.uncovered.startswith("pings, servers")
    assert "heed no proxy" in Running("proxy", "alice.isp-a", "no namespace").uncovered
