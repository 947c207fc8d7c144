/* Measures one thing of MPI, named by the argument: `bench latency`. Rank 0 prints lines of a row's name, a
 * tab and the median of many short rounds. Ranks are pinned to processors in turn. */
#define _GNU_SOURCE
#include <mpi.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "weigh.h"

enum { ROUNDS = 15, WINDOW = 64, LARGEST = 1 << 20 };

static int rank, size;
static char *out, *in;

static void pin(void)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(rank % (int)sysconf(_SC_NPROCESSORS_ONLN), &set);
    sched_setaffinity(0, sizeof set, &set);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Median seconds of `repeats` times what a function does with so many bytes. */
static double median(void (*once)(int bytes), int bytes, int repeats)
{
    double times[ROUNDS];

    for (int round = -2; round < ROUNDS; round++) {
        double start = MPI_Wtime();

        for (int i = 0; i < repeats; i++)
            once(bytes);
        if (round >= 0)
            times[round] = (MPI_Wtime() - start) / repeats;
    }
    qsort(times, ROUNDS, sizeof *times, ascending);
    return times[ROUNDS / 2];
}

static const char *bytes_name(int bytes)
{
    static char name[32];

    if (bytes >= 1 << 20)
        snprintf(name, sizeof name, "%d MiB", bytes >> 20);
    else if (bytes >= 1 << 10)
        snprintf(name, sizeof name, "%d KiB", bytes >> 10);
    else
        snprintf(name, sizeof name, "%d B", bytes);
    return name;
}

static void row(const char *what, const char *rest, double value)
{
    if (rank == 0) {
        printf("%s %s\t%.4f\n", what, rest, value);
        fflush(stdout);
    }
}

static void there_and_back(int bytes)
{
    if (rank == 0) {
        MPI_Send(out, bytes, MPI_BYTE, 1, 1, MPI_COMM_WORLD);
        MPI_Recv(in, bytes, MPI_BYTE, 1, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    } else {
        MPI_Recv(in, bytes, MPI_BYTE, 0, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        MPI_Send(out, bytes, MPI_BYTE, 0, 1, MPI_COMM_WORLD);
    }
}

/* As programs do: each writes what it sends. */
static void written_there_and_back(int bytes)
{
    static char what;

    what++;
    if (rank == 0) {
        memset(out, what, bytes);
        MPI_Send(out, bytes, MPI_BYTE, 1, 1, MPI_COMM_WORLD);
        MPI_Recv(in, bytes, MPI_BYTE, 1, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    } else {
        MPI_Recv(in, bytes, MPI_BYTE, 0, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        memset(out, what, bytes);
        MPI_Send(out, bytes, MPI_BYTE, 0, 1, MPI_COMM_WORLD);
    }
}

static void latency(void)
{
    static const int all[] = {8, 1 << 10, 8 << 10, 64 << 10, 1 << 20};

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        int repeats = all[i] <= 8 << 10 ? 1000 : all[i] <= 64 << 10 ? 200 : 20;

        row("latency", bytes_name(all[i]), median(there_and_back, all[i], repeats) / 2 * 1e6);
        if (all[i] >= 64 << 10)
            row("latency, written,", bytes_name(all[i]), median(written_there_and_back, all[i], repeats) / 2 * 1e6);
    }
}

/* A window of messages one way, and a word back. */
static void one_way(int bytes)
{
    MPI_Request requests[WINDOW];

    for (int i = 0; i < WINDOW; i++) {
        if (rank == 0)
            MPI_Isend(out, bytes, MPI_BYTE, 1, 1, MPI_COMM_WORLD, &requests[i]);
        else
            MPI_Irecv(in, bytes, MPI_BYTE, 0, 1, MPI_COMM_WORLD, &requests[i]);
    }
    MPI_Waitall(WINDOW, requests, MPI_STATUSES_IGNORE);
    if (rank == 0)
        MPI_Recv(in, 0, MPI_BYTE, 1, 2, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    else
        MPI_Send(out, 0, MPI_BYTE, 0, 2, MPI_COMM_WORLD);
}

/* A window of messages both ways. */
static void both_ways(int bytes)
{
    MPI_Request requests[2 * WINDOW];

    for (int i = 0; i < WINDOW; i++)
        MPI_Irecv(in, bytes, MPI_BYTE, 1 - rank, 1, MPI_COMM_WORLD, &requests[i]);
    for (int i = 0; i < WINDOW; i++)
        MPI_Isend(out, bytes, MPI_BYTE, 1 - rank, 1, MPI_COMM_WORLD, &requests[WINDOW + i]);
    MPI_Waitall(2 * WINDOW, requests, MPI_STATUSES_IGNORE);
}

static void bandwidth(void)
{
    static const int all[] = {8 << 10, 64 << 10, 1 << 20};

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        int bytes = all[i], repeats = bytes == LARGEST ? 1 : 10;

        row("bandwidth", bytes_name(bytes), WINDOW * (double)bytes / median(one_way, bytes, repeats) / 1e6);
        row("both ways", bytes_name(bytes), 2 * WINDOW * (double)bytes / median(both_ways, bytes, repeats) / 1e6);
    }
}

static void rate(void)
{
    row("rate", "8 B", WINDOW / median(one_way, 8, 100) / 1e6);
    row("rate both ways", "8 B", 2 * WINDOW / median(both_ways, 8, 100) / 1e6);
}

static void once_barrier(int bytes)
{
    (void)bytes;
    MPI_Barrier(MPI_COMM_WORLD);
}

static void once_bcast(int bytes)
{
    MPI_Bcast(out, bytes, MPI_BYTE, 0, MPI_COMM_WORLD);
    /* Else the root runs ahead, and sending is all that is measured. */
    MPI_Barrier(MPI_COMM_WORLD);
}

static void once_allreduce(int bytes)
{
    MPI_Allreduce(out, in, bytes / 8, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
}

static void once_alltoall(int bytes)
{
    MPI_Alltoall(out, bytes, MPI_BYTE, in, bytes, MPI_BYTE, MPI_COMM_WORLD);
}

/* 8 B, 8 KiB, 64 KiB, 1 MiB. */
static int next(int bytes)
{
    return bytes == 8 ? 8 << 10 : bytes == 8 << 10 ? 64 << 10 : bytes * 16;
}

static void collective(const char *name, void (*once)(int bytes), int smallest, int largest)
{
    char rest[48];

    for (int bytes = smallest; bytes <= largest; bytes = next(bytes)) {
        int repeats = bytes >= LARGEST ? 5 : size > 2 ? 20 : bytes > 8 ? 100 : 1000;

        if (bytes > 0)
            snprintf(rest, sizeof rest, "%s n=%d", bytes_name(bytes), size);
        else
            snprintf(rest, sizeof rest, "n=%d", size);
        row(name, rest, median(once, bytes, repeats) * 1e6);
        if (bytes == 0)
            break;
    }
}

/* Most memory that this process ever had, in MB. */
static void memory(void)
{
    char line[256];
    FILE *status = fopen("/proc/self/status", "r");
    long most = 0;

    there_and_back(8);
    while (status != NULL && fgets(line, sizeof line, status) != NULL)
        sscanf(line, "VmHWM: %ld kB", &most);
    row("memory a rank", "n=2", (double)most / 1000);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    MPI_Init(&argc, &argv);
    if (strcmp(what, "start") == 0)
        return MPI_Finalize();
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    pin();
    weigh();
    if (strcmp(what, "memory") == 0) {
        out = in = calloc(1, 64);
        memory();
        return MPI_Finalize();
    }
    out = calloc((size_t)size, LARGEST);
    in = calloc((size_t)size, LARGEST);
    if (out == NULL || in == NULL)
        return 1;
    if (strcmp(what, "latency") == 0)
        latency();
    else if (strcmp(what, "bandwidth") == 0)
        bandwidth();
    else if (strcmp(what, "rate") == 0)
        rate();
    else if (strcmp(what, "barrier") == 0)
        collective("barrier", once_barrier, 0, 0);
    else if (strcmp(what, "bcast") == 0)
        collective("bcast", once_bcast, 8, LARGEST);
    else if (strcmp(what, "allreduce") == 0)
        collective("allreduce", once_allreduce, 8, LARGEST);
    else if (strcmp(what, "alltoall") == 0)
        collective("alltoall", once_alltoall, 8, 64 << 10);
    else
        return 2;
    return MPI_Finalize();
}
