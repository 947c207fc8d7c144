/* ranks: 1 2 3 4 5 8 */
/* The reductions: all predefined operations on all their types, operations of the program, in place. */

#include "check.h"

#include <complex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MOST 16

/* What ISO C does not have. */
__extension__ typedef __int128 wide;

static int rank, size;

/* Sums and products, least and greatest of 1 + rank, for a C type. */
#define NUMBERS(type, datatype)                                                                      \
    do {                                                                                             \
        type mine[3], all[3], product = 1;                                                           \
        int i;                                                                                       \
        for (i = 0; i < 3; i++)                                                                      \
            mine[i] = (type)(1 + rank % 3);                                                          \
        for (i = 0; i < size; i++)                                                                   \
            product *= (type)(1 + i % 3);                                                            \
        CHECK_OK(MPI_Allreduce(mine, all, 3, datatype, MPI_SUM, MPI_COMM_WORLD));                    \
        CHECK(all[2] == (type)total(3));                                                             \
        CHECK_OK(MPI_Allreduce(mine, all, 3, datatype, MPI_PROD, MPI_COMM_WORLD));                   \
        CHECK(all[1] == product);                                                                    \
        CHECK_OK(MPI_Allreduce(mine, all, 3, datatype, MPI_MAX, MPI_COMM_WORLD));                    \
        CHECK(all[0] == (type)(size < 3 ? size : 3));                                                \
        CHECK_OK(MPI_Allreduce(mine, all, 3, datatype, MPI_MIN, MPI_COMM_WORLD));                    \
        CHECK(all[2] == (type)1);                                                                    \
    } while (0)

#define BITS(type, datatype)                                                                         \
    do {                                                                                             \
        type mine = (type)(1 << rank % 3), all;                                                      \
        int present = size < 3 ? (1 << size) - 1 : 7;                                                \
        CHECK_OK(MPI_Allreduce(&mine, &all, 1, datatype, MPI_BOR, MPI_COMM_WORLD));                  \
        CHECK(all == (type)present);                                                                 \
        CHECK_OK(MPI_Allreduce(&mine, &all, 1, datatype, MPI_BAND, MPI_COMM_WORLD));                 \
        CHECK(all == (type)(size == 1));                                                             \
        mine = 3;                                                                                    \
        CHECK_OK(MPI_Allreduce(&mine, &all, 1, datatype, MPI_BXOR, MPI_COMM_WORLD));                 \
        CHECK(all == (type)(size % 2 ? 3 : 0));                                                      \
    } while (0)

#define TRUTH(type, datatype)                                                                        \
    do {                                                                                             \
        type mine = (type)(rank == 0), all;                                                          \
        CHECK_OK(MPI_Allreduce(&mine, &all, 1, datatype, MPI_LOR, MPI_COMM_WORLD));                  \
        CHECK(all == (type)1);                                                                       \
        CHECK_OK(MPI_Allreduce(&mine, &all, 1, datatype, MPI_LAND, MPI_COMM_WORLD));                 \
        CHECK(all == (type)(size == 1));                                                             \
        CHECK_OK(MPI_Allreduce(&mine, &all, 1, datatype, MPI_LXOR, MPI_COMM_WORLD));                 \
        CHECK(all == (type)1);                                                                       \
    } while (0)

#define C_INTEGER(type, datatype) \
    do {                          \
        NUMBERS(type, datatype);  \
        BITS(type, datatype);     \
        TRUTH(type, datatype);    \
    } while (0)

#define OTHER_INTEGER(type, datatype)                                                                \
    do {                                                                                             \
        type one = 1, two;                                                                           \
        NUMBERS(type, datatype);                                                                     \
        BITS(type, datatype);                                                                        \
        CHECK_CLASS(MPI_Allreduce(&one, &two, 1, datatype, MPI_LAND, MPI_COMM_WORLD), MPI_ERR_OP);   \
    } while (0)

#define COMPLEX(type, real, datatype)                                                                \
    do {                                                                                             \
        type mine = (real)(1 + rank % 3) + (real)2 * I, all, sum = 0, product = 1;                   \
        int i;                                                                                       \
        for (i = 0; i < size; i++) {                                                                 \
            sum += (real)(1 + i % 3) + (real)2 * I;                                                  \
            product *= (real)(1 + i % 3) + (real)2 * I;                                              \
        }                                                                                            \
        CHECK_OK(MPI_Allreduce(&mine, &all, 1, datatype, MPI_SUM, MPI_COMM_WORLD));                  \
        CHECK(all == sum);                                                                           \
        CHECK_OK(MPI_Allreduce(&mine, &all, 1, datatype, MPI_PROD, MPI_COMM_WORLD));                 \
        CHECK(all == product);                                                                       \
        CHECK_CLASS(MPI_Allreduce(&mine, &all, 1, datatype, MPI_MAX, MPI_COMM_WORLD), MPI_ERR_OP);   \
    } while (0)

#define LOCATED(first, second, datatype)                                                             \
    do {                                                                                             \
        struct {                                                                                     \
            first value;                                                                             \
            second index;                                                                            \
        } mine[2], all[2];                                                                           \
        mine[0].value = (first)(rank % 2);                                                           \
        mine[1].value = (first)rank;                                                                 \
        mine[0].index = mine[1].index = (second)(10 + rank);                                         \
        CHECK_OK(MPI_Allreduce(mine, all, 2, datatype, MPI_MAXLOC, MPI_COMM_WORLD));                 \
        CHECK(all[0].value == (first)(size > 1) && all[0].index == (second)(size > 1 ? 11 : 10));    \
        CHECK(all[1].value == (first)(size - 1) && all[1].index == (second)(10 + size - 1));         \
        CHECK_OK(MPI_Allreduce(mine, all, 2, datatype, MPI_MINLOC, MPI_COMM_WORLD));                 \
        CHECK(all[0].value == 0 && all[0].index == 10 && all[1].value == 0 && all[1].index == 10);   \
        CHECK_CLASS(MPI_Allreduce(mine, all, 2, datatype, MPI_SUM, MPI_COMM_WORLD), MPI_ERR_OP);     \
    } while (0)

/* The sum of 1 + i % n over all ranks. */
static int total(int n)
{
    int i, sum = 0;
    for (i = 0; i < size; i++)
        sum += 1 + i % n;
    return sum;
}

static void integers(void)
{
    C_INTEGER(int, MPI_INT);
    C_INTEGER(long, MPI_LONG);
    C_INTEGER(short, MPI_SHORT);
    C_INTEGER(unsigned short, MPI_UNSIGNED_SHORT);
    C_INTEGER(unsigned, MPI_UNSIGNED);
    C_INTEGER(unsigned long, MPI_UNSIGNED_LONG);
    C_INTEGER(long long, MPI_LONG_LONG);
    C_INTEGER(unsigned long long, MPI_UNSIGNED_LONG_LONG);
    C_INTEGER(int8_t, MPI_SIGNED_CHAR);
    C_INTEGER(uint8_t, MPI_UNSIGNED_CHAR);
    C_INTEGER(int8_t, MPI_INT8_T);
    C_INTEGER(int16_t, MPI_INT16_T);
    C_INTEGER(int32_t, MPI_INT32_T);
    C_INTEGER(int64_t, MPI_INT64_T);
    C_INTEGER(uint8_t, MPI_UINT8_T);
    C_INTEGER(uint16_t, MPI_UINT16_T);
    C_INTEGER(uint32_t, MPI_UINT32_T);
    C_INTEGER(uint64_t, MPI_UINT64_T);
    OTHER_INTEGER(MPI_Aint, MPI_AINT);
    OTHER_INTEGER(MPI_Offset, MPI_OFFSET);
    OTHER_INTEGER(MPI_Count, MPI_COUNT);
    OTHER_INTEGER(int, MPI_INTEGER);
    OTHER_INTEGER(int8_t, MPI_INTEGER1);
    OTHER_INTEGER(int16_t, MPI_INTEGER2);
    OTHER_INTEGER(int32_t, MPI_INTEGER4);
    OTHER_INTEGER(int64_t, MPI_INTEGER8);
    OTHER_INTEGER(wide, MPI_INTEGER16);
    BITS(uint8_t, MPI_BYTE);
    TRUTH(bool, MPI_C_BOOL);
    TRUTH(bool, MPI_CXX_BOOL);
    TRUTH(int, MPI_LOGICAL);
    TRUTH(int8_t, MPI_LOGICAL1);
    TRUTH(int16_t, MPI_LOGICAL2);
    TRUTH(int32_t, MPI_LOGICAL4);
    TRUTH(int64_t, MPI_LOGICAL8);
    TRUTH(wide, MPI_LOGICAL16);
}

static void reals(void)
{
    long double third = 1.0L / (3 + rank), sum = 0, all;
    int i;

    NUMBERS(float, MPI_FLOAT);
    NUMBERS(double, MPI_DOUBLE);
    NUMBERS(long double, MPI_LONG_DOUBLE);
    NUMBERS(float, MPI_REAL);
    NUMBERS(double, MPI_DOUBLE_PRECISION);
    NUMBERS(float, MPI_REAL4);
    NUMBERS(double, MPI_REAL8);
#ifdef __SIZEOF_FLOAT128__
    NUMBERS(__float128, MPI_REAL16);
#endif
    COMPLEX(float complex, float, MPI_C_FLOAT_COMPLEX);
    COMPLEX(double complex, double, MPI_C_DOUBLE_COMPLEX);
    COMPLEX(long double complex, long double, MPI_C_LONG_DOUBLE_COMPLEX);
    COMPLEX(float complex, float, MPI_COMPLEX);
    COMPLEX(double complex, double, MPI_DOUBLE_COMPLEX);
    COMPLEX(float complex, float, MPI_COMPLEX8);
    COMPLEX(double complex, double, MPI_COMPLEX16);
    /* Rounded as the processor does it: in the order of the ranks, one after the other. */
    CHECK_OK(MPI_Scan(&third, &all, 1, MPI_LONG_DOUBLE, MPI_SUM, MPI_COMM_WORLD));
    for (i = 0; i <= rank; i++)
        sum = 1.0L / (3 + i) + sum;
    if (rank < 2)
        CHECK(all == sum);
    CHECK(all - sum < 1e-15L && sum - all < 1e-15L);
}

static void located(void)
{
    LOCATED(float, int, MPI_FLOAT_INT);
    LOCATED(double, int, MPI_DOUBLE_INT);
    LOCATED(long, int, MPI_LONG_INT);
    LOCATED(int, int, MPI_2INT);
    LOCATED(short, int, MPI_SHORT_INT);
    LOCATED(long double, int, MPI_LONG_DOUBLE_INT);
    LOCATED(float, float, MPI_2REAL);
    LOCATED(double, double, MPI_2DOUBLE_PRECISION);
    LOCATED(int, int, MPI_2INTEGER);
}

static void calls(void)
{
    int root, i, n = 700, *mine = malloc(n * sizeof *mine), *all = malloc(n * sizeof *all), counts[MOST], sum;
    MPI_Request request;

    for (root = 0; root < size; root++) {
        for (i = 0; i < n; i++)
            mine[i] = rank + i;
        CHECK_OK(MPI_Reduce(mine, rank == root ? all : NULL, n, MPI_INT, MPI_SUM, root, MPI_COMM_WORLD));
        for (i = 0; i < n && rank == root; i++)
            CHECK_IS(all[i], size * i + size * (size - 1) / 2);
        CHECK_OK(MPI_Ireduce(rank == root ? MPI_IN_PLACE : mine, mine, n, MPI_INT, MPI_SUM, root, MPI_COMM_WORLD,
                             &request));
        CHECK_OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
        if (rank == root)
            CHECK_IS(mine[5], size * 5 + size * (size - 1) / 2);
    }
    for (i = 0; i < n; i++)
        mine[i] = rank + i;
    CHECK_OK(MPI_Allreduce_c(MPI_IN_PLACE, mine, n, MPI_INT, MPI_SUM, MPI_COMM_WORLD));
    CHECK_IS(mine[n - 1], size * (n - 1) + size * (size - 1) / 2);

    mine[0] = rank + 1;
    CHECK_OK(MPI_Scan(mine, all, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD));
    CHECK_IS(all[0], (rank + 1) * (rank + 2) / 2);
    CHECK_OK(MPI_Scan(MPI_IN_PLACE, mine, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD));
    CHECK_IS(mine[0], (rank + 1) * (rank + 2) / 2);
    mine[0] = rank + 1;
    all[0] = -1;
    CHECK_OK(MPI_Exscan(mine, all, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD));
    CHECK_IS(all[0], rank == 0 ? -1 : rank * (rank + 1) / 2);
    CHECK_OK(MPI_Iexscan(MPI_IN_PLACE, mine, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD, &request));
    CHECK_OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
    CHECK_IS(mine[0], rank == 0 ? 1 : rank * (rank + 1) / 2);

    for (i = 0, sum = 0; i < size; i++) {
        counts[i] = i % 3;
        sum += counts[i];
    }
    for (i = 0; i < sum; i++)
        mine[i] = i + rank;
    all[0] = all[1] = -1;
    CHECK_OK(MPI_Reduce_scatter(mine, all, counts, MPI_INT, MPI_SUM, MPI_COMM_WORLD));
    for (i = 0, sum = 0; i < rank; i++)
        sum += counts[i];
    for (i = 0; i < 2; i++)
        CHECK_IS(all[i], i < counts[rank] ? size * (sum + i) + size * (size - 1) / 2 : -1);
    for (i = 0; i < 2 * size; i++)
        mine[i] = i + rank;
    CHECK_OK(MPI_Reduce_scatter_block(mine, all, 2, MPI_INT, MPI_SUM, MPI_COMM_WORLD));
    CHECK_IS(all[1], size * (2 * rank + 1) + size * (size - 1) / 2);
    CHECK_OK(MPI_Reduce_scatter_block(MPI_IN_PLACE, mine, 2, MPI_INT, MPI_SUM, MPI_COMM_WORLD));
    CHECK_IS(mine[1], size * (2 * rank + 1) + size * (size - 1) / 2);

    CHECK_OK(MPI_Allreduce_init(mine, all, 2, MPI_INT, MPI_SUM, MPI_COMM_WORLD, MPI_INFO_NULL, &request));
    for (i = 0; i < 4; i++) {
        mine[0] = mine[1] = i + rank;
        CHECK_OK(MPI_Start(&request));
        CHECK_OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
        CHECK(request != MPI_REQUEST_NULL);
        CHECK_IS(all[1], size * i + size * (size - 1) / 2);
    }
    CHECK_OK(MPI_Request_free(&request));
    free(mine);
    free(all);
}

/* 2 x 2 matrices, whose product depends on the order. */
static int calls_of_function;
static MPI_Datatype told;

static void multiply(void *left, void *right, int *len, MPI_Datatype *datatype)
{
    int i, *a = left, *b = right;

    told = *datatype;
    calls_of_function++;
    for (i = 0; i < *len; i++, a += 4, b += 4) {
        int c[4] = {a[0] * b[0] + a[1] * b[2], a[0] * b[1] + a[1] * b[3], a[2] * b[0] + a[3] * b[2],
                    a[2] * b[1] + a[3] * b[3]};
        memcpy(b, c, sizeof c);
    }
}

struct padded {
    char sign;
    double value;
};

static void add_padded(void *left, void *right, MPI_Count *len, MPI_Datatype *datatype)
{
    struct padded *a = left, *b = right;
    MPI_Count i;

    told = *datatype;
    for (i = 0; i < *len; i++) {
        b[i].sign = (char)(a[i].sign + b[i].sign);
        b[i].value += a[i].value;
    }
}

static void operations(void)
{
    MPI_Op op, wide;
    MPI_Datatype matrix, padded, inner;
    int commute, i, n = 1000, at[2] = {1, 1}, *mine = malloc(4 * n * sizeof *mine), *all = malloc(4 * n * sizeof *all);
    int expected[4] = {1, 0, 0, 1}, step[4];
    struct padded one[3], sum[3];
    MPI_Aint places[2] = {offsetof(struct padded, sign), offsetof(struct padded, value)};
    MPI_Datatype types[2] = {MPI_CHAR, MPI_DOUBLE};

    CHECK_OK(MPI_Op_create(multiply, 0, &op));
    CHECK_OK(MPI_Op_commutative(op, &commute));
    CHECK_IS(commute, 0);
    CHECK_OK(MPI_Op_commutative(MPI_SUM, &commute));
    CHECK_IS(commute, 1);
    CHECK_OK(MPI_Type_contiguous(4, MPI_INT, &matrix));
    CHECK_CLASS(MPI_Allreduce(mine, all, 1, matrix, op, MPI_COMM_WORLD), MPI_ERR_TYPE);
    CHECK_OK(MPI_Type_commit(&matrix));
    CHECK_CLASS(MPI_Allreduce(mine, all, 1, matrix, MPI_SUM, MPI_COMM_WORLD), MPI_ERR_OP);
    for (i = 0; i < size; i++) {
        int next[4] = {1, i + 1, i % 2, 1};
        memcpy(step, next, sizeof step);
        multiply(expected, step, &(int){1}, &matrix);
        memcpy(expected, step, sizeof step);
    }
    calls_of_function = 0;
    told = MPI_DATATYPE_NULL;
    for (i = 0; i < n; i++) {
        int own[4] = {1, rank + 1, rank % 2, 1};
        memcpy(mine + 4 * i, own, sizeof own);
    }
    for (i = 1; i <= n; i = i == n ? n + 1 : n) {
        CHECK_OK(MPI_Allreduce(mine, all, i, matrix, op, MPI_COMM_WORLD));
        CHECK(memcmp(all + 4 * (i - 1), expected, sizeof expected) == 0);
        CHECK_OK(MPI_Reduce(mine, all, i, matrix, op, size - 1, MPI_COMM_WORLD));
        CHECK(rank < size - 1 || memcmp(all + 4 * (i - 1), expected, sizeof expected) == 0);
        CHECK_OK(MPI_Scan(mine, all, i, matrix, op, MPI_COMM_WORLD));
        CHECK(rank < size - 1 || memcmp(all + 4 * (i - 1), expected, sizeof expected) == 0);
    }
    CHECK(rank < size - 1 || size == 1 || calls_of_function > 0);
    CHECK(told == matrix || calls_of_function == 0);

    CHECK_OK(MPI_Type_create_struct(2, at, places, types, &inner));
    CHECK_OK(MPI_Type_create_resized(inner, 0, sizeof(struct padded), &padded));
    CHECK_OK(MPI_Type_commit(&padded));
    CHECK_OK(MPI_Op_create_c(add_padded, 1, &wide));
    for (i = 0; i < 3; i++) {
        one[i].sign = (char)(i + 1);
        one[i].value = rank + 0.5 * i;
        sum[i].value = -1;
    }
    CHECK_OK(MPI_Allreduce(one, sum, 3, padded, wide, MPI_COMM_WORLD));
    for (i = 0; i < 3; i++) {
        CHECK_IS(sum[i].sign, size * (i + 1));
        CHECK(sum[i].value == size * (size - 1) / 2 + size * 0.5 * i);
    }
    told = MPI_DATATYPE_NULL;
    CHECK_OK(MPI_Reduce_local_c(one, sum, 3, padded, wide));
    CHECK(told == padded);
    CHECK_IS(sum[2].sign, (size + 1) * 3);

    CHECK_OK(MPI_Op_free(&op));
    CHECK(op == MPI_OP_NULL);
    CHECK_OK(MPI_Op_free(&wide));
    CHECK_CLASS(MPI_Op_free(&op), MPI_ERR_OP);
    op = MPI_SUM;
    CHECK_CLASS(MPI_Op_free(&op), MPI_ERR_OP);
    CHECK_CLASS(MPI_Op_create(NULL, 1, &op), MPI_ERR_ARG);
    CHECK_OK(MPI_Type_free(&matrix));
    CHECK_OK(MPI_Type_free(&inner));
    CHECK_OK(MPI_Type_free(&padded));
    free(mine);
    free(all);
}

static void errors(void)
{
    int a = 1, b = 2;
    char c = 1, d = 1;

    CHECK_OK(MPI_Reduce_local(&a, &b, 1, MPI_INT, MPI_SUM));
    CHECK_IS(b, 3);
    CHECK_CLASS(MPI_Reduce_local(&a, &a, 1, MPI_INT, MPI_SUM), MPI_ERR_BUFFER);
    CHECK_CLASS(MPI_Allreduce(&c, &d, 1, MPI_CHAR, MPI_SUM, MPI_COMM_WORLD), MPI_ERR_OP);
    CHECK_CLASS(MPI_Allreduce(&a, &b, 1, MPI_INT, MPI_REPLACE, MPI_COMM_WORLD), MPI_ERR_OP);
    CHECK_CLASS(MPI_Allreduce(&a, &b, 1, MPI_INT, MPI_OP_NULL, MPI_COMM_WORLD), MPI_ERR_OP);
    CHECK_CLASS(MPI_Allreduce(&a, &a, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD), MPI_ERR_BUFFER);
    CHECK_CLASS(MPI_Allreduce(&a, &b, 1, MPI_DOUBLE, MPI_BAND, MPI_COMM_WORLD), MPI_ERR_OP);
    CHECK_CLASS(MPI_Reduce(&a, &b, 1, MPI_INT, MPI_SUM, size, MPI_COMM_WORLD), MPI_ERR_ROOT);
    CHECK_CLASS(MPI_Allreduce(NULL, &b, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD), MPI_ERR_BUFFER);
    if (size == 2)
        CHECK_CLASS(MPI_Allreduce(&a, &b, 1, MPI_INT, rank ? MPI_SUM : MPI_MAX, MPI_COMM_WORLD), MPI_ERR_NOT_SAME);
    CHECK_OK(MPI_Barrier(MPI_COMM_WORLD));
}

int main(int argc, char **argv)
{
    check_start(&argc, &argv);
    rank = check_rank();
    size = check_size();
    integers();
    reals();
    located();
    calls();
    operations();
    errors();
    CHECK_OK(MPI_Finalize());
    return 0;
}
