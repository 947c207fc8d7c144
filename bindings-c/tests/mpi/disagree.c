/* Collectives in which ranks do not call the same: each side is named. Without more ado what is seen in messages
 * that are sent anyway; with PVM_DEBUG=collectives everything. */
/* ranks: 2 */
/* expect: calls => 40: MPI_Barrier: MPI_ERR_NOT_SAME: an argument is not the same in all processes: rank 0 is in MPI_Bcast with root 0, this one in MPI_Barrier */
/* expect: roots => 40: MPI_Barrier: MPI_ERR_NOT_SAME: an argument is not the same in all processes: rank 0 was in MPI_Bcast with root 0 before, where this one was in another call */
/* expect: longer => 15: rank 0 sent 12 bytes in MPI_Bcast with root 0, this one has room for 4 */
/* expect: shorter => 40: rank 0 sent 4 bytes in MPI_Bcast with root 0, this one expects 12 */
/* expect: both-wait => 40: rank 1 is in MPI_Bcast with root 0 of 4 bytes, this one in MPI_Reduce with MPI_SUM of 4-byte integers with root 0 of 4 bytes */
/* expect: no-check => 13: PVM_DEBUG has 'leeks', which is no check: write collectives, leaks, both with a comma, or all */
#include "check.h"

#include <unistd.h>

static int rank;

static void debug(const char *what)
{
    CHECK_IS(setenv("PVM_DEBUG", what, 1), 0);
}

/* One of the runs that have to end badly. Both sides may see what differs, and the one that is faster ends the job:
 * so one of them keeps still about it. */
static void end_badly(const char *how, int *argc, char ***argv)
{
    int three[3] = {1, 2, 3}, sum, tells = strcmp(how, "both-wait") == 0 ? 0 : 1;

    if (strcmp(how, "both-wait") == 0)
        debug("collectives");
    if (strcmp(how, "no-check") == 0)
        debug("leaks,leeks");
    MPI_Init(argc, argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (rank != tells)
        MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    if (strcmp(how, "calls") == 0 && rank == 0)
        MPI_Bcast(three, 3, MPI_INT, 0, MPI_COMM_WORLD);
    if (strcmp(how, "roots") == 0)
        MPI_Bcast(three, 3, MPI_INT, rank, MPI_COMM_WORLD);
    if (strcmp(how, "longer") == 0)
        MPI_Bcast(three, rank == 0 ? 3 : 1, MPI_INT, 0, MPI_COMM_WORLD);
    if (strcmp(how, "shorter") == 0)
        MPI_Bcast(three, rank == 0 ? 1 : 3, MPI_INT, 0, MPI_COMM_WORLD);
    if (strcmp(how, "both-wait") == 0 && rank == 0)
        MPI_Reduce(three, &sum, 1, MPI_INT, MPI_SUM, 0, MPI_COMM_WORLD);
    if (strcmp(how, "both-wait") == 0 && rank == 1)
        MPI_Bcast(three, 1, MPI_INT, 0, MPI_COMM_WORLD);
    MPI_Barrier(MPI_COMM_WORLD);
    while (rank != tells)
        pause();
    MPI_Finalize();
}

/* Ranks that call the same notice nothing. */
static void same(void)
{
    int three[3] = {1, 2, 3}, six[6], sums[3];
    MPI_Datatype triple;

    CHECK_OK(MPI_Type_contiguous(3, MPI_INT, &triple));
    CHECK_OK(MPI_Type_commit(&triple));
    /* The same elements, however they are named. */
    CHECK_OK(MPI_Bcast(three, rank == 0 ? 1 : 3, rank == 0 ? triple : MPI_INT, 0, MPI_COMM_WORLD));
    CHECK_OK(MPI_Gather(three, 3, MPI_INT, six, 1, triple, 1, MPI_COMM_WORLD));
    CHECK_OK(MPI_Scatter(six, 1, triple, three, 3, MPI_INT, 1, MPI_COMM_WORLD));
    CHECK_OK(MPI_Allgather(three, 3, MPI_INT, six, 1, triple, MPI_COMM_WORLD));
    CHECK_OK(MPI_Allreduce(three, sums, 3, MPI_INT, MPI_SUM, MPI_COMM_WORLD));
    CHECK_OK(MPI_Reduce(three, sums, 3, MPI_INT, MPI_SUM, 0, MPI_COMM_WORLD));
    CHECK_OK(MPI_Scan(three, sums, 3, MPI_INT, MPI_SUM, MPI_COMM_WORLD));
    CHECK_OK(MPI_Barrier(MPI_COMM_WORLD));
    CHECK_OK(MPI_Type_free(&triple));
}

/* All ranks are told, nothing was moved, and the next call is as if nothing had been. */
static void different(void)
{
    int three[3] = {1, 2, 3}, sum = 0;
    float number = 0.5f;

    CHECK_CLASS(MPI_Bcast(three, 3, MPI_INT, rank, MPI_COMM_WORLD), MPI_ERR_NOT_SAME);
    CHECK_CLASS(MPI_Allreduce(three, &sum, 1, MPI_INT, rank ? MPI_MAX : MPI_SUM, MPI_COMM_WORLD), MPI_ERR_NOT_SAME);
    CHECK_CLASS(MPI_Bcast(three, 1 + rank, MPI_INT, 0, MPI_COMM_WORLD), MPI_ERR_NOT_SAME);
    CHECK_CLASS(rank ? MPI_Bcast(&number, 1, MPI_FLOAT, 0, MPI_COMM_WORLD)
                     : MPI_Bcast(three, 1, MPI_INT, 0, MPI_COMM_WORLD),
                MPI_ERR_NOT_SAME);
    CHECK(number == 0.5f);
    CHECK_CLASS(rank ? MPI_Barrier(MPI_COMM_WORLD) : MPI_Reduce(three, &sum, 1, MPI_INT, MPI_SUM, 0, MPI_COMM_WORLD),
                MPI_ERR_NOT_SAME);
    CHECK_IS(sum, 0);
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        end_badly(argv[1], &argc, &argv);
        return 0;
    }
    debug("collectives");
    check_start(&argc, &argv);
    CHECK_OK(MPI_Comm_rank(MPI_COMM_WORLD, &rank));
    same();
    different();
    same();
    CHECK_OK(MPI_Finalize());
    return 0;
}
