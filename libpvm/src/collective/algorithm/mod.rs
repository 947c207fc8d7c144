//! The algorithms: pure functions that append the steps of one rank to a schedule.
//!
//! `team` says who takes part and in what numbering; where there is a root, it is member 0.

pub mod allgather;
pub mod allreduce;
pub mod alltoall;
pub mod barrier;
pub mod broadcast;
pub mod gather;
pub mod reduce;
pub mod reduce_scatter;
pub mod scan;
pub mod scatter;

/// Powers of two below `bound`, rising.
fn powers_below(bound: usize) -> impl DoubleEndedIterator<Item = usize> {
    let count = usize::BITS - bound.saturating_sub(1).leading_zeros();
    (0..count).map(|bit| 1 << bit)
}

/// Members below member `me` in the binomial tree of `size`, itself included: `me..me + subtree`.
fn subtree(me: usize, size: usize) -> usize {
    match me {
        0 => size,
        _ => (1 << me.trailing_zeros()).min(size - me),
    }
}

/// The member above member `me`, which is not 0, in the binomial tree.
fn parent(me: usize) -> usize {
    me & (me - 1)
}
