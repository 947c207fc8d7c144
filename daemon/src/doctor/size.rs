//! Ways on which large packets are lost, and nobody says so.

use super::{Finding, View, Weight};
use crate::ui::fold::fold;
use std::collections::BTreeMap;

/// What is found: one line for each host that sends, and size.
pub(super) fn findings(view: &View<'_>) -> Vec<Finding> {
    let mut alike: BTreeMap<(u32, u32), Vec<String>> = BTreeMap::new();
    for examined in &view.picture.examined {
        for way in examined.ways.iter().filter(|way| way.lost_bytes > 0) {
            let to = alike.entry((examined.host, way.lost_bytes)).or_default();
            to.push(view.name(way.host));
        }
    }
    let found = alike.into_iter().map(|((from, bytes), to)| {
        let from = view.name(from);
        let what = format!(
            "packets of {bytes} bytes from {from} to {} are lost",
            fold(&to)
        );
        let why = "smaller ones arrive: something between them takes less and does not say so, and \
                   direct connections of tasks stand still";
        let next = "give the network card on both ends what the way takes: ip link set DEVICE mtu 1400; \
                    or let TCP find it out: sysctl net.ipv4.tcp_mtu_probing=1";
        let texts = [what, why.to_owned(), next.to_owned()];
        let hosts = [vec![from], to].concat();
        Finding::about(hosts, "packet-size", Weight::Problem, texts)
    });
    found.collect()
}
