/* As many non-blocking requests as a program may have the idea to have: 100,000 in each direction. */
/* ranks: 1 2 3 */
/* longer: full */
#include "stress.h"

/* How many are looked at in one call: each looks at all of them. */
#define BLOCK 1000

static int rank, size, next, before;
static long count;

static int of(int from, long at)
{
    return (int)(from * 7919 + at * 31);
}

struct numbers {
    MPI_Request *requests;
    MPI_Status *statuses;
    int *in, *out, *indices;
};

static struct numbers room(void)
{
    struct numbers all;
    long i;

    all.requests = malloc(2 * count * sizeof *all.requests);
    all.statuses = malloc(2 * count * sizeof *all.statuses);
    all.indices = malloc(2 * count * sizeof *all.indices);
    all.in = malloc(count * sizeof *all.in);
    all.out = malloc(count * sizeof *all.out);
    for (i = 0; i < count; i++) {
        all.in[i] = -1;
        all.out[i] = of(rank, i);
    }
    return all;
}

static void free_room(struct numbers all)
{
    long i;

    for (i = 0; i < count; i++)
        CHECK_IS(all.in[i], of(before, i));
    for (i = 0; i < 2 * count; i++)
        CHECK(all.requests[i] == MPI_REQUEST_NULL);
    free(all.requests);
    free(all.statuses);
    free(all.indices);
    free(all.in);
    free(all.out);
}

/* Receives wait for their messages, in an order that is not that of the sends: tags say which is whose. */
static void receives_first(void)
{
    struct numbers all = room();
    double started = MPI_Wtime();
    long i;

    for (i = count - 1; i >= 0; i--)
        CHECK_OK(MPI_Irecv(&all.in[i], 1, MPI_INT, before, (int)i, MPI_COMM_WORLD, &all.requests[i]));
    CHECK_OK(MPI_Barrier(MPI_COMM_WORLD));
    for (i = count - 1; i >= 0; i--)
        CHECK_OK(MPI_Isend(&all.out[i], 1, MPI_INT, next, (int)i, MPI_COMM_WORLD, &all.requests[count + i]));
    CHECK_OK(MPI_Waitall((int)(2 * count), all.requests, all.statuses));
    free_room(all);
    stress_say("receives first, waited for at once", started);
}

/* Messages wait for their receives, and all are synchronous: no send ends before. */
static void sends_first(void)
{
    struct numbers all = room();
    double started = MPI_Wtime();
    int flag;
    long i;

    for (i = 0; i < count; i++)
        CHECK_OK(MPI_Issend(&all.out[i], 1, MPI_INT, next, (int)(i % 100), MPI_COMM_WORLD, &all.requests[count + i]));
    CHECK_OK(MPI_Testall((int)count, all.requests + count, &flag, MPI_STATUSES_IGNORE));
    CHECK(!flag);
    CHECK_OK(MPI_Barrier(MPI_COMM_WORLD));
    for (i = 0; i < count; i++)
        CHECK_OK(MPI_Irecv(&all.in[i], 1, MPI_INT, before, (int)(i % 100), MPI_COMM_WORLD, &all.requests[i]));
    for (i = 0; i < 2 * count; i += BLOCK)
        do
            CHECK_OK(MPI_Testall(BLOCK, all.requests + i, &flag, MPI_STATUSES_IGNORE));
        while (!flag);
    free_room(all);
    stress_say("synchronous sends first, tested for", started);
}

/* Whoever is done first is taken first. */
static void some_at_a_time(void)
{
    struct numbers all = room();
    double started = MPI_Wtime();
    int some = 0, taken, i;
    long first;

    for (i = 0; i < count; i++) {
        CHECK_OK(MPI_Irecv(&all.in[i], 1, MPI_INT, before, 7, MPI_COMM_WORLD, &all.requests[i]));
        CHECK_OK(MPI_Isend(&all.out[i], 1, MPI_INT, next, 7, MPI_COMM_WORLD, &all.requests[count + i]));
    }
    for (first = 0; first < 2 * count; first += BLOCK)
        for (taken = 0; taken < BLOCK; taken += some) {
            CHECK_OK(MPI_Waitsome(BLOCK, all.requests + first, &some, all.indices, all.statuses));
            CHECK(some > 0);
            for (i = 0; i < some; i++)
                if (first + all.indices[i] < count)
                    CHECK_IS(all.statuses[i].MPI_SOURCE, before);
        }
    free_room(all);
    stress_say("some at a time", started);
}

/* Half of the receives are given up; the others are served. */
static void given_up(void)
{
    struct numbers all = room();
    double started = MPI_Wtime();
    int cancelled;
    long i;

    for (i = 0; i < count; i++) {
        CHECK_OK(MPI_Irecv(&all.in[i], 1, MPI_INT, before, (int)i, MPI_COMM_WORLD, &all.requests[i]));
        CHECK_OK(MPI_Irecv(&all.indices[i], 1, MPI_INT, before, (int)(count + i), MPI_COMM_WORLD,
                           &all.requests[count + i]));
    }
    for (i = 0; i < count; i++)
        CHECK_OK(MPI_Cancel(&all.requests[count + i]));
    for (i = 0; i < count; i++)
        CHECK_OK(MPI_Send(&all.out[i], 1, MPI_INT, next, (int)i, MPI_COMM_WORLD));
    CHECK_OK(MPI_Waitall((int)(2 * count), all.requests, all.statuses));
    for (i = 0; i < 2 * count; i++) {
        CHECK_OK(MPI_Test_cancelled(&all.statuses[i], &cancelled));
        CHECK_IS(cancelled, i >= count);
    }
    free_room(all);
    stress_say("half of them cancelled", started);
}

/* Persistent ones, all started at once, again and again. */
static void again(void)
{
    struct numbers all = room();
    double started = MPI_Wtime();
    int round;
    long i;

    for (i = 0; i < count; i++) {
        CHECK_OK(MPI_Recv_init(&all.in[i], 1, MPI_INT, before, (int)i, MPI_COMM_WORLD, &all.requests[i]));
        CHECK_OK(MPI_Send_init(&all.out[i], 1, MPI_INT, next, (int)i, MPI_COMM_WORLD, &all.requests[count + i]));
    }
    for (round = 0; round < 3; round++) {
        CHECK_OK(MPI_Startall((int)(2 * count), all.requests));
        CHECK_OK(MPI_Waitall((int)(2 * count), all.requests, MPI_STATUSES_IGNORE));
    }
    for (i = 0; i < 2 * count; i++)
        CHECK_OK(MPI_Request_free(&all.requests[i]));
    free_room(all);
    stress_say("persistent, three times", started);
}

/* Collectives under way at the same time. */
static void collectives(void)
{
    struct numbers all = room();
    long many = count / 10, i;
    double started = MPI_Wtime();

    for (i = 0; i < many; i++)
        CHECK_OK(MPI_Iallreduce(&all.out[i], &all.in[i], 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD, &all.requests[i]));
    CHECK_OK(MPI_Waitall((int)many, all.requests, MPI_STATUSES_IGNORE));
    for (i = 0; i < many; i++)
        CHECK_IS(all.in[i], of(size - 1, i));
    for (i = 0; i < count; i++)
        all.in[i] = of(before, i);
    for (i = 0; i < 2 * count; i++)
        all.requests[i] = MPI_REQUEST_NULL;
    free_room(all);
    stress_say("a tenth as many reductions", started);
}

int main(int argc, char **argv)
{
    long memory;
    int round;

    check_start(&argc, &argv);
    rank = check_rank();
    size = check_size();
    next = (rank + 1) % size;
    before = (rank + size - 1) % size;
    count = stress_length(argc, argv, 100000, 2000);
    for (round = 0; round < 2; round++) {
        memory = stress_status("VmRSS");
        receives_first();
        sends_first();
        some_at_a_time();
        given_up();
        again();
        collectives();
    }
    /* What the first round has taken serves the second one. */
    stress_grown("after the first round", stress_status("VmRSS") - memory, 20000);
    CHECK_OK(MPI_Finalize());
    return 0;
}
