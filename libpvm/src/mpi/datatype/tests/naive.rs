//! Type maps written out, entry by entry, as the standard defines them.

use super::super::basic::{BASICS, Basic};
use super::super::{DEFAULT_BLOCK, Dimension, Distribution, Order, Signature};
use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

#[derive(Clone, Copy)]
enum Entry {
    Element(&'static Basic),
    Lower,
    Upper,
    /// Where a structure ends that has no marker.
    Padding,
}

/// Entries with their displacements, in order.
type Map = Vec<(Entry, i64)>;

/// The calls that make a datatype.
#[derive(Clone, Debug)]
enum Made {
    Named(i32),
    Contiguous(i64, Box<Made>),
    Vector(i64, i64, i64, Box<Made>),
    Hvector(i64, i64, i64, Box<Made>),
    Indexed(Vec<(i64, i64)>, Box<Made>),
    Hindexed(Vec<(i64, i64)>, Box<Made>),
    IndexedBlock(i64, Vec<i64>, Box<Made>),
    HindexedBlock(i64, Vec<i64>, Box<Made>),
    Struct(Vec<(i64, i64, Made)>),
    Resized(i64, i64, Box<Made>),
    Subarray(Vec<(i64, i64, i64)>, bool, Box<Made>),
    Darray(usize, Vec<Dim>, bool, Box<Made>),
    Dup(Box<Made>),
}

/// Size, distribution, block (0: the default), processes.
type Dim = (i64, usize, i32, i32);

fn order(is_c: bool) -> Order {
    if is_c { Order::C } else { Order::Fortran }
}

fn dimension(&(size, distribution, block, processes): &Dim) -> Dimension {
    let distribution = [
        Distribution::None,
        Distribution::Block,
        Distribution::Cyclic,
    ][distribution];
    let share = ((size - 1) / i64::from(processes) + 1) as i32;
    let block = match (distribution, block) {
        (Distribution::Block, 1..) => share + block - 1,
        (_, 0) => DEFAULT_BLOCK,
        // A block of as many elements as the constant says would be the default.
        (_, block) => block,
    };
    let processes = if distribution == Distribution::None {
        1
    } else {
        processes
    };
    Dimension {
        size,
        distribution,
        block,
        processes,
    }
}

impl Made {
    fn datatype(&self) -> Datatype {
        let width = Width::Int;
        let made = match self {
            Made::Named(number) => Ok(named(*number)),
            Made::Contiguous(count, old) => Datatype::contiguous(*count, &old.datatype(), width),
            Made::Vector(count, length, stride, old) => {
                Datatype::vector(*count, *length, *stride, &old.datatype(), width)
            }
            Made::Hvector(count, length, stride, old) => {
                Datatype::hvector(*count, *length, *stride, &old.datatype(), width)
            }
            Made::Indexed(blocks, old) => {
                let (lengths, places): (Vec<i64>, Vec<i64>) = blocks.iter().copied().unzip();
                Datatype::indexed(&lengths, &places, &old.datatype(), width)
            }
            Made::Hindexed(blocks, old) => {
                let (lengths, places): (Vec<i64>, Vec<i64>) = blocks.iter().copied().unzip();
                Datatype::hindexed(&lengths, &places, &old.datatype(), width)
            }
            Made::IndexedBlock(length, places, old) => {
                Datatype::indexed_block(*length, places, &old.datatype(), width)
            }
            Made::HindexedBlock(length, places, old) => {
                Datatype::hindexed_block(*length, places, &old.datatype(), width)
            }
            Made::Struct(members) => {
                let lengths: Vec<i64> = members.iter().map(|member| member.0).collect();
                let places: Vec<i64> = members.iter().map(|member| member.1).collect();
                let types: Vec<_> = members.iter().map(|member| member.2.datatype()).collect();
                Datatype::structure(&lengths, &places, &types, width)
            }
            Made::Resized(lower, extent, old) => {
                Datatype::resized(&old.datatype(), *lower, *extent, width)
            }
            Made::Subarray(axes, is_c, old) => {
                let sizes: Vec<i64> = axes.iter().map(|axis| axis.0).collect();
                let parts: Vec<i64> = axes.iter().map(|axis| axis.1).collect();
                let starts: Vec<i64> = axes.iter().map(|axis| axis.2).collect();
                let old = old.datatype();
                Datatype::subarray(&sizes, &parts, &starts, order(*is_c), &old, width)
            }
            Made::Darray(rank, axes, is_c, old) => {
                let array: Vec<Dimension> = axes.iter().map(dimension).collect();
                let size: i32 = array.iter().map(|axis| axis.processes).product();
                let rank = *rank as i32 % size;
                Datatype::darray(size, rank, &array, order(*is_c), &old.datatype(), width)
            }
            Made::Dup(old) => Ok(old.datatype().duplicate()),
        };
        made.unwrap()
    }

    fn map(&self) -> Map {
        match self {
            Made::Named(number) => named_map(*number),
            Made::Contiguous(count, old) => copies(&old.map(), 0, *count),
            Made::Vector(count, length, stride, old) => {
                let old = old.map();
                let step = stride * extent(&old);
                (0..*count)
                    .flat_map(|i| copies(&old, i * step, *length))
                    .collect()
            }
            Made::Hvector(count, length, stride, old) => {
                let old = old.map();
                (0..*count)
                    .flat_map(|i| copies(&old, i * stride, *length))
                    .collect()
            }
            Made::Indexed(blocks, old) => {
                let old = old.map();
                let each = |&(length, at): &(i64, i64)| copies(&old, at * extent(&old), length);
                blocks.iter().flat_map(each).collect()
            }
            Made::Hindexed(blocks, old) => {
                let old = old.map();
                blocks
                    .iter()
                    .flat_map(|&(length, at)| copies(&old, at, length))
                    .collect()
            }
            Made::IndexedBlock(length, places, old) => {
                let old = old.map();
                places
                    .iter()
                    .flat_map(|at| copies(&old, at * extent(&old), *length))
                    .collect()
            }
            Made::HindexedBlock(length, places, old) => {
                let old = old.map();
                places
                    .iter()
                    .flat_map(|at| copies(&old, *at, *length))
                    .collect()
            }
            Made::Struct(members) => {
                let each = |(length, at, old): &(i64, i64, Made)| copies(&old.map(), *at, *length);
                padded(members.iter().flat_map(each).collect())
            }
            Made::Resized(lower, extent, old) => marked(old.map(), *lower, lower + extent),
            Made::Subarray(axes, is_c, old) => {
                let sizes: Vec<i64> = axes.iter().map(|axis| axis.0).collect();
                elements(&sizes, *is_c, &old.map(), |axis, at| {
                    (axes[axis].2..axes[axis].2 + axes[axis].1).contains(&at)
                })
            }
            Made::Darray(rank, axes, is_c, old) => {
                let array: Vec<Dimension> = axes.iter().map(dimension).collect();
                let sizes: Vec<i64> = array.iter().map(|axis| axis.size).collect();
                let grid: i32 = array.iter().map(|axis| axis.processes).product();
                let rank = *rank as i32 % grid;
                elements(&sizes, *is_c, &old.map(), |axis, at| {
                    is_mine(&array, rank, axis, at)
                })
            }
            Made::Dup(old) => old.map(),
        }
    }
}

/// Whether element `at` of a dimension is one of this process.
fn is_mine(array: &[Dimension], rank: i32, axis: usize, at: i64) -> bool {
    let below: i32 = array[axis + 1..]
        .iter()
        .map(|axis| axis.processes)
        .product();
    let dimension = &array[axis];
    let processes = i64::from(dimension.processes);
    let block = match (dimension.distribution, dimension.block) {
        (Distribution::None, _) => dimension.size,
        (Distribution::Block, DEFAULT_BLOCK) => (dimension.size - 1) / processes + 1,
        (Distribution::Cyclic, DEFAULT_BLOCK) => 1,
        (_, block) => i64::from(block),
    };
    at / block % processes == i64::from(rank / below % dimension.processes)
}

/// The elements of an array that `has` says of every index of, in the order of memory.
fn elements(sizes: &[i64], is_c: bool, old: &Map, has: impl Fn(usize, i64) -> bool) -> Map {
    let total: i64 = sizes.iter().product();
    let step = extent(old);
    let mut map = Vec::new();
    for place in 0..total {
        let mut rest = place;
        let mut axes: Vec<usize> = (0..sizes.len()).collect();
        if is_c {
            axes.reverse();
        }
        let is_in = axes.iter().all(|&axis| {
            let at = rest % sizes[axis];
            rest /= sizes[axis];
            has(axis, at)
        });
        if is_in {
            map.extend(copies(old, place * step, 1));
        }
    }
    marked(map, 0, total * step)
}

fn named_map(number: i32) -> Map {
    let basic = |number| BASICS.iter().find(|basic| basic.number == number);
    match (number, basic(number)) {
        (_, Some(element)) => vec![(Entry::Element(element), 0)],
        (DOUBLE_INT, _) => padded(vec![
            (Entry::Element(basic(DOUBLE).unwrap()), 0),
            (Entry::Element(basic(INT).unwrap()), 8),
        ]),
        _ => panic!("not a datatype of this test"),
    }
}

fn marked(mut map: Map, lower: i64, upper: i64) -> Map {
    map.retain(|(entry, _)| matches!(entry, Entry::Element(_)));
    map.extend([(Entry::Lower, lower), (Entry::Upper, upper)]);
    map
}

fn copies(map: &Map, at: i64, count: i64) -> Map {
    let step = extent(map);
    let one = |i: i64| {
        map.iter()
            .map(move |&(entry, to)| (entry, at + i * step + to))
    };
    (0..count).flat_map(one).collect()
}

fn lower(map: &Map) -> i64 {
    let marker = map
        .iter()
        .filter(|(entry, _)| matches!(entry, Entry::Lower));
    let marked = marker.map(|(_, at)| *at).min();
    marked.unwrap_or_else(|| span(map).0)
}

/// The lowest byte, and the one after the highest.
fn span(map: &Map) -> (i64, i64) {
    let bytes = map.iter().filter_map(|(entry, at)| match entry {
        Entry::Element(basic) => Some((*at, at + basic.size as i64)),
        _ => None,
    });
    let span = bytes.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)));
    span.unwrap_or((0, 0))
}

fn extent(map: &Map) -> i64 {
    let marker = map
        .iter()
        .filter(|(entry, _)| matches!(entry, Entry::Upper));
    if let Some(upper) = marker.map(|(_, at)| *at).max() {
        return upper - lower(map);
    }
    let padding = map
        .iter()
        .filter(|(entry, _)| matches!(entry, Entry::Padding));
    let end = padding.map(|(_, at)| *at).max();
    end.map_or(span(map).1, |end| end.max(span(map).1)) - lower(map)
}

/// A structure: its end is rounded up, unless a marker says where it is.
fn padded(mut map: Map) -> Map {
    let is_marked = map.iter().any(|(entry, _)| matches!(entry, Entry::Upper));
    let alignments = basics(&map).map(|basic| basic.alignment() as i64);
    let (extent, most) = (extent(&map), alignments.max().unwrap_or(1));
    if !is_marked && basics(&map).next().is_some() {
        map.push((
            Entry::Padding,
            lower(&map) + extent + (-extent).rem_euclid(most),
        ));
    }
    map
}

fn basics(map: &Map) -> impl Iterator<Item = &'static Basic> {
    map.iter().filter_map(|(entry, _)| match entry {
        Entry::Element(basic) => Some(*basic),
        _ => None,
    })
}

/// The address of every byte, in order.
fn bytes(map: &Map) -> Vec<isize> {
    let each = |(entry, at): &(Entry, i64)| match entry {
        Entry::Element(basic) => *at..at + basic.size as i64,
        _ => 0..0,
    };
    map.iter().flat_map(each).map(|at| at as isize).collect()
}

fn made() -> impl Strategy<Value = Made> {
    let named = proptest::sample::select(vec![SHORT, INT, DOUBLE, CHAR, BYTE, DOUBLE_INT, 534]);
    named
        .prop_map(Made::Named)
        .prop_recursive(4, 24, 3, |inner| {
            let old = || inner.clone().prop_map(Box::new);
            let blocks = || vec((0i64..4, -4i64..9), 0..4);
            let axis = (1i64..5).prop_flat_map(|size| {
                (Just(size), 1..=size)
                    .prop_flat_map(|(size, part)| (Just(size), Just(part), 0..=size - part))
            });
            let dim = (1i64..8, 0usize..3, 0i32..4, 1i32..4);
            prop_oneof![
                (0i64..4, old()).prop_map(|(count, old)| Made::Contiguous(count, old)),
                (0i64..4, 0i64..3, -4i64..5, old())
                    .prop_map(|(n, l, s, old)| Made::Vector(n, l, s, old)),
                (0i64..4, 0i64..3, -40i64..50, old())
                    .prop_map(|(n, l, s, old)| Made::Hvector(n, l, s, old)),
                (blocks(), old()).prop_map(|(blocks, old)| Made::Indexed(blocks, old)),
                (blocks(), old()).prop_map(|(blocks, old)| Made::Hindexed(blocks, old)),
                (0i64..3, vec(-4i64..9, 0..4), old())
                    .prop_map(|(l, at, old)| Made::IndexedBlock(l, at, old)),
                (0i64..3, vec(-40i64..90, 0..4), old())
                    .prop_map(|(l, at, old)| Made::HindexedBlock(l, at, old)),
                vec((0i64..3, -40i64..90, inner.clone()), 0..4).prop_map(Made::Struct),
                (-20i64..20, -9i64..60, old())
                    .prop_map(|(lb, extent, old)| Made::Resized(lb, extent, old)),
                (vec(axis, 1..3), any::<bool>(), old())
                    .prop_map(|(axes, c, old)| Made::Subarray(axes, c, old)),
                (0usize..9, vec(dim, 1..3), any::<bool>(), old())
                    .prop_map(|(rank, dims, c, old)| Made::Darray(rank, dims, c, old)),
                old().prop_map(Made::Dup),
            ]
        })
}

proptest! {
    #[test]
    fn datatypes_are_their_type_maps(made in made()) {
        let (datatype, map) = (made.datatype(), made.map());
        if map.len() > 3000 {
            return Ok(());
        }
        let (low, high) = span(&map);
        prop_assert_eq!(bounds(&datatype), (lower(&map), extent(&map), low, high - low));

        let addresses = bytes(&map);
        prop_assert_eq!(datatype.size(), addresses.len() as i64);
        let seen = pieces(&datatype).into_iter();
        let seen: Vec<isize> = seen.flat_map(|(at, len)| at..at + len as isize).collect();
        prop_assert_eq!(seen, addresses);

        let one_by_one = basics(&map).map(Signature::basic).collect();
        let signature = Signature::sequence(one_by_one).unwrap();
        prop_assert_eq!(datatype.signature().fingerprint(), signature.fingerprint());
        prop_assert_eq!(datatype.signature().external_size(), signature.external_size());
        let mut elements = Vec::new();
        let runs = datatype.signature().runs(&mut |basic, count| {
            elements.extend((0..count).map(|_| basic.number));
            Ok::<(), ()>(())
        });
        prop_assert_eq!(runs, Ok(()));
        prop_assert_eq!(elements, basics(&map).map(|basic| basic.number).collect::<Vec<_>>());
    }

    #[test]
    fn bytes_are_counted_in_elements(made in made(), bytes in 0i64..200, more in 0i64..3) {
        let (datatype, map) = (made.datatype(), made.map());
        if map.len() > 3000 || datatype.size() == 0 {
            return Ok(());
        }
        let bytes = bytes % datatype.size() + more * datatype.size();
        let each: Vec<i64> = basics(&map).map(|basic| basic.size as i64).collect();
        let (mut left, mut count) = (bytes, 0);
        let mut next = each.iter().cycle();
        while left > 0 {
            left -= next.next().unwrap();
            count += 1;
        }
        prop_assert_eq!(datatype.elements(bytes), (left == 0).then_some(count));
        if left == 0 {
            prop_assert_eq!(datatype.bytes_of_elements(count), Some(bytes));
        }
        let whole = bytes % datatype.size() == 0;
        prop_assert_eq!(datatype.count(bytes), whole.then_some(more));
    }
}
