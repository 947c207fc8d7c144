/* ranks: 1 2 3 4 6 8 */
/* Collectives among neighbours: grids with and without a border, also of one and two processes; graphs
 * in which processes are their own neighbours, or each other's twice. */

#include "check.h"

static int rank, size;

static void finish(MPI_Request *request)
{
    CHECK_OK(MPI_Wait(request, MPI_STATUS_IGNORE));
}

/* What goes down comes from above, also in a ring of one or two processes. */
static void ring(int periodic)
{
    int dims[1] = {size}, periods[1] = {periodic}, down, up, from[2], to[2], one = rank, i;
    int counts[2] = {1, 1}, displs[2] = {1, 0}, turn;
    MPI_Aint bytes[2] = {sizeof(int), 0};
    MPI_Datatype types[2] = {MPI_INT, MPI_INT};
    MPI_Comm comm;
    MPI_Request request;

    CHECK_OK(MPI_Cart_create(MPI_COMM_WORLD, 1, dims, periods, 0, &comm));
    CHECK_OK(MPI_Cart_shift(comm, 0, 1, &down, &up));
    from[0] = 10 * rank;
    from[1] = 10 * rank + 1;

    to[0] = to[1] = -1;
    CHECK_OK(MPI_Neighbor_alltoall(from, 1, MPI_INT, to, 1, MPI_INT, comm));
    CHECK_IS(to[0], down == MPI_PROC_NULL ? -1 : 10 * down + 1);
    CHECK_IS(to[1], up == MPI_PROC_NULL ? -1 : 10 * up);

    to[0] = to[1] = -1;
    CHECK_OK(MPI_Ineighbor_allgather(&one, 1, MPI_INT, to, 1, MPI_INT, comm, &request));
    finish(&request);
    CHECK_IS(to[0], down == MPI_PROC_NULL ? -1 : down);
    CHECK_IS(to[1], up == MPI_PROC_NULL ? -1 : up);

    to[0] = to[1] = -1;
    CHECK_OK(MPI_Neighbor_allgatherv(&one, 1, MPI_INT, to, counts, displs, MPI_INT, comm));
    CHECK_IS(to[1], down == MPI_PROC_NULL ? -1 : down);

    to[0] = to[1] = -1;
    CHECK_OK(MPI_Neighbor_alltoallv(from, counts, displs, MPI_INT, to, counts, displs, MPI_INT, comm));
    CHECK_IS(to[1], down == MPI_PROC_NULL ? -1 : 10 * down);
    CHECK_IS(to[0], up == MPI_PROC_NULL ? -1 : 10 * up + 1);

    CHECK_OK(MPI_Neighbor_alltoallw_init(from, counts, bytes, types, to, counts, bytes, types, comm, MPI_INFO_NULL,
                                         &request));
    for (turn = 0; turn < 3; turn++) {
        for (i = 0; i < 2; i++) {
            from[i] = 100 * turn + 10 * rank + i;
            to[i] = -1;
        }
        CHECK_OK(MPI_Start(&request));
        finish(&request);
        CHECK_IS(to[1], down == MPI_PROC_NULL ? -1 : 100 * turn + 10 * down);
        CHECK_IS(to[0], up == MPI_PROC_NULL ? -1 : 100 * turn + 10 * up + 1);
    }
    CHECK_OK(MPI_Request_free(&request));
    CHECK_OK(MPI_Comm_free(&comm));
}

/* Every process has edges to itself and to the next one, two of each. */
static void graph(void)
{
    int next = (rank + 1) % size, before = (rank + size - 1) % size;
    int sources[4] = {before, rank, before, rank}, destinations[4] = {rank, next, rank, next};
    int from[4], to[4], weights[4] = {1, 1, 1, 1}, i;
    MPI_Comm comm;

    CHECK_OK(MPI_Dist_graph_create_adjacent(MPI_COMM_WORLD, 4, sources, weights, 4, destinations, weights,
                                            MPI_INFO_NULL, 0, &comm));
    for (i = 0; i < 4; i++) {
        from[i] = 10 * rank + i;
        to[i] = -1;
    }
    CHECK_OK(MPI_Neighbor_alltoall(from, 1, MPI_INT, to, 1, MPI_INT, comm));
    if (size > 1) {
        CHECK_IS(to[0], 10 * before + 1);
        CHECK_IS(to[1], 10 * rank);
        CHECK_IS(to[2], 10 * before + 3);
        CHECK_IS(to[3], 10 * rank + 2);
    } else {
        for (i = 0; i < 4; i++)
            CHECK_IS(to[i], i);
    }
    CHECK_OK(MPI_Comm_free(&comm));
}

static void errors(void)
{
    int a[4] = {0}, b[4];

    CHECK_CLASS(MPI_Neighbor_allgather(a, 1, MPI_INT, b, 1, MPI_INT, MPI_COMM_WORLD), MPI_ERR_TOPOLOGY);
}

int main(int argc, char **argv)
{
    check_start(&argc, &argv);
    rank = check_rank();
    size = check_size();
    ring(1);
    ring(0);
    graph();
    errors();
    CHECK_OK(MPI_Finalize());
    return 0;
}
