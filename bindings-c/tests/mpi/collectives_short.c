/* ranks: 1 2 3 5 8 40 */
/* Collectives whose messages are small, again and again: none of them mixes up calls that follow each
 * other, whatever else the ranks do meanwhile, and where messages are just too large to be small. */

#include "check.h"

#define MOST 5000

static int rank, size;
static char out[64 * MOST], in[64 * MOST];

/* A byte that depends on who says it to whom in which call. */
static char byte(int from, int to, int call, int at)
{
    return (char)(from * 31 + to * 17 + call * 7 + at);
}

static void moves(int len, int call)
{
    int root = call % size, i, at;

    if (rank == root)
        for (at = 0; at < len; at++)
            out[at] = byte(root, 0, call, at);
    else
        memset(out, 0, (size_t)len);
    CHECK_OK(MPI_Bcast(out, len, MPI_BYTE, root, MPI_COMM_WORLD));
    for (at = 0; at < len; at++)
        CHECK_IS(out[at], byte(root, 0, call, at));
    for (i = 0; i < size; i++)
        for (at = 0; at < len; at++)
            out[i * len + at] = byte(rank, i, call, at);
    CHECK_OK(MPI_Alltoall(out, len, MPI_BYTE, in, len, MPI_BYTE, MPI_COMM_WORLD));
    for (i = 0; i < size; i++)
        for (at = 0; at < len; at++)
            CHECK_IS(in[i * len + at], byte(i, rank, call, at));
    CHECK_OK(MPI_Alltoall(MPI_IN_PLACE, len, MPI_BYTE, out, len, MPI_BYTE, MPI_COMM_WORLD));
    for (i = 0; i < size; i++)
        CHECK(len == 0 || out[i * len] == byte(i, rank, call, 0));
    CHECK_OK(MPI_Allgather(in + rank * len, len, MPI_BYTE, out, len, MPI_BYTE, MPI_COMM_WORLD));
    for (i = 0; i < size; i++)
        for (at = 0; at < len; at++)
            CHECK_IS(out[i * len + at], byte(i, i, call, at));
}

/* Of two lines x -> a x + b the one after the other: associative, and not commutative. */
static void compose(void *left, void *right, int *count, MPI_Datatype *datatype)
{
    unsigned *first = left, *second = right;

    (void)datatype;
    for (int i = 0; i < *count; i++, first += 2, second += 2) {
        unsigned a = first[0] * second[0], b = first[1] * second[0] + second[1];

        second[0] = a;
        second[1] = b;
    }
}

static void reductions(MPI_Op op, MPI_Datatype pair, int count)
{
    static unsigned mine[2 * MOST], all[2 * MOST];
    unsigned a = 1, b = 0;
    double one = 1.0 / (rank + 3), sums[2], again;

    for (int i = 0; i < count; i++) {
        mine[2 * i] = 2 * (unsigned)rank + 3;
        mine[2 * i + 1] = (unsigned)rank + 1;
    }
    for (int i = 0; i < size; i++) {
        b = b * (2 * (unsigned)i + 3) + (unsigned)i + 1;
        a *= 2 * (unsigned)i + 3;
    }
    CHECK_OK(MPI_Allreduce(mine, all, count, pair, op, MPI_COMM_WORLD));
    for (int i = 0; i < count; i++)
        CHECK(all[2 * i] == a && all[2 * i + 1] == b);
    CHECK_OK(MPI_Allreduce(MPI_IN_PLACE, mine, count, pair, op, MPI_COMM_WORLD));
    CHECK(count == 0 || memcmp(mine, all, (size_t)count * 8) == 0);
    /* The order of the terms does not depend on the number of elements, and is the same for all ranks. */
    CHECK_OK(MPI_Allreduce(&one, &sums[0], 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD));
    sums[1] = sums[0];
    CHECK_OK(MPI_Bcast(&sums[1], 1, MPI_DOUBLE, size - 1, MPI_COMM_WORLD));
    CHECK(sums[0] == sums[1]);
    CHECK_OK(MPI_Allreduce(&one, &again, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD));
    CHECK(sums[0] == again);
}

/* Messages of the program, small and large, are under way while collectives are. */
static void beside(int call)
{
    static int small, large[2][30000];
    int to = (rank + 1) % size, from = (rank + size - 1) % size, sum, said = call;
    MPI_Request requests[4];

    large[0][29999] = call;
    CHECK_OK(MPI_Irecv(large[1], 30000, MPI_INT, from, 5, MPI_COMM_WORLD, &requests[0]));
    CHECK_OK(MPI_Irecv(&small, 1, MPI_INT, MPI_ANY_SOURCE, 6, MPI_COMM_WORLD, &requests[1]));
    CHECK_OK(MPI_Isend(large[0], 30000, MPI_INT, to, 5, MPI_COMM_WORLD, &requests[2]));
    CHECK_OK(MPI_Barrier(MPI_COMM_WORLD));
    CHECK_OK(MPI_Isend(&said, 1, MPI_INT, to, 6, MPI_COMM_WORLD, &requests[3]));
    CHECK_OK(MPI_Allreduce(&call, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD));
    CHECK_IS(sum, call * size);
    CHECK_OK(MPI_Waitall(4, requests, MPI_STATUSES_IGNORE));
    CHECK(small == call && large[1][29999] == call);
}

/* A rank that comes late finds all others asleep, and what they have sent. */
static void late(int call)
{
    double until = MPI_Wtime() + (call % size == rank ? 3e-3 : 0);
    int sum;

    while (MPI_Wtime() < until)
        ;
    CHECK_OK(MPI_Allreduce(&rank, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD));
    CHECK_IS(sum, size * (size - 1) / 2);
    CHECK_OK(MPI_Barrier(MPI_COMM_WORLD));
}

int main(int argc, char **argv)
{
    static const int lens[] = {0, 1, 8, 40, 41, 64, 65, 1024, 4096, 4097, MOST};
    MPI_Op op;
    MPI_Datatype pair;

    check_start(&argc, &argv);
    rank = check_rank();
    size = check_size();
    CHECK_OK(MPI_Op_create(compose, 0, &op));
    CHECK_OK(MPI_Type_contiguous(2, MPI_UNSIGNED, &pair));
    CHECK_OK(MPI_Type_commit(&pair));
    for (int call = 0; call < 22; call++) {
        int len = lens[call % 11];

        moves(len, call);
        reductions(op, pair, len / 8);
        beside(call);
        late(call);
        for (int i = 0; i < 20; i++)
            CHECK_OK(MPI_Barrier(MPI_COMM_WORLD));
    }
    CHECK_OK(MPI_Type_free(&pair));
    CHECK_OK(MPI_Op_free(&op));
    return MPI_Finalize();
}
