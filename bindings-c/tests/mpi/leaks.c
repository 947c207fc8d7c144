/* What is never freed or received is told at the end, when that is wanted: a line for each kind. */
/* ranks: 2 */
/* expect: leak => 0: rank 0 of 2: 2 communicators were never freed (PVM_DEBUG=leaks) */
/* expect: leak => 0: rank 1 of 2: 1 group was never freed (PVM_DEBUG=leaks) */
/* expect: leak => 0: rank 0 of 2: 1 error handler was never freed (PVM_DEBUG=leaks) */
/* expect: leak => 0: rank 0 of 2: 1 info object was never freed (PVM_DEBUG=leaks) */
/* expect: leak => 0: rank 0 of 2: 3 datatypes were never freed (PVM_DEBUG=leaks) */
/* expect: leak => 0: rank 0 of 2: 2 requests were never freed (PVM_DEBUG=leaks) */
/* expect: leak => 0: rank 0 of 2: 1 operation was never freed (PVM_DEBUG=leaks) */
/* expect: leak => 0: rank 1 of 2: 2 messages were never received, one of them of rank 0, with tag 7 and 4 bytes (PVM_DEBUG=leaks) */
#include "check.h"

static int rank;

static void add(void *from, void *into, int *count, MPI_Datatype *type)
{
    (void)from, (void)into, (void)count, (void)type;
}

static void ignore(MPI_Comm *comm, int *code, ...)
{
    (void)comm, (void)code;
}

/* Makes something of each kind; frees it all, unless it is to be left. */
static void make(int leaves)
{
    MPI_Comm comms[2];
    MPI_Group group;
    MPI_Errhandler handler;
    MPI_Info info;
    MPI_Datatype types[3], predefined;
    MPI_Request requests[2];
    MPI_Op op;
    int i, number = 1, other = 0;

    CHECK_OK(MPI_Comm_dup(MPI_COMM_WORLD, &comms[0]));
    CHECK_OK(MPI_Comm_split(MPI_COMM_WORLD, rank, 0, &comms[1]));
    CHECK_OK(MPI_Comm_group(MPI_COMM_WORLD, &group));
    CHECK_OK(MPI_Comm_create_errhandler(ignore, &handler));
    CHECK_OK(MPI_Info_create(&info));
    for (i = 0; i < 3; i++)
        CHECK_OK(MPI_Type_contiguous(2 + i, MPI_INT, &types[i]));
    /* What is predefined is nobody's to free. */
    CHECK_OK(MPI_Type_match_size(MPI_TYPECLASS_REAL, 8, &predefined));
    CHECK_OK(MPI_Type_create_f90_integer(9, &predefined));
    CHECK_OK(MPI_Send_init(&number, 1, MPI_INT, rank, 3, MPI_COMM_WORLD, &requests[0]));
    CHECK_OK(MPI_Irecv(&other, 1, MPI_INT, rank, 4, MPI_COMM_WORLD, &requests[1]));
    CHECK_OK(MPI_Op_create(add, 1, &op));
    if (rank == 0)
        for (i = 0; i < 2; i++)
            CHECK_OK(MPI_Send(&number, 1, MPI_INT, 1, 7 + i, MPI_COMM_WORLD));
    CHECK_OK(MPI_Barrier(MPI_COMM_WORLD));
    if (leaves)
        return;
    if (rank == 1)
        for (i = 0; i < 2; i++)
            CHECK_OK(MPI_Recv(&number, 1, MPI_INT, 0, 7 + i, MPI_COMM_WORLD, MPI_STATUS_IGNORE));
    CHECK_OK(MPI_Send(&number, 1, MPI_INT, rank, 4, MPI_COMM_WORLD));
    CHECK_OK(MPI_Wait(&requests[1], MPI_STATUS_IGNORE));
    CHECK_OK(MPI_Request_free(&requests[0]));
    CHECK_OK(MPI_Op_free(&op));
    for (i = 0; i < 3; i++)
        CHECK_OK(MPI_Type_free(&types[i]));
    CHECK_OK(MPI_Info_free(&info));
    CHECK_OK(MPI_Errhandler_free(&handler));
    CHECK_OK(MPI_Group_free(&group));
    for (i = 0; i < 2; i++)
        CHECK_OK(MPI_Comm_free(&comms[i]));
}

int main(int argc, char **argv)
{
    CHECK_IS(setenv("PVM_DEBUG", "leaks", 1), 0);
    check_start(&argc, &argv);
    CHECK_OK(MPI_Comm_rank(MPI_COMM_WORLD, &rank));
    make(argc > 1);
    CHECK_OK(MPI_Finalize());
    return 0;
}
