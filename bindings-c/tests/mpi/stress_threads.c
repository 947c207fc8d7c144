/* Eight threads of each rank send, receive, probe and split communicators at the same time (MPI 5.0, 11.6), at full
 * length for a minute. */
/* ranks: 1 2 4 */
/* longer: full */
#include "stress.h"

#include <pthread.h>

#define THREADS 8
#define WINDOW 32
#define LARGE 60000

static int rank, size, next, before;
static double seconds;

struct worker {
    pthread_t thread;
    int number;
    /* Its own: collectives of two threads in one communicator have no order. */
    MPI_Comm comm;
    long rounds;
    int in[LARGE], out[LARGE];
};

static int value(int from, const struct worker *me, int at)
{
    return (int)(from * 7919 + me->number * 104729 + me->rounds * 31 + at);
}

static void fill(struct worker *me, int count)
{
    int i;

    for (i = 0; i < count; i++) {
        me->out[i] = value(rank, me, i);
        me->in[i] = -1;
    }
}

static void check(const struct worker *me, int count)
{
    int i;

    for (i = 0; i < count; i++)
        CHECK_IS(me->in[i], value(before, me, i));
}

/* All threads use one communicator, each a tag of its own. */
static void windows(struct worker *me)
{
    MPI_Request requests[2 * WINDOW];
    int i;

    fill(me, WINDOW);
    for (i = 0; i < WINDOW; i++)
        CHECK_OK(MPI_Irecv(&me->in[i], 1, MPI_INT, i % 2 ? before : MPI_ANY_SOURCE, me->number, MPI_COMM_WORLD,
                           &requests[i]));
    for (i = 0; i < WINDOW; i++)
        CHECK_OK(MPI_Isend(&me->out[i], 1, MPI_INT, next, me->number, MPI_COMM_WORLD, &requests[WINDOW + i]));
    CHECK_OK(MPI_Waitall(2 * WINDOW, requests, MPI_STATUSES_IGNORE));
    check(me, WINDOW);
}

static void matched(struct worker *me)
{
    MPI_Request request;
    MPI_Message message;
    MPI_Status status;
    int count = 1 + (int)(me->rounds % WINDOW), found, flag = 0;

    fill(me, count);
    CHECK_OK(MPI_Isend(me->out, count, MPI_INT, next, me->number, MPI_COMM_WORLD, &request));
    if (me->rounds % 2)
        CHECK_OK(MPI_Mprobe(MPI_ANY_SOURCE, me->number, MPI_COMM_WORLD, &message, &status));
    else
        while (!flag)
            CHECK_OK(MPI_Improbe(before, me->number, MPI_COMM_WORLD, &flag, &message, &status));
    CHECK_OK(MPI_Get_count(&status, MPI_INT, &found));
    CHECK_IS(found, count);
    CHECK_IS(status.MPI_SOURCE, before);
    CHECK_OK(MPI_Mrecv(me->in, count, MPI_INT, &message, MPI_STATUS_IGNORE));
    CHECK_OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
    check(me, count);
}

static void probed(struct worker *me)
{
    MPI_Request request;
    MPI_Status status;
    int flag = 0;

    fill(me, WINDOW);
    CHECK_OK(MPI_Issend(me->out, WINDOW, MPI_INT, next, me->number, MPI_COMM_WORLD, &request));
    if (me->rounds % 2)
        CHECK_OK(MPI_Probe(before, me->number, MPI_COMM_WORLD, &status));
    else
        while (!flag)
            CHECK_OK(MPI_Iprobe(MPI_ANY_SOURCE, me->number, MPI_COMM_WORLD, &flag, &status));
    CHECK_OK(MPI_Recv(me->in, WINDOW, MPI_INT, before, me->number, MPI_COMM_WORLD, MPI_STATUS_IGNORE));
    CHECK_OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
    check(me, WINDOW);
}

static void large(struct worker *me)
{
    fill(me, LARGE);
    CHECK_OK(MPI_Sendrecv(me->out, LARGE, MPI_INT, next, me->number, me->in, LARGE, MPI_INT, before, me->number,
                          MPI_COMM_WORLD, MPI_STATUS_IGNORE));
    check(me, LARGE);
}

/* Communicators are made in all threads at the same time, and used. */
static void split(struct worker *me)
{
    MPI_Comm part, copy;
    MPI_Request request;
    int own, n, sum = -1, one = 1;

    CHECK_OK(MPI_Comm_split(me->comm, (int)(me->rounds / 2 % 2) * (rank % 2), -rank, &part));
    CHECK_OK(MPI_Comm_idup(part, &copy, &request));
    CHECK_OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
    CHECK_OK(MPI_Comm_rank(copy, &own));
    CHECK_OK(MPI_Comm_size(copy, &n));
    CHECK_OK(MPI_Allreduce(&one, &sum, 1, MPI_INT, MPI_SUM, copy));
    CHECK_IS(sum, n);
    CHECK_OK(MPI_Sendrecv(&own, 1, MPI_INT, (own + 1) % n, 1, &sum, 1, MPI_INT, (own + n - 1) % n, 1, part,
                          MPI_STATUS_IGNORE));
    CHECK_IS(sum, (own + n - 1) % n);
    CHECK_OK(MPI_Comm_free(&part));
    CHECK_OK(MPI_Comm_free(&copy));
}

static void collectives(struct worker *me)
{
    MPI_Request requests[3];
    int i, sums[WINDOW], last = value(size - 1, me, 0);

    fill(me, WINDOW);
    CHECK_OK(MPI_Ibarrier(me->comm, &requests[0]));
    CHECK_OK(MPI_Iallreduce(me->out, sums, WINDOW, MPI_INT, MPI_MAX, me->comm, &requests[1]));
    CHECK_OK(MPI_Ibcast(&last, 1, MPI_INT, size - 1, me->comm, &requests[2]));
    CHECK_OK(MPI_Waitall(3, requests, MPI_STATUSES_IGNORE));
    for (i = 0; i < WINDOW; i++)
        CHECK_IS(sums[i], value(size - 1, me, i));
    CHECK_OK(MPI_Barrier(me->comm));
}

/* Objects are made and freed while other threads do the same. */
static void objects(struct worker *me)
{
    MPI_Datatype pairs;
    MPI_Group all, part;
    MPI_Info info;
    int first = 0;

    fill(me, 2 * WINDOW);
    CHECK_OK(MPI_Type_vector(WINDOW, 1, 2, MPI_INT, &pairs));
    CHECK_OK(MPI_Type_commit(&pairs));
    CHECK_OK(MPI_Sendrecv(me->out, 1, pairs, next, me->number, me->in, 1, pairs, before, me->number, MPI_COMM_WORLD,
                          MPI_STATUS_IGNORE));
    CHECK_IS(me->in[2], value(before, me, 2));
    CHECK_IS(me->in[3], -1);
    CHECK_OK(MPI_Type_free(&pairs));
    CHECK_OK(MPI_Comm_group(MPI_COMM_WORLD, &all));
    CHECK_OK(MPI_Group_incl(all, 1, &first, &part));
    CHECK_OK(MPI_Group_free(&all));
    CHECK_OK(MPI_Group_free(&part));
    CHECK_OK(MPI_Info_create(&info));
    CHECK_OK(MPI_Info_set(info, "key", "value"));
    CHECK_OK(MPI_Info_free(&info));
}

static void *work(void *argument)
{
    static void (*const jobs[])(struct worker *) = {windows, matched, probed, split, collectives, objects, large};
    const int count = sizeof jobs / sizeof *jobs;
    struct worker *me = argument;
    double started = MPI_Wtime();
    int ended = 0;

    for (me->rounds = 0; !ended; me->rounds++) {
        jobs[(me->rounds + me->number) % count](me);
        /* Rank 0 says when it is enough. */
        ended = MPI_Wtime() - started > seconds && me->rounds > 2 * count;
        CHECK_OK(MPI_Bcast(&ended, 1, MPI_INT, 0, me->comm));
    }
    return NULL;
}

int main(int argc, char **argv)
{
    struct worker *workers = malloc(THREADS * sizeof *workers);
    int provided, i;
    long rounds = 0;
    double started;

    CHECK_OK(MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &provided));
    CHECK_IS(provided, MPI_THREAD_MULTIPLE);
    rank = check_rank();
    size = check_size();
    next = (rank + 1) % size;
    before = (rank + size - 1) % size;
    seconds = (double)stress_length(argc, argv, 600, 3) / 10;
    started = MPI_Wtime();
    for (i = 0; i < THREADS; i++) {
        workers[i].number = i;
        CHECK_OK(MPI_Comm_dup(MPI_COMM_WORLD, &workers[i].comm));
    }
    for (i = 0; i < THREADS; i++)
        CHECK_IS(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    for (i = 0; i < THREADS; i++) {
        CHECK_IS(pthread_join(workers[i].thread, NULL), 0);
        CHECK_OK(MPI_Comm_free(&workers[i].comm));
        rounds += workers[i].rounds;
    }
    free(workers);
    stress_say("eight threads", started);
    if (rank == 0)
        printf("%ld rounds\n", rounds);
    CHECK_OK(MPI_Finalize());
    return 0;
}
