/* Completing many requests in all ways, with the statuses that each gives (MPI 5.0, 3.7). */
/* ranks: 1 2 3 */
#include "check.h"

#define MANY 64

static int rank, size, next, before;

static void check_empty(const MPI_Status *status)
{
    int count = -1, flag = -1;

    CHECK_IS(status->MPI_SOURCE, MPI_ANY_SOURCE);
    CHECK_IS(status->MPI_TAG, MPI_ANY_TAG);
    CHECK_OK(MPI_Get_count(status, MPI_INT, &count));
    CHECK_IS(count, 0);
    CHECK_OK(MPI_Test_cancelled(status, &flag));
    CHECK_IS(flag, 0);
}

static void nothing_to_wait_for(void)
{
    MPI_Request requests[3] = {MPI_REQUEST_NULL, MPI_REQUEST_NULL, MPI_REQUEST_NULL}, null = MPI_REQUEST_NULL;
    MPI_Status status, statuses[3];
    int flag, index, count, indices[3], buf = 0, round;

    /* Nulls, then an inactive request among them. */
    for (round = 0; round < 2; round++) {
        memset(&status, 0x77, sizeof status);
        CHECK_OK(MPI_Wait(&requests[1], &status));
        check_empty(&status);
        memset(&status, 0x77, sizeof status);
        CHECK_OK(MPI_Test(&requests[1], &flag, &status));
        CHECK_IS(flag, 1);
        check_empty(&status);
        memset(&status, 0x77, sizeof status);
        CHECK_OK(MPI_Request_get_status(requests[1], &flag, &status));
        CHECK_IS(flag, 1);
        check_empty(&status);
        memset(statuses, 0x77, sizeof statuses);
        CHECK_OK(MPI_Waitall(3, requests, statuses));
        check_empty(&statuses[0]);
        check_empty(&statuses[2]);
        /* A call that ends well leaves the error fields alone. */
        CHECK_IS(statuses[0].MPI_ERROR, 0x77777777);
        CHECK_OK(MPI_Testall(3, requests, &flag, statuses));
        CHECK_IS(flag, 1);
        CHECK_OK(MPI_Waitany(3, requests, &index, &status));
        CHECK_IS(index, MPI_UNDEFINED);
        check_empty(&status);
        memset(&status, 0x77, sizeof status);
        CHECK_OK(MPI_Testany(3, requests, &index, &flag, &status));
        CHECK_IS(index, MPI_UNDEFINED);
        CHECK_IS(flag, 1);
        check_empty(&status);
        CHECK_OK(MPI_Waitsome(3, requests, &count, indices, statuses));
        CHECK_IS(count, MPI_UNDEFINED);
        count = 5;
        CHECK_OK(MPI_Testsome(3, requests, &count, indices, statuses));
        CHECK_IS(count, MPI_UNDEFINED);
        CHECK_OK(MPI_Request_get_status_all(3, requests, &flag, statuses));
        CHECK_IS(flag, 1);
        CHECK_OK(MPI_Request_get_status_any(3, requests, &index, &flag, &status));
        CHECK_IS(index, MPI_UNDEFINED);
        CHECK_IS(flag, 1);
        CHECK_OK(MPI_Request_get_status_some(3, requests, &count, indices, statuses));
        CHECK_IS(count, MPI_UNDEFINED);
        if (round == 0)
            CHECK_OK(MPI_Recv_init(&buf, 1, MPI_INT, before, 0, MPI_COMM_WORLD, &requests[1]));
    }
    CHECK(requests[1] != MPI_REQUEST_NULL);
    CHECK_CLASS(MPI_Cancel(&requests[1]), MPI_ERR_REQUEST);
    CHECK_OK(MPI_Request_free(&requests[1]));
    CHECK(requests[1] == MPI_REQUEST_NULL);
    CHECK_OK(MPI_Waitall(0, NULL, MPI_STATUSES_IGNORE));
    CHECK_OK(MPI_Testall(0, NULL, &flag, MPI_STATUSES_IGNORE));
    CHECK_IS(flag, 1);
    CHECK_CLASS(MPI_Waitall(-1, requests, statuses), MPI_ERR_COUNT);
    CHECK_CLASS(MPI_Waitall(1, NULL, statuses), MPI_ERR_ARG);
    CHECK_CLASS(MPI_Request_free(&null), MPI_ERR_REQUEST);
    CHECK_CLASS(MPI_Cancel(&null), MPI_ERR_REQUEST);
    CHECK_CLASS(MPI_Start(&null), MPI_ERR_REQUEST);
}

static int sent[MANY], received[MANY];

/* Receives in the first half, sends in the second; each message has its own tag. */
static void begin(MPI_Request *requests)
{
    int i;

    for (i = 0; i < MANY; i++) {
        sent[i] = rank * 1000 + i;
        received[i] = -1;
        CHECK_OK(MPI_Irecv(&received[i], 1, MPI_INT, before, i, MPI_COMM_WORLD, &requests[i]));
    }
    for (i = 0; i < MANY; i++)
        CHECK_OK(MPI_Isend(&sent[i], 1, MPI_INT, next, i, MPI_COMM_WORLD, &requests[MANY + i]));
}

static void check_received(int i, const MPI_Status *status)
{
    int count;

    if (i >= MANY)
        return;
    CHECK_IS(received[i], before * 1000 + i);
    CHECK_IS(status->MPI_SOURCE, before);
    CHECK_IS(status->MPI_TAG, i);
    CHECK_OK(MPI_Get_count(status, MPI_INT, &count));
    CHECK_IS(count, 1);
}

static void all_null(const MPI_Request *requests)
{
    int i;

    for (i = 0; i < 2 * MANY; i++)
        CHECK(requests[i] == MPI_REQUEST_NULL);
}

static void many(void)
{
    MPI_Request requests[2 * MANY];
    MPI_Status statuses[2 * MANY], status;
    int i, index, flag, count, indices[2 * MANY], left;

    begin(requests);
    CHECK_OK(MPI_Waitall(2 * MANY, requests, statuses));
    for (i = 0; i < MANY; i++)
        check_received(i, &statuses[i]);
    all_null(requests);

    begin(requests);
    do
        CHECK_OK(MPI_Testall(2 * MANY, requests, &flag, statuses));
    while (!flag);
    for (i = 0; i < MANY; i++)
        check_received(i, &statuses[i]);
    all_null(requests);

    begin(requests);
    for (i = 0; i < 2 * MANY; i++) {
        CHECK_OK(MPI_Waitany(2 * MANY, requests, &index, &status));
        CHECK(requests[index] == MPI_REQUEST_NULL);
        check_received(index, &status);
    }
    all_null(requests);

    begin(requests);
    for (i = 0; i < 2 * MANY; i++) {
        do
            CHECK_OK(MPI_Testany(2 * MANY, requests, &index, &flag, &status));
        while (!flag);
        check_received(index, &status);
    }
    all_null(requests);

    begin(requests);
    for (left = 2 * MANY; left > 0; left -= count) {
        CHECK_OK(MPI_Waitsome(2 * MANY, requests, &count, indices, statuses));
        CHECK(count > 0);
        for (i = 0; i < count; i++)
            check_received(indices[i], &statuses[i]);
    }
    all_null(requests);

    begin(requests);
    for (left = 2 * MANY; left > 0; left -= count) {
        CHECK_OK(MPI_Testsome(2 * MANY, requests, &count, indices, statuses));
        for (i = 0; i < count; i++)
            check_received(indices[i], &statuses[i]);
    }
    all_null(requests);
}

/* Looking leaves everything as it is. */
static void looks(void)
{
    MPI_Request requests[2 * MANY];
    MPI_Status statuses[2 * MANY], status;
    int i, index, flag, count, indices[2 * MANY];

    begin(requests);
    for (i = 0; i < MANY; i++)
        do
            CHECK_OK(MPI_Request_get_status(requests[i], &flag, &status));
        while (!flag);
    check_received(MANY - 1, &status);
    do
        CHECK_OK(MPI_Request_get_status_all(2 * MANY, requests, &flag, statuses));
    while (!flag);
    for (i = 0; i < MANY; i++)
        check_received(i, &statuses[i]);
    CHECK_OK(MPI_Request_get_status_any(2 * MANY, requests, &index, &flag, &status));
    CHECK_IS(flag, 1);
    check_received(index, &status);
    CHECK_OK(MPI_Request_get_status_some(2 * MANY, requests, &count, indices, statuses));
    CHECK_IS(count, 2 * MANY);
    for (i = 0; i < count; i++)
        check_received(indices[i], &statuses[i]);
    CHECK_OK(MPI_Waitall(2 * MANY, requests, MPI_STATUSES_IGNORE));
    all_null(requests);
}

/* Some end badly: the call says so, and the statuses say which. */
static void in_status(void)
{
    MPI_Request requests[4] = {MPI_REQUEST_NULL, MPI_REQUEST_NULL, MPI_REQUEST_NULL, MPI_REQUEST_NULL};
    MPI_Status statuses[4], status;
    int four[4] = {1, 2, 3, 4}, one[2] = {0, -1}, other = 0, i, count, indices[4], index;

    for (i = 0; i < 2; i++) {
        memset(statuses, 0x55, sizeof statuses);
        one[0] = 0;
        CHECK_OK(MPI_Irecv(&other, 1, MPI_INT, 0, 1, MPI_COMM_SELF, &requests[1]));
        CHECK_OK(MPI_Irecv(one, 1, MPI_INT, 0, 2, MPI_COMM_SELF, &requests[2]));
        CHECK_OK(MPI_Send(four, 1, MPI_INT, 0, 1, MPI_COMM_SELF));
        CHECK_OK(MPI_Send(four, 4, MPI_INT, 0, 2, MPI_COMM_SELF));
        if (i == 0) {
            CHECK_CLASS(MPI_Waitall(4, requests, statuses), MPI_ERR_IN_STATUS);
            CHECK_IS(statuses[0].MPI_ERROR, MPI_SUCCESS);
            CHECK_IS(statuses[1].MPI_ERROR, MPI_SUCCESS);
            CHECK_IS(statuses[2].MPI_ERROR, MPI_ERR_TRUNCATE);
            CHECK_IS(statuses[3].MPI_ERROR, MPI_SUCCESS);
            status = statuses[2];
        } else {
            CHECK_CLASS(MPI_Waitsome(4, requests, &count, indices, statuses), MPI_ERR_IN_STATUS);
            CHECK_IS(count, 2);
            CHECK_IS(indices[1], 2);
            CHECK_IS(statuses[0].MPI_ERROR, MPI_SUCCESS);
            CHECK_IS(statuses[1].MPI_ERROR, MPI_ERR_TRUNCATE);
            /* Only as many statuses are given as requests have ended. */
            CHECK_IS(statuses[2].MPI_ERROR, 0x55555555);
            CHECK_IS(statuses[3].MPI_ERROR, 0x55555555);
            status = statuses[1];
        }
        CHECK_IS(status.MPI_SOURCE, 0);
        CHECK_IS(status.MPI_TAG, 2);
        CHECK_IS(one[0], 1);
        CHECK_IS(one[1], -1);
        CHECK(requests[1] == MPI_REQUEST_NULL && requests[2] == MPI_REQUEST_NULL);
    }
    /* A call for one request gives its error itself, and leaves the field. */
    CHECK_OK(MPI_Irecv(one, 1, MPI_INT, 0, 2, MPI_COMM_SELF, &requests[2]));
    CHECK_OK(MPI_Send(four, 4, MPI_INT, 0, 2, MPI_COMM_SELF));
    memset(&status, 0x55, sizeof status);
    CHECK_CLASS(MPI_Waitany(4, requests, &index, &status), MPI_ERR_TRUNCATE);
    CHECK_IS(index, 2);
    CHECK_IS(status.MPI_ERROR, 0x55555555);
    CHECK_OK(MPI_Irecv(one, 1, MPI_INT, 0, 2, MPI_COMM_SELF, &requests[2]));
    CHECK_OK(MPI_Send(four, 4, MPI_INT, 0, 2, MPI_COMM_SELF));
    CHECK_CLASS(MPI_Waitall(4, requests, MPI_STATUSES_IGNORE), MPI_ERR_IN_STATUS);
}

static void cancelling(void)
{
    MPI_Request request, again;
    MPI_Status status;
    int buf = 5, flag, got = 0;

    CHECK_OK(MPI_Irecv(&buf, 1, MPI_INT, before, 70, MPI_COMM_WORLD, &request));
    CHECK_OK(MPI_Cancel(&request));
    CHECK_OK(MPI_Wait(&request, &status));
    CHECK_OK(MPI_Test_cancelled(&status, &flag));
    CHECK_IS(flag, 1);
    CHECK_IS(buf, 5);
    /* Persistent: cancelled once, started again. */
    CHECK_OK(MPI_Recv_init(&buf, 1, MPI_INT, 0, 71, MPI_COMM_SELF, &again));
    CHECK_OK(MPI_Start(&again));
    CHECK_OK(MPI_Cancel(&again));
    CHECK_OK(MPI_Wait(&again, &status));
    CHECK_OK(MPI_Test_cancelled(&status, &flag));
    CHECK_IS(flag, 1);
    CHECK_OK(MPI_Start(&again));
    got = 9;
    CHECK_OK(MPI_Send(&got, 1, MPI_INT, 0, 71, MPI_COMM_SELF));
    /* Too late: the message is there. */
    CHECK_OK(MPI_Cancel(&again));
    CHECK_OK(MPI_Wait(&again, &status));
    CHECK_OK(MPI_Test_cancelled(&status, &flag));
    CHECK_IS(flag, 0);
    CHECK_IS(buf, 9);
    CHECK_OK(MPI_Request_free(&again));
    /* A send goes through. */
    CHECK_OK(MPI_Isend(&got, 1, MPI_INT, next, 72, MPI_COMM_WORLD, &request));
    CHECK_OK(MPI_Cancel(&request));
    CHECK_OK(MPI_Recv(&buf, 1, MPI_INT, before, 72, MPI_COMM_WORLD, MPI_STATUS_IGNORE));
    CHECK_OK(MPI_Wait(&request, &status));
    CHECK_OK(MPI_Test_cancelled(&status, &flag));
    CHECK_IS(flag, 0);
}

/* What goes on when its request is freed ends by itself. */
static void freeing(void)
{
    MPI_Request request, copy;
    int i, out = 1, in = 0, go = 0;

    CHECK_OK(MPI_Irecv(&in, 1, MPI_INT, before, 80, MPI_COMM_WORLD, &request));
    copy = request;
    CHECK_OK(MPI_Request_free(&request));
    CHECK(request == MPI_REQUEST_NULL);
    CHECK_CLASS(MPI_Wait(&copy, MPI_STATUS_IGNORE), MPI_ERR_REQUEST);
    out = 40 + rank;
    CHECK_OK(MPI_Isend(&out, 1, MPI_INT, next, 80, MPI_COMM_WORLD, &request));
    CHECK_OK(MPI_Request_free(&request));
    /* Messages come in order: behind this one the other is there. */
    CHECK_OK(MPI_Sendrecv(&go, 1, MPI_INT, next, 81, &go, 1, MPI_INT, MPI_PROC_NULL, 0, MPI_COMM_WORLD,
                          MPI_STATUS_IGNORE));
    CHECK_OK(MPI_Recv(&go, 1, MPI_INT, before, 81, MPI_COMM_WORLD, MPI_STATUS_IGNORE));
    CHECK_IS(*(volatile int *)&in, 40 + before);
    /* Persistent ones, while they are active. */
    for (i = 0; i < 3; i++) {
        CHECK_OK(MPI_Recv_init(&in, 1, MPI_INT, before, 82, MPI_COMM_WORLD, &request));
        CHECK_OK(MPI_Start(&request));
        CHECK_OK(MPI_Request_free(&request));
        out = 100 * i + rank;
        CHECK_OK(MPI_Send_init(&out, 1, MPI_INT, next, 82, MPI_COMM_WORLD, &request));
        CHECK_OK(MPI_Start(&request));
        CHECK_OK(MPI_Request_free(&request));
        CHECK_OK(MPI_Send(&go, 1, MPI_INT, next, 83, MPI_COMM_WORLD));
        CHECK_OK(MPI_Recv(&go, 1, MPI_INT, before, 83, MPI_COMM_WORLD, MPI_STATUS_IGNORE));
        CHECK_IS(*(volatile int *)&in, 100 * i + before);
    }
}

/* Small sends have ended when their requests are given; they are waited for, looked at and freed as any other. */
static void over_at_once(void)
{
    enum { SENDS = 12 };
    MPI_Request requests[SENDS + 1], request;
    MPI_Status statuses[SENDS + 1], status;
    int in[SENDS], places[SENDS + 1], i, flag, place, count;

    for (i = 0; i < SENDS; i++)
        CHECK_OK(MPI_Isend(&rank, 1, MPI_INT, next, i, MPI_COMM_WORLD, &requests[i]));
    for (i = 0; i < SENDS; i++)
        CHECK_OK(MPI_Recv(&in[i], 1, MPI_INT, before, i, MPI_COMM_WORLD, MPI_STATUS_IGNORE));
    for (i = 0; i < SENDS; i++)
        CHECK(requests[i] != MPI_REQUEST_NULL);
    CHECK(MPI_Request_fromint(MPI_Request_toint(requests[0])) == requests[0]);
    CHECK_OK(MPI_Request_get_status(requests[0], &flag, &status));
    CHECK_IS(flag, 1);
    CHECK_CLASS(MPI_Start(&requests[0]), MPI_ERR_REQUEST);
    CHECK_OK(MPI_Wait(&requests[0], &status));
    CHECK(requests[0] == MPI_REQUEST_NULL);
    CHECK_OK(MPI_Test_cancelled(&status, &flag));
    CHECK_IS(flag, 0);
    CHECK_OK(MPI_Test(&requests[1], &flag, &status));
    CHECK_IS(flag, 1);
    CHECK(requests[1] == MPI_REQUEST_NULL);
    CHECK_OK(MPI_Request_free(&requests[2]));
    CHECK(requests[2] == MPI_REQUEST_NULL);
    CHECK_OK(MPI_Waitany(SENDS, requests, &place, &status));
    CHECK_IS(place, 3);
    CHECK(requests[3] == MPI_REQUEST_NULL);
    CHECK_OK(MPI_Testany(SENDS, requests, &place, &flag, &status));
    CHECK_IS(flag, 1);
    CHECK_IS(place, 4);
    CHECK_OK(MPI_Waitsome(3, requests + 4, &count, places, statuses));
    CHECK_IS(count, 2);
    CHECK(places[0] == 1 && places[1] == 2);
    CHECK_OK(MPI_Testsome(2, requests + 6, &count, places, statuses));
    CHECK_IS(count, 1);
    CHECK_IS(places[0], 1);
    /* One that goes on among them. */
    CHECK_OK(MPI_Irecv(&in[0], 1, MPI_INT, before, SENDS, MPI_COMM_WORLD, &request));
    requests[SENDS] = request;
    CHECK_OK(MPI_Testall(SENDS + 1, requests, &flag, statuses));
    CHECK_IS(flag, 0);
    CHECK(requests[8] != MPI_REQUEST_NULL && requests[SENDS] == request);
    CHECK_OK(MPI_Barrier(MPI_COMM_WORLD));
    CHECK_OK(MPI_Send(&rank, 1, MPI_INT, next, SENDS, MPI_COMM_WORLD));
    statuses[8].MPI_ERROR = 77;
    CHECK_OK(MPI_Waitall(SENDS + 1, requests, statuses));
    CHECK_IS(statuses[8].MPI_ERROR, 77);
    CHECK_IS(statuses[SENDS].MPI_SOURCE, before);
    CHECK_IS(in[0], before);
    for (i = 0; i <= SENDS; i++)
        CHECK(requests[i] == MPI_REQUEST_NULL);
}

static int told;
static MPI_Comm told_of;

static void note(MPI_Comm *comm, int *code, ...)
{
    (void)code;
    told++;
    told_of = *comm;
}

/* Errors of starting a persistent request are those of its communicator. */
static void starting(void)
{
    MPI_Comm comm;
    MPI_Errhandler mine;
    MPI_Request requests[3];
    int in, out = rank, i;

    CHECK_OK(MPI_Comm_dup(MPI_COMM_WORLD, &comm));
    CHECK_OK(MPI_Comm_create_errhandler(note, &mine));
    CHECK_OK(MPI_Comm_set_errhandler(comm, mine));
    CHECK_OK(MPI_Errhandler_free(&mine));
    CHECK_OK(MPI_Recv_init(&in, 1, MPI_INT, before, 1, comm, &requests[0]));
    CHECK_OK(MPI_Send_init(&out, 1, MPI_INT, next, 1, comm, &requests[1]));
    CHECK_OK(MPI_Barrier_init(comm, MPI_INFO_NULL, &requests[2]));
    CHECK_OK(MPI_Startall(3, requests));
    told = 0;
    for (i = 0; i < 3; i++) {
        told_of = MPI_COMM_NULL;
        /* A send that has begun may have ended: it is active all the same. */
        CHECK_CLASS(MPI_Start(&requests[i]), MPI_ERR_REQUEST);
        CHECK_IS(told, i + 1);
        CHECK(told_of == comm);
    }
    CHECK_CLASS(MPI_Startall(3, requests), MPI_ERR_REQUEST);
    CHECK_IS(told, 4);
    CHECK_OK(MPI_Waitall(3, requests, MPI_STATUSES_IGNORE));
    CHECK_IS(in, before);
    for (i = 0; i < 3; i++)
        CHECK_OK(MPI_Request_free(&requests[i]));
    CHECK_OK(MPI_Comm_free(&comm));
}

int main(int argc, char **argv)
{
    check_start(&argc, &argv);
    rank = check_rank();
    size = check_size();
    next = (rank + 1) % size;
    before = (rank + size - 1) % size;
    nothing_to_wait_for();
    many();
    looks();
    in_status();
    cancelling();
    freeing();
    over_at_once();
    starting();
    CHECK_OK(MPI_Finalize());
    return 0;
}
