import pytest

from ei.errors import ConfigError
from ei.node.internet import InternetConfig, check_internet, line_for


@pytest.mark.parametrize(
    "rule",
    [
        "0.0.0.0/0:80,443",
        "[2000::]/3:80,443,8000-8100",
        "udp 9.9.9.9:53",
        "tcp [2001:db8::1]:22",
        "10.0.0.0/8:*",
    ],
)
def test_a_rule_is_a_network_with_ports(rule: str) -> None:
    check_internet(InternetConfig(allow=(rule,)))


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("sctp 9.9.9.9:53", "'sctp' seen, tcp, udp or nothing allowed"),
        ("0.0.0.0/0", "NETWORK:PORTS allowed"),
        ("2000::/3:443", "an IPv6 network in brackets"),
        ("10.1.2.3/8:80", "10.1.2.3/8 has host bits set"),
        ("example.org:443", "'example.org' does not appear to be an IPv4 or IPv6 network"),
        ("0.0.0.0/0:0", "ports 0-0 seen, 1 to 65535 allowed"),
        ("0.0.0.0/0:90-80", "ports 90-80 seen, 1 to 65535 allowed, the lower first"),
        ("0.0.0.0/0:https", "invalid literal for int"),
    ],
)
def test_a_rule_that_is_none_is_refused_with_one_that_is(rule: str, said: str) -> None:
    with pytest.raises(ConfigError, match=r"internet\.allow: ") as caught:
        check_internet(InternetConfig(allow=("0.0.0.0/0:80", rule)))

    assert said in str(caught.value)
    assert '"0.0.0.0/0:80,443"' in caught.value.remedy


def test_the_line_that_would_allow_what_was_refused_keeps_what_is_allowed() -> None:
    assert line_for("192.0.2.1", 22, ()) == '[internet] allow = ["192.0.2.1:22"]'
    assert line_for("2001:db8::1", 22, ("0.0.0.0/0:443",)) == (
        '[internet] allow = ["0.0.0.0/0:443", "[2001:db8::1]:22"]'
    )
