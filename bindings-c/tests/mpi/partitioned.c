/* Partitioned communication (MPI 5.0, chapter 4). */
/* ranks: 1 2 3 4 */
#include "check.h"

#include <pthread.h>

#define ROUNDS 4

static int rank, size, next, before;

/* The value of an element in a round. */
static int value(int from, int round, int element)
{
    return from * 1000003 + round * 4099 + element;
}

/* Both sides have `total` ints, in different partitions; those of the sender become ready from the last. */
static void round_trip(int total, int sends, int receives)
{
    int *sent = calloc(total + 1, sizeof(int)), *received = calloc(total + 1, sizeof(int));
    int each_sent = total / sends, each_received = total / receives, round, i, flag, count;
    MPI_Request requests[2];
    MPI_Status statuses[2];

    CHECK_OK(MPI_Psend_init(sent, sends, each_sent, MPI_INT, next, 3, MPI_COMM_WORLD, MPI_INFO_NULL, &requests[0]));
    CHECK_OK(MPI_Precv_init(received, receives, each_received, MPI_INT, before, 3, MPI_COMM_WORLD, MPI_INFO_NULL,
                            &requests[1]));
    for (round = 0; round < ROUNDS; round++) {
        for (i = 0; i < total; i++)
            received[i] = -1;
        CHECK_OK(MPI_Startall(2, requests));
        CHECK_CLASS(MPI_Start(&requests[0]), MPI_ERR_REQUEST);
        CHECK_OK(MPI_Test(&requests[0], &flag, MPI_STATUS_IGNORE));
        CHECK_IS(flag, 0);
        for (i = 0; i < total; i++)
            sent[i] = value(rank, round, i);
        for (i = sends - 1; i >= 0; i--)
            CHECK_OK(MPI_Pready(i, requests[0]));
        for (i = receives - 1; i >= 0; i--) {
            int at;
            do
                CHECK_OK(MPI_Parrived(requests[1], i, &flag));
            while (!flag);
            for (at = i * each_received; at < (i + 1) * each_received; at++)
                CHECK_IS(received[at], value(before, round, at));
        }
        CHECK_OK(MPI_Waitall(2, requests, statuses));
        CHECK_IS(statuses[1].MPI_SOURCE, before);
        CHECK_IS(statuses[1].MPI_TAG, 3);
        CHECK_OK(MPI_Get_count(&statuses[1], MPI_INT, &count));
        CHECK_IS(count, total);
        CHECK_OK(MPI_Parrived(requests[1], 0, &flag));
        CHECK_IS(flag, 1);
    }
    CHECK_OK(MPI_Request_free(&requests[0]));
    CHECK_OK(MPI_Request_free(&requests[1]));
    free(sent);
    free(received);
}

/* A partition has arrived before the others are ready. */
static void one_by_one(void)
{
    int sent[6] = {0}, received[6], i, flag;
    MPI_Request requests[2];

    CHECK_OK(MPI_Psend_init(sent, 3, 2, MPI_INT, rank, 0, MPI_COMM_WORLD,
                            MPI_INFO_NULL, &requests[0]));
    CHECK_OK(MPI_Precv_init(received, 3, 2, MPI_INT, rank, 0, MPI_COMM_WORLD, MPI_INFO_NULL, &requests[1]));
    CHECK_OK(MPI_Startall(2, requests));
    for (i = 0; i < 6; i++)
        sent[i] = 10 + i;
    CHECK_OK(MPI_Pready(2, requests[0]));
    do
        CHECK_OK(MPI_Parrived(requests[1], 2, &flag));
    while (!flag);
    CHECK_IS(received[4], 14);
    CHECK_IS(received[5], 15);
    CHECK_OK(MPI_Parrived(requests[1], 0, &flag));
    CHECK_IS(flag, 0);
    CHECK_CLASS(MPI_Pready(2, requests[0]), MPI_ERR_ARG);
    CHECK_OK(MPI_Pready_range(0, 1, requests[0]));
    CHECK_OK(MPI_Waitall(2, requests, MPI_STATUSES_IGNORE));
    for (i = 0; i < 6; i++)
        CHECK_IS(received[i], 10 + i);
    CHECK_CLASS(MPI_Pready(0, requests[0]), MPI_ERR_REQUEST);
    CHECK_OK(MPI_Request_free(&requests[0]));
    CHECK_OK(MPI_Request_free(&requests[1]));
}

/* Equal tags meet in the order of the calls; other messages of the same tag are apart. */
static void order(void)
{
    int sent[2][4] = {{0}}, received[2][4], plain = 77, got = 0, i, k, list[4] = {3, 1, 0, 2};
    MPI_Request requests[4];

    for (k = 0; k < 2; k++) {
        CHECK_OK(MPI_Psend_init(sent[k], 4, 1, MPI_INT, next, 9, MPI_COMM_WORLD, MPI_INFO_NULL, &requests[k]));
        CHECK_OK(MPI_Precv_init_c(received[k], 2, 2, MPI_INT, before, 9, MPI_COMM_WORLD, MPI_INFO_NULL, &requests[2 + k]));
    }
    CHECK_OK(MPI_Startall(4, requests));
    CHECK_OK(MPI_Sendrecv(&plain, 1, MPI_INT, next, 9, &got, 1, MPI_INT, MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD,
                          MPI_STATUS_IGNORE));
    CHECK_IS(got, 77);
    for (k = 1; k >= 0; k--) {
        for (i = 0; i < 4; i++)
            sent[k][i] = 100 * k + i;
        CHECK_OK(MPI_Pready_list(4, list, requests[k]));
    }
    CHECK_OK(MPI_Waitall(4, requests, MPI_STATUSES_IGNORE));
    for (k = 0; k < 2; k++)
        for (i = 0; i < 4; i++)
            CHECK_IS(received[k][i], 100 * k + i);
    for (k = 0; k < 4; k++)
        CHECK_OK(MPI_Request_free(&requests[k]));
}

/* Columns are sent, a row is received. */
static void layouts(void)
{
    int matrix[4][3], row[12], i;
    MPI_Datatype column, resized;
    MPI_Request requests[2];

    CHECK_OK(MPI_Type_vector(4, 1, 3, MPI_INT, &column));
    CHECK_OK(MPI_Type_create_resized(column, 0, sizeof(int), &resized));
    CHECK_OK(MPI_Type_commit(&resized));
    for (i = 0; i < 12; i++)
        matrix[i / 3][i % 3] = i;
    CHECK_OK(MPI_Psend_init_c(matrix, 3, 1, resized, next, 1, MPI_COMM_WORLD, MPI_INFO_NULL, &requests[0]));
    CHECK_OK(MPI_Type_free(&resized));
    CHECK_OK(MPI_Type_free(&column));
    CHECK_OK(MPI_Precv_init(row, 6, 2, MPI_INT, before, 1, MPI_COMM_WORLD, MPI_INFO_NULL, &requests[1]));
    CHECK_OK(MPI_Startall(2, requests));
    CHECK_OK(MPI_Pready_range(0, 2, requests[0]));
    CHECK_OK(MPI_Waitall(2, requests, MPI_STATUSES_IGNORE));
    for (i = 0; i < 12; i++)
        CHECK_IS(row[i], (i % 4) * 3 + i / 4);
    CHECK_OK(MPI_Request_free(&requests[0]));
    CHECK_OK(MPI_Request_free(&requests[1]));
}

static void errors(void)
{
    int buf[8] = {0}, flag;
    MPI_Request request, requests[2];
    MPI_Status status;
    int list[2] = {0, 5};

    CHECK_CLASS(MPI_Psend_init(buf, 0, 1, MPI_INT, 0, 0, MPI_COMM_WORLD, MPI_INFO_NULL, &request), MPI_ERR_ARG);
    CHECK_CLASS(MPI_Psend_init(buf, 2, -1, MPI_INT, 0, 0, MPI_COMM_WORLD, MPI_INFO_NULL, &request), MPI_ERR_COUNT);
    CHECK_CLASS(MPI_Psend_init(buf, 2, 1, MPI_INT, size, 0, MPI_COMM_WORLD, MPI_INFO_NULL, &request), MPI_ERR_RANK);
    CHECK_CLASS(MPI_Psend_init(NULL, 2, 1, MPI_INT, 0, 0, MPI_COMM_WORLD, MPI_INFO_NULL, &request), MPI_ERR_BUFFER);
    CHECK_CLASS(MPI_Precv_init(buf, 2, 1, MPI_INT, MPI_ANY_SOURCE, 0, MPI_COMM_WORLD, MPI_INFO_NULL, &request),
                MPI_ERR_RANK);
    CHECK_CLASS(MPI_Precv_init(buf, 2, 1, MPI_INT, 0, MPI_ANY_TAG, MPI_COMM_WORLD, MPI_INFO_NULL, &request), MPI_ERR_TAG);
    CHECK_OK(MPI_Parrived(MPI_REQUEST_NULL, 0, &flag));
    CHECK_IS(flag, 1);

    CHECK_OK(MPI_Psend_init(buf, 2, 1, MPI_INT, MPI_PROC_NULL, 0, MPI_COMM_WORLD, MPI_INFO_NULL, &request));
    CHECK_OK(MPI_Start(&request));
    CHECK_CLASS(MPI_Pready(2, request), MPI_ERR_ARG);
    CHECK_OK(MPI_Pready(1, request));
    CHECK_OK(MPI_Wait(&request, &status));
    CHECK_IS(status.MPI_SOURCE, MPI_PROC_NULL);
    CHECK_OK(MPI_Request_free(&request));

    CHECK_OK(MPI_Irecv(buf, 1, MPI_INT, rank, 55, MPI_COMM_WORLD, &request));
    CHECK_CLASS(MPI_Pready(0, request), MPI_ERR_REQUEST);
    CHECK_CLASS(MPI_Parrived(request, 0, &flag), MPI_ERR_REQUEST);
    CHECK_OK(MPI_Cancel(&request));
    CHECK_OK(MPI_Wait(&request, MPI_STATUS_IGNORE));

    /* More than there is room for: what fits is there, and both sides are named. */
    CHECK_OK(MPI_Psend_init(buf, 4, 1, MPI_INT, rank, 2, MPI_COMM_WORLD, MPI_INFO_NULL, &requests[0]));
    {
        int room[3] = {0, 0, -1};
        CHECK_OK(MPI_Precv_init(room, 2, 1, MPI_INT, rank, 2, MPI_COMM_WORLD, MPI_INFO_NULL, &requests[1]));
        CHECK_OK(MPI_Startall(2, requests));
        CHECK_CLASS(MPI_Parrived(requests[0], 0, &flag), MPI_ERR_REQUEST);
        CHECK_CLASS(MPI_Pready(0, requests[1]), MPI_ERR_REQUEST);
        CHECK_CLASS(MPI_Parrived(requests[1], 2, &flag), MPI_ERR_ARG);
        CHECK_CLASS(MPI_Pready_range(2, 1, requests[0]), MPI_ERR_ARG);
        buf[0] = 5;
        buf[1] = 6;
        CHECK_CLASS(MPI_Pready_list(2, list, requests[0]), MPI_ERR_ARG);
        CHECK_OK(MPI_Pready_range(1, 3, requests[0]));
        CHECK_OK(MPI_Wait(&requests[0], MPI_STATUS_IGNORE));
        CHECK_CLASS(MPI_Wait(&requests[1], &status), MPI_ERR_TRUNCATE);
        CHECK_IS(room[0], 5);
        CHECK_IS(room[1], 6);
        CHECK_IS(room[2], -1);
    }
    CHECK_OK(MPI_Request_free(&requests[0]));
    CHECK_OK(MPI_Request_free(&requests[1]));
}

#define THREADS 4
#define OF_EACH 16

static MPI_Request shared;
static int shared_memory[THREADS * OF_EACH];

static void *fill(void *number)
{
    int first = *(int *)number * OF_EACH, i;

    for (i = first; i < first + OF_EACH; i++) {
        shared_memory[i] = value(rank, 0, i);
        CHECK_OK(MPI_Pready(i, shared));
    }
    return NULL;
}

static void by_threads(void)
{
    int received[THREADS * OF_EACH], numbers[THREADS], i;
    pthread_t threads[THREADS];
    MPI_Request request;

    CHECK_OK(MPI_Psend_init(shared_memory, THREADS * OF_EACH, 1, MPI_INT, next, 4, MPI_COMM_WORLD, MPI_INFO_NULL, &shared));
    CHECK_OK(MPI_Precv_init(received, 1, THREADS * OF_EACH, MPI_INT, before, 4, MPI_COMM_WORLD, MPI_INFO_NULL, &request));
    CHECK_OK(MPI_Start(&shared));
    CHECK_OK(MPI_Start(&request));
    for (i = 0; i < THREADS; i++) {
        numbers[i] = i;
        CHECK_IS(pthread_create(&threads[i], NULL, fill, &numbers[i]), 0);
    }
    CHECK_OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
    CHECK_OK(MPI_Wait(&shared, MPI_STATUS_IGNORE));
    for (i = 0; i < THREADS; i++)
        CHECK_IS(pthread_join(threads[i], NULL), 0);
    for (i = 0; i < THREADS * OF_EACH; i++)
        CHECK_IS(received[i], value(before, 0, i));
    CHECK_OK(MPI_Request_free(&shared));
    CHECK_OK(MPI_Request_free(&request));
}

/* Freed while it goes on, and never started. */
static void freed(void)
{
    int sent = 3, received = 0;
    MPI_Request send, receive;

    CHECK_OK(MPI_Psend_init(&sent, 1, 1, MPI_INT, next, 6, MPI_COMM_WORLD, MPI_INFO_NULL, &send));
    CHECK_OK(MPI_Precv_init(&received, 1, 1, MPI_INT, before, 6, MPI_COMM_WORLD, MPI_INFO_NULL, &receive));
    CHECK_OK(MPI_Request_free(&send));
    CHECK_OK(MPI_Request_free(&receive));
    CHECK_OK(MPI_Psend_init(&sent, 1, 1, MPI_INT, next, 7, MPI_COMM_WORLD, MPI_INFO_NULL, &send));
    CHECK_OK(MPI_Precv_init(&received, 1, 1, MPI_INT, before, 7, MPI_COMM_WORLD, MPI_INFO_NULL, &receive));
    CHECK_OK(MPI_Start(&send));
    CHECK_OK(MPI_Start(&receive));
    CHECK_OK(MPI_Pready(0, send));
    CHECK_OK(MPI_Request_free(&send));
    CHECK_OK(MPI_Wait(&receive, MPI_STATUS_IGNORE));
    CHECK_IS(received, 3);
    CHECK_OK(MPI_Request_free(&receive));
}

int main(int argc, char **argv)
{
    int provided;

    CHECK_OK(MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &provided));
    CHECK_OK(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN));
    CHECK_OK(MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN));
    rank = check_rank();
    size = check_size();
    next = (rank + 1) % size;
    before = (rank + size - 1) % size;
    one_by_one();
    round_trip(12, 1, 1);
    round_trip(12, 4, 3);
    round_trip(12, 3, 4);
    round_trip(360, 360, 1);
    round_trip(1 << 18, 4, 256);
    round_trip(1 << 18, 256, 4);
    round_trip(3 * (1 << 16), 3, 2);
    round_trip(0, 2, 3);
    order();
    layouts();
    errors();
    by_threads();
    freed();
    CHECK_OK(MPI_Finalize());
    return 0;
}
