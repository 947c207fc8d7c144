//! Groups (MPI 5.0, 7.3).

use pvm::group::{self, Comparison, GroupError, RankRange};
use pvm::ids::Rank;
use pvm::mpi::comm::UNDEFINED;
use pvm::mpi::group::{ranks as ranks_of, translate};
use pvm::mpi::process::Scope;
use pvm::mpi::{Class, Error, Group};

use super::super::failure::Outcome;
use super::super::generated::constants as abi;
use super::super::handle;
use super::super::raw::{self, Numbers, Out, OutInt, OutInts, Ranges};
use super::super::state;

/// Gives the program a new group, which belongs there; that of nobody is a constant.
pub(crate) fn give(place: Out<raw::Group>, set: group::Group, scope: &Scope) -> Outcome {
    place.set(raw::Group(match set.is_empty() {
        true => abi::GROUP_EMPTY as usize,
        false => handle::keep(Group::new(set, scope))?,
    }));
    Ok(())
}

/// Gives the program what was made of groups: it belongs where the first of them does that is not empty.
fn derive(place: Out<raw::Group>, of: &[&Group], set: group::Group) -> Outcome {
    match of.iter().find_map(|group| group.scope.as_ref()) {
        Some(scope) => give(place, set, scope),
        None => {
            place.set(raw::Group(abi::GROUP_EMPTY as usize));
            Ok(())
        }
    }
}

fn derive_part(
    place: Out<raw::Group>,
    of: &Group,
    made: Result<group::Group, GroupError>,
) -> Outcome {
    derive(place, &[of], made.map_err(Error::from)?)
}

/// How many things a call is given.
pub(crate) fn length(what: &str, n: i32) -> Outcome<usize> {
    let len = usize::try_from(n).map_err(|_| Error::new(Class::Arg, format!("{n} {what}")))?;
    Ok(len)
}

fn read_ranks(group: &Group, n: i32, ranks: Numbers) -> Outcome<Vec<Rank>> {
    let numbers = ranks.read(length("ranks", n)?)?;
    Ok(ranks_of(group, &numbers)?)
}

fn read_ranges(n: i32, ranges: Ranges) -> Outcome<Vec<RankRange>> {
    let range = |[first, last, stride]: [i32; 3]| RankRange {
        first: first.into(),
        last: last.into(),
        stride: stride.into(),
    };
    let ranges = ranges.read(length("ranges", n)?)?;
    Ok(ranges.into_iter().map(range).collect())
}

/// What the standard calls a comparison.
pub(crate) fn comparison(comparison: Comparison) -> i32 {
    match comparison {
        Comparison::Identical => abi::IDENT,
        Comparison::Similar => abi::SIMILAR,
        Comparison::Unequal => abi::UNEQUAL,
    }
}

pub fn group_size(group: &Group, size: OutInt) -> Outcome {
    size.set_number(group.size());
    Ok(())
}

pub fn group_rank(group: &Group, rank: OutInt) -> Outcome {
    let own = match group.is_empty() {
        true => None,
        false => group.rank_of(state::any_process()?.task.me),
    };
    match own {
        Some(own) => rank.set_number(own),
        None => rank.set(UNDEFINED),
    }
    Ok(())
}

pub fn group_translate_ranks(
    group1: &Group,
    n: i32,
    ranks1: Numbers,
    group2: &Group,
    ranks2: OutInts,
) -> Outcome {
    let len = length("ranks", n)?;
    ranks2.check(len)?;
    let numbers = ranks1.read(len)?;
    let translated = numbers.iter().map(|rank| translate(group1, *rank, group2));
    let translated = translated.collect::<Result<Vec<_>, _>>()?;
    for (index, rank) in translated.into_iter().enumerate() {
        ranks2.put(index, rank);
    }
    Ok(())
}

pub fn group_compare(group1: &Group, group2: &Group, result: OutInt) -> Outcome {
    result.set(comparison(group1.compare(group2)));
    Ok(())
}

pub fn group_union(group1: &Group, group2: &Group, newgroup: Out<raw::Group>) -> Outcome {
    derive(newgroup, &[group1, group2], group1.union(group2))
}

pub fn group_intersection(group1: &Group, group2: &Group, newgroup: Out<raw::Group>) -> Outcome {
    derive(newgroup, &[group1, group2], group1.intersection(group2))
}

pub fn group_difference(group1: &Group, group2: &Group, newgroup: Out<raw::Group>) -> Outcome {
    derive(newgroup, &[group1, group2], group1.difference(group2))
}

pub fn group_incl(group: &Group, n: i32, ranks: Numbers, newgroup: Out<raw::Group>) -> Outcome {
    derive_part(
        newgroup,
        group,
        group.include(&read_ranks(group, n, ranks)?),
    )
}

pub fn group_excl(group: &Group, n: i32, ranks: Numbers, newgroup: Out<raw::Group>) -> Outcome {
    derive_part(
        newgroup,
        group,
        group.exclude(&read_ranks(group, n, ranks)?),
    )
}

pub fn group_range_incl(
    group: &Group,
    n: i32,
    ranges: Ranges,
    newgroup: Out<raw::Group>,
) -> Outcome {
    derive_part(
        newgroup,
        group,
        group.include_ranges(&read_ranges(n, ranges)?),
    )
}

pub fn group_range_excl(
    group: &Group,
    n: i32,
    ranges: Ranges,
    newgroup: Out<raw::Group>,
) -> Outcome {
    derive_part(
        newgroup,
        group,
        group.exclude_ranges(&read_ranges(n, ranges)?),
    )
}

pub fn group_free(group: Out<raw::Group>) -> Outcome {
    // The constant comes from calls whose result is nobody; programs free what calls give them.
    if group.get().0 != abi::GROUP_EMPTY as usize {
        // SAFETY: the program promises not to free what it uses elsewhere.
        unsafe { handle::release::<Group>(group.get().0) }?;
    }
    group.set(raw::Group::NULL);
    Ok(())
}
