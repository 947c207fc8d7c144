/* Messages of 5 GB through the forms with large counts (MPI 5.0, 2.5.8): every byte is looked at. Otherwise of 5 MB. */
/* ranks: 2 */
/* longer: full */
#include "stress.h"

static int rank;
static MPI_Count length;

/* Words that say where they are: all bytes of the number count. */
static unsigned long long word(MPI_Count at, int salt)
{
    return ((unsigned long long)at + salt) * 0x9e3779b97f4a7c15ULL;
}

static void fill(unsigned long long *words, int salt)
{
    MPI_Count i;

    for (i = 0; i < length / 8; i++)
        words[i] = word(i, salt);
}

static void check(const unsigned long long *words, int salt)
{
    MPI_Count i;

    for (i = 0; i < length / 8; i++)
        if (words[i] != word(i, salt)) {
            fprintf(stderr, "rank %d: word %lld of message %d is wrong\n", rank, (long long)i, salt);
            CHECK(0);
        }
}

/* What arrived, as the status counts it. */
static void count(const MPI_Status *status, MPI_Datatype type, MPI_Count wanted)
{
    MPI_Count found = -1;
    int small = -1;

    CHECK_OK(MPI_Get_count_c(status, type, &found));
    CHECK_IS(found, wanted);
    CHECK_OK(MPI_Get_count(status, type, &small));
    CHECK_IS(small, wanted > 0x7fffffff ? MPI_UNDEFINED : wanted);
    CHECK_OK(MPI_Get_elements_c(status, MPI_BYTE, &found));
    CHECK_IS(found, length);
}

static void bytes(unsigned long long *words)
{
    MPI_Status status;

    if (rank == 0) {
        CHECK_OK(MPI_Send_c(words, length, MPI_BYTE, 1, 1, MPI_COMM_WORLD));
    } else {
        CHECK_OK(MPI_Recv_c(words, length, MPI_BYTE, 0, 1, MPI_COMM_WORLD, &status));
        count(&status, MPI_BYTE, length);
    }
}

/* Back again, started and waited for; probed before. */
static void not_blocking(unsigned long long *words)
{
    MPI_Request request;
    MPI_Message message;
    MPI_Status status;

    if (rank == 1) {
        CHECK_OK(MPI_Isend_c(words, length / 4, MPI_FLOAT, 0, 2, MPI_COMM_WORLD, &request));
        CHECK_OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
    } else {
        CHECK_OK(MPI_Mprobe(1, 2, MPI_COMM_WORLD, &message, &status));
        count(&status, MPI_FLOAT, length / 4);
        CHECK_OK(MPI_Imrecv_c(words, length / 4, MPI_FLOAT, &message, &request));
        CHECK_OK(MPI_Wait(&request, &status));
        count(&status, MPI_FLOAT, length / 4);
    }
}

/* One element of a datatype that is so large, in blocks with the gaps of an int vector filled by a second one. */
static void one_element(unsigned long long *words)
{
    MPI_Datatype part, all;
    MPI_Status status;
    MPI_Count half = length / 16;

    CHECK_OK(MPI_Type_vector_c(half, 1, 2, MPI_LONG_LONG, &part));
    CHECK_OK(MPI_Type_create_hindexed_block_c(2, 1, (MPI_Count[]){0, 8}, part, &all));
    CHECK_OK(MPI_Type_commit(&all));
    if (rank == 0) {
        CHECK_OK(MPI_Ssend_c(words, 1, all, 1, 3, MPI_COMM_WORLD));
    } else {
        CHECK_OK(MPI_Recv_c(words, 1, all, 0, 3, MPI_COMM_WORLD, &status));
        count(&status, all, 1);
    }
    CHECK_OK(MPI_Type_free(&part));
    CHECK_OK(MPI_Type_free(&all));
}

static void collective(unsigned long long *words)
{
    CHECK_OK(MPI_Bcast_c(words, length, MPI_BYTE, 0, MPI_COMM_WORLD));
}

/* In place: the memory for two is there. */
static void reduced(unsigned long long *words)
{
    CHECK_OK(MPI_Allreduce_c(MPI_IN_PLACE, words, length / 8, MPI_UNSIGNED_LONG_LONG, MPI_BOR, MPI_COMM_WORLD));
}

/* From `from` to everybody: the others have nothing of it before. */
static void message(const char *what, void (*pass)(unsigned long long *), int from, int salt, unsigned long long *words)
{
    double started;

    if (rank == from)
        fill(words, salt);
    else
        memset(words, 0, length);
    CHECK_OK(MPI_Barrier(MPI_COMM_WORLD));
    started = MPI_Wtime();
    pass(words);
    stress_say(what, started);
    check(words, salt);
}

int main(int argc, char **argv)
{
    unsigned long long *words;

    check_start(&argc, &argv);
    rank = check_rank();
    length = stress_length(argc, argv, 5000, 5) * 1000000;
    words = malloc(length);
    CHECK(words != NULL);
    message("MPI_Send_c", bytes, 0, 1, words);
    message("MPI_Isend_c, MPI_Imrecv_c", not_blocking, 1, 2, words);
    message("one element of a datatype", one_element, 0, 3, words);
    message("MPI_Bcast_c", collective, 0, 4, words);
    message("MPI_Allreduce_c", reduced, 1, 5, words);
    free(words);
    CHECK_OK(MPI_Finalize());
    return 0;
}
