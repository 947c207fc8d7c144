/* Sending, receiving and probing, of all sizes and to everybody (MPI 5.0, chapter 3). */
/* ranks: 1 2 3 4 8 */
/* expect: truncate => 15: rank 0 sent 12 bytes with tag 4 in MPI_COMM_WORLD to rank 0, which has room for 4 */
#include "check.h"

#define LARGE (1 << 20)

static int rank, size, next, before;
static char *out, *in;

static char byte_of(int from, int at)
{
    return (char)(from * 31 + at * 7 + at / 251);
}

static void fill(int length)
{
    int i;

    for (i = 0; i < length; i++) {
        out[i] = byte_of(rank, i);
        in[i] = 0;
    }
    in[length] = 99;
}

static void check_in(int length, int tag, const MPI_Status *status)
{
    int i, count;

    CHECK_IS(status->MPI_SOURCE, before);
    CHECK_IS(status->MPI_TAG, tag);
    CHECK_OK(MPI_Get_count(status, MPI_BYTE, &count));
    CHECK_IS(count, length);
    for (i = 0; i < length; i++)
        CHECK(in[i] == byte_of(before, i));
    CHECK_IS(in[length], 99);
}

/* Every kind of send into every kind of receive, in a ring. */
static void one_size(int length)
{
    MPI_Request request, both[2];
    MPI_Status status, statuses[2];
    MPI_Message message;
    int kind, flag, count;

    for (kind = 0; kind < 8; kind++) {
        fill(length);
        switch (kind) {
        case 0:
            CHECK_OK(MPI_Isend(out, length, MPI_BYTE, next, kind, MPI_COMM_WORLD, &request));
            break;
        case 1:
            CHECK_OK(MPI_Issend(out, length, MPI_BYTE, next, kind, MPI_COMM_WORLD, &request));
            break;
        case 2:
            CHECK_OK(MPI_Irsend(out, length, MPI_BYTE, next, kind, MPI_COMM_WORLD, &request));
            break;
        case 3:
            CHECK_OK(MPI_Send_init(out, length, MPI_BYTE, next, kind, MPI_COMM_WORLD, &request));
            CHECK_OK(MPI_Start(&request));
            break;
        case 4:
            CHECK_OK(MPI_Ssend_init_c(out, length, MPI_BYTE, next, kind, MPI_COMM_WORLD, &request));
            CHECK_OK(MPI_Start(&request));
            break;
        default:
            CHECK_OK(MPI_Isend_c(out, length, MPI_BYTE, next, kind, MPI_COMM_WORLD, &request));
        }
        switch (kind) {
        case 0:
            CHECK_OK(MPI_Recv(in, length, MPI_BYTE, before, kind, MPI_COMM_WORLD, &status));
            break;
        case 1:
            CHECK_OK(MPI_Recv_c(in, LARGE, MPI_BYTE, MPI_ANY_SOURCE, kind, MPI_COMM_WORLD, &status));
            break;
        case 2:
            CHECK_OK(MPI_Probe(before, MPI_ANY_TAG, MPI_COMM_WORLD, &status));
            CHECK_OK(MPI_Get_count(&status, MPI_BYTE, &count));
            CHECK_IS(count, length);
            CHECK_OK(MPI_Recv(in, count, MPI_BYTE, status.MPI_SOURCE, status.MPI_TAG, MPI_COMM_WORLD, &status));
            break;
        case 3:
            do
                CHECK_OK(MPI_Iprobe(MPI_ANY_SOURCE, kind, MPI_COMM_WORLD, &flag, &status));
            while (!flag);
            CHECK_IS(status.MPI_SOURCE, before);
            CHECK_OK(MPI_Recv(in, length, MPI_BYTE, before, MPI_ANY_TAG, MPI_COMM_WORLD, &status));
            break;
        case 4:
            CHECK_OK(MPI_Mprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &message, &status));
            /* It is nobody else's any more. */
            CHECK_OK(MPI_Iprobe(before, kind, MPI_COMM_WORLD, &flag, MPI_STATUS_IGNORE));
            CHECK_IS(flag, 0);
            CHECK_OK(MPI_Mrecv(in, length, MPI_BYTE, &message, &status));
            CHECK(message == MPI_MESSAGE_NULL);
            break;
        case 5:
            do
                CHECK_OK(MPI_Improbe(before, kind, MPI_COMM_WORLD, &flag, &message, &status));
            while (!flag);
            CHECK_OK(MPI_Imrecv(in, length, MPI_BYTE, &message, &both[0]));
            CHECK(message == MPI_MESSAGE_NULL);
            CHECK_OK(MPI_Wait(&both[0], &status));
            break;
        case 6:
            CHECK_OK(MPI_Recv_init(in, length, MPI_BYTE, before, kind, MPI_COMM_WORLD, &both[0]));
            CHECK_OK(MPI_Start(&both[0]));
            CHECK_OK(MPI_Wait(&both[0], &status));
            CHECK_OK(MPI_Request_free(&both[0]));
            break;
        default:
            CHECK_OK(MPI_Irecv(in, length, MPI_BYTE, before, kind, MPI_COMM_WORLD, &both[0]));
            CHECK_OK(MPI_Waitall(1, both, statuses));
            status = statuses[0];
        }
        check_in(length, kind, &status);
        CHECK_OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
        if (kind == 3 || kind == 4)
            CHECK_OK(MPI_Request_free(&request));
        CHECK(request == MPI_REQUEST_NULL);
    }
    fill(length);
    CHECK_OK(MPI_Sendrecv(out, length, MPI_BYTE, next, 20, in, length, MPI_BYTE, before, 20, MPI_COMM_WORLD, &status));
    check_in(length, 20, &status);
    fill(length);
    CHECK_OK(MPI_Isendrecv(out, length, MPI_BYTE, next, 21, in, length, MPI_BYTE, before, 21, MPI_COMM_WORLD, &request));
    CHECK_OK(MPI_Wait(&request, &status));
    check_in(length, 21, &status);
    fill(length);
    memcpy(in, out, length);
    CHECK_OK(MPI_Sendrecv_replace(in, length, MPI_BYTE, next, 22, before, 22, MPI_COMM_WORLD, &status));
    check_in(length, 22, &status);
    memcpy(in, out, length);
    CHECK_OK(MPI_Isendrecv_replace(in, length, MPI_BYTE, next, 23, before, 23, MPI_COMM_WORLD, &request));
    CHECK_OK(MPI_Wait(&request, &status));
    check_in(length, 23, &status);
}

/* Pairs: blocking calls of both sides. */
static void blocking(void)
{
    MPI_Status status;
    int partner = rank ^ 1, length;

    if (partner >= size)
        return;
    for (length = 0; length < 200000; length = 3 * length + 1) {
        fill(length);
        if (rank < partner) {
            CHECK_OK(MPI_Send(out, length, MPI_BYTE, partner, 1, MPI_COMM_WORLD));
            CHECK_OK(MPI_Ssend(out, length, MPI_BYTE, partner, 2, MPI_COMM_WORLD));
            CHECK_OK(MPI_Rsend_c(out, length, MPI_BYTE, partner, 3, MPI_COMM_WORLD));
        } else {
            int i;
            for (i = 0; i < 3; i++) {
                memset(in, 0, length);
                CHECK_OK(MPI_Recv(in, length, MPI_BYTE, partner, i + 1, MPI_COMM_WORLD, &status));
                CHECK_IS(status.MPI_SOURCE, partner);
                CHECK(length == 0 || in[length - 1] == byte_of(partner, length - 1));
            }
        }
    }
}

static void check_nobody(const MPI_Status *status)
{
    int count;

    CHECK_IS(status->MPI_SOURCE, MPI_PROC_NULL);
    CHECK_IS(status->MPI_TAG, MPI_ANY_TAG);
    CHECK_OK(MPI_Get_count(status, MPI_INT, &count));
    CHECK_IS(count, 0);
}

static void nobody(void)
{
    int a = 4, b = 5, flag;
    MPI_Status status;
    MPI_Request request;
    MPI_Message message;

    CHECK_OK(MPI_Send(&a, 1, MPI_INT, MPI_PROC_NULL, 0, MPI_COMM_WORLD));
    CHECK_OK(MPI_Ssend(&a, 1, MPI_INT, MPI_PROC_NULL, 0, MPI_COMM_WORLD));
    CHECK_OK(MPI_Recv(&b, 1, MPI_INT, MPI_PROC_NULL, 7, MPI_COMM_WORLD, &status));
    check_nobody(&status);
    CHECK_IS(b, 5);
    CHECK_OK(MPI_Isend(&a, 1, MPI_INT, MPI_PROC_NULL, 0, MPI_COMM_WORLD, &request));
    CHECK_OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
    CHECK_OK(MPI_Irecv(&b, 1, MPI_INT, MPI_PROC_NULL, 0, MPI_COMM_WORLD, &request));
    CHECK_OK(MPI_Test(&request, &flag, &status));
    CHECK_IS(flag, 1);
    check_nobody(&status);
    CHECK_OK(MPI_Probe(MPI_PROC_NULL, 0, MPI_COMM_WORLD, &status));
    check_nobody(&status);
    CHECK_OK(MPI_Iprobe(MPI_PROC_NULL, 0, MPI_COMM_WORLD, &flag, &status));
    CHECK_IS(flag, 1);
    check_nobody(&status);
    CHECK_OK(MPI_Mprobe(MPI_PROC_NULL, 0, MPI_COMM_WORLD, &message, &status));
    CHECK(message == MPI_MESSAGE_NO_PROC);
    check_nobody(&status);
    CHECK_OK(MPI_Mrecv(&b, 1, MPI_INT, &message, &status));
    CHECK(message == MPI_MESSAGE_NULL);
    check_nobody(&status);
    CHECK_OK(MPI_Improbe(MPI_PROC_NULL, 0, MPI_COMM_WORLD, &flag, &message, &status));
    CHECK(message == MPI_MESSAGE_NO_PROC);
    CHECK_OK(MPI_Imrecv(&b, 1, MPI_INT, &message, &request));
    CHECK_OK(MPI_Wait(&request, &status));
    check_nobody(&status);
    CHECK_OK(MPI_Sendrecv(&a, 1, MPI_INT, MPI_PROC_NULL, 0, &b, 1, MPI_INT, MPI_PROC_NULL, 0, MPI_COMM_WORLD, &status));
    check_nobody(&status);
    /* One of the two sides is nobody. */
    CHECK_OK(MPI_Sendrecv(&a, 1, MPI_INT, rank, 30, &b, 1, MPI_INT, MPI_PROC_NULL, 0, MPI_COMM_WORLD, &status));
    check_nobody(&status);
    CHECK_OK(MPI_Sendrecv(&a, 1, MPI_INT, MPI_PROC_NULL, 0, &b, 1, MPI_INT, rank, 30, MPI_COMM_WORLD, &status));
    CHECK_IS(status.MPI_SOURCE, rank);
    CHECK_IS(b, 4);
    CHECK_OK(MPI_Sendrecv_replace(&b, 1, MPI_INT, rank, 31, MPI_PROC_NULL, 0, MPI_COMM_WORLD, &status));
    check_nobody(&status);
    b = 0;
    CHECK_OK(MPI_Sendrecv_replace(&b, 1, MPI_INT, MPI_PROC_NULL, 0, rank, 31, MPI_COMM_WORLD, &status));
    CHECK_IS(status.MPI_SOURCE, rank);
    CHECK_IS(b, 4);
}

/* To oneself, before and after the receive is there. */
static void oneself(MPI_Comm comm, int me)
{
    int i, value;
    MPI_Request request;
    MPI_Status status;

    for (i = 0; i < 3; i++) {
        int length = i * (LARGE / 2);
        memset(out, 3 + i, length);
        memset(in, 0, length);
        CHECK_OK(MPI_Irecv(in, length, MPI_BYTE, me, 5, comm, &request));
        CHECK_OK(MPI_Ssend(out, length, MPI_BYTE, me, 5, comm));
        CHECK_OK(MPI_Wait(&request, &status));
        CHECK_IS(status.MPI_SOURCE, me);
        CHECK(memcmp(in, out, length) == 0);
        memset(in, 0, length);
        CHECK_OK(MPI_Isend(out, length, MPI_BYTE, me, 6, comm, &request));
        CHECK_OK(MPI_Recv(in, length, MPI_BYTE, comm == MPI_COMM_SELF ? MPI_ANY_SOURCE : me, MPI_ANY_TAG, comm, &status));
        CHECK_IS(status.MPI_TAG, 6);
        CHECK_OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
        CHECK(memcmp(in, out, length) == 0);
    }
    for (i = 0; i < 100; i++)
        CHECK_OK(MPI_Send(&i, 1, MPI_INT, me, 7, comm));
    for (i = 0; i < 100; i++) {
        CHECK_OK(MPI_Recv(&value, 1, MPI_INT, me, 7, comm, MPI_STATUS_IGNORE));
        CHECK_IS(value, i);
    }
}

/* A message that is too long is cut, and nothing of it is left. */
static void too_long(void)
{
    int three[3] = {1, 2, 3}, one[2] = {0, -7}, count;
    MPI_Status status;
    MPI_Message message;
    MPI_Request request;

    CHECK_OK(MPI_Isend(three, 3, MPI_INT, next, 4, MPI_COMM_WORLD, &request));
    CHECK_CLASS(MPI_Recv(one, 1, MPI_INT, before, 4, MPI_COMM_WORLD, &status), MPI_ERR_TRUNCATE);
    CHECK_IS(one[0], 1);
    CHECK_IS(one[1], -7);
    CHECK_IS(status.MPI_SOURCE, before);
    CHECK_IS(status.MPI_TAG, 4);
    CHECK_OK(MPI_Get_count(&status, MPI_INT, &count));
    CHECK_IS(count, 1);
    CHECK_OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
    CHECK_OK(MPI_Isend(three, 3, MPI_INT, next, 4, MPI_COMM_WORLD, &request));
    CHECK_OK(MPI_Mprobe(before, 4, MPI_COMM_WORLD, &message, &status));
    CHECK_CLASS(MPI_Mrecv(one, 1, MPI_INT, &message, &status), MPI_ERR_TRUNCATE);
    CHECK_OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
    CHECK_OK(MPI_Isend(three, 3, MPI_INT, next, 4, MPI_COMM_WORLD, &request));
    CHECK_CLASS(MPI_Recv(NULL, 0, MPI_INT, before, 4, MPI_COMM_WORLD, &status), MPI_ERR_TRUNCATE);
    CHECK_OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
    CHECK_OK(MPI_Isend(three, 3, MPI_INT, next, 4, MPI_COMM_WORLD, &request));
    CHECK_OK(MPI_Recv(three, 3, MPI_INT, before, 4, MPI_COMM_WORLD, &status));
    CHECK_OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
}

static void wrong_arguments(void)
{
    int buf[2] = {0};
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Message message = MPI_MESSAGE_NULL;
    MPI_Datatype pair;
    int flag;

    CHECK_CLASS(MPI_Send(buf, -1, MPI_INT, 0, 0, MPI_COMM_WORLD), MPI_ERR_COUNT);
    CHECK_CLASS(MPI_Send(buf, 1, MPI_INT, size, 0, MPI_COMM_WORLD), MPI_ERR_RANK);
    CHECK_CLASS(MPI_Send(buf, 1, MPI_INT, MPI_ANY_SOURCE, 0, MPI_COMM_WORLD), MPI_ERR_RANK);
    CHECK_CLASS(MPI_Send(buf, 1, MPI_INT, 0, MPI_ANY_TAG, MPI_COMM_WORLD), MPI_ERR_TAG);
    CHECK_CLASS(MPI_Send(buf, 1, MPI_DATATYPE_NULL, 0, 0, MPI_COMM_WORLD), MPI_ERR_TYPE);
    CHECK_CLASS(MPI_Send(buf, 1, MPI_INT, 0, 0, MPI_COMM_NULL), MPI_ERR_COMM);
    CHECK_CLASS(MPI_Send(NULL, 1, MPI_INT, 0, 0, MPI_COMM_WORLD), MPI_ERR_BUFFER);
    CHECK_CLASS(MPI_Isend(NULL, 1, MPI_INT, 0, 0, MPI_COMM_WORLD, &request), MPI_ERR_BUFFER);
    CHECK_CLASS(MPI_Isend(buf, 1, MPI_INT, 0, 0, MPI_COMM_WORLD, NULL), MPI_ERR_ARG);
    CHECK_CLASS(MPI_Recv(NULL, 1, MPI_INT, 0, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE), MPI_ERR_BUFFER);
    CHECK_CLASS(MPI_Recv(buf, 1, MPI_INT, size, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE), MPI_ERR_RANK);
    CHECK_CLASS(MPI_Recv(buf, 1, MPI_INT, 0, -9, MPI_COMM_WORLD, MPI_STATUS_IGNORE), MPI_ERR_TAG);
    CHECK_CLASS(MPI_Send_init(buf, 1, MPI_INT, size, 0, MPI_COMM_WORLD, &request), MPI_ERR_RANK);
    CHECK_CLASS(MPI_Recv_init(buf, 1, MPI_INT, -7, 0, MPI_COMM_WORLD, &request), MPI_ERR_RANK);
    CHECK_CLASS(MPI_Probe(size, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE), MPI_ERR_RANK);
    CHECK_CLASS(MPI_Iprobe(0, -5, MPI_COMM_WORLD, &flag, MPI_STATUS_IGNORE), MPI_ERR_TAG);
    CHECK_CLASS(MPI_Mrecv(buf, 1, MPI_INT, &message, MPI_STATUS_IGNORE), MPI_ERR_REQUEST);
    CHECK_OK(MPI_Type_contiguous(2, MPI_INT, &pair));
    CHECK_CLASS(MPI_Send(buf, 1, pair, 0, 0, MPI_COMM_WORLD), MPI_ERR_TYPE);
    CHECK_OK(MPI_Type_free(&pair));
    CHECK(request == MPI_REQUEST_NULL);
}

/* The greatest tag is one. */
static void tags(void)
{
    int tag, value = 0, sent;

    for (tag = 0x7fffffff, sent = 1; sent < 4; sent++, tag /= 3) {
        MPI_Request request;
        MPI_Status status;
        CHECK_OK(MPI_Isend(&sent, 1, MPI_INT, next, tag, MPI_COMM_WORLD, &request));
        CHECK_OK(MPI_Recv(&value, 1, MPI_INT, before, tag, MPI_COMM_WORLD, &status));
        CHECK_IS(status.MPI_TAG, tag);
        CHECK_IS(value, sent);
        CHECK_OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
    }
}

/* All send to rank 0, which takes them by wildcards: in order of each sender. */
static void order(void)
{
    int each = 200, last[64], i, number;
    MPI_Status status;

    if (rank != 0) {
        for (i = 0; i < each; i++)
            CHECK_OK(MPI_Send(&i, 1, MPI_INT, 0, i % 3, MPI_COMM_WORLD));
        return;
    }
    for (i = 0; i < size; i++)
        last[i] = -1;
    for (i = 0; i < (size - 1) * each; i++) {
        CHECK_OK(MPI_Recv(&number, 1, MPI_INT, MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &status));
        CHECK_IS(number, last[status.MPI_SOURCE] + 1);
        CHECK_IS(status.MPI_TAG, number % 3);
        last[status.MPI_SOURCE] = number;
    }
}

int main(int argc, char **argv)
{
    check_start(&argc, &argv);
    rank = check_rank();
    size = check_size();
    next = (rank + 1) % size;
    before = (rank + size - 1) % size;
    if (argc > 1 && rank == 0) {
        int three[3] = {0};
        CHECK_OK(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_ARE_FATAL));
        MPI_Send(three, 3, MPI_INT, 0, 4, MPI_COMM_WORLD);
        MPI_Recv(three, 1, MPI_INT, 0, 4, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    }
    if (argc > 1) {
        /* Until rank 0 has ended the job. */
        int nothing;
        MPI_Recv(&nothing, 1, MPI_INT, 0, 4, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        return 0;
    }
    out = malloc(LARGE + 1);
    in = malloc(LARGE + 1);
    wrong_arguments();
    tags();
    one_size(0);
    one_size(1);
    one_size(8);
    one_size(40);
    one_size(5000);
    one_size(70000);
    one_size(LARGE);
    blocking();
    nobody();
    oneself(MPI_COMM_SELF, 0);
    oneself(MPI_COMM_WORLD, rank);
    too_long();
    order();
    free(out);
    free(in);
    CHECK_OK(MPI_Finalize());
    return 0;
}
