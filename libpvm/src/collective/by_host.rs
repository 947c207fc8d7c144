//! Collectives of blocks that go host by host: one rank of a host speaks for it. What crosses the network
//! does so once for a host, not once for a rank, or in one message for all ranks of two hosts.
//!
//! Between hosts, blocks travel *packed*: those of a host one behind the other, its ranks rising.

use super::algorithm::{allgather, alltoall, broadcast, gather, reduce_scatter, scatter};
use super::schedule::{Schedule, Span};
use super::team::{Blocks, Packed, Team};
use super::topology::ByHost;
use crate::ids::Rank;

/// All blocks, packed: by rank, and those of each host as one.
struct Order {
    /// By rank.
    starts: Vec<usize>,
    lens: Vec<usize>,
    /// By speaker.
    hosts: Packed,
}

impl Order {
    fn new(teams: &ByHost<'_>, size: usize, blocks: &Blocks<'_>) -> Self {
        let lens: Vec<usize> = (0..size).map(|rank| blocks.len(rank)).collect();
        let of_host = |member| teams.ranks(member).iter().map(|rank| lens[*rank]).sum();
        let hosts = Packed::new((0..teams.hosts()).map(of_host));
        let mut starts = vec![0; size];
        for member in 0..teams.hosts() {
            let mut end = hosts.starts[member];
            for &rank in teams.ranks(member) {
                starts[rank] = end;
                end += lens[rank];
            }
        }
        Self {
            starts,
            lens,
            hosts,
        }
    }

    fn by_rank(&self) -> Blocks<'_> {
        Blocks::Listed {
            lens: &self.lens,
            starts: &self.starts,
        }
    }

    /// Whether blocks are packed as they are.
    fn is_that_of(&self, blocks: &Blocks<'_>, whole: Span) -> bool {
        let mut ranks = 0..self.lens.len();
        ranks.all(|rank| blocks.of(whole, rank) == self.by_rank().of(whole, rank))
    }

    /// The blocks of the ranks of a team, which are on one host.
    fn of_team(&self, team: &Team<'_>) -> (Vec<usize>, Vec<usize>) {
        let ranks = (0..team.size).map(|member| team.rank(member));
        ranks
            .map(|rank| (self.lens[rank], self.starts[rank]))
            .unzip()
    }
}

/// A block of every rank goes to all; `mine` is the own one.
pub(super) fn allgather(
    plan: &mut Schedule,
    teams: &ByHost<'_>,
    mine: Span,
    (output, blocks): (Span, &Blocks<'_>),
    size: usize,
) {
    let order = Order::new(teams, size, blocks);
    let is_direct = order.is_that_of(blocks, output);
    let all = match is_direct {
        true => Span {
            len: order.hosts.total,
            ..output
        },
        false => plan.temporary(order.hosts.total),
    };
    let (lens, starts) = order.of_team(&teams.local);
    let local = Blocks::Listed {
        lens: &lens,
        starts: &starts,
    };
    gather::linear(plan, &teams.local, mine, &local, all);
    if let Some(speakers) = &teams.speakers {
        let own = order.hosts.of(all, speakers.me);
        allgather::direct(plan, speakers, own, &order.hosts.blocks(), all);
    }
    broadcast::binomial(plan, &teams.local, all);
    if !is_direct {
        for rank in 0..size {
            plan.copy(order.by_rank().of(all, rank), blocks.of(output, rank));
        }
    }
}

/// A block of every rank, of one length, goes to the root; `mine` is the own one.
pub(super) fn gather(plan: &mut Schedule, teams: &ByHost<'_>, mine: Span, output: Span) {
    let len = mine.len;
    let each = Blocks::Equal { len };
    let Some(speakers) = &teams.speakers else {
        return gather::binomial(plan, &teams.local, mine, output);
    };
    let (hosts, all, own) = room_of_speaker(plan, teams, speakers, len);
    gather::binomial(plan, &teams.local, mine, own);
    gather::linear(plan, speakers, own, &hosts.blocks(), all);
    if speakers.me == 0 {
        for (place, rank) in teams.packed_ranks().enumerate() {
            plan.copy(each.of(all, place), each.of(output, rank));
        }
    }
}

/// Room of one who speaks for a host, for blocks of one length, and where its own host's are in it. The root's
/// is for all ranks, its own host first, packed as is said; that of the others for their host alone.
fn room_of_speaker(
    plan: &mut Schedule,
    teams: &ByHost<'_>,
    speakers: &Team<'_>,
    len: usize,
) -> (Packed, Span, Span) {
    let hosts = Packed::new((0..teams.hosts()).map(|member| teams.ranks(member).len() * len));
    let own = hosts.lens[speakers.me];
    let all = match speakers.me {
        0 => plan.temporary(hosts.total),
        _ => plan.temporary(own),
    };
    (hosts, all, all.part(0, own))
}

/// Every rank gets its block, of one length, of the root's input.
pub(super) fn scatter(plan: &mut Schedule, teams: &ByHost<'_>, input: Span, mine: Span) {
    let len = mine.len;
    let each = Blocks::Equal { len };
    let Some(speakers) = &teams.speakers else {
        return scatter::binomial(plan, &teams.local, input, mine);
    };
    let (hosts, all, own) = room_of_speaker(plan, teams, speakers, len);
    if speakers.me == 0 {
        for (place, rank) in teams.packed_ranks().enumerate() {
            plan.copy(each.of(input, rank), each.of(all, place));
        }
    }
    scatter::linear(plan, speakers, all, &hosts.blocks(), own);
    // What stays in the input is there already.
    let mine = match mine.buffer == input.buffer {
        true => own.part(0, len),
        false => mine,
    };
    scatter::binomial(plan, &teams.local, own, mine);
}

/// A block of every rank for every rank, all of one length.
pub(super) fn alltoall(
    plan: &mut Schedule,
    teams: &ByHost<'_>,
    (input, output): (Span, Span),
    len: usize,
) {
    let local = &teams.local;
    let Some(speakers) = &teams.speakers else {
        plan.send(local, 0, input);
        return plan.receive(local, 0, output);
    };
    let each = Blocks::Equal { len };
    let whole = Blocks::Equal { len: input.len };
    let gathered = plan.temporary(local.size * input.len);
    gather::linear(plan, local, input, &whole, gathered);
    // To each host the blocks of each rank here, of all ranks there; and the same back.
    let ranks = |member: usize| teams.ranks(member);
    let pieces = Packed::new((0..teams.hosts()).map(|host| local.size * ranks(host).len() * len));
    let (leaving, arriving) = (plan.temporary(pieces.total), plan.temporary(pieces.total));
    for host in 0..teams.hosts() {
        let piece = pieces.of(leaving, host);
        for from in 0..local.size {
            for (to, &rank) in ranks(host).iter().enumerate() {
                let block = each.of(whole.of(gathered, from), rank);
                plan.copy(block, each.of(piece, from * ranks(host).len() + to));
            }
        }
    }
    let blocks = pieces.blocks();
    alltoall::direct(plan, speakers, (leaving, &blocks), (arriving, &blocks));
    let results = plan.temporary(local.size * output.len);
    for host in 0..teams.hosts() {
        let piece = pieces.of(arriving, host);
        for (from, &rank) in ranks(host).iter().enumerate() {
            for to in 0..local.size {
                let block = each.of(piece, from * local.size + to);
                plan.copy(block, each.of(whole.of(results, to), rank));
            }
        }
    }
    scatter::linear(plan, local, results, &whole, output);
}

/// The sums of all hosts, of which each speaker has its own, are combined; every rank gets its block.
/// The operation is commutative.
pub(super) fn reduce_scatter(
    plan: &mut Schedule,
    teams: &ByHost<'_>,
    (sum, blocks): (Span, &Blocks<'_>),
    mine: Span,
    how: reduce_scatter::How,
    size: usize,
) {
    let local = &teams.local;
    let order = Order::new(teams, size, blocks);
    let (lens, starts) = order.of_team(local);
    let first = starts.iter().copied().min().unwrap_or(0);
    let starts: Vec<usize> = starts.iter().map(|start| start - first).collect();
    let parts = Blocks::Listed {
        lens: &lens,
        starts: &starts,
    };
    let Some(speakers) = &teams.speakers else {
        return scatter::linear(plan, local, sum, &parts, mine);
    };
    let packed = match order.is_that_of(blocks, sum) {
        true => sum,
        false => pack(plan, &order, (sum, blocks), size),
    };
    let result = plan.temporary(order.hosts.lens[speakers.me]);
    reduce_scatter::direct(plan, speakers, packed, &order.hosts.blocks(), result, how);
    scatter::linear(plan, local, result, &parts, mine);
}

fn pack(
    plan: &mut Schedule,
    order: &Order,
    (whole, blocks): (Span, &Blocks<'_>),
    size: Rank,
) -> Span {
    let packed = plan.temporary(order.hosts.total);
    for rank in 0..size {
        plan.copy(blocks.of(whole, rank), order.by_rank().of(packed, rank));
    }
    packed
}
