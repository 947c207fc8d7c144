/* A message whose length does not fit an int (MPI 5.0, 2.5.8), where there is the memory for it. */
/* ranks: 2 */
/* unchecked: what watches needs memory for all of it too */
#include "check.h"

#define GIB (1LL << 30)
#define LENGTH (5 * GIB + 12345)

/* Bytes that programs can still get. */
static long long available(void)
{
    FILE *file = fopen("/proc/meminfo", "r");
    char line[256];
    long long kib = 0;

    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "MemAvailable: %lld", &kib) == 1)
            break;
    if (file)
        fclose(file);
    return kib * 1024;
}

/* The bytes that are looked at: at the ends, and on both sides of what 32 bits can say. */
static const long long places[] = {0, 1, 2 * GIB - 1, 2 * GIB, 4 * GIB - 1, 4 * GIB, LENGTH - 1};
#define PLACES (sizeof places / sizeof *places)

int main(int argc, char **argv)
{
    int rank, enough, small;
    unsigned i;
    char *memory;
    MPI_Status status;
    MPI_Count count;

    check_start(&argc, &argv);
    rank = check_rank();
    /* Who receives needs it: what is sent is mostly never touched. */
    enough = available() > LENGTH + 3 * GIB;
    CHECK_OK(MPI_Sendrecv(&enough, 1, MPI_INT, 1 - rank, 1, &small, 1, MPI_INT, 1 - rank, 1, MPI_COMM_WORLD, &status));
    if (!enough || !small) {
        printf("skipped: %lld bytes of memory are needed, %lld are there\n", LENGTH + 3 * GIB, available());
        CHECK_OK(MPI_Finalize());
        return 0;
    }
    memory = calloc(LENGTH, 1);
    CHECK(memory != NULL);
    if (rank == 0) {
        for (i = 0; i < PLACES; i++)
            memory[places[i]] = (char)(i + 1);
        CHECK_OK(MPI_Send_c(memory, LENGTH, MPI_BYTE, 1, 2, MPI_COMM_WORLD));
    } else {
        CHECK_OK(MPI_Recv_c(memory, LENGTH, MPI_BYTE, 0, 2, MPI_COMM_WORLD, &status));
        for (i = 0; i < PLACES; i++)
            CHECK_IS(memory[places[i]], i + 1);
        CHECK_OK(MPI_Get_count_c(&status, MPI_BYTE, &count));
        CHECK_IS(count, LENGTH);
        CHECK_OK(MPI_Get_count(&status, MPI_BYTE, &small));
        CHECK_IS(small, MPI_UNDEFINED);
    }
    free(memory);
    CHECK_OK(MPI_Finalize());
    return 0;
}
