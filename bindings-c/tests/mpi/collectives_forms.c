/* Every collective in each of its forms: blocking, non-blocking and persistent, with int counts and with large ones
 * (MPI 5.0, chapter 6). What they do otherwise is in collectives_moves.c and its neighbours. */
/* ranks: 1 2 3 4 */
#include "check.h"

#define RANKS 4
#define ROOM (4 * RANKS)

static MPI_Comm comm = MPI_COMM_WORLD;
static int rank, size, sent[ROOM], got[ROOM];
static int block_counts[RANKS], block_places[RANKS], pair_counts[RANKS], pair_places[RANKS], byte_places[RANKS];
static MPI_Count block_counts_c[RANKS], pair_counts_c[RANKS];
static MPI_Aint block_places_c[RANKS], pair_places_c[RANKS], byte_places_c[RANKS];
static MPI_Datatype types[RANKS];

/* What a rank has at a place. */
static int of(int of_rank, int at)
{
    return of_rank * 1000 + at;
}

/* The sum over the first ranks of what they have at a place. */
static int sum(int ranks, int at)
{
    return 1000 * ranks * (ranks - 1) / 2 + ranks * at;
}

static void fill(void)
{
    int i;

    for (i = 0; i < ROOM; i++) {
        sent[i] = of(rank, i);
        got[i] = -1;
    }
}

/* Blocks of unlike lengths, one for each rank, with gaps. */
static int block(int of_rank)
{
    return 1 + of_rank % 2;
}

/* What two ranks exchange. */
static int pair(int one, int other)
{
    return (one + other) % 3;
}

static void tables(void)
{
    int i;

    for (i = 0; i < RANKS; i++) {
        block_counts_c[i] = block_counts[i] = block(i);
        block_places_c[i] = block_places[i] = 3 * i;
        pair_counts_c[i] = pair_counts[i] = pair(rank, i);
        pair_places_c[i] = pair_places[i] = 3 * i;
        byte_places_c[i] = byte_places[i] = 3 * i * (int)sizeof(int);
        types[i] = MPI_INT;
    }
}

#define LIST(...) __VA_ARGS__

#define STARTED(call, verify)                                                                                         \
    do {                                                                                                              \
        MPI_Request request = MPI_REQUEST_NULL;                                                                       \
        fill();                                                                                                       \
        CHECK_OK(call);                                                                                               \
        CHECK_OK(MPI_Wait(&request, MPI_STATUS_IGNORE));                                                              \
        CHECK(request == MPI_REQUEST_NULL);                                                                           \
        verify;                                                                                                       \
    } while (0)

#define PERSISTENT(call, verify)                                                                                      \
    do {                                                                                                              \
        MPI_Request request = MPI_REQUEST_NULL;                                                                       \
        int round;                                                                                                    \
        CHECK_OK(call);                                                                                               \
        for (round = 0; round < 3; round++) {                                                                         \
            fill();                                                                                                   \
            CHECK_OK(MPI_Start(&request));                                                                            \
            CHECK_OK(MPI_Wait(&request, MPI_STATUS_IGNORE));                                                          \
            CHECK(request != MPI_REQUEST_NULL);                                                                       \
            verify;                                                                                                   \
        }                                                                                                             \
        CHECK_OK(MPI_Request_free(&request));                                                                         \
    } while (0)

/* The three forms of a call with these arguments. */
#define FORMS(call, icall, call_init, arguments, verify)                                                              \
    do {                                                                                                              \
        fill();                                                                                                       \
        CHECK_OK(call(arguments));                                                                                    \
        verify;                                                                                                       \
        STARTED(icall(arguments, &request), verify);                                                                  \
        PERSISTENT(call_init(arguments, MPI_INFO_NULL, &request), verify);                                            \
    } while (0)

static void all_have_gathered(void)
{
    int r, k;

    for (r = 0; r < size; r++)
        for (k = 0; k < 2; k++)
            CHECK_IS(got[2 * r + k], of(r, k));
}

static void all_have_blocks(void)
{
    int r, k;

    for (r = 0; r < size; r++)
        for (k = 0; k < 3; k++)
            CHECK_IS(got[3 * r + k], k < block(r) ? of(r, k) : -1);
}

static void all_have_exchanged(void)
{
    int r, k;

    for (r = 0; r < size; r++)
        for (k = 0; k < 3; k++)
            CHECK_IS(got[3 * r + k], k < pair(rank, r) ? of(r, 3 * rank + k) : -1);
}

static void gathers(void)
{
    FORMS(MPI_Allgather, MPI_Iallgather, MPI_Allgather_init, LIST(sent, 2, MPI_INT, got, 2, MPI_INT, comm),
          all_have_gathered());
    FORMS(MPI_Allgather_c, MPI_Iallgather_c, MPI_Allgather_init_c, LIST(sent, 2, MPI_INT, got, 2, MPI_INT, comm),
          all_have_gathered());
    FORMS(MPI_Allgatherv, MPI_Iallgatherv, MPI_Allgatherv_init,
          LIST(sent, block(rank), MPI_INT, got, block_counts, block_places, MPI_INT, comm), all_have_blocks());
    FORMS(MPI_Allgatherv_c, MPI_Iallgatherv_c, MPI_Allgatherv_init_c,
          LIST(sent, block(rank), MPI_INT, got, block_counts_c, block_places_c, MPI_INT, comm), all_have_blocks());
    FORMS(MPI_Gather, MPI_Igather, MPI_Gather_init, LIST(sent, 2, MPI_INT, got, 2, MPI_INT, size - 1, comm),
          if (rank == size - 1) all_have_gathered());
    FORMS(MPI_Gather_c, MPI_Igather_c, MPI_Gather_init_c, LIST(sent, 2, MPI_INT, got, 2, MPI_INT, 0, comm),
          if (rank == 0) all_have_gathered());
    FORMS(MPI_Gatherv, MPI_Igatherv, MPI_Gatherv_init,
          LIST(sent, block(rank), MPI_INT, got, block_counts, block_places, MPI_INT, 0, comm),
          if (rank == 0) all_have_blocks());
    FORMS(MPI_Gatherv_c, MPI_Igatherv_c, MPI_Gatherv_init_c,
          LIST(sent, block(rank), MPI_INT, got, block_counts_c, block_places_c, MPI_INT, size - 1, comm),
          if (rank == size - 1) all_have_blocks());
}

static void everybody_has(int root, int first, int count)
{
    int k;

    for (k = 0; k < ROOM; k++)
        CHECK_IS(got[k], k < count ? of(root, first + k) : -1);
}

static void scatters(void)
{
    int root = size - 1;

    FORMS(MPI_Scatter, MPI_Iscatter, MPI_Scatter_init, LIST(sent, 2, MPI_INT, got, 2, MPI_INT, root, comm),
          everybody_has(root, 2 * rank, 2));
    FORMS(MPI_Scatter_c, MPI_Iscatter_c, MPI_Scatter_init_c, LIST(sent, 2, MPI_INT, got, 2, MPI_INT, root, comm),
          everybody_has(root, 2 * rank, 2));
    FORMS(MPI_Scatterv, MPI_Iscatterv, MPI_Scatterv_init,
          LIST(sent, block_counts, block_places, MPI_INT, got, block(rank), MPI_INT, root, comm),
          everybody_has(root, 3 * rank, block(rank)));
    FORMS(MPI_Scatterv_c, MPI_Iscatterv_c, MPI_Scatterv_init_c,
          LIST(sent, block_counts_c, block_places_c, MPI_INT, got, block(rank), MPI_INT, root, comm),
          everybody_has(root, 3 * rank, block(rank)));
    FORMS(MPI_Bcast, MPI_Ibcast, MPI_Bcast_init, LIST(sent, ROOM, MPI_INT, root, comm),
          CHECK_IS(sent[ROOM - 1], of(root, ROOM - 1)));
    FORMS(MPI_Bcast_c, MPI_Ibcast_c, MPI_Bcast_init_c, LIST(sent, ROOM, MPI_INT, root, comm),
          CHECK_IS(sent[ROOM - 1], of(root, ROOM - 1)));
}

static void all_have_one_of_each(void)
{
    int r;

    for (r = 0; r < size; r++)
        CHECK_IS(got[r], of(r, rank));
}

static void exchanges(void)
{
    FORMS(MPI_Alltoall, MPI_Ialltoall, MPI_Alltoall_init, LIST(sent, 1, MPI_INT, got, 1, MPI_INT, comm),
          all_have_one_of_each());
    FORMS(MPI_Alltoall_c, MPI_Ialltoall_c, MPI_Alltoall_init_c, LIST(sent, 1, MPI_INT, got, 1, MPI_INT, comm),
          all_have_one_of_each());
    FORMS(MPI_Alltoallv, MPI_Ialltoallv, MPI_Alltoallv_init,
          LIST(sent, pair_counts, pair_places, MPI_INT, got, pair_counts, pair_places, MPI_INT, comm),
          all_have_exchanged());
    FORMS(MPI_Alltoallv_c, MPI_Ialltoallv_c, MPI_Alltoallv_init_c,
          LIST(sent, pair_counts_c, pair_places_c, MPI_INT, got, pair_counts_c, pair_places_c, MPI_INT, comm),
          all_have_exchanged());
    FORMS(MPI_Alltoallw, MPI_Ialltoallw, MPI_Alltoallw_init,
          LIST(sent, pair_counts, byte_places, types, got, pair_counts, byte_places, types, comm),
          all_have_exchanged());
    FORMS(MPI_Alltoallw_c, MPI_Ialltoallw_c, MPI_Alltoallw_init_c,
          LIST(sent, pair_counts_c, byte_places_c, types, got, pair_counts_c, byte_places_c, types, comm),
          all_have_exchanged());
}

/* The sum over the first ranks of two places from here on. */
static void have_sums(int ranks, int first, int count)
{
    int k;

    for (k = 0; k < count; k++)
        CHECK_IS(got[k], sum(ranks, first + k));
}

static int before_block(int of_rank)
{
    int r, places = 0;

    for (r = 0; r < of_rank; r++)
        places += block(r);
    return places;
}

static void reductions(void)
{
    FORMS(MPI_Allreduce, MPI_Iallreduce, MPI_Allreduce_init, LIST(sent, got, 2, MPI_INT, MPI_SUM, comm),
          have_sums(size, 0, 2));
    FORMS(MPI_Allreduce_c, MPI_Iallreduce_c, MPI_Allreduce_init_c, LIST(sent, got, 2, MPI_INT, MPI_SUM, comm),
          have_sums(size, 0, 2));
    FORMS(MPI_Reduce, MPI_Ireduce, MPI_Reduce_init, LIST(sent, got, 2, MPI_INT, MPI_SUM, size - 1, comm),
          if (rank == size - 1) have_sums(size, 0, 2));
    FORMS(MPI_Reduce_c, MPI_Ireduce_c, MPI_Reduce_init_c, LIST(sent, got, 2, MPI_INT, MPI_SUM, 0, comm),
          if (rank == 0) have_sums(size, 0, 2));
    FORMS(MPI_Reduce_scatter, MPI_Ireduce_scatter, MPI_Reduce_scatter_init,
          LIST(sent, got, block_counts, MPI_INT, MPI_SUM, comm), have_sums(size, before_block(rank), block(rank)));
    FORMS(MPI_Reduce_scatter_c, MPI_Ireduce_scatter_c, MPI_Reduce_scatter_init_c,
          LIST(sent, got, block_counts_c, MPI_INT, MPI_SUM, comm), have_sums(size, before_block(rank), block(rank)));
    FORMS(MPI_Reduce_scatter_block, MPI_Ireduce_scatter_block, MPI_Reduce_scatter_block_init,
          LIST(sent, got, 2, MPI_INT, MPI_SUM, comm), have_sums(size, 2 * rank, 2));
    FORMS(MPI_Reduce_scatter_block_c, MPI_Ireduce_scatter_block_c, MPI_Reduce_scatter_block_init_c,
          LIST(sent, got, 2, MPI_INT, MPI_SUM, comm), have_sums(size, 2 * rank, 2));
    FORMS(MPI_Scan, MPI_Iscan, MPI_Scan_init, LIST(sent, got, 2, MPI_INT, MPI_SUM, comm), have_sums(rank + 1, 0, 2));
    FORMS(MPI_Scan_c, MPI_Iscan_c, MPI_Scan_init_c, LIST(sent, got, 2, MPI_INT, MPI_SUM, comm),
          have_sums(rank + 1, 0, 2));
    FORMS(MPI_Exscan, MPI_Iexscan, MPI_Exscan_init, LIST(sent, got, 2, MPI_INT, MPI_SUM, comm),
          if (rank > 0) have_sums(rank, 0, 2));
    FORMS(MPI_Exscan_c, MPI_Iexscan_c, MPI_Exscan_init_c, LIST(sent, got, 2, MPI_INT, MPI_SUM, comm),
          if (rank > 0) have_sums(rank, 0, 2));
}

/* Neighbours are the rank before and, second, this one itself. */
static MPI_Comm with_neighbours(void)
{
    int sources[2], destinations[2];
    MPI_Comm graph;

    sources[0] = (rank + size - 1) % size;
    destinations[0] = (rank + 1) % size;
    sources[1] = destinations[1] = rank;
    CHECK_OK(MPI_Dist_graph_create_adjacent(MPI_COMM_WORLD, 2, sources, MPI_UNWEIGHTED, 2, destinations,
                                            MPI_UNWEIGHTED, MPI_INFO_NULL, 0, &graph));
    return graph;
}

/* What has come: so many numbers at two places, from two places of the rank before and of this one. */
static void have(int place, int count, int from, int own_place, int own_count, int own_from)
{
    int k, before = (rank + size - 1) % size;

    for (k = 0; k < count; k++)
        CHECK_IS(got[place + k], of(before, from + k));
    for (k = 0; k < own_count; k++)
        CHECK_IS(got[own_place + k], of(rank, own_from + k));
}

static void neighbours(void)
{
    MPI_Comm graph = with_neighbours();
    const int twos[] = {2, 2}, counts[] = {1, 2}, from[] = {0, 3}, to[] = {5, 8}, back[] = {4, 1};
    const MPI_Count twos_c[] = {2, 2}, counts_c[] = {1, 2};
    const MPI_Aint from_c[] = {0, 3}, to_c[] = {5, 8}, back_c[] = {4, 1}, places[] = {0, 12}, to_places[] = {20, 32};

    FORMS(MPI_Neighbor_allgather, MPI_Ineighbor_allgather, MPI_Neighbor_allgather_init,
          LIST(sent, 2, MPI_INT, got, 2, MPI_INT, graph), have(0, 2, 0, 2, 2, 0));
    FORMS(MPI_Neighbor_allgather_c, MPI_Ineighbor_allgather_c, MPI_Neighbor_allgather_init_c,
          LIST(sent, 2, MPI_INT, got, 2, MPI_INT, graph), have(0, 2, 0, 2, 2, 0));
    FORMS(MPI_Neighbor_allgatherv, MPI_Ineighbor_allgatherv, MPI_Neighbor_allgatherv_init,
          LIST(sent, 2, MPI_INT, got, twos, back, MPI_INT, graph), have(4, 2, 0, 1, 2, 0));
    FORMS(MPI_Neighbor_allgatherv_c, MPI_Ineighbor_allgatherv_c, MPI_Neighbor_allgatherv_init_c,
          LIST(sent, 2, MPI_INT, got, twos_c, back_c, MPI_INT, graph), have(4, 2, 0, 1, 2, 0));
    FORMS(MPI_Neighbor_alltoall, MPI_Ineighbor_alltoall, MPI_Neighbor_alltoall_init,
          LIST(sent, 1, MPI_INT, got, 1, MPI_INT, graph), have(0, 1, 0, 1, 1, 1));
    FORMS(MPI_Neighbor_alltoall_c, MPI_Ineighbor_alltoall_c, MPI_Neighbor_alltoall_init_c,
          LIST(sent, 1, MPI_INT, got, 1, MPI_INT, graph), have(0, 1, 0, 1, 1, 1));
    FORMS(MPI_Neighbor_alltoallv, MPI_Ineighbor_alltoallv, MPI_Neighbor_alltoallv_init,
          LIST(sent, counts, from, MPI_INT, got, counts, to, MPI_INT, graph), have(5, 1, 0, 8, 2, 3));
    FORMS(MPI_Neighbor_alltoallv_c, MPI_Ineighbor_alltoallv_c, MPI_Neighbor_alltoallv_init_c,
          LIST(sent, counts_c, from_c, MPI_INT, got, counts_c, to_c, MPI_INT, graph), have(5, 1, 0, 8, 2, 3));
    FORMS(MPI_Neighbor_alltoallw, MPI_Ineighbor_alltoallw, MPI_Neighbor_alltoallw_init,
          LIST(sent, counts, places, types, got, counts, to_places, types, graph), have(5, 1, 0, 8, 2, 3));
    FORMS(MPI_Neighbor_alltoallw_c, MPI_Ineighbor_alltoallw_c, MPI_Neighbor_alltoallw_init_c,
          LIST(sent, counts_c, places, types, got, counts_c, to_places, types, graph), have(5, 1, 0, 8, 2, 3));
    CHECK_OK(MPI_Comm_free(&graph));
}

int main(int argc, char **argv)
{
    check_start(&argc, &argv);
    rank = check_rank();
    size = check_size();
    CHECK(size <= RANKS);
    tables();
    gathers();
    scatters();
    exchanges();
    reductions();
    neighbours();
    CHECK_OK(MPI_Finalize());
    return 0;
}
