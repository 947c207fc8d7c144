/* Generalized requests (MPI 5.0, 13.2): the program's own operations among those of the library. */
/* ranks: 1 2 */
#include "check.h"

#include <pthread.h>

static int queries, frees, cancels, last_complete, query_code, free_code, cancel_code;

static int query(void *state, MPI_Status *status)
{
    queries++;
    CHECK_OK(MPI_Status_set_elements(status, MPI_INT, *(int *)state));
    CHECK_OK(MPI_Status_set_cancelled(status, 0));
    status->MPI_SOURCE = 17;
    status->MPI_TAG = 18;
    return query_code;
}

static int release(void *state)
{
    (void)state;
    frees++;
    return free_code;
}

static int cancel(void *state, int complete)
{
    (void)state;
    cancels++;
    last_complete = complete;
    return cancel_code;
}

static int elements = 5;

static MPI_Request begin(void)
{
    MPI_Request request;

    queries = frees = cancels = 0;
    last_complete = -1;
    query_code = free_code = cancel_code = MPI_SUCCESS;
    CHECK_OK(MPI_Grequest_start(query, release, cancel, &elements, &request));
    CHECK(request != MPI_REQUEST_NULL);
    return request;
}

static void check_status(MPI_Status *status)
{
    int count, flag;

    CHECK_IS(status->MPI_SOURCE, 17);
    CHECK_IS(status->MPI_TAG, 18);
    CHECK_OK(MPI_Get_count(status, MPI_INT, &count));
    CHECK_IS(count, 5);
    CHECK_OK(MPI_Test_cancelled(status, &flag));
    CHECK_IS(flag, 0);
}

static void by_one_thread(void)
{
    MPI_Request request = begin();
    MPI_Status status;
    int flag;

    CHECK_OK(MPI_Test(&request, &flag, &status));
    CHECK_IS(flag, 0);
    CHECK_OK(MPI_Request_get_status(request, &flag, &status));
    CHECK_IS(flag, 0);
    CHECK_IS(queries, 0);
    CHECK_OK(MPI_Grequest_complete(request));
    CHECK_CLASS(MPI_Grequest_complete(request), MPI_ERR_REQUEST);
    /* A look asks for the status and frees nothing. */
    CHECK_OK(MPI_Request_get_status(request, &flag, &status));
    CHECK_IS(flag, 1);
    check_status(&status);
    CHECK_IS(queries, 1);
    CHECK_IS(frees, 0);
    memset(&status, 0, sizeof status);
    CHECK_OK(MPI_Wait(&request, &status));
    check_status(&status);
    CHECK_IS(queries, 2);
    CHECK_IS(frees, 1);
    CHECK(request == MPI_REQUEST_NULL);
}

/* MPI_STATUS_IGNORE still asks: the functions may count on it. */
static void without_a_status(void)
{
    MPI_Request request = begin();

    CHECK_OK(MPI_Grequest_complete(request));
    CHECK_OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
    CHECK_IS(queries, 1);
    CHECK_IS(frees, 1);
}

static void among_others(void)
{
    MPI_Request requests[3];
    MPI_Status statuses[3];
    int sent = 3, received = 0, index, count, indices[3], flag;

    requests[0] = begin();
    CHECK_OK(MPI_Irecv(&received, 1, MPI_INT, 0, 1, MPI_COMM_SELF, &requests[1]));
    CHECK_OK(MPI_Isend(&sent, 1, MPI_INT, 0, 1, MPI_COMM_SELF, &requests[2]));
    CHECK_OK(MPI_Testall(3, requests, &flag, statuses));
    CHECK_IS(flag, 0);
    CHECK_OK(MPI_Waitsome(3, requests, &count, indices, statuses));
    CHECK_IS(count, 2);
    CHECK_IS(indices[0], 1);
    CHECK_IS(indices[1], 2);
    CHECK_IS(received, 3);
    CHECK_OK(MPI_Grequest_complete(requests[0]));
    CHECK_OK(MPI_Waitany(3, requests, &index, statuses));
    CHECK_IS(index, 0);
    check_status(statuses);
    requests[0] = begin();
    CHECK_OK(MPI_Grequest_complete(requests[0]));
    CHECK_OK(MPI_Waitall(3, requests, statuses));
    check_status(statuses);
    CHECK_IS(statuses[1].MPI_SOURCE, MPI_ANY_SOURCE);
    CHECK_IS(frees, 1);
}

static void cancelled(void)
{
    MPI_Request request = begin();

    CHECK_OK(MPI_Cancel(&request));
    CHECK_IS(cancels, 1);
    CHECK_IS(last_complete, 0);
    CHECK_OK(MPI_Grequest_complete(request));
    CHECK_OK(MPI_Cancel(&request));
    CHECK_IS(last_complete, 1);
    cancel_code = MPI_ERR_IO;
    CHECK_CLASS(MPI_Cancel(&request), MPI_ERR_IO);
    CHECK_OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
}

/* What is freed first goes when it is complete, and the other way round. */
static void freed(void)
{
    MPI_Request request = begin(), copy = request;

    CHECK_OK(MPI_Request_free(&request));
    CHECK(request == MPI_REQUEST_NULL);
    CHECK_IS(frees, 0);
    CHECK_OK(MPI_Grequest_complete(copy));
    CHECK_IS(frees, 1);
    CHECK_IS(queries, 0);
    CHECK_CLASS(MPI_Grequest_complete(copy), MPI_ERR_REQUEST);

    request = begin();
    CHECK_OK(MPI_Grequest_complete(request));
    CHECK_OK(MPI_Request_free(&request));
    CHECK_IS(frees, 1);
    CHECK_IS(queries, 0);
}

static void errors(void)
{
    MPI_Request request = begin();
    MPI_Status status, statuses[2];
    int own_class, own_code, buf, flag;

    CHECK_OK(MPI_Add_error_class(&own_class));
    CHECK_OK(MPI_Add_error_code(own_class, &own_code));
    query_code = own_code;
    CHECK_OK(MPI_Grequest_complete(request));
    CHECK_IS(MPI_Request_get_status(request, &flag, &status), own_code);
    CHECK_IS(MPI_Wait(&request, &status), own_code);
    CHECK_IS(frees, 1);
    CHECK(request == MPI_REQUEST_NULL);

    request = begin();
    free_code = MPI_ERR_BASE;
    CHECK_OK(MPI_Grequest_complete(request));
    CHECK_CLASS(MPI_Wait(&request, &status), MPI_ERR_BASE);

    request = begin();
    free_code = MPI_ERR_BASE;
    CHECK_OK(MPI_Grequest_complete(request));
    CHECK_CLASS(MPI_Request_free(&request), MPI_ERR_BASE);

    {
        MPI_Request both[2] = {MPI_REQUEST_NULL, begin()};
        query_code = own_code;
        CHECK_OK(MPI_Grequest_complete(both[1]));
        memset(statuses, 0x5a, sizeof statuses);
        CHECK_IS(MPI_Waitall(2, both, statuses), MPI_ERR_IN_STATUS);
        CHECK_IS(statuses[0].MPI_ERROR, MPI_SUCCESS);
        CHECK_IS(statuses[1].MPI_ERROR, own_code);
    }

    CHECK_OK(MPI_Irecv(&buf, 1, MPI_INT, 0, 7, MPI_COMM_SELF, &request));
    CHECK_CLASS(MPI_Grequest_complete(request), MPI_ERR_REQUEST);
    CHECK_OK(MPI_Cancel(&request));
    CHECK_OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
    CHECK_CLASS(MPI_Grequest_complete(MPI_REQUEST_NULL), MPI_ERR_REQUEST);
    CHECK_CLASS(MPI_Grequest_start(NULL, release, cancel, NULL, &request), MPI_ERR_ARG);
}

/* A communication inside a function: nothing is locked while it runs. */
static int query_and_send(void *state, MPI_Status *status)
{
    int sent = 9, received = 0;

    CHECK_OK(MPI_Sendrecv(&sent, 1, MPI_INT, 0, 3, &received, 1, MPI_INT, 0, 3, MPI_COMM_SELF, MPI_STATUS_IGNORE));
    CHECK_IS(received, 9);
    return query(state, status);
}

static void that_communicates(void)
{
    MPI_Request request;
    MPI_Status status;

    frees = 0;
    query_code = MPI_SUCCESS;
    CHECK_OK(MPI_Grequest_start(query_and_send, release, cancel, &elements, &request));
    CHECK_OK(MPI_Grequest_complete(request));
    CHECK_OK(MPI_Wait(&request, &status));
    check_status(&status);
    CHECK_IS(frees, 1);
}

static void *complete(void *request)
{
    CHECK_OK(MPI_Grequest_complete(*(MPI_Request *)request));
    return NULL;
}

/* Who waits is woken. */
static void by_another_thread(void)
{
    int round;

    for (round = 0; round < 500; round++) {
        MPI_Request request = begin(), copy = request;
        MPI_Status status;
        pthread_t thread;

        CHECK_IS(pthread_create(&thread, NULL, complete, &copy), 0);
        CHECK_OK(MPI_Wait(&request, &status));
        check_status(&status);
        CHECK_IS(frees, 1);
        CHECK_IS(pthread_join(thread, NULL), 0);
    }
}

int main(int argc, char **argv)
{
    int provided;

    CHECK_OK(MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &provided));
    CHECK_IS(provided, MPI_THREAD_MULTIPLE);
    CHECK_OK(MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN));
    by_one_thread();
    without_a_status();
    among_others();
    cancelled();
    freed();
    errors();
    that_communicates();
    by_another_thread();
    CHECK_OK(MPI_Finalize());
    return 0;
}
