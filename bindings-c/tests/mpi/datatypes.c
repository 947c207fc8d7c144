/* Sizes, bounds, names and errors of datatypes (MPI 5.0, chapter 5). */
/* ranks: 1 */
#include "check.h"
#include <complex.h>
#include <stddef.h>
#include <stdint.h>
#include <wchar.h>
#include <stdbool.h>

static void extents(MPI_Datatype type, MPI_Aint lb, MPI_Aint extent, MPI_Aint true_lb, MPI_Aint true_extent)
{
    MPI_Aint aints[4] = {-1, -1, -1, -1};
    MPI_Count counts[4] = {-1, -1, -1, -1};
    int i;
    CHECK_OK(MPI_Type_get_extent(type, &aints[0], &aints[1]));
    CHECK_OK(MPI_Type_get_true_extent(type, &aints[2], &aints[3]));
    CHECK_IS(aints[0], lb);
    CHECK_IS(aints[1], extent);
    CHECK_IS(aints[2], true_lb);
    CHECK_IS(aints[3], true_extent);
    CHECK_OK(MPI_Type_get_extent_c(type, &counts[0], &counts[1]));
    CHECK_OK(MPI_Type_get_true_extent_c(type, &counts[2], &counts[3]));
    for (i = 0; i < 4; i++)
        CHECK_IS(counts[i], aints[i]);
    CHECK_OK(MPI_Type_get_extent_x(type, &counts[0], &counts[1]));
    CHECK_OK(MPI_Type_get_true_extent_x(type, &counts[2], &counts[3]));
    for (i = 0; i < 4; i++)
        CHECK_IS(counts[i], aints[i]);
}

static long long size_of(MPI_Datatype type)
{
    int size = -1;
    MPI_Count wide = -1, other = -1;
    CHECK_OK(MPI_Type_size(type, &size));
    CHECK_OK(MPI_Type_size_c(type, &wide));
    CHECK_OK(MPI_Type_size_x(type, &other));
    CHECK_IS(wide, other);
    CHECK_IS(size, wide > 0x7fffffff ? MPI_UNDEFINED : wide);
    return wide;
}

struct named {
    MPI_Datatype type;
    const char *name;
    size_t size, extent, true_extent;
};

#define NAMED(constant, type) {constant, #constant, sizeof(type), sizeof(type), sizeof(type)}
#define PAIR(constant, value, index)                                                                \
    {constant, #constant, sizeof(value) + sizeof(index), sizeof(struct { value v; index i; }),         \
     offsetof(struct { value v; index i; }, i) + sizeof(index)}

/* What this compiler says of the types that MPI names. */
static const struct named named[] = {
    NAMED(MPI_CHAR, char), NAMED(MPI_SHORT, short), NAMED(MPI_INT, int), NAMED(MPI_LONG, long),
    NAMED(MPI_LONG_LONG_INT, long long), NAMED(MPI_SIGNED_CHAR, signed char), NAMED(MPI_UNSIGNED_CHAR, unsigned char),
    NAMED(MPI_UNSIGNED_SHORT, unsigned short), NAMED(MPI_UNSIGNED, unsigned), NAMED(MPI_UNSIGNED_LONG, unsigned long),
    NAMED(MPI_UNSIGNED_LONG_LONG, unsigned long long), NAMED(MPI_FLOAT, float), NAMED(MPI_DOUBLE, double),
    NAMED(MPI_LONG_DOUBLE, long double), NAMED(MPI_WCHAR, wchar_t), NAMED(MPI_C_BOOL, bool), NAMED(MPI_INT8_T, int8_t),
    NAMED(MPI_INT16_T, int16_t), NAMED(MPI_INT32_T, int32_t), NAMED(MPI_INT64_T, int64_t), NAMED(MPI_UINT8_T, uint8_t),
    NAMED(MPI_UINT16_T, uint16_t), NAMED(MPI_UINT32_T, uint32_t), NAMED(MPI_UINT64_T, uint64_t), NAMED(MPI_AINT, MPI_Aint),
    NAMED(MPI_COUNT, MPI_Count), NAMED(MPI_OFFSET, MPI_Offset), NAMED(MPI_C_COMPLEX, float complex),
    NAMED(MPI_C_DOUBLE_COMPLEX, double complex), NAMED(MPI_C_LONG_DOUBLE_COMPLEX, long double complex),
    NAMED(MPI_BYTE, char), NAMED(MPI_PACKED, char), NAMED(MPI_CXX_BOOL, bool), NAMED(MPI_INTEGER, int),
    NAMED(MPI_LOGICAL, int), NAMED(MPI_REAL, float), NAMED(MPI_DOUBLE_PRECISION, double), NAMED(MPI_CHARACTER, char),
    NAMED(MPI_COMPLEX, float complex), NAMED(MPI_DOUBLE_COMPLEX, double complex), NAMED(MPI_REAL8, double),
    NAMED(MPI_INTEGER8, int64_t), NAMED(MPI_LOGICAL2, int16_t), NAMED(MPI_COMPLEX32, char[32]),
    PAIR(MPI_FLOAT_INT, float, int), PAIR(MPI_DOUBLE_INT, double, int), PAIR(MPI_LONG_INT, long, int),
    PAIR(MPI_2INT, int, int), PAIR(MPI_SHORT_INT, short, int), PAIR(MPI_LONG_DOUBLE_INT, long double, int),
    PAIR(MPI_2REAL, float, float), PAIR(MPI_2DOUBLE_PRECISION, double, double), PAIR(MPI_2INTEGER, int, int),
};

static void predefined(void)
{
    size_t i;
    for (i = 0; i < sizeof named / sizeof *named; i++) {
        MPI_Datatype type = named[i].type;
        char name[MPI_MAX_OBJECT_NAME];
        int len = -1, integers, addresses, types, combiner;
        CHECK_IS(size_of(type), named[i].size);
        extents(type, 0, named[i].extent, 0, named[i].true_extent);
        CHECK_OK(MPI_Type_get_name(type, name, &len));
        CHECK(strcmp(name, named[i].name) == 0 && len == (int)strlen(name));
        CHECK_OK(MPI_Type_get_envelope(type, &integers, &addresses, &types, &combiner));
        CHECK_IS(combiner, MPI_COMBINER_NAMED);
        CHECK_IS(integers + addresses + types, 0);
        CHECK_CLASS(MPI_Type_free(&type), MPI_ERR_TYPE);
        CHECK(type == named[i].type);
        CHECK_OK(MPI_Type_commit(&type));
        CHECK_IS(MPI_Type_toint(type), (int)(intptr_t)type);
        CHECK(MPI_Type_fromint(MPI_Type_toint(type)) == type);
    }
    CHECK(MPI_LONG_LONG == MPI_LONG_LONG_INT && MPI_C_FLOAT_COMPLEX == MPI_C_COMPLEX);
}

static void constructors(void)
{
    MPI_Datatype type, inner;
    struct padded { double d; char c; } pair[2];
    int lengths[2] = {1, 1}, places[3] = {5, -1, 2};
    MPI_Aint displacements[2];
    MPI_Datatype types[2] = {MPI_DOUBLE, MPI_CHAR};

    MPI_Get_address(&pair[0].d, &displacements[0]);
    MPI_Get_address(&pair[0].c, &displacements[1]);
    displacements[1] = MPI_Aint_diff(displacements[1], displacements[0]);
    displacements[0] = 0;
    CHECK_IS(displacements[1], offsetof(struct padded, c));
    CHECK_OK(MPI_Type_create_struct(2, lengths, displacements, types, &inner));
    extents(inner, 0, sizeof(struct padded), 0, 9);
    CHECK_IS(size_of(inner), 9);

    CHECK_OK(MPI_Type_contiguous(3, inner, &type));
    extents(type, 0, 48, 0, 41);
    MPI_Type_free(&type);
    CHECK(type == MPI_DATATYPE_NULL);

    CHECK_OK(MPI_Type_vector(3, 2, -4, MPI_INT, &type));
    extents(type, -32, 40, -32, 40);
    CHECK_IS(size_of(type), 24);
    MPI_Type_free(&type);

    CHECK_OK(MPI_Type_create_hvector(2, 1, 12, MPI_DOUBLE, &type));
    extents(type, 0, 20, 0, 20);
    MPI_Type_free(&type);

    CHECK_OK(MPI_Type_create_indexed_block(3, 2, places, MPI_SHORT, &type));
    extents(type, -2, 16, -2, 16);
    CHECK_IS(size_of(type), 12);
    MPI_Type_free(&type);

    CHECK_OK(MPI_Type_create_resized(MPI_INT, -4, 16, &type));
    extents(type, -4, 16, 0, 4);
    MPI_Type_free(&inner);
    /* What was made of a type outlives its handle. */
    inner = type;
    CHECK_OK(MPI_Type_dup(inner, &type));
    MPI_Type_free(&inner);
    extents(type, -4, 16, 0, 4);
    MPI_Type_free(&type);

    CHECK_OK(MPI_Type_contiguous(0, MPI_DOUBLE, &type));
    extents(type, 0, 0, 0, 0);
    CHECK_IS(size_of(type), 0);
    MPI_Type_free(&type);

    CHECK_OK(MPI_Type_create_struct(0, NULL, NULL, NULL, &type));
    CHECK_IS(size_of(type), 0);
    MPI_Type_free(&type);
}

/* The parts of all processes are the whole array, each element once. */
static void arrays(void)
{
    int sizes[3] = {7, 6, 5}, distributions[3] = {MPI_DISTRIBUTE_CYCLIC, MPI_DISTRIBUTE_BLOCK, MPI_DISTRIBUTE_NONE};
    int blocks[3] = {2, MPI_DISTRIBUTE_DFLT_DARG, MPI_DISTRIBUTE_DFLT_DARG}, grid[3] = {3, 2, 1};
    int orders[2] = {MPI_ORDER_C, MPI_ORDER_FORTRAN};
    int order, rank, i;
    for (order = 0; order < 2; order++) {
        int array[210], seen[210] = {0};
        for (i = 0; i < 210; i++)
            array[i] = i;
        for (rank = 0; rank < 6; rank++) {
            MPI_Datatype part;
            MPI_Aint lb, extent;
            int packed[210], position = 0;
            CHECK_OK(MPI_Type_create_darray(6, rank, 3, sizes, distributions, blocks, grid, orders[order], MPI_INT, &part));
            MPI_Type_commit(&part);
            MPI_Type_get_extent(part, &lb, &extent);
            CHECK_IS(lb, 0);
            CHECK_IS(extent, sizeof array);
            CHECK_OK(MPI_Pack(array, 1, part, packed, sizeof packed, &position, MPI_COMM_WORLD));
            for (i = 0; i < position / (int)sizeof(int); i++) {
                int at = packed[i];
                int first = orders[order] == MPI_ORDER_C ? at / 30 : at % 7;
                int second = orders[order] == MPI_ORDER_C ? at / 5 % 6 : at / 7 % 6;
                seen[at]++;
                CHECK_IS(first / 2 % 3, rank / 2);
                CHECK_IS(second / 3, rank % 2);
            }
            MPI_Type_free(&part);
        }
        for (i = 0; i < 210; i++)
            CHECK_IS(seen[i], 1);
    }
}

static void subarrays(void)
{
    int sizes[2] = {4, 6}, parts[2] = {2, 3}, starts[2] = {1, 2};
    int matrix[24], tile[6], position = 0, i;
    static const int in_c[6] = {8, 9, 10, 14, 15, 16}, in_fortran[6] = {9, 10, 13, 14, 17, 18};
    MPI_Datatype type;
    for (i = 0; i < 24; i++)
        matrix[i] = i;
    CHECK_OK(MPI_Type_create_subarray(2, sizes, parts, starts, MPI_ORDER_C, MPI_INT, &type));
    MPI_Type_commit(&type);
    extents(type, 0, 96, 32, 36);
    MPI_Pack(matrix, 1, type, tile, sizeof tile, &position, MPI_COMM_WORLD);
    CHECK(memcmp(tile, in_c, sizeof tile) == 0);
    MPI_Type_free(&type);
    CHECK_OK(MPI_Type_create_subarray(2, sizes, parts, starts, MPI_ORDER_FORTRAN, MPI_INT, &type));
    MPI_Type_commit(&type);
    position = 0;
    MPI_Pack(matrix, 1, type, tile, sizeof tile, &position, MPI_COMM_WORLD);
    CHECK(memcmp(tile, in_fortran, sizeof tile) == 0);
    MPI_Type_free(&type);
}

static void given(void)
{
    MPI_Datatype one, other;
    int size;
    CHECK_OK(MPI_Type_create_f90_real(6, 30, &one));
    CHECK_OK(MPI_Type_create_f90_real(6, 30, &other));
    CHECK(one == other && one != MPI_DATATYPE_NULL);
    CHECK_IS(size_of(one), 4);
    CHECK_CLASS(MPI_Type_free(&one), MPI_ERR_TYPE);
    CHECK_OK(MPI_Type_create_f90_complex(MPI_UNDEFINED, 300, &one));
    CHECK_IS(size_of(one), 16);
    CHECK_OK(MPI_Type_create_f90_integer(12, &one));
    CHECK_IS(size_of(one), 8);
    CHECK_CLASS(MPI_Type_create_f90_real(40, 5, &one), MPI_ERR_ARG);
    CHECK_CLASS(MPI_Type_create_f90_complex(MPI_UNDEFINED, MPI_UNDEFINED, &one), MPI_ERR_ARG);
    CHECK_CLASS(MPI_Type_create_f90_integer(77, &one), MPI_ERR_ARG);
    for (size = 1; size <= 32; size *= 2) {
        if (size <= 16)
            CHECK_OK(MPI_Type_match_size(MPI_TYPECLASS_INTEGER, size, &one));
        if (size <= 16)
            CHECK_IS(size_of(one), size);
        if (size >= 4 && MPI_Type_match_size(MPI_TYPECLASS_COMPLEX, size, &one) == MPI_SUCCESS)
            CHECK_IS(size_of(one), size);
    }
    CHECK_OK(MPI_Type_match_size(MPI_TYPECLASS_REAL, 8, &one));
    CHECK(one == MPI_REAL8);
    CHECK_CLASS(MPI_Type_match_size(MPI_TYPECLASS_REAL, 5, &one), MPI_ERR_ARG);
    CHECK_CLASS(MPI_Type_match_size(5, 4, &one), MPI_ERR_ARG);
    CHECK_OK(MPI_Type_get_value_index(MPI_DOUBLE, MPI_INT, &one));
    CHECK(one == MPI_DOUBLE_INT);
    /* No pair but those with names. */
    CHECK_OK(MPI_Type_get_value_index(MPI_FLOAT, MPI_INT64_T, &one));
    CHECK(one == MPI_DATATYPE_NULL);
    CHECK_OK(MPI_Type_get_value_index(MPI_CHAR, MPI_FLOAT, &one));
    CHECK(one == MPI_DATATYPE_NULL);
}

static void names(void)
{
    MPI_Datatype type;
    char name[MPI_MAX_OBJECT_NAME], text[300];
    int len;
    MPI_Type_contiguous(2, MPI_INT, &type);
    CHECK_OK(MPI_Type_get_name(type, name, &len));
    CHECK(len == 0 && name[0] == 0);
    CHECK_OK(MPI_Type_set_name(type, "point"));
    MPI_Type_get_name(type, name, &len);
    CHECK(len == 5 && strcmp(name, "point") == 0);
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    MPI_Type_set_name(type, text);
    MPI_Type_get_name(type, name, &len);
    CHECK_IS(len, MPI_MAX_OBJECT_NAME - 1);
    CHECK_IS(strlen(name), len);
    CHECK_OK(MPI_Type_get_name(MPI_DATATYPE_NULL, name, &len));
    CHECK(strcmp(name, "MPI_DATATYPE_NULL") == 0);
    CHECK_CLASS(MPI_Type_set_name(MPI_DATATYPE_NULL, "x"), MPI_ERR_TYPE);
    MPI_Type_free(&type);
}

static void large(void)
{
    MPI_Datatype type, row;
    MPI_Count big = (MPI_Count)1 << 31, lb, extent, parts = 1 << 20, places[2] = {0, (MPI_Count)1 << 40}, lengths[2];
    MPI_Aint small_lb, small_extent;
    MPI_Datatype types[2] = {MPI_CHAR, MPI_DOUBLE};
    int size;
    CHECK_OK(MPI_Type_contiguous_c(big + 5, MPI_DOUBLE, &type));
    CHECK_IS(size_of(type), 8 * (big + 5));
    MPI_Type_size(type, &size);
    CHECK_IS(size, MPI_UNDEFINED);
    MPI_Type_get_extent(type, &small_lb, &small_extent);
    CHECK_IS(small_extent, 8 * (big + 5));
    MPI_Type_free(&type);

    CHECK_OK(MPI_Type_vector_c(big, 1, big, MPI_CHAR, &row));
    CHECK_IS(size_of(row), big);
    MPI_Type_get_extent_c(row, &lb, &extent);
    CHECK_IS(extent, (big - 1) * big + 1);
    CHECK_CLASS(MPI_Type_vector_c(big, 1, big, row, &type), MPI_ERR_VALUE_TOO_LARGE);
    MPI_Type_free(&row);

    lengths[0] = big;
    lengths[1] = 3;
    CHECK_OK(MPI_Type_create_struct_c(2, lengths, places, types, &type));
    CHECK_IS(size_of(type), big + 24);
    extents(type, 0, ((MPI_Aint)1 << 40) + 24, 0, ((MPI_Aint)1 << 40) + 24);
    MPI_Type_free(&type);

    CHECK_OK(MPI_Type_create_hvector_c(parts, parts, parts * 16, MPI_DOUBLE, &type));
    CHECK_IS(size_of(type), parts * parts * 8);
    MPI_Type_free(&type);
    CHECK_CLASS(MPI_Type_contiguous_c((MPI_Count)1 << 61, MPI_DOUBLE, &type), MPI_ERR_VALUE_TOO_LARGE);
}

static void errors(void)
{
    MPI_Datatype type = MPI_DATATYPE_NULL, freed;
    int one = 1, less = -1, size, buffer[4] = {0}, position = 0, zero = 0;
    MPI_Aint place = 0;
    CHECK_CLASS(MPI_Type_contiguous(-1, MPI_INT, &type), MPI_ERR_COUNT);
    CHECK_CLASS(MPI_Type_vector(-1, 1, 1, MPI_INT, &type), MPI_ERR_COUNT);
    CHECK_CLASS(MPI_Type_indexed(-1, &one, &one, MPI_INT, &type), MPI_ERR_COUNT);
    CHECK_CLASS(MPI_Type_indexed(1, &less, &one, MPI_INT, &type), MPI_ERR_ARG);
    CHECK_CLASS(MPI_Type_indexed(1, NULL, &one, MPI_INT, &type), MPI_ERR_ARG);
    CHECK_CLASS(MPI_Type_create_hindexed(1, &less, &place, MPI_INT, &type), MPI_ERR_ARG);
    CHECK_CLASS(MPI_Type_create_struct(1, &one, &place, &type, &freed), MPI_ERR_TYPE);
    CHECK_CLASS(MPI_Type_create_subarray(1, &one, &one, &one, MPI_ORDER_C, MPI_INT, &type), MPI_ERR_ARG);
    CHECK_CLASS(MPI_Type_create_subarray(1, &one, &one, &zero, 99, MPI_INT, &type), MPI_ERR_ARG);
    CHECK_CLASS(MPI_Type_create_subarray(0, &one, &one, &zero, MPI_ORDER_C, MPI_INT, &type), MPI_ERR_DIMS);
    CHECK_CLASS(MPI_Type_contiguous(1, MPI_DATATYPE_NULL, &type), MPI_ERR_TYPE);
    CHECK_CLASS(MPI_Type_contiguous(1, (MPI_Datatype)0, &type), MPI_ERR_TYPE);
    CHECK_CLASS(MPI_Type_contiguous(1, (MPI_Datatype)0x1fff, &type), MPI_ERR_TYPE);
    CHECK_CLASS(MPI_Type_contiguous(1, (MPI_Datatype)MPI_COMM_WORLD, &type), MPI_ERR_TYPE);
    CHECK_CLASS(MPI_Type_contiguous(1, MPI_INT, NULL), MPI_ERR_ARG);
    CHECK_CLASS(MPI_Type_size(MPI_DATATYPE_NULL, &size), MPI_ERR_TYPE);
    CHECK_CLASS(MPI_Type_commit(&type), MPI_ERR_TYPE);
    CHECK_CLASS(MPI_Type_free(&type), MPI_ERR_TYPE);

    MPI_Type_contiguous(2, MPI_INT, &type);
    CHECK_CLASS(MPI_Pack(buffer, 1, type, buffer, sizeof buffer, &position, MPI_COMM_WORLD), MPI_ERR_TYPE);
    freed = type;
    CHECK(MPI_Type_fromint(MPI_Type_toint(type)) == type);
    MPI_Type_free(&type);
    CHECK_CLASS(MPI_Type_size(freed, &size), MPI_ERR_TYPE);
    CHECK_CLASS(MPI_Type_commit(&freed), MPI_ERR_TYPE);
    CHECK_CLASS(MPI_Type_free(&freed), MPI_ERR_TYPE);
    /* Its place is used again; the old handle stays wrong. */
    MPI_Type_contiguous(2, MPI_INT, &type);
    CHECK_CLASS(MPI_Type_size(freed, &size), MPI_ERR_TYPE);
    MPI_Type_free(&type);
}

int main(int argc, char **argv)
{
    check_start(&argc, &argv);
    predefined();
    constructors();
    subarrays();
    arrays();
    given();
    names();
    large();
    errors();
    CHECK_OK(MPI_Finalize());
    return 0;
}
