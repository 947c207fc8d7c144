/* Every send and every receive in each of its forms: blocking, non-blocking and persistent, with int counts and with
 * large ones (MPI 5.0, chapter 3). What they do otherwise is in point.c, requests.c and buffered.c. */
/* ranks: 1 2 3 */
#include "check.h"

#define ROOM 300

static MPI_Comm comm = MPI_COMM_WORLD;
static int rank, size, next, before, sent[ROOM], got[ROOM], forms;
static MPI_Request receive;

static int of(int of_rank, int at)
{
    return of_rank * 1000 + at + forms * 7;
}

static void fill(void)
{
    int i;

    forms++;
    for (i = 0; i < ROOM; i++) {
        sent[i] = of(rank, i);
        got[i] = -1;
    }
}

static void have(const int *numbers, const MPI_Status *status)
{
    int i, count = -1, value = -1;
    MPI_Count large = -1;

    CHECK_OK(MPI_Get_count(status, MPI_INT, &count));
    CHECK_OK(MPI_Get_count_c(status, MPI_INT, &large));
    CHECK_IS(count, ROOM);
    CHECK_IS(large, ROOM);
    CHECK_OK(MPI_Status_get_source(status, &value));
    CHECK_IS(value, before);
    CHECK_OK(MPI_Status_get_tag(status, &value));
    CHECK_IS(value, 5);
    for (i = 0; i < ROOM; i++)
        CHECK_IS(numbers[i], of(before, i));
}

/* A receive is there before the rank before sends: that is what the ready mode wants. */
static void expect(void)
{
    fill();
    if (forms % 2)
        CHECK_OK(MPI_Irecv_c(got, ROOM, MPI_INT, before, 5, comm, &receive));
    else
        CHECK_OK(MPI_Irecv(got, ROOM, MPI_INT, before, 5, comm, &receive));
    CHECK_OK(MPI_Barrier(comm));
}

static void arrived(void)
{
    MPI_Status status;

    CHECK_OK(MPI_Wait(&receive, &status));
    have(got, &status);
}

/* The three forms of a send. */
#define SENDS(call, icall, call_init)                                                                                 \
    do {                                                                                                              \
        MPI_Request request;                                                                                          \
        int round;                                                                                                    \
        expect();                                                                                                     \
        CHECK_OK(call(sent, ROOM, MPI_INT, next, 5, comm));                                                           \
        arrived();                                                                                                    \
        expect();                                                                                                     \
        CHECK_OK(icall(sent, ROOM, MPI_INT, next, 5, comm, &request));                                                \
        CHECK_OK(MPI_Wait(&request, MPI_STATUS_IGNORE));                                                              \
        arrived();                                                                                                    \
        CHECK_OK(call_init(sent, ROOM, MPI_INT, next, 5, comm, &request));                                            \
        for (round = 0; round < 3; round++) {                                                                         \
            expect();                                                                                                 \
            CHECK_OK(MPI_Start(&request));                                                                            \
            CHECK_OK(MPI_Wait(&request, MPI_STATUS_IGNORE));                                                          \
            arrived();                                                                                                \
        }                                                                                                             \
        CHECK_OK(MPI_Request_free(&request));                                                                         \
    } while (0)

static void sends(void)
{
    char *buffer;
    int length;

    SENDS(MPI_Send, MPI_Isend, MPI_Send_init);
    SENDS(MPI_Send_c, MPI_Isend_c, MPI_Send_init_c);
    SENDS(MPI_Ssend, MPI_Issend, MPI_Ssend_init);
    SENDS(MPI_Ssend_c, MPI_Issend_c, MPI_Ssend_init_c);
    SENDS(MPI_Rsend, MPI_Irsend, MPI_Rsend_init);
    SENDS(MPI_Rsend_c, MPI_Irsend_c, MPI_Rsend_init_c);
    CHECK_OK(MPI_Buffer_attach(MPI_BUFFER_AUTOMATIC, 0));
    SENDS(MPI_Bsend, MPI_Ibsend, MPI_Bsend_init);
    SENDS(MPI_Bsend_c, MPI_Ibsend_c, MPI_Bsend_init_c);
    CHECK_OK(MPI_Buffer_detach(&buffer, &length));
}

/* What is sent for a receive that comes later. */
static MPI_Request coming(void)
{
    MPI_Request request;

    fill();
    CHECK_OK(MPI_Isend(sent, ROOM, MPI_INT, next, 5, comm, &request));
    return request;
}

static void gone(MPI_Request request)
{
    CHECK_OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
}

static void receives(void)
{
    MPI_Request request, send;
    MPI_Message message;
    MPI_Status status;
    int flag;

    send = coming();
    CHECK_OK(MPI_Recv_c(got, ROOM, MPI_INT, before, 5, comm, &status));
    have(got, &status);
    gone(send);

    CHECK_OK(MPI_Recv_init_c(got, ROOM, MPI_INT, before, 5, comm, &request));
    send = coming();
    CHECK_OK(MPI_Start(&request));
    CHECK_OK(MPI_Wait(&request, &status));
    have(got, &status);
    gone(send);
    CHECK_OK(MPI_Request_free(&request));

    send = coming();
    CHECK_OK(MPI_Mprobe(before, 5, comm, &message, MPI_STATUS_IGNORE));
    CHECK_OK(MPI_Mrecv_c(got, ROOM, MPI_INT, &message, &status));
    CHECK(message == MPI_MESSAGE_NULL);
    have(got, &status);
    gone(send);

    send = coming();
    do
        CHECK_OK(MPI_Improbe(before, 5, comm, &flag, &message, MPI_STATUS_IGNORE));
    while (!flag);
    CHECK_OK(MPI_Imrecv_c(got, ROOM, MPI_INT, &message, &request));
    CHECK(message == MPI_MESSAGE_NULL);
    CHECK_OK(MPI_Wait(&request, &status));
    have(got, &status);
    gone(send);
}

static void both_ways(void)
{
    MPI_Request request;
    MPI_Status status;

    fill();
    CHECK_OK(MPI_Sendrecv_c(sent, ROOM, MPI_INT, next, 5, got, ROOM, MPI_INT, before, 5, comm, &status));
    have(got, &status);
    fill();
    CHECK_OK(MPI_Isendrecv_c(sent, ROOM, MPI_INT, next, 5, got, ROOM, MPI_INT, before, 5, comm, &request));
    CHECK_OK(MPI_Wait(&request, &status));
    have(got, &status);
    fill();
    CHECK_OK(MPI_Sendrecv_replace_c(sent, ROOM, MPI_INT, next, 5, before, 5, comm, &status));
    have(sent, &status);
    fill();
    CHECK_OK(MPI_Isendrecv_replace_c(sent, ROOM, MPI_INT, next, 5, before, 5, comm, &request));
    CHECK_OK(MPI_Wait(&request, &status));
    have(sent, &status);
}

/* What a program may set of a status, and get. */
static void statuses(void)
{
    MPI_Status status;
    MPI_Count large = -1;
    int value = -1;

    memset(&status, 0, sizeof status);
    CHECK_OK(MPI_Status_set_source(&status, 3));
    CHECK_OK(MPI_Status_set_tag(&status, 4));
    CHECK_OK(MPI_Status_set_error(&status, MPI_ERR_TAG));
    CHECK_IS(status.MPI_SOURCE, 3);
    CHECK_IS(status.MPI_TAG, 4);
    CHECK_IS(status.MPI_ERROR, MPI_ERR_TAG);
    CHECK_OK(MPI_Status_get_source(&status, &value));
    CHECK_IS(value, 3);
    CHECK_OK(MPI_Status_get_tag(&status, &value));
    CHECK_IS(value, 4);
    CHECK_OK(MPI_Status_get_error(&status, &value));
    CHECK_IS(value, MPI_ERR_TAG);
    CHECK_OK(MPI_Status_set_elements_c(&status, MPI_INT, (MPI_Count)1 << 33));
    CHECK_OK(MPI_Get_elements_c(&status, MPI_INT, &large));
    CHECK(large == (MPI_Count)1 << 33);
    CHECK_OK(MPI_Get_count(&status, MPI_INT, &value));
    CHECK_IS(value, MPI_UNDEFINED);
    CHECK_OK(MPI_Status_set_elements_x(&status, MPI_DOUBLE, 7));
    CHECK_OK(MPI_Get_elements_x(&status, MPI_DOUBLE, &large));
    CHECK_IS(large, 7);
    CHECK_CLASS(MPI_Status_set_elements_c(&status, MPI_INT, -1), MPI_ERR_COUNT);
    CHECK_CLASS(MPI_Status_set_elements_x(&status, MPI_DATATYPE_NULL, 1), MPI_ERR_TYPE);
    CHECK_CLASS(MPI_Status_set_source(MPI_STATUS_IGNORE, 1), MPI_ERR_ARG);
    CHECK_CLASS(MPI_Status_get_tag(&status, NULL), MPI_ERR_ARG);
}

int main(int argc, char **argv)
{
    check_start(&argc, &argv);
    rank = check_rank();
    size = check_size();
    next = (rank + 1) % size;
    before = (rank + size - 1) % size;
    sends();
    receives();
    both_ways();
    statuses();
    CHECK_OK(MPI_Finalize());
    return 0;
}
