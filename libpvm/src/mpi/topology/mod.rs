//! Who is whose neighbour: topologies of communicators (MPI 5.0, chapter 8).

mod cart;
mod dims;
mod graph;

pub use cart::{Axis, Cart};
pub use dims::dims_create;
pub use graph::{DistGraph, Edge, Graph, Side, check_index};

use super::comm::Comm;
use super::error::{Class, Error, Result};
use crate::group::Choice;

/// How the processes of a communicator are arranged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Topology {
    /// In a grid.
    Cart(Cart),
    /// In a graph that all know.
    Graph(Graph),
    /// In a graph of which each knows its own edges.
    DistGraph(DistGraph),
}

/// The neighbours of a process, in the order in which neighbourhood collectives have their blocks.
/// [`PROC_NULL`](super::comm::PROC_NULL) stands for those beyond the border of a grid.
///
/// In a grid, places `2 d` and `2 d + 1` are the neighbours down and up dimension `d`: what is sent
/// to place `i` arrives as from place `i ^ 1`, also where both are the same process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Neighbours {
    /// Whom blocks come from.
    pub sources: Vec<i32>,
    /// Whom blocks go to.
    pub destinations: Vec<i32>,
}

impl Comm {
    /// The neighbours of this process.
    ///
    /// # Errors
    /// `MPI_ERR_TOPOLOGY` when the processes are not arranged.
    pub fn neighbours(&self) -> Result<Neighbours> {
        let both = |ranks: Vec<i32>| Neighbours {
            sources: ranks.clone(),
            destinations: ranks,
        };
        match self.topology() {
            Some(Topology::Cart(cart)) => Ok(both(cart.neighbours(self.rank))),
            Some(Topology::Graph(graph)) => Ok(both(graph.neighbours(self.rank).to_vec())),
            Some(Topology::DistGraph(graph)) => Ok(Neighbours {
                sources: graph.sources.ranks.clone(),
                destinations: graph.destinations.ranks.clone(),
            }),
            None => Err(Error::new(Class::Topology, "the communicator has none")),
        }
    }

    /// Its first processes, as many as the topology has places, arranged like that. `None`: this
    /// process has no place. A collective.
    ///
    /// # Errors
    /// `MPI_ERR_COMM` for intercommunicators, `MPI_ERR_DIMS` when there are more places than processes.
    pub fn arrange(&self, topology: Topology, places: usize) -> Result<Option<Self>> {
        self.check_intra()?;
        if places > self.size() {
            let size = self.size();
            let detail = format!("{places} places for {size} processes");
            return Err(Error::new(Class::Dims, detail));
        }
        let arranged = self.split(Choice {
            color: (self.rank < places).then_some(0),
            key: 0,
        })?;
        Ok(arranged.inspect(|comm| comm.set_topology(topology)))
    }

    /// The rows, planes, ... of a grid that have these dimensions. A collective.
    ///
    /// # Errors
    /// `MPI_ERR_TOPOLOGY` when it is no grid.
    pub fn cart_sub(&self, remain: &[bool]) -> Result<Self> {
        let (choice, cart) = self.cart()?.sub(self.rank, remain);
        let sub = self.split(choice)?;
        let sub = sub.ok_or_else(|| Error::new(Class::Intern, "a part without this process"))?;
        sub.set_topology(Topology::Cart(cart));
        Ok(sub)
    }

    /// The grid.
    ///
    /// # Errors
    /// `MPI_ERR_TOPOLOGY` when there is none.
    pub fn cart(&self) -> Result<&Cart> {
        match self.topology() {
            Some(Topology::Cart(cart)) => Ok(cart),
            _ => Err(Error::new(Class::Topology, "the communicator is no grid")),
        }
    }

    /// The graph that all know.
    ///
    /// # Errors
    /// `MPI_ERR_TOPOLOGY` when there is none.
    pub fn graph(&self) -> Result<&Graph> {
        match self.topology() {
            Some(Topology::Graph(graph)) => Ok(graph),
            _ => Err(Error::new(Class::Topology, "the communicator is no graph")),
        }
    }

    /// The graph of which each process knows its edges.
    ///
    /// # Errors
    /// `MPI_ERR_TOPOLOGY` when there is none.
    pub fn dist_graph(&self) -> Result<&DistGraph> {
        match self.topology() {
            Some(Topology::DistGraph(graph)) => Ok(graph),
            _ => Err(Error::new(
                Class::Topology,
                "the communicator is no distributed graph",
            )),
        }
    }

    /// The own edges of a graph whose edges any process may name. A collective.
    ///
    /// # Errors
    /// `MPI_ERR_COMM` for intercommunicators.
    pub fn gather_edges(&self, edges: &[Edge], weighted: bool) -> Result<DistGraph> {
        self.check_intra()?;
        let mut said = vec![Vec::new(); self.size()];
        for edge in edges {
            edge.tell(&mut said);
        }
        Ok(DistGraph::of_told(&self.talk().each(&said)?, weighted))
    }
}
