//! What of the legacy Internet a node's services may reach: the operator's rules, checked on the very
//! address that is then connected to, whatever name it came from.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `NETWORK:PORTS`, for one transport `tcp NETWORK:PORTS` or `udp NETWORK:PORTS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    network: Network,
    /// From and to, both included.
    ports: Vec<(u16, u16)>,
    /// `None`: both.
    is_udp: Option<bool>,
}

/// All rules, and the addresses of the node itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Internet {
    rules: Vec<Rule>,
    own: Vec<IpAddr>,
}

/// Why a text is no rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRule {
    rule: String,
    what: &'static str,
}

impl fmt::Display for BadRule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "internet rule {:?}: {}; rules are NETWORK:PORTS, such as \"0.0.0.0/0:80,443\", \
             \"[::]/0:*\" or \"udp 10.1.0.0/16:53\"",
            self.rule, self.what
        )
    }
}

impl std::error::Error for BadRule {}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Internet {
    /// From the operator's texts; `own` are the node's own addresses.
    ///
    /// # Errors
    /// A text is no rule.
    pub fn new<'a>(
        rules: impl IntoIterator<Item = &'a str>,
        own: Vec<IpAddr>,
    ) -> Result<Self, BadRule> {
        let rules = rules.into_iter().map(Rule::parse);
        Ok(Self {
            rules: rules.collect::<Result<_, _>>()?,
            own: own.into_iter().map(|own| own.to_canonical()).collect(),
        })
    }

    /// Whether a service may reach it. What is special (loopback, private, multicast and their like) only
    /// by a rule for a network that is special itself, an address of the node only by one for it alone.
    pub fn is_allowed(&self, address: IpAddr, port: u16, is_udp: bool) -> bool {
        let address = address.to_canonical();
        let is_own = self.own.contains(&address);
        let special = SPECIAL.iter().find(|special| special.contains(address));
        self.rules.iter().any(|rule| {
            let is_meant = if is_own {
                rule.network.is_single()
            } else {
                special.is_none_or(|special| special.holds(&rule.network))
            };
            is_meant && rule.fits(address, port, is_udp)
        })
    }
}

impl Rule {
    fn parse(text: &str) -> Result<Self, BadRule> {
        let bad = |what| BadRule {
            rule: text.to_owned(),
            what,
        };
        let (is_udp, rest) = match text.split_once(' ') {
            Some(("tcp", rest)) => (Some(false), rest),
            Some(("udp", rest)) => (Some(true), rest),
            Some(_) => return Err(bad("its first word is not tcp or udp")),
            None => (None, text),
        };
        let (network, ports) = rest
            .rsplit_once(':')
            .ok_or_else(|| bad("it has no ports"))?;
        let network = Network::parse(network).ok_or_else(|| bad("its network is none"))?;
        let ports = ports.split(',').map(parse_ports).collect::<Option<_>>();
        Ok(Self {
            network,
            ports: ports
                .ok_or_else(|| bad("its ports are not *, numbers or ranges of 1 to 65535"))?,
            is_udp,
        })
    }

    fn fits(&self, address: IpAddr, port: u16, is_udp: bool) -> bool {
        self.is_udp.is_none_or(|only| only == is_udp)
            && self.network.contains(address)
            && self
                .ports
                .iter()
                .any(|(first, last)| (*first..=*last).contains(&port))
    }
}

/// `*`, `80` or `8000-8100`.
fn parse_ports(text: &str) -> Option<(u16, u16)> {
    let number = |text: &str| text.parse().ok().filter(|port| *port != 0);
    match (text, text.split_once('-')) {
        ("*", _) => Some((1, u16::MAX)),
        (_, None) => number(text).map(|port| (port, port)),
        (_, Some((first, last))) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some((first, last))
        }
    }
}

impl Network {
    const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Self {
        Self {
            address: IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
            prefix,
        }
    }

    const fn v6(first: u16, second: u16, prefix: u8) -> Self {
        Self {
            address: IpAddr::V6(Ipv6Addr::new(first, second, 0, 0, 0, 0, 0, 0)),
            prefix,
        }
    }

    /// `10.0.0.0/8`, `10.1.2.3`, `[fd00::]/8`, `[::1]`.
    fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address = match address
            .strip_prefix('[')
            .and_then(|inner| inner.strip_suffix(']'))
        {
            Some(inner) => IpAddr::V6(inner.parse().ok()?),
            None => IpAddr::V4(address.parse().ok()?),
        };
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(prefix) => prefix.parse().ok().filter(|prefix| *prefix <= most)?,
            None => most,
        };
        Some(Self { address, prefix })
    }

    fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let apart = u32::from(own) ^ u32::from(other);
                apart.leading_zeros() >= u32::from(self.prefix)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let apart = u128::from(own) ^ u128::from(other);
                apart.leading_zeros() >= u32::from(self.prefix)
            }
            _ => false,
        }
    }

    fn holds(&self, other: &Self) -> bool {
        other.prefix >= self.prefix && self.contains(other.address)
    }

    fn is_single(&self) -> bool {
        self.prefix == if self.address.is_ipv4() { 32 } else { 128 }
    }
}

/// Addresses that are not for everybody, or lead to others in disguise: the registries of RFC 6890.
const SPECIAL: [Network; 28] = [
    Network::v4(0, 0, 0, 0, 8),
    Network::v4(10, 0, 0, 0, 8),
    Network::v4(100, 64, 0, 0, 10),
    Network::v4(127, 0, 0, 0, 8),
    Network::v4(169, 254, 0, 0, 16),
    Network::v4(172, 16, 0, 0, 12),
    Network::v4(192, 0, 0, 0, 24),
    Network::v4(192, 0, 2, 0, 24),
    Network::v4(192, 88, 99, 0, 24),
    Network::v4(192, 168, 0, 0, 16),
    Network::v4(198, 18, 0, 0, 15),
    Network::v4(198, 51, 100, 0, 24),
    Network::v4(203, 0, 113, 0, 24),
    Network::v4(224, 0, 0, 0, 4),
    Network::v4(240, 0, 0, 0, 4),
    // Unspecified, loopback and addresses of IPv4 in old dress.
    Network::v6(0, 0, 8),
    // NAT64.
    Network::v6(0x64, 0xff9b, 32),
    Network::v6(0x100, 0, 64),
    // Teredo and other protocols.
    Network::v6(0x2001, 0, 23),
    Network::v6(0x2001, 0xdb8, 32),
    // 6to4.
    Network::v6(0x2002, 0, 16),
    Network::v6(0x3fff, 0, 20),
    Network::v6(0x5f00, 0, 16),
    // Unique local; hosts and nodes of L3.5 have addresses of the same look.
    Network::v6(0xfc00, 0, 7),
    Network::v6(0xfe80, 0, 10),
    Network::v6(0xfec0, 0, 10),
    Network::v6(0xff00, 0, 8),
    // Dummy, 6bone.
    Network::v6(0x3ffe, 0, 16),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn internet(rules: &[&str]) -> Internet {
        let own = vec!["198.41.0.4".parse().unwrap()];
        Internet::new(rules.iter().copied(), own).unwrap()
    }

    fn is_allowed(rules: &[&str], address: &str, port: u16) -> bool {
        internet(rules).is_allowed(address.parse().unwrap(), port, false)
    }

    #[test]
    fn nothing_is_allowed_by_default() {
        assert!(!is_allowed(&[], "9.9.9.9", 443));
    }

    #[test]
    fn a_rule_allows_its_networks_and_ports() {
        let rules = ["0.0.0.0/0:80,8000-8100", "[2600::]/12:*"];

        assert!(is_allowed(&rules, "9.9.9.9", 80));
        assert!(is_allowed(&rules, "9.9.9.9", 8_100));
        assert!(!is_allowed(&rules, "9.9.9.9", 443));
        assert!(is_allowed(&rules, "2600::1", 1));
        assert!(!is_allowed(&rules, "2a00::1", 1));
    }

    #[test]
    fn a_rule_may_be_for_one_transport() {
        let internet = internet(&["udp 9.9.9.9:53"]);
        let address = "9.9.9.9".parse().unwrap();

        assert!(internet.is_allowed(address, 53, true));
        assert!(!internet.is_allowed(address, 53, false));
    }

    #[test]
    fn special_addresses_are_not_in_everything() {
        let everything = ["0.0.0.0/0:*", "[::]/0:*"];
        for special in [
            "127.0.0.1",
            "10.0.0.1",
            "169.254.169.254",
            "192.168.1.1",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "fe80::1",
            "fd35::1",
            "ff02::1",
        ] {
            assert!(!is_allowed(&everything, special, 80), "{special}");
        }
    }

    #[test]
    fn a_rule_inside_a_special_network_allows_it() {
        assert!(is_allowed(&["127.0.0.0/8:*"], "127.0.0.1", 80));
        assert!(is_allowed(&["127.0.0.1:80"], "::ffff:127.0.0.1", 80));
        assert!(is_allowed(&["10.1.0.0/16:22"], "10.1.2.3", 22));
        assert!(!is_allowed(&["8.0.0.0/5:*"], "10.1.2.3", 22));
        assert!(is_allowed(&["[fd00:1::]/32:*"], "fd00:1::5", 22));
    }

    #[test]
    fn the_node_itself_is_reached_by_its_address_alone() {
        assert!(!is_allowed(&["198.41.0.0/24:*"], "198.41.0.4", 80));
        assert!(is_allowed(&["198.41.0.0/24:*"], "198.41.0.5", 80));
        assert!(is_allowed(&["198.41.0.4:80"], "198.41.0.4", 80));
    }

    #[test]
    fn what_is_no_rule_is_said_with_its_fault() {
        for (text, fault) in [
            ("0.0.0.0/0", "no ports"),
            ("0.0.0.0/33:80", "network"),
            ("example.org:80", "network"),
            ("0.0.0.0/0:0", "ports"),
            ("0.0.0.0/0:90-80", "ports"),
            ("sctp 0.0.0.0/0:80", "first word"),
        ] {
            let error = Internet::new([text], Vec::new()).unwrap_err().to_string();
            assert!(error.contains(fault), "{error}");
        }
    }
}
