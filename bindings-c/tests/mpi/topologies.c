/* Topologies of processes: MPI 5.0, chapter 8. */
/* ranks: 1 2 3 4 8 */

#include "check.h"

static int size, rank;

static int topology(MPI_Comm comm)
{
    int status = -1;

    CHECK_OK(MPI_Topo_test(comm, &status));
    return status;
}

static void dims(void)
{
    int lens[3] = {0, 0, 0}, given[3] = {0, 3, 0}, product;

    CHECK_OK(MPI_Dims_create(size, 3, lens));
    product = lens[0] * lens[1] * lens[2];
    CHECK_IS(product, size);
    CHECK(lens[0] >= lens[1] && lens[1] >= lens[2]);
    CHECK_OK(MPI_Dims_create(6, 3, given));
    CHECK_IS(given[0], 2);
    CHECK_IS(given[1], 3);
    CHECK_IS(given[2], 1);
    given[1] = 4;
    given[0] = 0;
    CHECK_CLASS(MPI_Dims_create(6, 3, given), MPI_ERR_DIMS);
    given[1] = -1;
    CHECK_CLASS(MPI_Dims_create(6, 3, given), MPI_ERR_DIMS);
}

/* A ring, and a line. */
static void one_dimension(int periodic)
{
    MPI_Comm line, copy;
    int source, dest, len, period, coord, place, n;

    CHECK_OK(MPI_Cart_create(MPI_COMM_WORLD, 1, &size, &periodic, 0, &line));
    CHECK_IS(topology(line), MPI_CART);
    CHECK_OK(MPI_Comm_dup(line, &copy));
    CHECK_OK(MPI_Comm_free(&line));
    CHECK_IS(topology(copy), MPI_CART);
    CHECK_OK(MPI_Cartdim_get(copy, &n));
    CHECK_IS(n, 1);
    CHECK_OK(MPI_Cart_get(copy, 1, &len, &period, &coord));
    CHECK_IS(len, size);
    CHECK_IS(period, periodic);
    CHECK_IS(coord, rank);
    CHECK_OK(MPI_Cart_shift(copy, 0, 1, &source, &dest));
    CHECK_IS(source, rank > 0 ? rank - 1 : periodic ? size - 1 : MPI_PROC_NULL);
    CHECK_IS(dest, rank < size - 1 ? rank + 1 : periodic ? 0 : MPI_PROC_NULL);
    coord = -1;
    if (periodic) {
        CHECK_OK(MPI_Cart_rank(copy, &coord, &place));
        CHECK_IS(place, size - 1);
    } else {
        CHECK_CLASS(MPI_Cart_rank(copy, &coord, &place), MPI_ERR_ARG);
    }
    CHECK_CLASS(MPI_Cart_shift(copy, 1, 1, &source, &dest), MPI_ERR_ARG);
    CHECK_CLASS(MPI_Cart_coords(copy, size, 1, &coord), MPI_ERR_RANK);
    CHECK_CLASS(MPI_Cart_coords(copy, 0, 0, &coord), MPI_ERR_ARG);
    CHECK_CLASS(MPI_Graphdims_get(copy, &n, &len), MPI_ERR_TOPOLOGY);
    CHECK_OK(MPI_Comm_free(&copy));
}

static void planes(void)
{
    int lens[2] = {0, 0}, periods[2] = {1, 0}, coords[2], sub_coords[1], remain[2] = {0, 1}, n, place;
    MPI_Comm grid, row, point;

    CHECK_OK(MPI_Dims_create(size, 2, lens));
    CHECK_OK(MPI_Cart_create(MPI_COMM_WORLD, 2, lens, periods, 1, &grid));
    CHECK_OK(MPI_Comm_rank(grid, &place));
    CHECK_OK(MPI_Cart_coords(grid, place, 2, coords));
    CHECK_IS(coords[0] * lens[1] + coords[1], place);
    CHECK_OK(MPI_Cart_sub(grid, remain, &row));
    CHECK_OK(MPI_Comm_size(row, &n));
    CHECK_IS(n, lens[1]);
    CHECK_OK(MPI_Comm_rank(row, &n));
    CHECK_IS(n, coords[1]);
    CHECK_OK(MPI_Cart_coords(row, n, 1, sub_coords));
    CHECK_IS(sub_coords[0], coords[1]);
    CHECK_OK(MPI_Comm_free(&row));
    remain[1] = 0;
    CHECK_OK(MPI_Cart_sub(grid, remain, &point));
    CHECK_OK(MPI_Comm_size(point, &n));
    CHECK_IS(n, 1);
    CHECK_OK(MPI_Cartdim_get(point, &n));
    CHECK_IS(n, 0);
    CHECK_OK(MPI_Comm_free(&point));
    CHECK_OK(MPI_Comm_free(&grid));
}

static void smaller_and_larger(void)
{
    int one = 1, more = size + 1, zero = 0, ring = 0, place;
    MPI_Comm grid;

    CHECK_OK(MPI_Cart_create(MPI_COMM_WORLD, 1, &one, &ring, 0, &grid));
    CHECK_IS(grid == MPI_COMM_NULL, rank != 0);
    if (rank == 0)
        CHECK_OK(MPI_Comm_free(&grid));
    CHECK_OK(MPI_Cart_create(MPI_COMM_WORLD, 0, NULL, NULL, 0, &grid));
    CHECK_IS(grid == MPI_COMM_NULL, rank != 0);
    if (rank == 0) {
        CHECK_IS(topology(grid), MPI_CART);
        CHECK_OK(MPI_Comm_free(&grid));
    }
    CHECK_CLASS(MPI_Cart_create(MPI_COMM_WORLD, 1, &more, &ring, 0, &grid), MPI_ERR_DIMS);
    CHECK_CLASS(MPI_Cart_create(MPI_COMM_WORLD, 1, &zero, &ring, 0, &grid), MPI_ERR_DIMS);
    CHECK_CLASS(MPI_Cart_create(MPI_COMM_WORLD, -1, &one, &ring, 0, &grid), MPI_ERR_DIMS);
    CHECK_OK(MPI_Cart_map(MPI_COMM_WORLD, 1, &one, &ring, &place));
    CHECK_IS(place, rank ? MPI_UNDEFINED : 0);
    CHECK_IS(topology(MPI_COMM_WORLD), MPI_UNDEFINED);
    CHECK_CLASS(MPI_Cartdim_get(MPI_COMM_WORLD, &place), MPI_ERR_TOPOLOGY);
}

/* Everybody is the neighbour of rank 0. */
static void star(void)
{
    int index[8], edges[16], found[16], n = 0, nodes, count, i;
    MPI_Comm graph;

    for (i = 1; i < size; i++)
        edges[n++] = i;
    index[0] = n;
    for (i = 1; i < size; i++) {
        edges[n++] = 0;
        index[i] = n;
    }
    CHECK_OK(MPI_Graph_create(MPI_COMM_WORLD, size, index, edges, 0, &graph));
    CHECK_IS(topology(graph), MPI_GRAPH);
    CHECK_OK(MPI_Graphdims_get(graph, &nodes, &count));
    CHECK_IS(nodes, size);
    CHECK_IS(count, n);
    CHECK_OK(MPI_Graph_neighbors_count(graph, rank, &count));
    CHECK_IS(count, rank ? 1 : size - 1);
    CHECK_OK(MPI_Graph_neighbors(graph, rank, count, found));
    if (rank)
        CHECK_IS(found[0], 0);
    CHECK_OK(MPI_Graph_get(graph, size, n, found, found + 8));
    CHECK_IS(found[size - 1], n);
    if (n) {
        CHECK_CLASS(MPI_Graph_get(graph, size, n - 1, found, found + 8), MPI_ERR_ARG);
        CHECK_CLASS(MPI_Graph_neighbors(graph, 0, 0, found), MPI_ERR_ARG);
    }
    CHECK_CLASS(MPI_Graph_neighbors_count(graph, size, &count), MPI_ERR_RANK);
    CHECK_OK(MPI_Graph_map(MPI_COMM_WORLD, size, index, edges, &count));
    CHECK_IS(count, rank);
    CHECK_OK(MPI_Comm_free(&graph));
    CHECK_OK(MPI_Graph_create(MPI_COMM_WORLD, 0, NULL, NULL, 0, &graph));
    CHECK(graph == MPI_COMM_NULL);
    index[0] = -1;
    CHECK_CLASS(MPI_Graph_create(MPI_COMM_WORLD, 1, index, edges, 0, &graph), MPI_ERR_ARG);
}

/* A ring, once told by each end and once by rank 0. */
static void rings(void)
{
    int left = (rank + size - 1) % size, right = (rank + 1) % size, weight = rank + 1;
    int sources[2], from[2] = {0, 0}, destinations[2], to[2] = {0, 0}, in, out, weighted, i, n = 0;
    int starts[8], degrees[8], ends[8], weights[8];
    MPI_Comm adjacent, told, plain;

    CHECK_OK(MPI_Dist_graph_create_adjacent(MPI_COMM_WORLD, 1, &left, &weight, 1, &right, &weight, MPI_INFO_NULL, 0,
                                            &adjacent));
    CHECK_IS(topology(adjacent), MPI_DIST_GRAPH);
    CHECK_OK(MPI_Dist_graph_neighbors_count(adjacent, &in, &out, &weighted));
    CHECK_IS(in * 100 + out * 10 + weighted, 111);
    CHECK_OK(MPI_Dist_graph_neighbors(adjacent, 1, sources, from, 1, destinations, to));
    CHECK_IS(sources[0], left);
    CHECK_IS(destinations[0], right);
    CHECK_IS(from[0], weight);
    CHECK_IS(to[0], weight);
    CHECK_OK(MPI_Comm_free(&adjacent));
    if (rank == 0)
        for (n = size, i = 0; i < n; i++) {
            starts[i] = i;
            degrees[i] = 1;
            ends[i] = (i + 1) % n;
            weights[i] = 10 + i;
        }
    CHECK_OK(MPI_Dist_graph_create(MPI_COMM_WORLD, n, starts, degrees, ends, n ? weights : MPI_WEIGHTS_EMPTY,
                                   MPI_INFO_NULL, 0, &told));
    CHECK_OK(MPI_Dist_graph_neighbors_count(told, &in, &out, &weighted));
    CHECK_IS(in * 100 + out * 10 + weighted, 111);
    CHECK_OK(MPI_Dist_graph_neighbors(told, 1, sources, from, 1, destinations, to));
    CHECK_IS(sources[0], left);
    CHECK_IS(destinations[0], right);
    CHECK_IS(from[0], 10 + left);
    CHECK_IS(to[0], 10 + rank);
    CHECK_OK(MPI_Comm_free(&told));
    CHECK_OK(MPI_Dist_graph_create(MPI_COMM_WORLD, 1, &rank, (int[]){1}, &right, MPI_UNWEIGHTED, MPI_INFO_NULL, 1,
                                   &plain));
    CHECK_OK(MPI_Dist_graph_neighbors_count(plain, &in, &out, &weighted));
    CHECK_IS(in * 100 + out * 10 + weighted, 110);
    CHECK_OK(MPI_Dist_graph_neighbors(plain, 1, sources, MPI_UNWEIGHTED, 1, destinations, MPI_UNWEIGHTED));
    CHECK_IS(sources[0], left);
    CHECK_OK(MPI_Comm_free(&plain));
    weight = -1;
    CHECK_CLASS(MPI_Dist_graph_create_adjacent(MPI_COMM_SELF, 1, (int[]){0}, &weight, 0, NULL, MPI_WEIGHTS_EMPTY,
                                               MPI_INFO_NULL, 0, &plain),
                MPI_ERR_ARG);
    CHECK_CLASS(MPI_Dist_graph_create_adjacent(MPI_COMM_SELF, 1, (int[]){1}, MPI_UNWEIGHTED, 0, NULL, MPI_UNWEIGHTED,
                                               MPI_INFO_NULL, 0, &plain),
                MPI_ERR_RANK);
}

int main(int argc, char **argv)
{
    check_start(&argc, &argv);
    size = check_size();
    rank = check_rank();
    dims();
    one_dimension(0);
    one_dimension(1);
    planes();
    smaller_and_larger();
    star();
    rings();
    CHECK_OK(MPI_Finalize());
    return 0;
}
