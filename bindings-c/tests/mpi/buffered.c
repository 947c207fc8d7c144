/* Buffered sends in the buffers of the process and of communicators (MPI 5.0, 3.6). */
/* ranks: 1 2 4 */
#include "check.h"

#define LARGE (1 << 20)

static int rank, size, next, before;

/* Nobody leaves before all have come. */
static void meet(void)
{
    int other, round;

    for (round = 0; round < 2; round++)
        for (other = 0; other < size; other++)
            if (rank == 0 || other == 0)
                CHECK_OK(MPI_Sendrecv(NULL, 0, MPI_BYTE, rank ? 0 : other, 99, NULL, 0, MPI_BYTE, rank ? 0 : other, 99,
                                      MPI_COMM_WORLD, MPI_STATUS_IGNORE));
}

static void attaching(void)
{
    char room[4096], *found = NULL;
    int length = -1, sent = 1;

    CHECK_CLASS(MPI_Bsend(&sent, 1, MPI_INT, rank, 0, MPI_COMM_WORLD), MPI_ERR_BUFFER);
    CHECK_CLASS(MPI_Buffer_detach(&found, &length), MPI_ERR_BUFFER);
    CHECK_CLASS(MPI_Buffer_attach(NULL, 100), MPI_ERR_BUFFER);
    CHECK_CLASS(MPI_Buffer_attach(room, -1), MPI_ERR_COUNT);
    CHECK_OK(MPI_Buffer_flush());
    CHECK_OK(MPI_Buffer_attach(room, sizeof room));
    CHECK_CLASS(MPI_Buffer_attach(room, sizeof room), MPI_ERR_BUFFER);
    CHECK_OK(MPI_Buffer_detach(&found, &length));
    CHECK(found == room);
    CHECK_IS(length, sizeof room);
    {
        MPI_Count large = -1;
        CHECK_OK(MPI_Buffer_attach_c(room, 17));
        CHECK_OK(MPI_Buffer_detach_c(&found, &large));
        CHECK_IS(large, 17);
    }
    CHECK_OK(MPI_Buffer_attach(MPI_BUFFER_AUTOMATIC, 0));
    CHECK_OK(MPI_Buffer_detach(&found, &length));
    CHECK(found == MPI_BUFFER_AUTOMATIC);
    CHECK_IS(length, 0);
}

/* Nobody receives yet: whatever the size, the call comes back, and the memory can be used again. */
static void before_the_receive(int length)
{
    char *room = malloc(length + MPI_BSEND_OVERHEAD), *found, *sent = malloc(length), *received = malloc(length);
    int given, i;
    MPI_Status status;

    for (i = 0; i < length; i++)
        sent[i] = (char)(i * 7 + rank);
    CHECK_OK(MPI_Buffer_attach(room, length + MPI_BSEND_OVERHEAD));
    CHECK_OK(MPI_Bsend(sent, length, MPI_BYTE, next, 5, MPI_COMM_WORLD));
    for (i = 0; i < length; i++)
        sent[i] = 0;
    CHECK_OK(MPI_Recv(received, length, MPI_BYTE, before, 5, MPI_COMM_WORLD, &status));
    CHECK_OK(MPI_Get_count(&status, MPI_BYTE, &given));
    CHECK_IS(given, length);
    for (i = 0; i < length; i++)
        CHECK(received[i] == (char)(i * 7 + before));
    CHECK_OK(MPI_Buffer_detach(&found, &given));
    CHECK(found == room);
    CHECK_IS(given, length + MPI_BSEND_OVERHEAD);
    free(room);
    free(sent);
    free(received);
}

/* Messages that nobody receives yet fill the buffer; it is free again when they have gone. */
static void full(void)
{
    int each = LARGE, room = 2 * (LARGE + MPI_BSEND_OVERHEAD), given, i, flag;
    char *sent = calloc(each, 1), *received = malloc(each), *buffer = malloc(room), *found;
    MPI_Request flush, request;

    CHECK_OK(MPI_Buffer_attach(buffer, room));
    CHECK_CLASS(MPI_Bsend(sent, room, MPI_BYTE, next, 6, MPI_COMM_WORLD), MPI_ERR_BUFFER);
    meet();
    for (i = 0; i < 2; i++) {
        sent[0] = (char)(40 + i);
        CHECK_OK(MPI_Bsend(sent, each, MPI_BYTE, next, 6, MPI_COMM_WORLD));
    }
    CHECK_CLASS(MPI_Bsend(sent, 1, MPI_BYTE, next, 6, MPI_COMM_WORLD), MPI_ERR_BUFFER);
    CHECK_CLASS(MPI_Ibsend(sent, 1, MPI_BYTE, next, 6, MPI_COMM_WORLD, &request), MPI_ERR_BUFFER);
    CHECK_OK(MPI_Buffer_iflush(&flush));
    CHECK_OK(MPI_Test(&flush, &flag, MPI_STATUS_IGNORE));
    CHECK_IS(flag, 0);
    meet();
    for (i = 0; i < 2; i++) {
        CHECK_OK(MPI_Recv(received, each, MPI_BYTE, before, 6, MPI_COMM_WORLD, MPI_STATUS_IGNORE));
        CHECK_IS(received[0], 40 + i);
    }
    CHECK_OK(MPI_Wait(&flush, MPI_STATUS_IGNORE));
    CHECK_OK(MPI_Bsend(sent, each, MPI_BYTE, next, 6, MPI_COMM_WORLD));
    CHECK_OK(MPI_Recv(received, each, MPI_BYTE, before, 6, MPI_COMM_WORLD, MPI_STATUS_IGNORE));
    CHECK_OK(MPI_Buffer_flush());
    CHECK_OK(MPI_Buffer_detach(&found, &given));
    free(sent);
    free(received);
    free(buffer);
}

static void requests(void)
{
    MPI_Request request, again;
    int sent = 7, received, i, given;
    char *found;

    CHECK_OK(MPI_Buffer_attach(MPI_BUFFER_AUTOMATIC, 0));
    CHECK_OK(MPI_Ibsend(&sent, 1, MPI_INT, next, 8, MPI_COMM_WORLD, &request));
    CHECK_OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
    CHECK_OK(MPI_Recv(&received, 1, MPI_INT, before, 8, MPI_COMM_WORLD, MPI_STATUS_IGNORE));
    CHECK_IS(received, 7);
    CHECK_OK(MPI_Bsend_init(&sent, 1, MPI_INT, next, 9, MPI_COMM_WORLD, &again));
    for (i = 0; i < 10; i++) {
        sent = i;
        CHECK_OK(MPI_Start(&again));
        CHECK_OK(MPI_Wait(&again, MPI_STATUS_IGNORE));
        CHECK(again != MPI_REQUEST_NULL);
    }
    for (i = 0; i < 10; i++) {
        CHECK_OK(MPI_Recv(&received, 1, MPI_INT, before, 9, MPI_COMM_WORLD, MPI_STATUS_IGNORE));
        CHECK_IS(received, i);
    }
    CHECK_OK(MPI_Request_free(&again));
    CHECK_OK(MPI_Bsend(NULL, 0, MPI_INT, next, 10, MPI_COMM_WORLD));
    CHECK_OK(MPI_Recv(NULL, 0, MPI_INT, before, 10, MPI_COMM_WORLD, MPI_STATUS_IGNORE));
    CHECK_OK(MPI_Bsend(&sent, 1, MPI_INT, MPI_PROC_NULL, 10, MPI_COMM_WORLD));
    CHECK_CLASS(MPI_Bsend(&sent, 1, MPI_INT, size, 10, MPI_COMM_WORLD), MPI_ERR_RANK);
    CHECK_CLASS(MPI_Bsend(&sent, 1, MPI_INT, next, -1, MPI_COMM_WORLD), MPI_ERR_TAG);
    CHECK_OK(MPI_Buffer_detach(&found, &given));
}

/* A communicator's own buffer is used first, and is no other's. */
static void of_a_communicator(void)
{
    char small[MPI_BSEND_OVERHEAD + 8], large[MPI_BSEND_OVERHEAD + 800], sent[100] = "x", received[100], *found;
    int given;
    MPI_Request request;

    CHECK_OK(MPI_Comm_attach_buffer(MPI_COMM_WORLD, small, sizeof small));
    CHECK_CLASS(MPI_Comm_attach_buffer(MPI_COMM_WORLD, small, sizeof small), MPI_ERR_BUFFER);
    CHECK_OK(MPI_Buffer_attach(large, sizeof large));
    CHECK_CLASS(MPI_Bsend(sent, 100, MPI_BYTE, next, 1, MPI_COMM_WORLD), MPI_ERR_BUFFER);
    CHECK_OK(MPI_Bsend(sent, 8, MPI_BYTE, next, 1, MPI_COMM_WORLD));
    CHECK_OK(MPI_Bsend(sent, 100, MPI_BYTE, 0, 1, MPI_COMM_SELF));
    CHECK_OK(MPI_Recv(received, 100, MPI_BYTE, before, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE));
    CHECK_OK(MPI_Recv(received, 100, MPI_BYTE, 0, 1, MPI_COMM_SELF, MPI_STATUS_IGNORE));
    CHECK_TEXT(received, "x");
    CHECK_OK(MPI_Comm_flush_buffer(MPI_COMM_WORLD));
    CHECK_OK(MPI_Comm_iflush_buffer(MPI_COMM_WORLD, &request));
    CHECK_OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
    CHECK_OK(MPI_Comm_detach_buffer(MPI_COMM_WORLD, &found, &given));
    CHECK(found == small);
    CHECK_IS(given, sizeof small);
    CHECK_CLASS(MPI_Comm_detach_buffer(MPI_COMM_WORLD, &found, &given), MPI_ERR_BUFFER);
    CHECK_OK(MPI_Bsend(sent, 100, MPI_BYTE, next, 2, MPI_COMM_WORLD));
    CHECK_OK(MPI_Recv(received, 100, MPI_BYTE, before, 2, MPI_COMM_WORLD, MPI_STATUS_IGNORE));
    CHECK_OK(MPI_Buffer_detach(&found, &given));
    CHECK(found == large);
}

int main(int argc, char **argv)
{
    check_start(&argc, &argv);
    rank = check_rank();
    size = check_size();
    next = (rank + 1) % size;
    before = (rank + size - 1) % size;
    attaching();
    before_the_receive(0);
    before_the_receive(1);
    before_the_receive(5000);
    before_the_receive(LARGE);
    full();
    requests();
    of_a_communicator();
    CHECK_OK(MPI_Finalize());
    return 0;
}
