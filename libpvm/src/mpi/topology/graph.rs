//! Graphs (MPI 5.0, 8.5.3 and 8.5.4).

use crate::ids::Rank;
use crate::mpi::error::{Class, Error, Result};

/// A graph that all processes know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graph {
    index: Vec<i32>,
    edges: Vec<i32>,
}

impl Graph {
    /// The neighbours of node 0, 1, ... one behind the other; where those of each end.
    ///
    /// # Errors
    /// `MPI_ERR_ARG` when the ends go down, or a neighbour is no node.
    pub fn new(index: Vec<i32>, edges: Vec<i32>) -> Result<Self> {
        check_index(&index)?;
        let nodes = 0..index.len() as i64;
        match edges
            .iter()
            .find(|edge| !nodes.contains(&i64::from(**edge)))
        {
            Some(edge) => {
                let detail = format!("an edge to node {edge} of {}", index.len());
                Err(Error::new(Class::Arg, detail))
            }
            None => Ok(Self { index, edges }),
        }
    }

    /// Where the neighbours of each node end.
    pub fn index(&self) -> &[i32] {
        &self.index
    }

    /// The neighbours of all nodes.
    pub fn edges(&self) -> &[i32] {
        &self.edges
    }

    /// The neighbours of a node.
    pub fn neighbours(&self, node: Rank) -> &[i32] {
        let end = |node: Option<usize>| {
            let end = node.and_then(|node| self.index.get(node));
            end.map_or(0, |end| *end as usize)
        };
        &self.edges[end(node.checked_sub(1))..end(Some(node))]
    }
}

/// How many edges there are, by where those of each node end.
///
/// # Errors
/// `MPI_ERR_ARG` when the ends go down.
pub fn check_index(index: &[i32]) -> Result<usize> {
    let mut last = 0;
    for end in index {
        if *end < last {
            let detail = format!("the index goes from {last} down to {end}");
            return Err(Error::new(Class::Arg, detail));
        }
        last = *end;
    }
    Ok(last as usize)
}

/// A graph of which a process knows its own edges.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DistGraph {
    /// Those that come.
    pub sources: Side,
    /// Those that go.
    pub destinations: Side,
    /// Whether edges have weights.
    pub weighted: bool,
}

/// The edges of one direction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Side {
    /// The other ends.
    pub ranks: Vec<i32>,
    /// The weights; 1 each, where edges have none.
    pub weights: Vec<i32>,
}

/// An edge that any process may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// Where it starts.
    pub from: Rank,
    /// Where it ends.
    pub to: Rank,
    /// Its weight.
    pub weight: i32,
}

/// What a process is told of an edge: whether it goes, the other end, the weight.
const TOLD: usize = 3;

impl Edge {
    /// Says it to both of its ends.
    pub(super) fn tell(&self, said: &mut [Vec<u64>]) {
        let weight = self.weight as u64;
        said[self.from].extend([1, self.to as u64, weight]);
        said[self.to].extend([0, self.from as u64, weight]);
    }
}

impl DistGraph {
    /// The edges that a process was told of.
    pub(super) fn of_told(told: &[u64], weighted: bool) -> Self {
        let mut graph = Self {
            weighted,
            ..Self::default()
        };
        for edge in told.chunks_exact(TOLD) {
            let side = match edge[0] {
                0 => &mut graph.sources,
                _ => &mut graph.destinations,
            };
            side.ranks.push(edge[1] as i32);
            side.weights.push(edge[2] as i32);
        }
        graph
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_between_the_ends() {
        let graph = Graph::new(vec![2, 3, 3, 4], vec![1, 3, 0, 0]).unwrap();
        let neighbours: Vec<&[i32]> = (0..4).map(|node| graph.neighbours(node)).collect();
        assert_eq!(neighbours, [&[1, 3][..], &[0], &[], &[0]]);
    }

    #[test]
    fn impossible_graphs_are_refused() {
        for (index, edges) in [
            (vec![2, 1], vec![0, 1]),
            (vec![-1], vec![]),
            (vec![1], vec![1]),
        ] {
            let error = Graph::new(index, edges).unwrap_err();
            assert_eq!(error.class(), Some(Class::Arg));
        }
    }

    #[test]
    fn both_ends_are_told() {
        let mut said = vec![Vec::new(); 2];
        for (from, to, weight) in [(0, 1, 7), (1, 1, -2)] {
            Edge { from, to, weight }.tell(&mut said);
        }
        let one = DistGraph::of_told(&said[1], true);
        assert_eq!(
            (&one.sources.ranks[..], &one.sources.weights[..]),
            (&[0, 1][..], &[7, -2][..])
        );
        assert_eq!(one.destinations.ranks, [1]);
        assert_eq!(DistGraph::of_told(&said[0], true).destinations.ranks, [1]);
    }
}
