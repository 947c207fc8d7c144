/* Ends of some ranks of a job that goes on. The first argument says which. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int rank, size;

/* The class of an error. */
static int class_of(int code)
{
    int class_of_code = -1;

    MPI_Error_class(code, &class_of_code);
    return class_of_code;
}

static void say(const char *what)
{
    printf("rank %d %s\n", rank, what);
    fflush(stdout);
}

/* For those that can only be ended. */
static void stay(void)
{
    for (;;)
        pause();
}

/* Those of rank 0's half are ended, the others go on. */
static void half(const char *how)
{
    MPI_Comm comm;
    int is_first = rank < size / 2;

    MPI_Comm_split(MPI_COMM_WORLD, is_first, 0, &comm);
    if (strcmp(how, "handler") == 0)
        MPI_Comm_set_errhandler(comm, MPI_ERRORS_ABORT);
    if (rank == 0 && strcmp(how, "handler") == 0)
        MPI_Send(&rank, 1, MPI_INT, 99, 0, comm);
    if (rank == 0 && strcmp(how, "fatal") == 0)
        MPI_Send(&rank, 1, MPI_INT, 99, 0, comm);
    if (rank == 0)
        MPI_Abort(comm, 6);
    if (is_first || strcmp(how, "fatal") == 0)
        stay();
    say("went on");
}

/* Rank 0 waits for anybody in all ways when nobody is left. */
static void anybody(void)
{
    MPI_Message message;
    MPI_Request request;
    MPI_Status status;
    int number, i, code;

    if (rank != 0)
        _exit(3);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    for (i = 0; i < 4; i++) {
        switch (i) {
        case 0:
            code = MPI_Recv(&number, 1, MPI_INT, MPI_ANY_SOURCE, 1, MPI_COMM_WORLD, &status);
            break;
        case 1:
            MPI_Irecv(&number, 1, MPI_INT, MPI_ANY_SOURCE, 1, MPI_COMM_WORLD, &request);
            code = MPI_Wait(&request, &status);
            break;
        case 2:
            code = MPI_Probe(MPI_ANY_SOURCE, 1, MPI_COMM_WORLD, &status);
            break;
        default:
            code = MPI_Mprobe(MPI_ANY_SOURCE, 1, MPI_COMM_WORLD, &message, &status);
        }
        if (class_of(code) != MPI_ERR_PROC_ABORTED)
            say("was not told");
    }
    /* What it sends itself still comes. */
    MPI_Irecv(&number, 1, MPI_INT, MPI_ANY_SOURCE, 1, MPI_COMM_WORLD, &request);
    MPI_Send(&rank, 1, MPI_INT, 0, 1, MPI_COMM_WORLD);
    if (MPI_Wait(&request, &status) != MPI_SUCCESS || status.MPI_SOURCE != 0)
        say("has lost its own message");
    say("was told");
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    int provided, level = strcmp(what, "anybody-threads") == 0 ? MPI_THREAD_MULTIPLE : MPI_THREAD_SINGLE;

    MPI_Init_thread(&argc, &argv, level, &provided);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (strncmp(what, "anybody", 7) == 0)
        anybody();
    else
        half(what);
    MPI_Finalize();
    return 0;
}
