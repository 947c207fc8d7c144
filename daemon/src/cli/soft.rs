//! Numbers of tasks that are as good as others (`-soft`).

use super::high::{MeaningError, bad};
use pvm::limits::TASKS_PER_LAUNCH_MAX;
use std::ffi::OsStr;

/// The largest number of a list `a,b:c,d:e:step` that is not above the one that is asked for.
///
/// # Errors
/// When it is no such list, or has no such number.
pub fn soft(list: &OsStr, count: Option<u32>) -> Result<u32, MeaningError> {
    let expected = "numbers and ranges, for example 4,8:16:2";
    let wrong = || bad("-soft", list, expected);
    let text = list.to_str().ok_or_else(wrong)?;
    let high = count.unwrap_or(TASKS_PER_LAUNCH_MAX);
    let mut best = None;
    for triple in text.split(',') {
        let numbers = triple.split(':').map(str::parse::<i64>);
        let numbers: Vec<_> = numbers.collect::<Result<_, _>>().map_err(|_| wrong())?;
        let (from, to, step) = match numbers[..] {
            [one] => (one, one, 1),
            [from, to] => (from, to, 1),
            [from, to, step] => (from, to, step),
            _ => return Err(wrong()),
        };
        best = best.max(largest(from, to, step, i64::from(high)).ok_or_else(wrong)?);
    }
    best.ok_or(MeaningError::Soft(high))
}

/// The largest number of a range from 1 to `high`, if it has one; `None`: it is no range.
fn largest(from: i64, to: i64, step: i64, high: i64) -> Option<Option<u32>> {
    let bounded = |number: i64| number.unsigned_abs() <= u64::from(u32::MAX);
    if step == 0 || ![from, to, step].into_iter().all(bounded) {
        return None;
    }
    let (low, top) = match step > 0 {
        true => (from, to),
        false => (from - (from - to).div_euclid(-step) * -step, from),
    };
    let top = top.min(high);
    let number = low + (top - low).div_euclid(step.abs()) * step.abs();
    let is_good = low <= top && number >= 1;
    Some(is_good.then_some(number as u32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lists_and_ranges() {
        let of = |list: &str, count| soft(list.as_ref(), count).ok();
        assert_eq!(of("4", Some(8)), Some(4));
        assert_eq!(of("2:16:3", Some(9)), Some(8));
        assert_eq!(of("1,2,4,8", Some(6)), Some(4));
        assert_eq!(of("10:2:-4", None), Some(10));
        assert_eq!(of("10:2:-4", Some(5)), Some(2));
        for wrong in ["", "a", "1:2:0", "1:2:3:4", "8:16", "-3:0", "9:2"] {
            assert_eq!(of(wrong, Some(4)), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn as_counted_one_by_one(from in -9i64..30, to in -9i64..30, step in -5i64..5, count in 1u32..25) {
            prop_assume!(step != 0);
            let mut best = None;
            let mut number = from;
            while (step > 0 && number <= to) || (step < 0 && number >= to) {
                if (1..=i64::from(count)).contains(&number) {
                    best = best.max(Some(number as u32));
                }
                number += step;
            }
            let list = format!("{from}:{to}:{step}");
            prop_assert_eq!(soft(list.as_ref(), Some(count)).ok(), best);
        }
    }
}
