/* ranks: 1 2 3 4 5 8 */
/* Collectives that move data: contiguous and derived types, in place, blocks anywhere, three forms. */

#include "check.h"

#define MOST 16

static int rank, size;

static void fill(int *a, int n, int value)
{
    int i;
    for (i = 0; i < n; i++)
        a[i] = value;
}

static void finish(MPI_Request *request)
{
    CHECK_OK(MPI_Wait(request, MPI_STATUS_IGNORE));
}

static void bcast(void)
{
    int root, i, data[3000];
    MPI_Request request;

    for (root = 0; root < size; root++) {
        fill(data, 3000, rank == root ? root + 7 : -1);
        CHECK_OK(MPI_Bcast(data, 3000, MPI_INT, root, MPI_COMM_WORLD));
        for (i = 0; i < 3000; i++)
            CHECK_IS(data[i], root + 7);
        fill(data, 5, rank == root ? root + 9 : -1);
        CHECK_OK(MPI_Bcast_c(data, 5, MPI_INT, root, MPI_COMM_WORLD));
        CHECK_IS(data[4], root + 9);
        fill(data, 5, rank == root ? root + 11 : -1);
        CHECK_OK(MPI_Ibcast(data, 5, MPI_INT, root, MPI_COMM_WORLD, &request));
        finish(&request);
        CHECK(request == MPI_REQUEST_NULL);
        CHECK_IS(data[4], root + 11);
    }
}

/* Every second int; from the root on as contiguous ints. */
static void bcast_vector(void)
{
    int i, data[20];
    MPI_Datatype every_second;

    CHECK_OK(MPI_Type_vector(10, 1, 2, MPI_INT, &every_second));
    CHECK_CLASS(MPI_Bcast(data, 1, every_second, 0, MPI_COMM_WORLD), MPI_ERR_TYPE);
    CHECK_OK(MPI_Type_commit(&every_second));
    for (i = 0; i < 20; i++)
        data[i] = rank == 0 ? i : -1;
    if (rank == 0) {
        CHECK_OK(MPI_Bcast(data, 1, every_second, 0, MPI_COMM_WORLD));
    } else {
        CHECK_OK(MPI_Bcast(data, 10, MPI_INT, 0, MPI_COMM_WORLD));
        for (i = 0; i < 10; i++)
            CHECK_IS(data[i], 2 * i);
    }
    CHECK_OK(MPI_Type_free(&every_second));
}

static void gather_scatter(void)
{
    int root, i, mine[2], all[2 * MOST], counts[MOST], displs[MOST], far[4 * MOST];
    MPI_Request request;

    for (root = 0; root < size; root++) {
        mine[0] = rank;
        mine[1] = rank * rank;
        fill(all, 2 * MOST, -1);
        CHECK_OK(MPI_Gather(mine, 2, MPI_INT, rank == root ? all : NULL, 2, rank == root ? MPI_INT : MPI_DATATYPE_NULL,
                            root, MPI_COMM_WORLD));
        for (i = 0; i < 2 * size && rank == root; i++)
            CHECK_IS(all[i], i % 2 ? (i / 2) * (i / 2) : i / 2);
        if (rank == root) {
            fill(all, 2 * MOST, -1);
            all[2 * rank] = rank;
            all[2 * rank + 1] = rank * rank;
            CHECK_OK(MPI_Gather(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, all, 2, MPI_INT, root, MPI_COMM_WORLD));
        } else {
            CHECK_OK(MPI_Gather(mine, 2, MPI_INT, NULL, 0, MPI_DATATYPE_NULL, root, MPI_COMM_WORLD));
        }
        for (i = 0; i < 2 * size && rank == root; i++)
            CHECK_IS(all[i], i % 2 ? (i / 2) * (i / 2) : i / 2);

        fill(mine, 2, -1);
        CHECK_OK(MPI_Scatter(all, 2, MPI_INT, mine, 2, MPI_INT, root, MPI_COMM_WORLD));
        CHECK_IS(mine[0], rank);
        CHECK_IS(mine[1], rank * rank);
        fill(mine, 2, -1);
        CHECK_OK(MPI_Iscatter(all, 2, MPI_INT, rank == root ? MPI_IN_PLACE : (void *)mine, 2, MPI_INT, root,
                              MPI_COMM_WORLD, &request));
        finish(&request);
        if (rank != root)
            CHECK_IS(mine[1], rank * rank);

        /* Blocks of rank ints (rank 0 has none), in reverse order, with gaps, from behind the address on. */
        for (i = 0; i < size; i++) {
            counts[i] = i % 3;
            displs[i] = 3 * (size - 1 - i) - 2;
        }
        fill(mine, 2, 100 + rank);
        fill(far, 4 * MOST, -1);
        CHECK_OK(MPI_Gatherv(mine, rank % 3, MPI_INT, far + 2, counts, displs, MPI_INT, root, MPI_COMM_WORLD));
        for (i = 0; i < 3 * size && rank == root; i++)
            CHECK_IS(far[i], i % 3 < (size - 1 - i / 3) % 3 ? 100 + size - 1 - i / 3 : -1);
        fill(mine, 2, -1);
        CHECK_OK(MPI_Scatterv(far + 2, counts, displs, MPI_INT, mine, rank % 3, MPI_INT, root, MPI_COMM_WORLD));
        for (i = 0; i < 2; i++)
            CHECK_IS(mine[i], i < rank % 3 ? 100 + rank : -1);
        CHECK_OK(MPI_Iscatterv(far + 2, counts, displs, MPI_INT, mine, rank % 3, MPI_INT, root, MPI_COMM_WORLD,
                               &request));
        finish(&request);
    }
}

/* The columns of a matrix, one per rank, gathered as such. */
static void columns(void)
{
    int i, j, mine[3], matrix[3 * MOST], counts[MOST], displs[MOST];
    MPI_Datatype column, resized;

    CHECK_OK(MPI_Type_vector(3, 1, size, MPI_INT, &column));
    CHECK_OK(MPI_Type_create_resized(column, 0, sizeof(int), &resized));
    CHECK_OK(MPI_Type_commit(&resized));
    for (i = 0; i < 3; i++)
        mine[i] = 10 * rank + i;
    fill(matrix, 3 * MOST, -1);
    CHECK_OK(MPI_Allgather(mine, 3, MPI_INT, matrix, 1, resized, MPI_COMM_WORLD));
    for (i = 0; i < 3; i++)
        for (j = 0; j < size; j++)
            CHECK_IS(matrix[i * size + j], 10 * j + i);
    for (i = 0; i < size; i++) {
        counts[i] = 1;
        displs[i] = size - 1 - i;
    }
    fill(matrix, 3 * MOST, -1);
    CHECK_OK(MPI_Allgatherv(mine, 3, MPI_INT, matrix, counts, displs, resized, MPI_COMM_WORLD));
    for (i = 0; i < 3; i++)
        for (j = 0; j < size; j++)
            CHECK_IS(matrix[i * size + j], 10 * (size - 1 - j) + i);
    CHECK_OK(MPI_Alltoall(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, matrix, 1, resized, MPI_COMM_WORLD));
    for (i = 0; i < 3; i++)
        for (j = 0; j < size; j++)
            CHECK_IS(matrix[i * size + j], 10 * (size - 1 - rank) + i);
    CHECK_OK(MPI_Type_free(&column));
    CHECK_OK(MPI_Type_free(&resized));
}

static void all_to_all(void)
{
    int i, from[MOST], to[MOST], counts[MOST], displs[MOST], bytes[MOST];
    MPI_Datatype types[MOST];
    MPI_Count counts_c[MOST];
    MPI_Aint displs_c[MOST];
    MPI_Request request;

    for (i = 0; i < size; i++) {
        from[i] = 100 * rank + i;
        counts[i] = counts_c[i] = 1;
        displs[i] = displs_c[i] = size - 1 - i;
        bytes[i] = (size - 1 - i) * (int)sizeof(int);
        types[i] = MPI_INT;
    }
    fill(to, MOST, -1);
    CHECK_OK(MPI_Alltoall(from, 1, MPI_INT, to, 1, MPI_INT, MPI_COMM_WORLD));
    for (i = 0; i < size; i++)
        CHECK_IS(to[i], 100 * i + rank);
    CHECK_OK(MPI_Alltoall(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, from, 1, MPI_INT, MPI_COMM_WORLD));
    for (i = 0; i < size; i++)
        CHECK_IS(from[i], 100 * i + rank);
    for (i = 0; i < size; i++)
        from[i] = 100 * rank + i;
    fill(to, MOST, -1);
    CHECK_OK(MPI_Alltoallv(from, counts, displs, MPI_INT, to, counts, displs, MPI_INT, MPI_COMM_WORLD));
    for (i = 0; i < size; i++)
        CHECK_IS(to[size - 1 - i], 100 * i + size - 1 - rank);
    fill(to, MOST, -1);
    CHECK_OK(MPI_Alltoallv_c(from, counts_c, displs_c, MPI_INT, to, counts_c, displs_c, MPI_INT, MPI_COMM_WORLD));
    CHECK_IS(to[0], 100 * (size - 1) + size - 1 - rank);
    fill(to, MOST, -1);
    CHECK_OK(MPI_Ialltoallw(from, counts, bytes, types, to, counts, bytes, types, MPI_COMM_WORLD, &request));
    finish(&request);
    for (i = 0; i < size; i++)
        CHECK_IS(to[size - 1 - i], 100 * i + size - 1 - rank);
    CHECK_OK(MPI_Alltoallw(MPI_IN_PLACE, NULL, NULL, NULL, to, counts, bytes, types, MPI_COMM_WORLD));
}

static void persistent(void)
{
    int turn, i, mine, all[MOST], data;
    MPI_Request requests[3];

    CHECK_OK(MPI_Barrier_init(MPI_COMM_WORLD, MPI_INFO_NULL, &requests[0]));
    CHECK_OK(MPI_Allgather_init(&mine, 1, MPI_INT, all, 1, MPI_INT, MPI_COMM_WORLD, MPI_INFO_NULL, &requests[1]));
    CHECK_OK(MPI_Bcast_init(&data, 1, MPI_INT, size - 1, MPI_COMM_WORLD, MPI_INFO_NULL, &requests[2]));
    for (turn = 0; turn < 5; turn++) {
        mine = 10 * turn + rank;
        data = rank == size - 1 ? turn : -1;
        CHECK_OK(MPI_Startall(3, requests));
        CHECK_OK(MPI_Waitall(3, requests, MPI_STATUSES_IGNORE));
        for (i = 0; i < size; i++)
            CHECK_IS(all[i], 10 * turn + i);
        CHECK_IS(data, turn);
    }
    for (i = 0; i < 3; i++)
        CHECK_OK(MPI_Request_free(&requests[i]));
}

/* Several at a time, waited for from the last one on. */
static void overlapping(void)
{
    int i, from[20], to[20][MOST];
    MPI_Request requests[20];

    for (i = 0; i < 20; i++) {
        from[i] = 100 * i + rank;
        CHECK_OK(MPI_Iallgather(&from[i], 1, MPI_INT, to[i], 1, MPI_INT, MPI_COMM_WORLD, &requests[i]));
    }
    CHECK_OK(MPI_Barrier(MPI_COMM_WORLD));
    for (i = 19; i >= 0; i--) {
        finish(&requests[i]);
        CHECK_IS(to[i][size - 1], 100 * i + size - 1);
    }
    CHECK_OK(MPI_Ibarrier(MPI_COMM_WORLD, &requests[0]));
    finish(&requests[0]);
}

static void errors(void)
{
    int data[2 * MOST], counts[MOST], displs[MOST];

    fill(counts, MOST, -1);
    fill(displs, MOST, 0);
    CHECK_CLASS(MPI_Bcast(data, 1, MPI_INT, size, MPI_COMM_WORLD), MPI_ERR_ROOT);
    CHECK_CLASS(MPI_Bcast(data, 1, MPI_INT, -1, MPI_COMM_WORLD), MPI_ERR_ROOT);
    CHECK_CLASS(MPI_Bcast(data, -1, MPI_INT, 0, MPI_COMM_WORLD), MPI_ERR_COUNT);
    CHECK_CLASS(MPI_Bcast(data, 1, MPI_DATATYPE_NULL, 0, MPI_COMM_WORLD), MPI_ERR_TYPE);
    CHECK_CLASS(MPI_Bcast(NULL, 1, MPI_INT, 0, MPI_COMM_WORLD), MPI_ERR_BUFFER);
    CHECK_CLASS(MPI_Barrier(MPI_COMM_NULL), MPI_ERR_COMM);
    CHECK_CLASS(MPI_Allgather(data, 1, MPI_INT, data, 1, MPI_INT, MPI_COMM_WORLD), MPI_ERR_BUFFER);
    CHECK_CLASS(MPI_Allgather(data, 2, MPI_INT, data + 4, 1, MPI_INT, MPI_COMM_WORLD), MPI_ERR_TRUNCATE);
    CHECK_CLASS(MPI_Allgatherv(data, 1, MPI_INT, data + 4, counts, displs, MPI_INT, MPI_COMM_WORLD), MPI_ERR_COUNT);
    CHECK_CLASS(MPI_Allgatherv(data, 1, MPI_INT, data + 4, NULL, displs, MPI_INT, MPI_COMM_WORLD), MPI_ERR_ARG);
    CHECK_CLASS(MPI_Alltoall(MPI_IN_PLACE, 1, MPI_INT, MPI_IN_PLACE, 1, MPI_INT, MPI_COMM_WORLD), MPI_ERR_BUFFER);
    /* Nothing was begun: the ranks still agree. */
    CHECK_OK(MPI_Barrier(MPI_COMM_WORLD));
    CHECK_OK(MPI_Bcast(NULL, 0, MPI_INT, 0, MPI_COMM_WORLD));
}

/* Ranks that make different calls are told so. */
static void disagreement(void)
{
    int code;

    if (size != 2)
        return;
    code = rank == 0 ? MPI_Allgather(MPI_IN_PLACE, 0, MPI_INT, (int[2]){0}, 1, MPI_INT, MPI_COMM_WORLD)
                     : MPI_Alltoall(MPI_IN_PLACE, 0, MPI_INT, (int[2]){0}, 1, MPI_INT, MPI_COMM_WORLD);
    CHECK_CLASS(code, MPI_ERR_NOT_SAME);
}

int main(int argc, char **argv)
{
    check_start(&argc, &argv);
    rank = check_rank();
    size = check_size();
    bcast();
    bcast_vector();
    gather_scatter();
    columns();
    all_to_all();
    persistent();
    overlapping();
    errors();
    disagreement();
    CHECK_OK(MPI_Finalize());
    return 0;
}
