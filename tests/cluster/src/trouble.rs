//! What can go wrong in a network. Everything here is configuration of the kernel, so it holds for
//! connections that exist, and a second process can undo it.

use crate::lab::{Lab, has_v6};
use crate::tool::{ip, nft, run, tc};
use anyhow::Result;
use std::net::IpAddr;

/// What a firewall does with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: who sent it waits.
    Drop,
    /// It says no: who sent it learns at once.
    Reject,
}

/// Rules of the switch: who is cut off from all, who from whom, and what gets lost.
pub(crate) fn switch_rules(count: usize) -> String {
    let mut chains = String::new();
    let mut jumps = String::new();
    for host in 1..=count {
        chains += &format!("chain loss{host} {{ }}\n");
        jumps +=
            &format!("iifname \"h{host}\" jump loss{host}\noifname \"h{host}\" jump loss{host}\n");
    }
    format!(
        "table bridge lab {{\n\
         set cut {{ type ifname; }}\n\
         set parted {{ type ifname . ifname; }}\n\
         {chains}\
         chain forward {{ type filter hook forward priority 0;\n\
         iifname @cut drop\noifname @cut drop\n\
         iifname . oifname @parted drop\n\
         {jumps}}}\n}}\n"
    )
}

/// Rules of a host: an open firewall.
pub(crate) const HOST_RULES: &str =
    "table inet lab {\nchain input { type filter hook input priority 0; }\n}\n";

impl Lab {
    /// Cuts a host off silently: its cable looks fine, nothing arrives.
    ///
    /// # Errors
    /// When the rules cannot be changed.
    pub fn cut(&self, host: usize) -> Result<()> {
        nft(
            &self.switch(),
            &format!("add element bridge lab cut {{ \"{}\" }}\n", self.port(host)),
        )
    }

    /// Ends [`Lab::cut`], and [`Lab::unplug`].
    ///
    /// # Errors
    /// When the rules cannot be changed.
    pub fn heal(&self, host: usize) -> Result<()> {
        let port = self.port(host);
        // Adding first makes it no error when it was not cut.
        nft(
            &self.switch(),
            &format!(
                "add element bridge lab cut {{ \"{port}\" }}\ndelete element bridge lab cut {{ \"{port}\" }}\n"
            ),
        )?;
        ip(&self.switch(), &format!("link set {port} up\n"))
    }

    /// Pulls a host's cable: its network card notices.
    ///
    /// # Errors
    /// When the link cannot be changed.
    pub fn unplug(&self, host: usize) -> Result<()> {
        ip(
            &self.switch(),
            &format!("link set {} down\n", self.port(host)),
        )
    }

    /// Parts hosts from others, silently and both ways; all still reach everybody else.
    ///
    /// # Errors
    /// When the rules cannot be changed.
    pub fn part(&self, some: &[usize], others: &[usize]) -> Result<()> {
        let pairs = some
            .iter()
            .flat_map(|one| others.iter().map(move |other| (*one, *other)));
        let rules: String = pairs
            .flat_map(|(one, other)| [(one, other), (other, one)])
            .map(|(from, to)| {
                format!(
                    "add element bridge lab parted {{ \"{}\" . \"{}\" }}\n",
                    self.port(from),
                    self.port(to)
                )
            })
            .collect();
        nft(&self.switch(), &rules)
    }

    /// Ends every [`Lab::part`].
    ///
    /// # Errors
    /// When the rules cannot be changed.
    pub fn unite(&self) -> Result<()> {
        nft(&self.switch(), "flush set bridge lab parted\n")
    }

    /// Loses this share of the packets to and from a host, in percent.
    ///
    /// # Errors
    /// When the rules cannot be changed.
    pub fn loss(&self, host: usize, percent: f64) -> Result<()> {
        let chain = format!("bridge lab loss{host}");
        let share = (percent.clamp(0.0, 100.0) * 1000.0).round() as u32;
        let rule = match share {
            0 => String::new(),
            100_000 => format!("add rule {chain} drop\n"),
            _ => format!("add rule {chain} numgen random mod 100000 < {share} drop\n"),
        };
        nft(&self.switch(), &format!("flush chain {chain}\n{rule}"))
    }

    /// Limits what a host sends and gets, in megabits per second each way; none: no limit.
    ///
    /// # Errors
    /// When the limit cannot be set.
    pub fn rate(&self, host: usize, megabits: Option<u32>) -> Result<()> {
        for (namespace, device) in [
            (self.namespace(host), "eth0".to_owned()),
            (self.switch(), self.port(host)),
        ] {
            // The default is no error to replace, but one to delete.
            match megabits {
                Some(rate) => {
                    let rate = format!("{rate}mbit");
                    let limit = ["rate", &rate, "burst", "32kb", "latency", "50ms"];
                    tc(
                        &namespace,
                        &[
                            &["qdisc", "replace", "dev", &device, "root", "tbf"],
                            &limit[..],
                        ]
                        .concat(),
                    )?;
                }
                None => tc(
                    &namespace,
                    &["qdisc", "replace", "dev", &device, "root", "pfifo"],
                )?,
            }
        }
        Ok(())
    }

    /// Lets the switch take only packets up to this size from and to a host, whose network card thinks
    /// that they may have 1500 bytes. Larger ones are lost silently.
    ///
    /// # Errors
    /// When the link cannot be changed.
    pub fn narrow(&self, host: usize, bytes: u32) -> Result<()> {
        ip(
            &self.switch(),
            &format!("link set {} mtu {bytes}\n", self.port(host)),
        )
    }

    /// Lets a host's firewall drop or reject what comes to a port, TCP and UDP; none: to any port.
    ///
    /// # Errors
    /// When the rules cannot be changed.
    pub fn firewall(&self, host: usize, verdict: Verdict, port: Option<u16>) -> Result<()> {
        let of_port = |protocol: &str| match port {
            Some(port) => format!("{protocol} dport {port}"),
            None => format!("meta l4proto {protocol}"),
        };
        let (tcp, udp) = match verdict {
            Verdict::Drop => ("drop", "drop"),
            Verdict::Reject => ("reject with tcp reset", "reject"),
        };
        let rule = |matches: String, verdict: &str| {
            format!("add rule inet lab input iifname != \"lo\" {matches} {verdict}\n")
        };
        nft(
            &self.namespace(host),
            &(rule(of_port("tcp"), tcp) + &rule(of_port("udp"), udp)),
        )
    }

    /// Lets a host's firewall drop what comes to a UDP port from one other host, which everybody else
    /// still reaches.
    ///
    /// # Errors
    /// When the rules cannot be changed.
    pub fn shut_out(&self, host: usize, other: usize, port: u16) -> Result<()> {
        let family = |address: &IpAddr| match address {
            IpAddr::V4(_) => "ip",
            IpAddr::V6(_) => "ip6",
        };
        let rule = |from: &IpAddr| {
            let family = family(from);
            format!("add rule inet lab input {family} saddr {from} udp dport {port} drop\n")
        };
        let rules: String = self.addresses(other).iter().map(rule).collect();
        nft(&self.namespace(host), &rules)
    }

    /// Opens a host's firewall.
    ///
    /// # Errors
    /// When the rules cannot be changed.
    pub fn open_firewall(&self, host: usize) -> Result<()> {
        nft(&self.namespace(host), "flush chain inet lab input\n")
    }

    /// Gives every host a bridge with the same address, 172.17.0.1, as container software does.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn duplicate_bridge_address(&self) -> Result<()> {
        for host in self.hosts() {
            ip(
                &self.namespace(host),
                "link add docker0 type bridge\naddr add 172.17.0.1/16 dev docker0\nlink set docker0 up\n",
            )?;
        }
        Ok(())
    }

    /// Takes its IPv4 address from a host.
    ///
    /// # Errors
    /// When that is not possible.
    pub fn ipv6_only(&self, host: usize) -> Result<()> {
        let flush = [
            "-n",
            &self.namespace(host),
            "-4",
            "addr",
            "flush",
            "dev",
            "eth0",
        ];
        run("ip", &flush, "")?;
        let lost = format!("{} ", self.v4(host));
        self.rewrite_hosts(|text| {
            let lines = text.lines().filter(|line| !line.starts_with(&lost));
            lines.map(|line| format!("{line}\n")).collect()
        })
    }

    /// Gives a host other addresses, `10.77.0.number` and `fd77::number`; the old ones are gone.
    ///
    /// # Errors
    /// When that is not possible.
    pub fn change_address(&self, host: usize, number: u8) -> Result<()> {
        let number = usize::from(number);
        let v6 = match has_v6() {
            true => format!(
                "addr add {}/64 dev eth0 nodad\naddr del {}/64 dev eth0\n",
                self.v6(number),
                self.v6(host)
            ),
            false => String::new(),
        };
        // The new one first: a host without any address forgets its routes.
        let v4 = format!(
            "addr add {}/24 dev eth0\naddr del {}/24 dev eth0\n",
            self.v4(number),
            self.v4(host)
        );
        // When the old address was the first, the kernel may take those of its network with it.
        ip(&self.namespace(host), &(v4 + &v6))?;
        if !self.has_v4(host, number)? {
            ip(
                &self.namespace(host),
                &format!("addr add {}/24 dev eth0\n", self.v4(number)),
            )?;
        }
        let old = [format!("{} ", self.v4(host)), format!("{} ", self.v6(host))];
        let new = [
            format!("{} ", self.v4(number)),
            format!("{} ", self.v6(number)),
        ];
        self.rewrite_hosts(|text| {
            let changed = |line: &str| {
                let found = old
                    .iter()
                    .zip(&new)
                    .find(|(old, _)| line.starts_with(old.as_str()));
                found.map_or(line.to_owned(), |(old, new)| line.replacen(old, new, 1)) + "\n"
            };
            text.lines().map(changed).collect()
        })
    }

    fn has_v4(&self, host: usize, number: usize) -> Result<bool> {
        let namespace = self.namespace(host);
        let list = run(
            "ip",
            &["-n", &namespace, "-4", "addr", "show", "dev", "eth0"],
            "",
        )?;
        Ok(list.contains(&format!("{}/", self.v4(number))))
    }
}
