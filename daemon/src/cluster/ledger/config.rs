//! How patient a ledger is. The defaults are for a local network.

use openraft::{Config as RaftConfig, SnapshotPolicy};
use pvm::limits::{
    LEDGER_ELECTION_MS, LEDGER_HEARTBEAT_MS, LEDGER_KEEP_ENTRIES, LEDGER_PROPOSE_MS,
    LEDGER_QUORUM_LOST_MS, LEDGER_SILENCE_MS, LEDGER_SNAPSHOT_ENTRIES, LEDGER_TAKE_OVER_MS,
    LEDGER_VOTERS_MAX,
};
use std::time::Duration;

/// Entries in one message of replication.
const ENTRIES_PER_MESSAGE: u64 = 256;

/// What to do when one of two hosts falls silent, see [`super`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TwoHosts {
    /// The other goes on alone.
    TakeOver,
    /// Both stop, as a minority does.
    Stop,
}

/// Times and bounds of a ledger; the same on every host.
#[derive(Debug, Clone)]
pub struct Config {
    /// Between two signs of life of the leader.
    pub heartbeat: Duration,
    /// Least and most time without a leader after which a voter wants to be one. Each host has its
    /// own between the two.
    pub election: (Duration, Duration),
    /// Longest that a proposal is tried.
    pub propose: Duration,
    /// Without a sign of a leader that reaches a majority for so long, the quorum is lost.
    pub quorum_lost: Duration,
    /// A voter that takes no entries for so long is suspected, and a host that does not ask the one above it
    /// for news.
    pub silence: Duration,
    /// The last of two hosts goes on alone after so long.
    pub take_over: Duration,
    /// Whether it does.
    pub two_hosts: TwoHosts,
    /// Most voters: 1, 3 or 5.
    pub voters: usize,
    /// Entries after which a snapshot is made.
    pub snapshot_after: u64,
    /// Entries that are kept behind a snapshot, for voters that lag, and of the last ones on every host, for
    /// those below it.
    pub keep: u64,
}

impl Default for Config {
    fn default() -> Self {
        let (least, most) = LEDGER_ELECTION_MS;
        Config {
            heartbeat: Duration::from_millis(LEDGER_HEARTBEAT_MS),
            election: (Duration::from_millis(least), Duration::from_millis(most)),
            propose: Duration::from_millis(LEDGER_PROPOSE_MS),
            quorum_lost: Duration::from_millis(LEDGER_QUORUM_LOST_MS),
            silence: Duration::from_millis(LEDGER_SILENCE_MS),
            take_over: Duration::from_millis(LEDGER_TAKE_OVER_MS),
            two_hosts: TwoHosts::TakeOver,
            voters: LEDGER_VOTERS_MAX,
            snapshot_after: LEDGER_SNAPSHOT_ENTRIES,
            keep: LEDGER_KEEP_ENTRIES,
        }
    }
}

impl Config {
    /// For openraft. It draws the election timeout once, so it may as well be told: numbers that
    /// are next to each other get times that are far apart.
    pub(super) fn raft(&self, node: u64) -> RaftConfig {
        let (least, most) = (millis(self.election.0), millis(self.election.1));
        let spread = node.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        let timeout = least + spread % most.saturating_sub(least).max(1);
        RaftConfig {
            cluster_name: "pvm".to_owned(),
            heartbeat_interval: millis(self.heartbeat),
            election_timeout_min: timeout,
            election_timeout_max: timeout + 1,
            install_snapshot_timeout: millis(self.propose),
            max_payload_entries: ENTRIES_PER_MESSAGE,
            replication_lag_threshold: self.snapshot_after + self.keep,
            snapshot_policy: SnapshotPolicy::LogsSinceLast(self.snapshot_after),
            max_in_snapshot_log_to_keep: self.keep,
            purge_batch_size: (self.keep / 4).max(1),
            ..RaftConfig::default()
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_have_election_timeouts_far_apart() {
        let config = Config::default();
        for node in 1..200 {
            let this = config.raft(node).validate().unwrap().election_timeout_min;
            let next = config.raft(node + 1).election_timeout_min;
            assert!((800..1600).contains(&this));
            assert!(this.abs_diff(next) > 100, "{node}: {this} and {next} ms");
        }
    }
}
