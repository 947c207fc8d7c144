/* Ranks that do not agree: messages longer than their room, in every form of a receive and in every size, and
 * collectives that are not the same call. All who can know are told, of the right communicator, and go on. */
/* ranks: 2 3 */
#include "check.h"

/* Bytes behind the room that nobody may write. */
#define GUARD 64

static int rank, size, next, before, told;
static MPI_Comm comm, told_of;

static void note(MPI_Comm *of, int *code, ...)
{
    (void)code;
    told_of = *of;
    told++;
}

/* The ways to receive. */
enum form { RECV, IRECV, RECV_INIT, MRECV, IMRECV, SENDRECV, ISENDRECV, WAITANY, TESTSOME, FORMS };

/* Waits; the handler is told of the error of the request. */
static int outcome(MPI_Request *request, MPI_Status *status)
{
    return MPI_Wait(request, status);
}

static int any_outcome(MPI_Request *request, MPI_Status *status)
{
    int index = -1, code = MPI_Waitany(1, request, &index, status);

    CHECK_IS(index, 0);
    return code;
}

/* Of several the statuses say which and why. */
static int some_outcome(MPI_Request *request, MPI_Status *status)
{
    int done = 0, index = -1, code = MPI_SUCCESS;

    while (done == 0)
        code = MPI_Testsome(1, request, &done, &index, status);
    CHECK_IS(done, 1);
    CHECK_IS(index, 0);
    CHECK_CLASS(code, MPI_ERR_IN_STATUS);
    return status->MPI_ERROR;
}

static int received(enum form form, char *room, int length, MPI_Status *status)
{
    MPI_Request request;
    MPI_Message message;
    int code;

    switch (form) {
    case RECV:
        return MPI_Recv(room, length, MPI_BYTE, before, 1, comm, status);
    case IRECV:
    case WAITANY:
    case TESTSOME:
        CHECK_OK(MPI_Irecv(room, length, MPI_BYTE, form == IRECV ? before : MPI_ANY_SOURCE, 1, comm, &request));
        return form == IRECV ? outcome(&request, status)
                             : form == WAITANY ? any_outcome(&request, status) : some_outcome(&request, status);
    case RECV_INIT:
        CHECK_OK(MPI_Recv_init(room, length, MPI_BYTE, before, MPI_ANY_TAG, comm, &request));
        CHECK_OK(MPI_Start(&request));
        code = outcome(&request, status);
        CHECK_OK(MPI_Request_free(&request));
        return code;
    case MRECV:
        CHECK_OK(MPI_Mprobe(before, 1, comm, &message, MPI_STATUS_IGNORE));
        return MPI_Mrecv(room, length, MPI_BYTE, &message, status);
    case IMRECV:
        CHECK_OK(MPI_Mprobe(before, 1, comm, &message, MPI_STATUS_IGNORE));
        CHECK_OK(MPI_Imrecv(room, length, MPI_BYTE, &message, &request));
        return outcome(&request, status);
    case SENDRECV:
        return MPI_Sendrecv(NULL, 0, MPI_BYTE, MPI_PROC_NULL, 0, room, length, MPI_BYTE, before, 1, comm, status);
    default:
        CHECK_OK(MPI_Isendrecv(NULL, 0, MPI_BYTE, MPI_PROC_NULL, 0, room, length, MPI_BYTE, before, 1, comm, &request));
        return outcome(&request, status);
    }
}

/* What fits is there, behind it nothing is written, the next message is whole. */
static void too_long(enum form form, int sent, int length)
{
    char *out = malloc(sent), *in = malloc(sent + GUARD);
    MPI_Request request;
    MPI_Status status;
    int i, count = -1;

    for (i = 0; i < sent; i++)
        out[i] = (char)(i * 13 + rank);
    memset(in, -1, sent + GUARD);
    told = 0;
    CHECK_OK(MPI_Isend(out, sent, MPI_BYTE, next, 1, comm, &request));
    CHECK_CLASS(received(form, in, length, &status), MPI_ERR_TRUNCATE);
    CHECK_IS(told, 1);
    CHECK(told_of == comm);
    CHECK_IS(status.MPI_SOURCE, before);
    CHECK_IS(status.MPI_TAG, 1);
    CHECK_OK(MPI_Get_count(&status, MPI_BYTE, &count));
    CHECK_IS(count, length);
    for (i = 0; i < length; i++)
        CHECK_IS(in[i], (char)(i * 13 + before));
    for (i = length; i < sent + GUARD; i++)
        CHECK_IS(in[i], -1);
    /* It is no error of the sender. */
    CHECK_OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
    CHECK_OK(MPI_Sendrecv(out, sent, MPI_BYTE, next, 1, in, sent, MPI_BYTE, before, 1, comm, &status));
    CHECK_IS(in[sent - 1], (char)((sent - 1) * 13 + before));
    CHECK_IS(told, 1);
    free(out);
    free(in);
}

/* Into the gaps of a datatype: only the elements are written. */
static void too_long_for_a_vector(int elements)
{
    int *out = calloc(elements + 1, sizeof *out), *in = malloc(2 * elements * sizeof *in), i;
    MPI_Datatype gaps;
    MPI_Request request;

    for (i = 0; i < elements + 1; i++)
        out[i] = i + 1;
    memset(in, 0, 2 * elements * sizeof *in);
    CHECK_OK(MPI_Type_vector(elements, 1, 2, MPI_INT, &gaps));
    CHECK_OK(MPI_Type_commit(&gaps));
    CHECK_OK(MPI_Isend(out, elements + 1, MPI_INT, next, 1, comm, &request));
    CHECK_CLASS(MPI_Recv(in, 1, gaps, before, 1, comm, MPI_STATUS_IGNORE), MPI_ERR_TRUNCATE);
    for (i = 0; i < 2 * elements; i++)
        CHECK_IS(in[i], i % 2 ? 0 : i / 2 + 1);
    CHECK_OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
    CHECK_OK(MPI_Type_free(&gaps));
    free(out);
    free(in);
}

/* Bytes that are no whole number of elements are received, and counted as none. */
static void parts_of_elements(void)
{
    char out[6] = "parts";
    int in[2] = {0, 0}, count = -1;
    MPI_Status status;
    MPI_Count elements = -1;

    CHECK_OK(MPI_Sendrecv(out, 6, MPI_BYTE, next, 1, in, 2, MPI_INT, before, 1, comm, &status));
    CHECK_OK(MPI_Get_count(&status, MPI_INT, &count));
    CHECK_IS(count, MPI_UNDEFINED);
    CHECK_OK(MPI_Get_elements_c(&status, MPI_INT, &elements));
    CHECK(elements == MPI_UNDEFINED);
    CHECK_OK(MPI_Get_count(&status, MPI_BYTE, &count));
    CHECK_IS(count, 6);
}

#define DISAGREE(mine, yours)                                     \
    do {                                                          \
        int code;                                                 \
        told = 0;                                                 \
        code = rank % 2 ? mine : yours;                           \
        CHECK_CLASS(code, MPI_ERR_NOT_SAME);                      \
        CHECK_IS(told, 1);                                        \
        CHECK(told_of == comm);                                   \
    } while (0)

static int waited(int code, MPI_Request *request)
{
    CHECK_OK(code);
    return MPI_Wait(request, MPI_STATUS_IGNORE);
}

/* Of two ranks each hears of the other's call. */
static void other_collectives(void)
{
    int out[4] = {1, 2, 3, 4}, in[4] = {0};
    MPI_Request request;

    if (size != 2)
        return;
    DISAGREE(MPI_Allreduce(out, in, 1, MPI_INT, MPI_SUM, comm), MPI_Allreduce(out, in, 1, MPI_INT, MPI_PROD, comm));
    DISAGREE(MPI_Allreduce(out, in, 1, MPI_INT, MPI_SUM, comm), MPI_Allreduce(out, in, 1, MPI_FLOAT, MPI_SUM, comm));
    DISAGREE(MPI_Allreduce(out, in, 1, MPI_LONG_LONG, MPI_SUM, comm),
             MPI_Allreduce(out, in, 1, MPI_C_FLOAT_COMPLEX, MPI_SUM, comm));
    DISAGREE(MPI_Allgather(out, 1, MPI_INT, in, 1, MPI_INT, comm), MPI_Alltoall(out, 1, MPI_INT, in, 1, MPI_INT, comm));
    DISAGREE(MPI_Allreduce(out, in, 1, MPI_INT, MPI_MAX, comm), MPI_Allgather(out, 1, MPI_INT, in, 1, MPI_INT, comm));
    DISAGREE(waited(MPI_Iallreduce(out, in, 1, MPI_INT, MPI_MAX, comm, &request), &request),
             waited(MPI_Ialltoall(out, 1, MPI_INT, in, 1, MPI_INT, comm, &request), &request));
    /* Names of one thing. */
    CHECK_OK(MPI_Allreduce(out, in, 1, rank ? MPI_INT : MPI_INT32_T, MPI_SUM, comm));
    CHECK_OK(MPI_Barrier(comm));
}

int main(int argc, char **argv)
{
    static const int lengths[][2] = {{1, 0}, {10, 9}, {40, 3}, {3000, 2999}, {70000, 1}, {1000000, 70001}};
    MPI_Errhandler handler;
    unsigned i;
    int form;

    check_start(&argc, &argv);
    rank = check_rank();
    size = check_size();
    next = (rank + 1) % size;
    before = (rank + size - 1) % size;
    CHECK_OK(MPI_Comm_dup(MPI_COMM_WORLD, &comm));
    CHECK_OK(MPI_Comm_create_errhandler(note, &handler));
    CHECK_OK(MPI_Comm_set_errhandler(comm, handler));
    for (form = RECV; form < FORMS; form++)
        for (i = 0; i < sizeof lengths / sizeof *lengths; i++)
            too_long((enum form)form, lengths[i][0], lengths[i][1]);
    too_long_for_a_vector(3);
    too_long_for_a_vector(5000);
    too_long_for_a_vector(200000);
    parts_of_elements();
    other_collectives();
    CHECK_OK(MPI_Errhandler_free(&handler));
    CHECK_OK(MPI_Comm_free(&comm));
    CHECK_OK(MPI_Finalize());
    return 0;
}
