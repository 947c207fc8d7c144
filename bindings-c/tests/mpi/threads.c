/* Many threads of a rank at the same time (MPI 5.0, 11.6). With a number: for as many seconds. */
/* ranks: 1 2 3 */
/* expect: single => 16: called from another thread than the one that initialized MPI; ask for MPI_THREAD_MULTIPLE */
#include "check.h"

#include <pthread.h>

#define THREADS 8
#define WINDOW 16
#define IN_FLIGHT 100000

static int rank, size, next, before;
static double seconds = 0.3;

struct worker {
    pthread_t thread;
    int number;
    long rounds;
};

static int value(int from, int thread, long round, int at)
{
    return (int)(from * 7919 + thread * 104729 + round * 31 + at);
}

/* A ring of each thread's own, by its tag; who starts it says when it ends. */
static void *work(void *argument)
{
    struct worker *me = argument;
    int tag = me->number, out[WINDOW], in[WINDOW], i, flag, index, going = 1;
    double start = MPI_Wtime();
    MPI_Request requests[2 * WINDOW];
    MPI_Status status;
    MPI_Message message;

    for (me->rounds = 0; going; me->rounds++) {
        int last = rank == 0 && MPI_Wtime() - start > seconds;
        for (i = 0; i < WINDOW; i++)
            out[i] = value(rank, tag, me->rounds, i);
        switch (me->rounds % 4) {
        case 0:
            for (i = 0; i < WINDOW; i++)
                CHECK_OK(MPI_Irecv(&in[i], 1, MPI_INT, before, tag, MPI_COMM_WORLD, &requests[i]));
            for (i = 0; i < WINDOW; i++)
                CHECK_OK(MPI_Isend(&out[i], 1, MPI_INT, next, tag, MPI_COMM_WORLD, &requests[WINDOW + i]));
            CHECK_OK(MPI_Waitall(2 * WINDOW, requests, MPI_STATUSES_IGNORE));
            break;
        case 1:
            CHECK_OK(MPI_Isend(out, WINDOW, MPI_INT, next, tag, MPI_COMM_WORLD, requests));
            CHECK_OK(MPI_Mprobe(MPI_ANY_SOURCE, tag, MPI_COMM_WORLD, &message, &status));
            CHECK_IS(status.MPI_SOURCE, before);
            CHECK_OK(MPI_Mrecv(in, WINDOW, MPI_INT, &message, MPI_STATUS_IGNORE));
            CHECK_OK(MPI_Wait(requests, MPI_STATUS_IGNORE));
            break;
        case 2:
            CHECK_OK(MPI_Issend(out, WINDOW, MPI_INT, next, tag, MPI_COMM_WORLD, requests));
            do
                CHECK_OK(MPI_Iprobe(before, tag, MPI_COMM_WORLD, &flag, &status));
            while (!flag);
            CHECK_OK(MPI_Irecv(in, WINDOW, MPI_INT, before, tag, MPI_COMM_WORLD, requests + 1));
            for (i = 0; i < 2; i++)
                CHECK_OK(MPI_Waitany(2, requests, &index, MPI_STATUS_IGNORE));
            break;
        default:
            CHECK_OK(MPI_Sendrecv(out, WINDOW, MPI_INT, next, tag, in, WINDOW, MPI_INT, before, tag, MPI_COMM_WORLD,
                                  MPI_STATUS_IGNORE));
        }
        for (i = 0; i < WINDOW; i++)
            CHECK_IS(in[i], value(before, tag, me->rounds, i));
        /* The word of rank 0 goes round. */
        if (rank == 0) {
            CHECK_OK(MPI_Send(&last, 1, MPI_INT, next, THREADS + tag, MPI_COMM_WORLD));
            CHECK_OK(MPI_Recv(&last, 1, MPI_INT, before, THREADS + tag, MPI_COMM_WORLD, MPI_STATUS_IGNORE));
        } else {
            CHECK_OK(MPI_Recv(&last, 1, MPI_INT, before, THREADS + tag, MPI_COMM_WORLD, MPI_STATUS_IGNORE));
            CHECK_OK(MPI_Send(&last, 1, MPI_INT, next, THREADS + tag, MPI_COMM_WORLD));
        }
        going = !last;
    }
    return NULL;
}

static void all_at_once(void)
{
    struct worker workers[THREADS];
    int i;

    for (i = 0; i < THREADS; i++) {
        workers[i].number = i;
        CHECK_IS(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (i = 0; i < THREADS; i++) {
        CHECK_IS(pthread_join(workers[i].thread, NULL), 0);
        CHECK(workers[i].rounds > 1);
    }
}

/* As many requests as a program may have the idea to have. */
static void many_requests(void)
{
    MPI_Request *requests = malloc(2 * IN_FLIGHT * sizeof *requests);
    int *in = calloc(IN_FLIGHT, sizeof *in), *out = calloc(IN_FLIGHT, sizeof *out), i;

    for (i = 0; i < IN_FLIGHT; i++)
        CHECK_OK(MPI_Irecv(&in[i], 1, MPI_INT, before, 50 + i % 1000, MPI_COMM_WORLD, &requests[i]));
    for (i = 0; i < IN_FLIGHT; i++) {
        out[i] = rank + i;
        CHECK_OK(MPI_Isend(&out[i], 1, MPI_INT, next, 50 + i % 1000, MPI_COMM_WORLD, &requests[IN_FLIGHT + i]));
    }
    CHECK_OK(MPI_Waitall(2 * IN_FLIGHT, requests, MPI_STATUSES_IGNORE));
    for (i = 0; i < IN_FLIGHT; i++)
        CHECK_IS(in[i], before + i);
    free(requests);
    free(in);
    free(out);
}

static void *send_alone(void *unused)
{
    int value = 0;

    (void)unused;
    MPI_Send(&value, 1, MPI_INT, rank, 0, MPI_COMM_WORLD);
    return NULL;
}

int main(int argc, char **argv)
{
    int provided, single = argc > 1 && strcmp(argv[1], "single") == 0;

    if (argc > 1 && !single)
        seconds = atof(argv[1]);
    CHECK_OK(MPI_Init_thread(&argc, &argv, single ? MPI_THREAD_SINGLE : MPI_THREAD_MULTIPLE, &provided));
    CHECK_IS(provided, single ? MPI_THREAD_SINGLE : MPI_THREAD_MULTIPLE);
    rank = check_rank();
    size = check_size();
    next = (rank + 1) % size;
    before = (rank + size - 1) % size;
    if (single) {
        pthread_t thread;
        CHECK_IS(pthread_create(&thread, NULL, send_alone, NULL), 0);
        CHECK_IS(pthread_join(thread, NULL), 0);
        return 0;
    }
    many_requests();
    all_at_once();
    CHECK_OK(MPI_Finalize());
    return 0;
}
