/* ranks: 2 3 4 5 8 */
/* Collectives of two groups of different sizes: the first third of the ranks, and the others. */

#include "check.h"

#define MOST 16

static int world, mine, others, me, is_low;
static MPI_Comm comm;

/* A process of the other group, as a rank of the world. */
static int other(int i)
{
    return is_low ? mine + i : i;
}

static void finish(MPI_Request *request)
{
    CHECK_OK(MPI_Wait(request, MPI_STATUS_IGNORE));
}

/* The low group's rank 0 is the root, or its other ranks look on; the high group takes part. */
static int root(void)
{
    return !is_low ? 0 : me == 0 ? MPI_ROOT : MPI_PROC_NULL;
}

static void rooted(void)
{
    int i, data = world, all[MOST], sum = 0, counts[MOST], displs[MOST];
    MPI_Request request;

    CHECK_OK(MPI_Bcast(&data, 1, MPI_INT, root(), comm));
    CHECK_IS(data, is_low ? world : 0);
    CHECK_OK(MPI_Ibcast(&data, 1, MPI_INT, root(), comm, &request));
    finish(&request);

    for (i = 0; i < MOST; i++)
        all[i] = -1;
    CHECK_OK(MPI_Gather(&world, 1, MPI_INT, all, 1, MPI_INT, root(), comm));
    for (i = 0; i < others && is_low && me == 0; i++)
        CHECK_IS(all[i], other(i));
    data = -1;
    CHECK_OK(MPI_Scatter(all, 1, MPI_INT, &data, 1, MPI_INT, root(), comm));
    CHECK_IS(data, is_low ? -1 : world);

    for (i = 0; i < others; i++) {
        counts[i] = 1;
        displs[i] = others - 1 - i;
    }
    CHECK_OK(MPI_Gatherv(&world, 1, MPI_INT, all, counts, displs, MPI_INT, root(), comm));
    for (i = 0; i < others && is_low && me == 0; i++)
        CHECK_IS(all[others - 1 - i], other(i));
    data = -1;
    CHECK_OK(MPI_Scatterv(all, counts, displs, MPI_INT, &data, 1, MPI_INT, root(), comm));
    CHECK_IS(data, is_low ? -1 : world);

    CHECK_OK(MPI_Reduce(&world, all, 1, MPI_INT, MPI_SUM, root(), comm));
    for (i = 0; i < others; i++)
        sum += other(i);
    if (is_low && me == 0)
        CHECK_IS(all[0], sum);
}

static void to_all(void)
{
    int i, sum = 0, from[MOST], to[MOST], counts[MOST], displs[MOST], twice[2] = {world, -world};
    MPI_Request request;

    CHECK_OK(MPI_Barrier(comm));
    CHECK_OK(MPI_Ibarrier(comm, &request));
    finish(&request);

    CHECK_OK(MPI_Allgather(twice, 2, MPI_INT, to, 2, MPI_INT, comm));
    for (i = 0; i < others; i++) {
        CHECK_IS(to[2 * i], other(i));
        CHECK_IS(to[2 * i + 1], -other(i));
        counts[i] = 1;
        displs[i] = others - 1 - i;
        from[i] = 100 * world + i;
        sum += other(i);
    }
    CHECK_OK(MPI_Allgatherv(&world, 1, MPI_INT, to, counts, displs, MPI_INT, comm));
    for (i = 0; i < others; i++)
        CHECK_IS(to[others - 1 - i], other(i));
    CHECK_OK(MPI_Alltoall(from, 1, MPI_INT, to, 1, MPI_INT, comm));
    for (i = 0; i < others; i++)
        CHECK_IS(to[i], 100 * other(i) + me);
    CHECK_OK(MPI_Alltoallv(from, counts, displs, MPI_INT, to, counts, displs, MPI_INT, comm));
    for (i = 0; i < others; i++)
        CHECK_IS(to[others - 1 - i], 100 * other(i) + mine - 1 - me);

    CHECK_OK(MPI_Allreduce(&world, to, 1, MPI_INT, MPI_SUM, comm));
    CHECK_IS(to[0], sum);
    CHECK_OK(MPI_Allreduce_init(&world, to, 1, MPI_INT, MPI_SUM, comm, MPI_INFO_NULL, &request));
    for (i = 0; i < 3; i++) {
        to[0] = -1;
        CHECK_OK(MPI_Start(&request));
        finish(&request);
        CHECK_IS(to[0], sum);
    }
    CHECK_OK(MPI_Request_free(&request));
}

/* Both groups give mine * others elements. */
static void scattered(void)
{
    int i, j, sum = 0, all = mine * others, *from = malloc(all * sizeof *from), to[MOST], counts[MOST];

    for (i = 0; i < all; i++)
        from[i] = 1000 * i + world;
    for (i = 0; i < others; i++)
        sum += other(i);
    for (j = 0; j < mine; j++)
        counts[j] = others;
    CHECK_OK(MPI_Reduce_scatter_block(from, to, others, MPI_INT, MPI_SUM, comm));
    for (i = 0; i < others; i++)
        CHECK_IS(to[i], others * 1000 * (me * others + i) + sum);
    CHECK_OK(MPI_Reduce_scatter(from, to, counts, MPI_INT, MPI_SUM, comm));
    for (i = 0; i < others; i++)
        CHECK_IS(to[i], others * 1000 * (me * others + i) + sum);
    free(from);
}

static void errors(void)
{
    int a = 0, b = 0;

    CHECK_CLASS(MPI_Scan(&a, &b, 1, MPI_INT, MPI_SUM, comm), MPI_ERR_COMM);
    CHECK_CLASS(MPI_Exscan(&a, &b, 1, MPI_INT, MPI_SUM, comm), MPI_ERR_COMM);
    CHECK_CLASS(MPI_Bcast(&a, 1, MPI_INT, others, comm), MPI_ERR_ROOT);
    CHECK_CLASS(MPI_Allreduce(MPI_IN_PLACE, &b, 1, MPI_INT, MPI_SUM, comm), MPI_ERR_BUFFER);
}

int main(int argc, char **argv)
{
    int size;
    MPI_Comm local;

    check_start(&argc, &argv);
    world = check_rank();
    size = check_size();
    is_low = world < (size + 1) / 3;
    CHECK_OK(MPI_Comm_split(MPI_COMM_WORLD, is_low, world, &local));
    CHECK_OK(MPI_Intercomm_create(local, 0, MPI_COMM_WORLD, is_low ? (size + 1) / 3 : 0, 7, &comm));
    CHECK_OK(MPI_Comm_set_errhandler(comm, MPI_ERRORS_RETURN));
    CHECK_OK(MPI_Comm_size(comm, &mine));
    CHECK_OK(MPI_Comm_rank(comm, &me));
    CHECK_OK(MPI_Comm_remote_size(comm, &others));
    rooted();
    to_all();
    scattered();
    errors();
    CHECK_OK(MPI_Barrier(comm));
    CHECK_OK(MPI_Comm_free(&comm));
    CHECK_OK(MPI_Comm_free(&local));
    CHECK_OK(MPI_Finalize());
    return 0;
}
