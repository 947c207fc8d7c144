/*
 * matmul - the product of two matrices, in blocks, checked against the plain one.
 *
 * Every task holds some rows of A, some rows of B and the same rows of C = A B. The blocks of B go
 * round a ring: after as many steps as there are tasks everybody has seen all of B.
 *
 *   pvm run -n 4 matmul
 *
 * Build:  cc -o matmul matmul.c -lgpvm3 -lpvm3
 */
#include <pvm3.h>
#include <stdio.h>
#include <stdlib.h>

#define N 120
#define GROUP "matmul"

enum tag { TAG_BLOCK = 10, TAG_ERROR = 20 };

static double a(int i, int j) { return (double)((i * 7 + j * 3) % 11) - 5; }
static double b(int i, int j) { return (double)((i * 5 + j * 2) % 13) - 6; }

static int first_row(int task, int tasks) { return task * N / tasks; }
static int rows_of(int task, int tasks) { return first_row(task + 1, tasks) - first_row(task, tasks); }

/* C += A(columns of this block) times the block's rows of B. */
static void multiply(double *c, int my_first, int my_rows, const double *block, int first, int rows)
{
    int i, j, k;
    for (i = 0; i < my_rows; i++)
        for (k = 0; k < rows; k++) {
            double factor = a(my_first + i, first + k);
            for (j = 0; j < N; j++)
                c[i * N + j] += factor * block[k * N + j];
        }
}

/* Gives the block to the next task and takes one from the previous. */
static void pass_on(double *block, int rows, int step, int next, int previous, int new_rows)
{
    pvm_initsend(PvmDataRaw);
    pvm_pkdouble(block, rows * N, 1);
    pvm_send(next, TAG_BLOCK + step);
    if (pvm_recv(previous, TAG_BLOCK + step) < 0)
        exit(1);
    pvm_upkdouble(block, new_rows * N, 1);
}

/* Largest difference between my rows of C and the plain product. */
static double difference(const double *c, int first, int rows)
{
    double largest = 0;
    int i, j, k;
    for (i = 0; i < rows; i++)
        for (j = 0; j < N; j++) {
            double sum = 0, off;
            for (k = 0; k < N; k++)
                sum += a(first + i, k) * b(k, j);
            off = sum > c[i * N + j] ? sum - c[i * N + j] : c[i * N + j] - sum;
            if (off > largest)
                largest = off;
        }
    return largest;
}

int main(void)
{
    int *siblings, tasks = pvm_siblings(&siblings);
    int me = pvm_joingroup(GROUP);
    int first, rows, step, holder, i, j, next, previous;
    double *c, *block, worst;

    if (tasks < 1 || me < 0 || pvm_barrier(GROUP, tasks) < 0)
        return 1;
    next = pvm_gettid(GROUP, (me + 1) % tasks);
    previous = pvm_gettid(GROUP, (me + tasks - 1) % tasks);
    first = first_row(me, tasks);
    rows = rows_of(me, tasks);
    c = calloc(N * N, sizeof *c);
    block = calloc(N * N, sizeof *block);
    for (i = 0; i < rows; i++)
        for (j = 0; j < N; j++)
            block[i * N + j] = b(first + i, j);

    holder = me;
    for (step = 0; step < tasks; step++) {
        int before = (holder + tasks - 1) % tasks;
        multiply(c, first, rows, block, first_row(holder, tasks), rows_of(holder, tasks));
        if (tasks > 1)
            pass_on(block, rows_of(holder, tasks), step, next, previous, rows_of(before, tasks));
        holder = before;
    }

    worst = difference(c, first, rows);
    pvm_reduce(PvmMax, &worst, 1, PVM_DOUBLE, TAG_ERROR, GROUP, 0);
    if (me == 0)
        printf("%d x %d: largest difference from the plain product %g\n", N, N, worst);
    pvm_barrier(GROUP, tasks);
    pvm_lvgroup(GROUP);
    free(c);
    free(block);
    pvm_exit();
    return 0;
}
