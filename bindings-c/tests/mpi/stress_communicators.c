/* Communicators made and freed, 10,000 of them, with messages under way in them: memory and files do not grow. */
/* ranks: 1 2 3 4 */
/* longer: full */
#include "stress.h"

static int rank, size, next, before;

/* What may still grow when everything has been there once, in KiB. */
#define NOISE 2048

/* Every member of a communicator hears of the one before it. */
static void goes_round(MPI_Comm comm)
{
    int own, n, got = -1;

    CHECK_OK(MPI_Comm_rank(comm, &own));
    CHECK_OK(MPI_Comm_size(comm, &n));
    CHECK_OK(MPI_Sendrecv(&own, 1, MPI_INT, (own + 1) % n, 1, &got, 1, MPI_INT, (own + n - 1) % n, 1, comm,
                          MPI_STATUS_IGNORE));
    CHECK_IS(got, (own + n - 1) % n);
}

static MPI_Comm of_group(int number)
{
    MPI_Group group;
    MPI_Comm comm;

    CHECK_OK(MPI_Comm_group(MPI_COMM_WORLD, &group));
    if (number % 2)
        CHECK_OK(MPI_Comm_create_group(MPI_COMM_WORLD, group, number % 100, &comm));
    else
        CHECK_OK(MPI_Comm_create(MPI_COMM_WORLD, group, &comm));
    CHECK_OK(MPI_Group_free(&group));
    return comm;
}

static MPI_Comm halves(int number)
{
    MPI_Comm half, inter, merged;

    if (size == 1)
        return of_group(number);
    CHECK_OK(MPI_Comm_split(MPI_COMM_WORLD, rank % 2, rank, &half));
    CHECK_OK(MPI_Intercomm_create(half, 0, MPI_COMM_WORLD, 1 - rank % 2, 5, &inter));
    CHECK_OK(MPI_Intercomm_merge(inter, rank % 2, &merged));
    CHECK_OK(MPI_Comm_free(&half));
    CHECK_OK(MPI_Comm_free(&inter));
    return merged;
}

/* A communicator, made in one of the ways that there are. */
static MPI_Comm made(int number)
{
    MPI_Comm comm = MPI_COMM_NULL;
    MPI_Request request;
    int periodic = 1;

    switch (number % 7) {
    case 0:
        CHECK_OK(MPI_Comm_dup(MPI_COMM_WORLD, &comm));
        return comm;
    case 1:
        CHECK_OK(MPI_Comm_split(MPI_COMM_WORLD, number % 2 ? rank % 2 : 0, -rank, &comm));
        return comm;
    case 2:
        CHECK_OK(MPI_Comm_idup(MPI_COMM_WORLD, &comm, &request));
        CHECK_OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
        return comm;
    case 3:
        CHECK_OK(MPI_Cart_create(MPI_COMM_WORLD, 1, &size, &periodic, 0, &comm));
        return comm;
    case 4:
        return halves(number);
    case 5:
        CHECK_OK(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank, MPI_INFO_NULL, &comm));
        return comm;
    default:
        return of_group(number);
    }
}

/* Freed while a message to every member is under way, received before and after. */
static void freed_meanwhile(int number)
{
    MPI_Comm comm;
    MPI_Request requests[4];
    int small[2] = {number, -1}, i;
    static char large[2][100000];

    CHECK_OK(MPI_Comm_dup(MPI_COMM_WORLD, &comm));
    memset(large[0], number % 100, sizeof large[0]);
    CHECK_OK(MPI_Irecv(&small[1], 1, MPI_INT, before, 2, comm, &requests[0]));
    CHECK_OK(MPI_Irecv(large[1], sizeof large[1], MPI_BYTE, before, 3, comm, &requests[1]));
    CHECK_OK(MPI_Isend(large[0], sizeof large[0], MPI_BYTE, next, 3, comm, &requests[2]));
    CHECK_OK(MPI_Isend(&small[0], 1, MPI_INT, next, 2, comm, &requests[3]));
    CHECK_OK(MPI_Comm_free(&comm));
    CHECK(comm == MPI_COMM_NULL);
    CHECK_OK(MPI_Waitall(4, requests, MPI_STATUSES_IGNORE));
    CHECK_IS(small[1], number);
    for (i = 0; i < (int)sizeof large[1]; i += 4999)
        CHECK_IS(large[1][i], number % 100);
}

/* Freed while requests of it are under way, which are the last that keep it: waited for, or freed too. */
static void outlived(int count)
{
    MPI_Comm comm;
    MPI_Request requests[3];
    int in[2], out = 7, i;

    for (i = 0; i < count; i++) {
        CHECK_OK(MPI_Comm_dup(MPI_COMM_SELF, &comm));
        CHECK_OK(MPI_Irecv(&in[0], 1, MPI_INT, 0, 1, comm, &requests[0]));
        CHECK_OK(MPI_Irecv(&in[1], 1, MPI_INT, 0, 2, comm, &requests[1]));
        CHECK_OK(MPI_Isend(&out, 1, MPI_INT, 0, 1, comm, &requests[2]));
        CHECK_OK(MPI_Request_free(&requests[2]));
        CHECK_OK(MPI_Send(&out, 1, MPI_INT, 0, 2, comm));
        CHECK_OK(MPI_Comm_free(&comm));
        if (i % 2)
            CHECK_OK(MPI_Request_free(&requests[0]));
        else
            CHECK_OK(MPI_Wait(&requests[0], MPI_STATUS_IGNORE));
        CHECK_OK(MPI_Wait(&requests[1], MPI_STATUS_IGNORE));
        CHECK_IS(in[1], 7);
    }
}

/* Never received: what is left in a communicator goes with it. */
static void left_behind(int number)
{
    MPI_Comm comm;
    int value = number;

    CHECK_OK(MPI_Comm_dup(MPI_COMM_WORLD, &comm));
    CHECK_OK(MPI_Send(&value, 1, MPI_INT, next, 4, comm));
    CHECK_OK(MPI_Comm_free(&comm));
}

static void many(int first, int count)
{
    int i;

    for (i = first; i < first + count; i++) {
        MPI_Comm comm = made(i);
        goes_round(comm);
        CHECK_OK(MPI_Comm_free(&comm));
        if (i % 5 == 0)
            freed_meanwhile(i);
        if (i % 7 == 0)
            left_behind(i);
    }
}

/* Communicators of communicators: only the last one stays. */
static void descendants(int count)
{
    MPI_Comm comm, child;
    int i;

    CHECK_OK(MPI_Comm_dup(MPI_COMM_WORLD, &comm));
    for (i = 0; i < count; i++) {
        CHECK_OK(MPI_Comm_dup(comm, &child));
        CHECK_OK(MPI_Comm_free(&comm));
        comm = child;
    }
    goes_round(comm);
    CHECK_OK(MPI_Comm_free(&comm));
}

/* All there at the same time. */
static void at_once(int count)
{
    MPI_Comm *comms = malloc(count * sizeof *comms);
    int i;

    for (i = 0; i < count; i++)
        CHECK_OK(MPI_Comm_dup(MPI_COMM_WORLD, &comms[i]));
    for (i = 0; i < count; i += 100)
        goes_round(comms[i]);
    for (i = 0; i < count; i++)
        CHECK_OK(MPI_Comm_free(&comms[i]));
    free(comms);
}

/* Whether no more are open than there were. Those with which tasks were introduced to each other may be closed
 * meanwhile; connections are made beside all else, however late: one to each task of another host, and one in its
 * place. */
static void descriptors(int files)
{
    CHECK(stress_descriptors(0) <= files);
    CHECK(stress_descriptors(1) <= 2 * (size - 1));
}

int main(int argc, char **argv)
{
    int count, files, i;
    long memory;
    double started;

    check_start(&argc, &argv);
    rank = check_rank();
    size = check_size();
    next = (rank + 1) % size;
    before = (rank + size - 1) % size;
    count = (int)stress_length(argc, argv, 10000, 200);

    started = MPI_Wtime();
    many(0, count / 5);
    descendants(count / 5);
    stress_say("the first fifth, one at a time", started);
    memory = stress_status("VmRSS");
    files = stress_descriptors(0);
    for (i = 0; i < 4; i++) {
        started = MPI_Wtime();
        many(i * count / 5, count / 5);
        descendants(count / 5);
        stress_say("a fifth, one at a time", started);
    }
    stress_grown("after the first fifth", stress_status("VmRSS") - memory, NOISE);
    descriptors(files);

    outlived(3000);
    memory = stress_status("VmRSS");
    outlived(10000);
    stress_grown("before communicators were outlived by requests", stress_status("VmRSS") - memory, NOISE);

    for (i = 0; i < 2; i++) {
        memory = stress_status("VmRSS");
        started = MPI_Wtime();
        at_once(count);
        stress_say("all at once", started);
    }
    stress_grown("when all were there the first time", stress_status("VmRSS") - memory, NOISE);
    descriptors(files);
    CHECK_OK(MPI_Finalize());
    return 0;
}
