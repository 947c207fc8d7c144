//! The tokens that a daemon has given out.

use super::{Exporter, OneTime};
use pvm::limits::TOKENS_MAX;
use std::time::{Duration, Instant};

/// The tokens that a daemon has given out, in the order in which it did. Those that are spent stay as
/// long as there is room, so that whoever comes late is told why.
#[derive(Debug, Default)]
pub struct TokenTable {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    one_time: OneTime,
    expires: Instant,
    uses: u32,
}

/// Why a proof lets nobody in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Redeemed {
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// It was good for fewer.
    #[error("the token has been used")]
    Used,
    /// No token of this daemon proves that.
    #[error("the token is not one that this daemon has given out")]
    Unknown,
}

/// All places are taken by tokens that are still good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{TOKENS_MAX} join tokens are waiting to be used; wait until some expire")]
pub struct TooManyTokens;

impl TokenTable {
    /// Takes a token in, to be good for `uses` hosts within `lifetime`.
    ///
    /// # Errors
    /// When there are too many.
    pub fn issue(
        &mut self,
        one_time: OneTime,
        lifetime: Duration,
        uses: u32,
        now: Instant,
    ) -> Result<(), TooManyTokens> {
        if self.entries.len() >= TOKENS_MAX {
            let spent = self.entries.iter().position(|it| it.is_spent(now));
            self.entries.remove(spent.ok_or(TooManyTokens)?);
        }
        // A lifetime beyond all time is cut to a long one.
        let longest = Duration::from_secs(u64::from(u32::MAX));
        self.entries.push(Entry {
            one_time,
            expires: now + lifetime.min(longest),
            uses,
        });
        Ok(())
    }

    /// Uses a token for the host that has proved to hold it on the connection that exports this.
    ///
    /// # Errors
    /// When no token lets it in.
    pub fn redeem(
        &mut self,
        proof: &[u8],
        exporter: &Exporter,
        now: Instant,
    ) -> Result<(), Redeemed> {
        let mut entries = self.entries.iter_mut();
        let entry = entries
            .find(|it| it.one_time.is_proved(proof, exporter))
            .ok_or(Redeemed::Unknown)?;
        if entry.uses == 0 {
            return Err(Redeemed::Used);
        }
        if now >= entry.expires {
            return Err(Redeemed::Expired);
        }
        entry.uses -= 1;
        Ok(())
    }
}

impl Entry {
    fn is_spent(&self, now: Instant) -> bool {
        self.uses == 0 || now >= self.expires
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPORTER: Exporter = [9; 32];
    const HOUR: Duration = Duration::from_secs(3600);

    fn issue(table: &mut TokenTable, uses: u32, now: Instant) -> OneTime {
        let one_time = OneTime::random().unwrap();
        table.issue(one_time.clone(), HOUR, uses, now).unwrap();
        one_time
    }

    #[test]
    fn a_token_is_good_for_its_uses() {
        let (mut table, now) = (TokenTable::default(), Instant::now());
        let one = issue(&mut table, 1, now).prove(&EXPORTER);
        let two = issue(&mut table, 2, now).prove(&EXPORTER);
        assert_eq!(table.redeem(&one, &EXPORTER, now), Ok(()));
        assert_eq!(table.redeem(&one, &EXPORTER, now), Err(Redeemed::Used));
        assert_eq!(table.redeem(&two, &EXPORTER, now), Ok(()));
        assert_eq!(table.redeem(&two, &EXPORTER, now), Ok(()));
        assert_eq!(table.redeem(&two, &EXPORTER, now), Err(Redeemed::Used));
    }

    #[test]
    fn a_token_is_good_for_its_time_and_connection() {
        let (mut table, now) = (TokenTable::default(), Instant::now());
        let proof = issue(&mut table, 1, now).prove(&EXPORTER);
        assert_eq!(table.redeem(&proof, &[8; 32], now), Err(Redeemed::Unknown));
        let late = now + HOUR;
        assert_eq!(
            table.redeem(&proof, &EXPORTER, late),
            Err(Redeemed::Expired)
        );
        assert_eq!(table.redeem(&[], &EXPORTER, now), Err(Redeemed::Unknown));
        let before = late - Duration::from_millis(1);
        assert_eq!(table.redeem(&proof, &EXPORTER, before), Ok(()));
    }

    #[test]
    fn spent_tokens_make_room_and_others_do_not() {
        let (mut table, now) = (TokenTable::default(), Instant::now());
        let tokens: Vec<_> = (0..TOKENS_MAX).map(|_| issue(&mut table, 1, now)).collect();
        let one_more = OneTime::random().unwrap();
        let full = table.issue(one_more.clone(), HOUR, 1, now);
        assert_eq!(full, Err(TooManyTokens));
        let last = tokens[TOKENS_MAX - 1].prove(&EXPORTER);
        table.redeem(&last, &EXPORTER, now).unwrap();
        table.issue(one_more, Duration::MAX, 1, now).unwrap();
        assert_eq!(table.redeem(&last, &EXPORTER, now), Err(Redeemed::Unknown));
        let first = tokens[0].prove(&EXPORTER);
        assert_eq!(table.redeem(&first, &EXPORTER, now), Ok(()));
    }
}
