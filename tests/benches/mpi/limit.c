/* What the machine can do, in the rows of bench.c: a cache line that two processors hand to each other,
 * and copying memory. No MPI. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "weigh.h"

enum { TURNS = 200000, ROUNDS = 9 };

static alignas(128) atomic_uint ball;
static alignas(128) char after_ball;

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void pin(int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
}

/* Waits for its turn and gives it on, `TURNS` times. */
static void play(unsigned first)
{
    for (unsigned turn = first; turn < 2 * TURNS; turn += 2) {
        while (atomic_load_explicit(&ball, memory_order_acquire) != turn)
            ;
        atomic_store_explicit(&ball, turn + 1, memory_order_release);
    }
}

static void *other(void *unused)
{
    pin(1);
    play(1);
    return unused;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Microseconds of one way. */
static double line(void)
{
    double times[ROUNDS];

    for (int round = 0; round < ROUNDS; round++) {
        pthread_t thread;
        double start;

        atomic_store(&ball, 2 * TURNS);
        if (pthread_create(&thread, NULL, other, NULL) != 0)
            exit(1);
        start = now();
        atomic_store(&ball, 0);
        play(0);
        pthread_join(thread, NULL);
        times[round] = (now() - start) / (2.0 * TURNS) * 1e6;
    }
    qsort(times, ROUNDS, sizeof *times, ascending);
    return times[ROUNDS / 2];
}

/* Microseconds for copying so many bytes. */
static double copy(size_t bytes)
{
    char *from = malloc(bytes), *to = malloc(bytes);
    double times[ROUNDS];
    size_t repeats = ((size_t)64 << 20) / bytes;

    if (from == NULL || to == NULL)
        exit(1);
    memset(from, 1, bytes);
    memset(to, 2, bytes);
    for (int round = 0; round < ROUNDS; round++) {
        double start = now();

        for (size_t i = 0; i < repeats; i++) {
            memcpy(to, from, bytes);
            from[i % bytes] ^= to[i % bytes];
        }
        times[round] = (now() - start) / (double)repeats * 1e6;
    }
    free(from);
    free(to);
    qsort(times, ROUNDS, sizeof *times, ascending);
    return times[ROUNDS / 2];
}

int main(void)
{
    double hand_over, copied;

    (void)after_ball;
    weigh();
    pin(0);
    hand_over = line();
    printf("latency 8 B\t%.4f\n", hand_over);
    printf("barrier n=2\t%.4f\n", hand_over);
    copied = copy(64 << 10);
    printf("latency 64 KiB\t%.4f\n", copied);
    printf("bandwidth 64 KiB\t%.1f\n", (64 << 10) / copied);
    printf("both ways 64 KiB\t%.1f\n", 2 * (64 << 10) / copied);
    copied = copy(1 << 20);
    printf("latency 1 MiB\t%.4f\n", copied);
    printf("bandwidth 1 MiB\t%.1f\n", (1 << 20) / copied);
    printf("both ways 1 MiB\t%.1f\n", 2 * (1 << 20) / copied);
    return 0;
}
