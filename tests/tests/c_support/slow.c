/* All ranks wait all the time for something that takes long: a message that another sends late, with one
   thread in a receive while the other computes, and a great many messages. */
#include <mpi.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

/* Longer than the limit of the test, each. */
#define LONG 1.0

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void *serve(void *none)
{
    int number;

    MPI_Recv(&number, 1, MPI_INT, MPI_ANY_SOURCE, 7, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    return none;
}

int main(int argc, char **argv)
{
    int rank, size, provided, goes_on = 1;
    double start;
    pthread_t thread;

    MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &provided);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (rank == 0)
        usleep((useconds_t)(LONG * 1e6));
    MPI_Barrier(MPI_COMM_WORLD);
    pthread_create(&thread, NULL, serve, NULL);
    for (start = now(); now() < start + LONG;)
        continue;
    MPI_Send(&rank, 1, MPI_INT, (rank + 1) % size, 7, MPI_COMM_WORLD);
    pthread_join(thread, NULL);
    for (start = now(); goes_on;) {
        goes_on = now() < start + LONG;
        MPI_Bcast(&goes_on, 1, MPI_INT, 0, MPI_COMM_WORLD);
    }
    MPI_Finalize();
    return 0;
}
