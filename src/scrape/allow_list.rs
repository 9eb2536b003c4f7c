//! The allow-list: the targets that clients may name.
//!
//! Targets in the settings are chosen by the operator, but those of a proxy request or a probe by
//! the client. Without a limit, any client of the gateway could reach everything that the gateway
//! can: admin ports of other services, cloud metadata. So only what a rule matches is allowed, and
//! rules are checked against the same address that is then connected to, so that a name cannot
//! resolve to another address after the check.
//!
//! Addresses of the host itself or of the local link are rarely meant by a rule for names or for a
//! wide range. Only a rule that contains nothing else allows them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// One rule of the allow-list. All of its conditions must match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The requested name.
    pub host: Option<HostPattern>,
    /// The address that is connected to.
    pub range: Option<AddressRange>,
    /// The port.
    pub ports: Vec<u16>,
}

/// The targets that clients may name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowList {
    rules: Vec<Rule>,
}

/// Why a target is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// No rule matches this host and port, or its address.
    #[error("no rule of `allow` is for this host and port; add one if it is to be scraped")]
    NotListed,
    /// A rule matches, but the address is special and needs a rule of its own.
    #[error(
        "its address is a loopback, link-local or cloud metadata address, or not a single host; only a rule of \
         `allow` with that very address or range lets it through"
    )]
    SpecialAddress,
}

impl AllowList {
    /// An allow-list. Without rules it refuses every target.
    #[must_use]
    pub fn new(rules: Vec<Rule>) -> AllowList {
        AllowList { rules }
    }

    /// Checks the host and port before the name is resolved.
    ///
    /// # Errors
    ///
    /// No rule matches this host and port, for any address.
    pub(super) fn check_name(&self, host: &str, port: u16) -> Result<(), Denied> {
        let possible = |rule: &Rule| rule.ports.contains(&port) && rule.names(host);
        if self.rules.iter().any(possible) { Ok(()) } else { Err(Denied::NotListed) }
    }

    /// Whether this address of this host may be connected to.
    ///
    /// # Errors
    ///
    /// It may not.
    pub(super) fn check(&self, host: &str, address: IpAddr, port: u16) -> Result<(), Denied> {
        // An IPv4-mapped address is checked as the IPv4 address it embeds.
        let address = address.to_canonical();
        let special = special(address);
        let mut denied = Denied::NotListed;
        for rule in self.rules.iter().filter(|rule| rule.ports.contains(&port)) {
            if !rule.names(host) || !rule.range.is_none_or(|range| range.0.contains(&address)) {
                continue;
            }
            if special.as_ref().is_none_or(|special| rule.means(special)) {
                return Ok(());
            }
            denied = Denied::SpecialAddress;
        }
        Err(denied)
    }
}

impl Rule {
    fn names(&self, host: &str) -> bool {
        self.host.as_ref().is_none_or(|pattern| pattern.matches(host))
    }

    /// Whether the rule is meant for special addresses: its range contains no others, or its host
    /// is `localhost`.
    fn means(&self, special: &IpNet) -> bool {
        if let Some(AddressRange(range)) = &self.range {
            return special.contains(range);
        }
        let localhost = |pattern: &HostPattern| pattern.0 == ["localhost"];
        LOOPBACK.contains(special) && self.host.as_ref().is_some_and(localhost)
    }
}

const LOOPBACK: [IpNet; 2] = [v4([127, 0, 0, 0], 8), v6([0, 0, 0, 0, 0, 0, 0, 1], 128)];

/// Addresses that do not belong to exactly one other host.
const SPECIAL: [IpNet; 13] = [
    LOOPBACK[0],
    LOOPBACK[1],
    v4([169, 254, 0, 0], 16), // this link; in clouds, the instance's metadata
    v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10),
    v4([100, 100, 100, 200], 32), // metadata of other clouds
    v4([168, 63, 129, 16], 32),
    v6([0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0], 32),
    v6([0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0], 32),
    v4([0, 0, 0, 0], 8), // "this host": connects to the local host
    v6([0; 8], 128),
    v4([224, 0, 0, 0], 4), // multicast
    v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8),
    v4([240, 0, 0, 0], 4), // reserved, and broadcast
];

/// IPv6 ranges that a router may translate to the IPv4 address they embed, and the bit at which
/// that starts.
const TRANSLATED: [(IpNet, u8); 5] = [
    (v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96), 96), // NAT64
    (v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48), 96), // local NAT64
    (v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16), 16),    // 6to4
    (v6([0; 8], 96), 96),                           // "IPv4-compatible"
    (v6([0, 0, 0, 0, 0xffff, 0, 0, 0], 96), 96),    // "IPv4-translated"
];

/// The special range that contains an address, if any.
fn special(address: IpAddr) -> Option<IpNet> {
    let among = |address: IpAddr| SPECIAL.into_iter().find(|range| range.contains(&address));
    let IpAddr::V6(v6) = address else { return among(address) };
    among(address).or_else(|| {
        TRANSLATED.into_iter().filter(|(range, _)| range.contains(&address)).find_map(|(_, at)| {
            let within = u32::try_from(v6.to_bits() << at >> 96).expect("32 bits are left");
            let range = among(Ipv4Addr::from(within).into())?;
            Some(Ipv6Net::new(v6, at + range.prefix_len()).ok()?.trunc().into())
        })
    })
}

const fn v4([a, b, c, d]: [u8; 4], prefix: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix))
}

const fn v6(p: [u16; 8], prefix: u8) -> IpNet {
    let address = Ipv6Addr::new(p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7]);
    IpNet::V6(Ipv6Net::new_assert(address, prefix))
}

/// A pattern for host names, label by label. `*` within a label matches any text; `*` as the first
/// label matches one or more labels. The end is always fixed, because it determines the owner of
/// the zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern(Vec<String>);

impl HostPattern {
    fn matches(&self, host: &str) -> bool {
        // `*` never matches an address.
        if host.parse::<IpAddr>().is_ok() {
            return false;
        }
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let labels: Vec<&str> = host.split('.').collect();
        let HostPattern(pattern) = self;
        let (any, pattern) = match pattern.split_first() {
            Some((first, rest)) if first == "*" => (true, rest),
            _ => (false, pattern.as_slice()),
        };
        let Some(extra) = labels.len().checked_sub(pattern.len()) else { return false };
        if any != (extra > 0) || labels.iter().any(|label| label.is_empty()) {
            return false;
        }
        labels[extra..].iter().zip(pattern).all(|(label, pattern)| label_matches(pattern, label))
    }
}

/// `*` matches any text.
fn label_matches(pattern: &str, label: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else {
        return pattern == label;
    };
    label.strip_prefix(before).is_some_and(|rest| {
        rest.char_indices()
            .map(|(at, _)| at)
            .chain([rest.len()])
            .any(|at| rest.get(at..).is_some_and(|rest| label_matches(after, rest)))
    })
}

impl FromStr for HostPattern {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.parse::<IpAddr>().is_ok() {
            return Err("this is an address; write it as cidr");
        }
        let text = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let labels: Vec<String> = text.split('.').map(str::to_owned).collect();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_*".contains(&byte);
        let is_label = |label: &String| {
            // More than one `*` per label would make matching slow.
            let stars = label.bytes().filter(|byte| *byte == b'*').count();
            !label.is_empty() && label.bytes().all(plain) && stars <= 1
        };
        if labels.iter().all(is_label) {
            Ok(HostPattern(labels))
        } else {
            Err("expected a host name such as kong-1, kong-*.internal or *.kong.svc")
        }
    }
}

impl std::fmt::Display for HostPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

/// A range of addresses, or one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRange(IpNet);

impl FromStr for AddressRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(AddressRange(address.into()));
        }
        let range: IpNet = text.parse().map_err(|_| {
            "expected a range of addresses such as 10.0.0.0/8 or fd00::/8, or an address".to_owned()
        })?;
        let whole = range.trunc();
        if range == whole {
            Ok(AddressRange(range))
        } else {
            Err(format!(
                "the address has bits set after its prefix; write {whole}, or the address alone"
            ))
        }
    }
}

impl std::fmt::Display for AddressRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(host: &str, range: &str, ports: &[u16]) -> Rule {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Rule {
            host: some(host).map(|host| host.parse().expect("a pattern")),
            range: some(range).map(|range| range.parse().expect("a range")),
            ports: ports.to_vec(),
        }
    }

    #[test]
    fn host_patterns() {
        let cases = [
            ("kong", "kong", true),
            ("kong", "KONG.", true),
            ("kong", "kong.evil.example", false),
            ("kong", "xkong", false),
            ("*.kong.svc", "a.kong.svc", true),
            ("*.kong.svc", "a.b.kong.svc", true),
            ("*.kong.svc", "kong.svc", false),
            ("*.kong.svc", ".kong.svc", false),
            ("*.kong.svc", "a.kong.svc.evil.example", false),
            ("*.kong.svc", "akong.svc", false),
            ("kong-*", "kong-1", true),
            ("kong-*", "kong-", true),
            ("kong-*", "kong-1.evil.example", false), // a star ends at a dot
            ("kong-*.a", "kong-x.a", true),
            ("a.*.c", "a.b.c", true),
            ("a.*.c", "a.b.b.c", false),
            ("*", "anything.at.all", true),
            ("*", "10.0.0.1", false), // an address is no name
            ("*", "::1", false),
            ("*", "", false),
            ("*.1", "10.0.0.1", false),
            ("*", "2130706433", true), // read as a name; its address decides
        ];
        for (pattern, host, expected) in cases {
            let matches = pattern.parse::<HostPattern>().expect(pattern).matches(host);
            assert_eq!(matches, expected, "{pattern} {host}");
        }
        for text in ["", "a..b", "a b", "10.0.0.1", "::1", "a/b", "**", "ü", "a:80"] {
            assert!(text.parse::<HostPattern>().is_err(), "{text}");
        }
    }

    #[test]
    fn address_ranges() {
        for text in ["10.0.0.0/8", "10.1.2.3", "fd00::/8", "::1", "127.0.0.0/8"] {
            assert!(text.parse::<AddressRange>().is_ok(), "{text}");
        }
        for text in ["", "10.0.0.1/8", "10.0.0.0/33", "kong", "10.0.0", "fd00::1/8"] {
            assert!(text.parse::<AddressRange>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_rule_holds_in_all_that_it_says() {
        let allow_list = AllowList::new(vec![
            rule("*.kong.svc", "", &[8100]),
            rule("", "10.0.0.0/8", &[8001, 8100]),
            rule("both", "192.168.0.0/16", &[80]),
        ]);
        let listed = [
            ("a.kong.svc", "172.16.0.1", 8100),
            ("anything", "10.1.2.3", 8001),
            ("10.1.2.3", "10.1.2.3", 8100),
            ("a.kong.svc", "::ffff:172.16.0.1", 8100),
            ("x", "::ffff:10.0.0.1", 8100),
            ("both", "192.168.1.1", 80),
        ];
        for (host, address, port) in listed {
            let address = address.parse().expect("an address");
            assert_eq!(allow_list.check(host, address, port), Ok(()), "{host} {address} {port}");
            assert_eq!(allow_list.check_name(host, port), Ok(()), "{host} {port}");
        }
        let unlisted = [
            ("a.kong.svc", "172.16.0.1", 8001), // another rule's port
            ("kong.svc", "172.16.0.1", 8100),
            ("anything", "11.1.2.3", 8001),
            ("anything", "10.1.2.3", 22),
            ("both", "172.16.0.1", 80),
            ("other", "192.168.1.1", 80),
        ];
        for (host, address, port) in unlisted {
            let address = address.parse().expect("an address");
            let refused = Err(Denied::NotListed);
            assert_eq!(allow_list.check(host, address, port), refused, "{host} {address} {port}");
        }
        assert_eq!(AllowList::default().check_name("kong", 8100), Err(Denied::NotListed));
        assert_eq!(allow_list.check_name("other", 80), Err(Denied::NotListed));
    }

    /// Every host and every address, on port 80.
    fn wide() -> AllowList {
        AllowList::new(vec![
            rule("*", "", &[80]),
            rule("", "0.0.0.0/0", &[80]),
            rule("", "::/0", &[80]),
        ])
    }

    #[test]
    fn general_rules_do_not_allow_special_addresses() {
        let wide = wide();
        let special = [
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "::ffff:127.0.0.1",
            "169.254.169.254",
            "fe80::1",
            "0.0.0.0",
            "0.1.2.3",
            "::",
            "224.0.0.1",
            "255.255.255.255",
            "ff02::1",
            "100.100.100.200",
            "168.63.129.16",
            "fd00:ec2::254",
            "fd20:ce::254",
            // The addresses they are translated to are special too.
            "64:ff9b::127.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::169.254.169.254",
            "64:ff9b:1:2:3:4:7f00:1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::1",
            "::127.0.0.1",
            "::2",
            "::ffff:0:127.0.0.1",
        ];
        for address in special {
            let address: IpAddr = address.parse().expect("an address");
            for host in ["evil.example", "localhost", &address.to_string()] {
                assert_eq!(
                    wide.check(host, address, 80),
                    Err(Denied::SpecialAddress),
                    "{host} {address}"
                );
            }
        }
        // Addresses in the same ranges that embed ordinary addresses.
        for address in
            ["64:ff9b::8.8.8.8", "64:ff9b:1::10.0.0.1", "2002:a00:1::1", "::8.8.8.8", "fd00:ec3::1"]
        {
            let address = address.parse().expect("an address");
            assert_eq!(wide.check("x", address, 80), Ok(()), "{address}");
        }
    }

    #[test]
    fn specific_rules_allow_special_addresses() {
        for (host, range, address) in [
            ("", "127.0.0.0/8", "127.0.0.1"),
            ("", "127.0.0.1", "::ffff:127.0.0.1"),
            ("", "::1", "::1"),
            ("", "169.254.1.2", "169.254.1.2"),
            ("", "fe80::/10", "fe80::1"),
            ("", "fd00:ec2::254", "fd00:ec2::254"),
            ("", "64:ff9b::7f00:0/104", "64:ff9b::7f00:1"),
            ("", "2002:7f00:1::/48", "2002:7f00:1::1"),
            ("localhost", "", "127.0.0.1"),
            ("localhost", "", "::1"),
        ] {
            let allow_list = AllowList::new(vec![rule(host, range, &[80])]);
            let host = if host.is_empty() { "x" } else { host };
            let address = address.parse().expect("an address");
            assert_eq!(allow_list.check(host, address, 80), Ok(()), "{host} {address}");
        }
        // `localhost` allows loopback addresses only: neither link-local nor translated ones.
        let allow_list = AllowList::new(vec![rule("localhost", "", &[80])]);
        let translated = "64:ff9b::7f00:1".parse().expect("an address");
        assert_eq!(allow_list.check("localhost", translated, 80), Err(Denied::SpecialAddress));
        let link = "169.254.169.254".parse().expect("an address");
        assert_eq!(allow_list.check("localhost", link, 80), Err(Denied::SpecialAddress));
    }
}
