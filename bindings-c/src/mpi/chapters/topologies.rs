//! Topologies of processes (MPI 5.0, chapter 8).

use pvm::mpi::comm::UNDEFINED;
use pvm::mpi::topology::{self, Cart, DistGraph, Edge, Graph, Side};
use pvm::mpi::{self, Class, Error, Topology};

use super::super::failure::Outcome;
use super::super::generated::constants as abi;
use super::super::raw::{self, Numbers, Out, OutInt, OutInts};
use super::communicators::give;
use super::groups::length;
use super::info;

/// Numbers that C passes as `int`.
fn read_ints(numbers: Numbers, len: usize) -> Outcome<Vec<i32>> {
    let numbers = numbers.read(len)?;
    // They were ints.
    Ok(numbers.into_iter().map(|number| number as i32).collect())
}

fn read_flags(numbers: Numbers, len: usize) -> Outcome<Vec<bool>> {
    let numbers = numbers.read(len)?;
    Ok(numbers.into_iter().map(|number| number != 0).collect())
}

/// Writes all; the program has given room for `room` of them.
fn put_all(place: OutInts, room: i32, numbers: &[i32]) -> Outcome {
    let room = usize::try_from(room).unwrap_or(0);
    if room < numbers.len() {
        let detail = format!("room for {room} of {} numbers", numbers.len());
        return Err(Error::new(Class::Arg, detail).into());
    }
    place.check(numbers.len())?;
    put(place, numbers);
    Ok(())
}

/// Writes into an array that is there.
fn put(place: OutInts, numbers: &[i32]) {
    for (index, number) in numbers.iter().enumerate() {
        place.put(index, *number);
    }
}

fn read_cart(ndims: i32, dims: Numbers, periods: Numbers) -> Outcome<Cart> {
    let count = usize::try_from(ndims)
        .map_err(|_| Error::new(Class::Dims, format!("{ndims} dimensions")))?;
    let dims = read_ints(dims, count)?;
    Ok(Cart::new(&dims, &read_flags(periods, count)?)?)
}

fn read_graph(nnodes: i32, indx: Numbers, edges: Numbers) -> Outcome<Graph> {
    let index = read_ints(indx, length("nodes", nnodes)?)?;
    let edges = read_ints(edges, topology::check_index(&index)?)?;
    Ok(Graph::new(index, edges)?)
}

/// The rank in a topology of so many places; processes keep their order.
fn place_of(comm: &mpi::Comm, places: usize, newrank: OutInt) -> Outcome {
    if places > comm.size() {
        let detail = format!("{places} places for {} processes", comm.size());
        return Err(Error::new(Class::Dims, detail).into());
    }
    match comm.rank < places {
        true => newrank.set_number(comm.rank),
        false => newrank.set(UNDEFINED),
    }
    Ok(())
}

pub fn topo_test(comm: &mpi::Comm, status: OutInt) -> Outcome {
    status.set(match comm.topology() {
        Some(Topology::Cart(_)) => abi::CART,
        Some(Topology::Graph(_)) => abi::GRAPH,
        Some(Topology::DistGraph(_)) => abi::DIST_GRAPH,
        None => UNDEFINED,
    });
    Ok(())
}

pub fn dims_create(nnodes: i32, ndims: i32, dims: OutInts) -> Outcome {
    let count = usize::try_from(ndims)
        .map_err(|_| Error::new(Class::Dims, format!("{ndims} dimensions")))?;
    let mut lens = dims.as_const().read(count)?;
    topology::dims_create(nnodes, &mut lens)?;
    put(dims, &lens);
    Ok(())
}

pub fn cart_create(
    comm_old: &mpi::Comm,
    ndims: i32,
    dims: Numbers,
    periods: Numbers,
    reorder: i32,
    comm_cart: Out<raw::Comm>,
) -> Outcome {
    let _ = reorder;
    let cart = read_cart(ndims, dims, periods)?;
    let places = cart.places();
    give(comm_cart, comm_old.arrange(Topology::Cart(cart), places)?)
}

pub fn cart_map(
    comm: &mpi::Comm,
    ndims: i32,
    dims: Numbers,
    periods: Numbers,
    newrank: OutInt,
) -> Outcome {
    place_of(comm, read_cart(ndims, dims, periods)?.places(), newrank)
}

pub fn cartdim_get(comm: &mpi::Comm, ndims: OutInt) -> Outcome {
    ndims.set_number(comm.cart()?.axes().len());
    Ok(())
}

pub fn cart_get(
    comm: &mpi::Comm,
    maxdims: i32,
    dims: OutInts,
    periods: OutInts,
    coords: OutInts,
) -> Outcome {
    let cart = comm.cart()?;
    let lens: Vec<i32> = cart.axes().iter().map(|axis| axis.len).collect();
    let rings: Vec<i32> = cart
        .axes()
        .iter()
        .map(|axis| axis.periodic.into())
        .collect();
    put_all(dims, maxdims, &lens)?;
    put_all(periods, maxdims, &rings)?;
    put_all(coords, maxdims, &cart.coords(comm.rank))
}

pub fn cart_rank(comm: &mpi::Comm, coords: Numbers, rank: OutInt) -> Outcome {
    let cart = comm.cart()?;
    rank.set_number(cart.rank(&coords.read(cart.axes().len())?)?);
    Ok(())
}

pub fn cart_coords(comm: &mpi::Comm, rank: i32, maxdims: i32, coords: OutInts) -> Outcome {
    let cart = comm.cart()?;
    put_all(coords, maxdims, &cart.coords(comm.own_rank(rank)?))
}

pub fn cart_shift(
    comm: &mpi::Comm,
    direction: i32,
    disp: i32,
    rank_source: OutInt,
    rank_dest: OutInt,
) -> Outcome {
    let (source, destination) = comm.cart()?.shift(comm.rank, direction, disp)?;
    rank_source.set(source);
    rank_dest.set(destination);
    Ok(())
}

pub fn cart_sub(comm: &mpi::Comm, remain_dims: Numbers, newcomm: Out<raw::Comm>) -> Outcome {
    let remain = read_flags(remain_dims, comm.cart()?.axes().len())?;
    give(newcomm, Some(comm.cart_sub(&remain)?))
}

pub fn graph_create(
    comm_old: &mpi::Comm,
    nnodes: i32,
    indx: Numbers,
    edges: Numbers,
    reorder: i32,
    comm_graph: Out<raw::Comm>,
) -> Outcome {
    let _ = reorder;
    let graph = read_graph(nnodes, indx, edges)?;
    let places = graph.index().len();
    give(
        comm_graph,
        comm_old.arrange(Topology::Graph(graph), places)?,
    )
}

pub fn graph_map(
    comm: &mpi::Comm,
    nnodes: i32,
    indx: Numbers,
    edges: Numbers,
    newrank: OutInt,
) -> Outcome {
    place_of(
        comm,
        read_graph(nnodes, indx, edges)?.index().len(),
        newrank,
    )
}

pub fn graphdims_get(comm: &mpi::Comm, nnodes: OutInt, nedges: OutInt) -> Outcome {
    let graph = comm.graph()?;
    nnodes.set_number(graph.index().len());
    nedges.set_number(graph.edges().len());
    Ok(())
}

pub fn graph_get(
    comm: &mpi::Comm,
    maxindex: i32,
    maxedges: i32,
    indx: OutInts,
    edges: OutInts,
) -> Outcome {
    let graph = comm.graph()?;
    put_all(indx, maxindex, graph.index())?;
    put_all(edges, maxedges, graph.edges())
}

pub fn graph_neighbors_count(comm: &mpi::Comm, rank: i32, nneighbors: OutInt) -> Outcome {
    let neighbours = comm.graph()?.neighbours(comm.own_rank(rank)?);
    nneighbors.set_number(neighbours.len());
    Ok(())
}

pub fn graph_neighbors(
    comm: &mpi::Comm,
    rank: i32,
    maxneighbors: i32,
    neighbors: OutInts,
) -> Outcome {
    let neighbours = comm.graph()?.neighbours(comm.own_rank(rank)?);
    put_all(neighbors, maxneighbors, neighbours)
}

/// The weights of edges; `None`: they have none.
fn read_weights(weights: Numbers, len: usize) -> Outcome<Option<Vec<i32>>> {
    let read = match weights.address() as isize {
        abi::UNWEIGHTED => return Ok(None),
        abi::WEIGHTS_EMPTY => read_ints(Numbers::Ints(std::ptr::null()), len)?,
        _ => read_ints(weights, len)?,
    };
    match read.iter().find(|weight| **weight < 0) {
        Some(weight) => Err(Error::new(Class::Arg, format!("a weight of {weight}")).into()),
        None => Ok(Some(read)),
    }
}

fn read_side(
    comm: &mpi::Comm,
    degree: i32,
    ranks: Numbers,
    weights: Numbers,
) -> Outcome<(Side, bool)> {
    let len = length("neighbours", degree)?;
    let ranks = read_ints(ranks, len)?;
    for rank in &ranks {
        comm.own_rank(*rank)?;
    }
    let weights = read_weights(weights, len)?;
    let weighted = weights.is_some();
    let weights = weights.unwrap_or_else(|| vec![1; len]);
    Ok((Side { ranks, weights }, weighted))
}

pub fn dist_graph_create_adjacent(
    comm_old: &mpi::Comm,
    indegree: i32,
    sources: Numbers,
    sourceweights: Numbers,
    outdegree: i32,
    destinations: Numbers,
    destweights: Numbers,
    info: raw::Info,
    reorder: i32,
    comm_dist_graph: Out<raw::Comm>,
) -> Outcome {
    // No hint is known here; one that is none is an error all the same.
    info::given(&info)?;
    let _ = reorder;
    let (sources, come) = read_side(comm_old, indegree, sources, sourceweights)?;
    let (destinations, go) = read_side(comm_old, outdegree, destinations, destweights)?;
    if come != go {
        let detail = "only one of the two lists of weights is MPI_UNWEIGHTED";
        return Err(Error::new(Class::Arg, detail).into());
    }
    let graph = DistGraph {
        sources,
        destinations,
        weighted: come,
    };
    arrange(comm_old, graph, comm_dist_graph)
}

fn arrange(comm: &mpi::Comm, graph: DistGraph, newcomm: Out<raw::Comm>) -> Outcome {
    give(
        newcomm,
        comm.arrange(Topology::DistGraph(graph), comm.size())?,
    )
}

pub fn dist_graph_create(
    comm_old: &mpi::Comm,
    n: i32,
    sources: Numbers,
    degrees: Numbers,
    destinations: Numbers,
    weights: Numbers,
    info: raw::Info,
    reorder: i32,
    comm_dist_graph: Out<raw::Comm>,
) -> Outcome {
    // No hint is known here; one that is none is an error all the same.
    info::given(&info)?;
    let _ = reorder;
    let nodes = length("sources", n)?;
    let (sources, degrees) = (read_ints(sources, nodes)?, read_ints(degrees, nodes)?);
    let degrees = degrees.into_iter().map(|degree| length("edges", degree));
    let degrees = degrees.collect::<Outcome<Vec<usize>>>()?;
    let total = degrees.iter().sum();
    let destinations = read_ints(destinations, total)?;
    let given = read_weights(weights, total)?;
    let weighted = given.is_some();
    let weights = given.unwrap_or_else(|| vec![1; total]);
    let starts = sources.iter().zip(&degrees);
    let starts = starts.flat_map(|(source, degree)| std::iter::repeat_n(*source, *degree));
    let ends = destinations.iter().zip(&weights);
    let edges = starts.zip(ends).map(|(from, (to, weight))| {
        Ok(Edge {
            from: comm_old.own_rank(from)?,
            to: comm_old.own_rank(*to)?,
            weight: *weight,
        })
    });
    let edges = edges.collect::<mpi::Result<Vec<Edge>>>()?;
    let graph = comm_old.gather_edges(&edges, weighted)?;
    arrange(comm_old, graph, comm_dist_graph)
}

pub fn dist_graph_neighbors_count(
    comm: &mpi::Comm,
    indegree: OutInt,
    outdegree: OutInt,
    weighted: OutInt,
) -> Outcome {
    let graph = comm.dist_graph()?;
    indegree.set_number(graph.sources.ranks.len());
    outdegree.set_number(graph.destinations.ranks.len());
    weighted.set_flag(graph.weighted);
    Ok(())
}

pub fn dist_graph_neighbors(
    comm: &mpi::Comm,
    maxindegree: i32,
    sources: OutInts,
    sourceweights: OutInts,
    maxoutdegree: i32,
    destinations: OutInts,
    destweights: OutInts,
) -> Outcome {
    let graph = comm.dist_graph()?;
    let put_side = |side: &Side, max, ranks: OutInts, weights: OutInts| {
        // What there is no room for is left away.
        let len = length("neighbours", max)?.min(side.ranks.len());
        ranks.check(len)?;
        put(ranks, &side.ranks[..len]);
        let wanted = ![abi::UNWEIGHTED, abi::WEIGHTS_EMPTY].contains(&(weights.address() as isize));
        if graph.weighted && wanted {
            weights.check(len)?;
            put(weights, &side.weights[..len]);
        }
        Outcome::Ok(())
    };
    put_side(&graph.sources, maxindegree, sources, sourceweights)?;
    put_side(&graph.destinations, maxoutdegree, destinations, destweights)
}
