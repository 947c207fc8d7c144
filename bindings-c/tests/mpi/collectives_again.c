/* ranks: 1 2 3 4 */
/* Blocking calls that come again, as in a loop: with other addresses, with other arguments, among calls of other
 * kinds, after others that failed. What a communicator remembers of a call never shows. */

#include "check.h"

#define MANY 12

static int rank, size;

/* The sum of what all ranks say, when each says `first + rank`. */
static int sum(int first)
{
    return size * first + size * (size - 1) / 2;
}

static void other_addresses(MPI_Comm comm)
{
    static int from[MANY * 8], to[MANY * 8];
    int all[64], i, at;

    for (i = 0; i < MANY; i++) {
        from[i * 8] = i + rank;
        to[i * 8] = to[i * 8 + 1] = -1;
        CHECK_OK(MPI_Allreduce(from + i * 8, to + i * 8, 1, MPI_INT, MPI_SUM, comm));
        CHECK_IS(to[i * 8], sum(i));
        CHECK_IS(to[i * 8 + 1], -1);
    }
    for (i = 0; i < MANY; i++) {
        /* One and the same call, once each way. */
        CHECK_OK(MPI_Allreduce(to + i * 8, from + i * 8, 1, MPI_INT, MPI_SUM, comm));
        CHECK_IS(from[i * 8], size * sum(i));
        at = i % 2 * 8;
        from[at] = rank == i % size ? i : -1;
        CHECK_OK(MPI_Bcast(from + at, 1, MPI_INT, i % size, comm));
        CHECK_IS(from[at], i);
        from[at] = 10 * i + rank;
        memset(all, 0, sizeof all);
        CHECK_OK(MPI_Allgather(from + at, 1, MPI_INT, all + i, 1, MPI_INT, comm));
        CHECK_IS(all[i + size - 1], 10 * i + size - 1);
        CHECK_IS(all[i + size], 0);
    }
}

/* The same calls with each argument changed: more of them than are remembered. */
static void other_arguments(MPI_Comm comm)
{
    int in[4], out[4], round, count, root;
    double real, product;

    for (round = 0; round < MANY; round++) {
        for (count = 0; count < 4; count++) {
            for (root = 0; root < 4; root++) {
                in[root] = round + rank;
                out[root] = -1;
            }
            CHECK_OK(MPI_Allreduce(in, out, count, MPI_INT, MPI_SUM, comm));
            CHECK_IS(out[3], -1);
            CHECK_IS(count ? out[count - 1] : sum(round), sum(round));
            CHECK_OK(MPI_Allreduce(in, out, count, MPI_INT, round % 2 ? MPI_MAX : MPI_MIN, comm));
            CHECK_IS(count ? out[0] : 0, count ? round + round % 2 * (size - 1) : 0);
            CHECK_OK(MPI_Allreduce(MPI_IN_PLACE, in, count, MPI_INT, MPI_SUM, comm));
            CHECK_IS(count ? in[count - 1] : sum(round), sum(round));
        }
        for (root = 0; root < size; root++) {
            in[0] = round * size + rank;
            out[0] = -1;
            CHECK_OK(MPI_Reduce(in, out, 1, MPI_INT, MPI_SUM, root, comm));
            CHECK_IS(out[0], root == rank ? sum(round * size) : -1);
            CHECK_OK(MPI_Reduce(root == rank ? MPI_IN_PLACE : in, in, 1, MPI_INT, MPI_SUM, root, comm));
            CHECK_IS(in[0], root == rank ? sum(round * size) : round * size + rank);
        }
        real = 2;
        CHECK_OK(MPI_Allreduce(&real, &product, 1, MPI_DOUBLE, MPI_PROD, comm));
        CHECK(product == (double)(1 << size));
        CHECK_OK(MPI_Scan(&rank, out, 1, MPI_INT, MPI_SUM, comm));
        CHECK_IS(out[0], rank * (rank + 1) / 2);
        CHECK_OK(MPI_Barrier(comm));
    }
}

static void add(void *left, void *right, int *count, MPI_Datatype *datatype)
{
    (void)datatype;
    for (int i = 0; i < *count; i++)
        ((int *)right)[i] += ((int *)left)[i];
}

static void less(void *left, void *right, int *count, MPI_Datatype *datatype)
{
    (void)datatype;
    for (int i = 0; i < *count; i++)
        if (((int *)left)[i] < ((int *)right)[i])
            ((int *)right)[i] = ((int *)left)[i];
}

/* Objects of the program that have the place of others that were freed. */
static void objects_come_and_go(MPI_Comm comm)
{
    int in[8], out[8], i, round;
    MPI_Datatype strided;
    MPI_Op op;

    for (round = 0; round < MANY; round++) {
        for (i = 0; i < 8; i++) {
            in[i] = rank + i;
            out[i] = -1;
        }
        CHECK_OK(MPI_Type_vector(2, 1, 1 + round % 3, MPI_INT, &strided));
        CHECK_OK(MPI_Type_commit(&strided));
        CHECK_OK(MPI_Bcast(round % size == rank ? in : out, 1, strided, round % size, comm));
        if (round % size != rank) {
            CHECK_IS(out[0], round % size);
            CHECK_IS(out[1 + round % 3], round % size + 1 + round % 3);
        }
        CHECK_OK(MPI_Type_free(&strided));
        CHECK_OK(MPI_Op_create(round % 2 ? add : less, 1, &op));
        CHECK_OK(MPI_Allreduce(in, out, 1, MPI_INT, op, comm));
        CHECK_IS(out[0], round % 2 ? sum(0) : 0);
        CHECK_OK(MPI_Op_free(&op));
        CHECK_CLASS(MPI_Allreduce(in, out, 1, MPI_INT, op, comm), MPI_ERR_OP);
    }
}

/* What is wrong is found also when the same call was right before. */
static void errors(MPI_Comm comm)
{
    int in[2] = {rank, 1}, out[2], i;
    MPI_Datatype type;

    for (i = 0; i < 3; i++) {
        CHECK_OK(MPI_Allreduce(in, out, 2, MPI_INT, MPI_SUM, comm));
        CHECK_IS(out[1], size);
        CHECK_CLASS(MPI_Allreduce(in, in, 2, MPI_INT, MPI_SUM, comm), MPI_ERR_BUFFER);
        CHECK_CLASS(MPI_Allreduce(NULL, out, 2, MPI_INT, MPI_SUM, comm), MPI_ERR_BUFFER);
        CHECK_CLASS(MPI_Allreduce(in, MPI_IN_PLACE, 2, MPI_INT, MPI_SUM, comm), MPI_ERR_BUFFER);
        CHECK_CLASS(MPI_Allreduce(in, out, -1, MPI_INT, MPI_SUM, comm), MPI_ERR_COUNT);
        CHECK_CLASS(MPI_Allreduce(in, out, 2, MPI_INT, MPI_OP_NULL, comm), MPI_ERR_OP);
        CHECK_CLASS(MPI_Allreduce(in, out, 2, MPI_DATATYPE_NULL, MPI_SUM, comm), MPI_ERR_TYPE);
        CHECK_CLASS(MPI_Allreduce(in, out, 2, MPI_INT, MPI_SUM, MPI_COMM_NULL), MPI_ERR_COMM);
        CHECK_OK(MPI_Bcast(in, 2, MPI_INT, 0, comm));
        CHECK_CLASS(MPI_Bcast(in, 2, MPI_INT, size, comm), MPI_ERR_ROOT);
        CHECK_CLASS(MPI_Bcast(in, 2, MPI_INT, -1, comm), MPI_ERR_ROOT);
        in[0] = rank;
    }
    CHECK_OK(MPI_Type_contiguous(2, MPI_INT, &type));
    CHECK_CLASS(MPI_Bcast(in, 1, type, 0, comm), MPI_ERR_TYPE);
    CHECK_OK(MPI_Type_free(&type));
}

/* Calls that do not block are counted apart, and go on while others come again. */
static void among_others(MPI_Comm comm)
{
    int one[MANY], all[MANY], now, i, at;
    MPI_Request requests[MANY];

    for (i = 0; i < MANY; i++) {
        one[i] = i + rank;
        CHECK_OK(MPI_Iallreduce(one + i, all + i, 1, MPI_INT, MPI_SUM, comm, requests + i));
        for (at = 0; at < 3; at++) {
            CHECK_OK(MPI_Allreduce(&rank, &now, 1, MPI_INT, MPI_SUM, comm));
            CHECK_IS(now, sum(0));
        }
        CHECK_OK(MPI_Barrier(comm));
    }
    CHECK_OK(MPI_Waitall(MANY, requests, MPI_STATUSES_IGNORE));
    for (i = 0; i < MANY; i++)
        CHECK_IS(all[i], sum(i));
}

/* Large and small ones by turns: what is large leaves the short way. */
static void of_all_sizes(MPI_Comm comm)
{
    static int in[300000], out[300000];
    int counts[] = {1, 300000, 20, 4000}, i, at;

    for (i = 0; i < 4 * MANY; i++) {
        int count = counts[i % 4];

        for (at = 0; at < count; at += 97)
            in[at] = rank + at + i;
        CHECK_OK(MPI_Allreduce(in, out, count, MPI_INT, MPI_SUM, comm));
        for (at = 0; at < count; at += 97)
            CHECK_IS(out[at], sum(at + i));
    }
}

int main(int argc, char **argv)
{
    MPI_Comm comm;
    int i;

    check_start(&argc, &argv);
    rank = check_rank();
    size = check_size();
    /* Each communicator has a memory of its own, and a new one has none. */
    for (i = 0; i < 3; i++) {
        CHECK_OK(MPI_Comm_dup(MPI_COMM_WORLD, &comm));
        other_addresses(comm);
        other_addresses(MPI_COMM_WORLD);
        other_arguments(comm);
        objects_come_and_go(comm);
        errors(comm);
        among_others(comm);
        of_all_sizes(comm);
        CHECK_OK(MPI_Comm_free(&comm));
    }
    CHECK_OK(MPI_Finalize());
    return 0;
}
