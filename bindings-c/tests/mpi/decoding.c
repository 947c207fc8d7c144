/* What MPI tells of how a datatype was made makes the same datatype again (MPI 5.0, 5.1.13). */
/* ranks: 1 */
#include "check.h"
#include <stdint.h>

struct parts {
    MPI_Count ni, na, nc, nd;
    int combiner;
    int i[64];
    MPI_Aint a[64];
    MPI_Count c[64];
    MPI_Datatype d[8];
};

static void decode(MPI_Datatype type, struct parts *parts)
{
    memset(parts, 0, sizeof *parts);
    CHECK_OK(MPI_Type_get_envelope_c(type, &parts->ni, &parts->na, &parts->nc, &parts->nd, &parts->combiner));
    CHECK_OK(MPI_Type_get_contents_c(type, parts->ni, parts->na, parts->nc, parts->nd, parts->i, parts->a, parts->c, parts->d));
}

/* Makes a datatype by the call that its combiner names. */
static int make(const struct parts *p, MPI_Datatype *made)
{
    const int *i = p->i;
    const MPI_Aint *a = p->a;
    const MPI_Count *c = p->c;
    int large = p->nc > 0, n;
    MPI_Datatype old = p->d[0];
    switch (p->combiner) {
    case MPI_COMBINER_DUP:
        return MPI_Type_dup(old, made);
    case MPI_COMBINER_CONTIGUOUS:
        return large ? MPI_Type_contiguous_c(c[0], old, made) : MPI_Type_contiguous(i[0], old, made);
    case MPI_COMBINER_VECTOR:
        return large ? MPI_Type_vector_c(c[0], c[1], c[2], old, made) : MPI_Type_vector(i[0], i[1], i[2], old, made);
    case MPI_COMBINER_HVECTOR:
        return large ? MPI_Type_create_hvector_c(c[0], c[1], c[2], old, made)
                     : MPI_Type_create_hvector(i[0], i[1], a[0], old, made);
    case MPI_COMBINER_INDEXED:
        return large ? MPI_Type_indexed_c(c[0], c + 1, c + 1 + c[0], old, made)
                     : MPI_Type_indexed(i[0], i + 1, i + 1 + i[0], old, made);
    case MPI_COMBINER_HINDEXED:
        return large ? MPI_Type_create_hindexed_c(c[0], c + 1, c + 1 + c[0], old, made)
                     : MPI_Type_create_hindexed(i[0], i + 1, a, old, made);
    case MPI_COMBINER_INDEXED_BLOCK:
        return large ? MPI_Type_create_indexed_block_c(c[0], c[1], c + 2, old, made)
                     : MPI_Type_create_indexed_block(i[0], i[1], i + 2, old, made);
    case MPI_COMBINER_HINDEXED_BLOCK:
        return large ? MPI_Type_create_hindexed_block_c(c[0], c[1], c + 2, old, made)
                     : MPI_Type_create_hindexed_block(i[0], i[1], a, old, made);
    case MPI_COMBINER_STRUCT:
        return large ? MPI_Type_create_struct_c(c[0], c + 1, c + 1 + c[0], p->d, made)
                     : MPI_Type_create_struct(i[0], i + 1, a, p->d, made);
    case MPI_COMBINER_SUBARRAY:
        n = i[0];
        return large ? MPI_Type_create_subarray_c(n, c, c + n, c + 2 * n, i[1], old, made)
                     : MPI_Type_create_subarray(n, i + 1, i + 1 + n, i + 1 + 2 * n, i[1 + 3 * n], old, made);
    case MPI_COMBINER_DARRAY:
        n = i[2];
        return large ? MPI_Type_create_darray_c(i[0], i[1], n, c, i + 3, i + 3 + n, i + 3 + 2 * n, i[3 + 3 * n], old, made)
                     : MPI_Type_create_darray(i[0], i[1], n, i + 3, i + 3 + n, i + 3 + 2 * n, i + 3 + 3 * n, i[3 + 4 * n],
                                              old, made);
    case MPI_COMBINER_RESIZED:
        return large ? MPI_Type_create_resized_c(old, c[0], c[1], made) : MPI_Type_create_resized(old, a[0], a[1], made);
    case MPI_COMBINER_F90_REAL:
        return MPI_Type_create_f90_real(i[0], i[1], made);
    case MPI_COMBINER_F90_COMPLEX:
        return MPI_Type_create_f90_complex(i[0], i[1], made);
    case MPI_COMBINER_F90_INTEGER:
        return MPI_Type_create_f90_integer(i[0], made);
    default:
        return MPI_ERR_TYPE;
    }
}

static int is_derived(MPI_Datatype type)
{
    MPI_Count ni, na, nc, nd;
    int combiner;
    MPI_Type_get_envelope_c(type, &ni, &na, &nc, &nd, &combiner);
    return combiner != MPI_COMBINER_NAMED && combiner != MPI_COMBINER_F90_REAL && combiner != MPI_COMBINER_F90_COMPLEX &&
           combiner != MPI_COMBINER_F90_INTEGER && combiner != MPI_COMBINER_VALUE_INDEX;
}

static void bounds(MPI_Datatype type, MPI_Count *of)
{
    MPI_Type_size_c(type, &of[0]);
    MPI_Type_get_extent_c(type, &of[1], &of[2]);
    MPI_Type_get_true_extent_c(type, &of[3], &of[4]);
}

/* Decodes a type, makes it again, and frees all of it. */
static void round_trip(MPI_Datatype type, int combiner, int ni, int na, int nc, int nd)
{
    struct parts told, again;
    MPI_Datatype made = MPI_DATATYPE_NULL;
    MPI_Count one[5], other[5];
    int i;
    decode(type, &told);
    CHECK_IS(told.combiner, combiner);
    CHECK_IS(told.ni, ni);
    CHECK_IS(told.na, na);
    CHECK_IS(told.nc, nc);
    CHECK_IS(told.nd, nd);
    CHECK_OK(make(&told, &made));
    decode(made, &again);
    CHECK(memcmp(told.i, again.i, sizeof told.i) == 0);
    CHECK(memcmp(told.a, again.a, sizeof told.a) == 0);
    CHECK(memcmp(told.c, again.c, sizeof told.c) == 0);
    bounds(type, one);
    bounds(made, other);
    CHECK(memcmp(one, other, sizeof one) == 0);
    if (nc == 0) {
        int integers, addresses, types, which, room[64];
        MPI_Aint places[64];
        MPI_Datatype types_told[8];
        CHECK_OK(MPI_Type_get_envelope(type, &integers, &addresses, &types, &which));
        CHECK_IS(integers, ni);
        CHECK_IS(addresses, na);
        CHECK_IS(types, nd);
        CHECK_IS(which, combiner);
        CHECK_OK(MPI_Type_get_contents(type, ni, na, nd, room, places, types_told));
        CHECK(memcmp(room, told.i, ni * sizeof *room) == 0);
        CHECK(memcmp(places, told.a, na * sizeof *places) == 0);
        for (i = 0; i < nd; i++)
            if (is_derived(types_told[i]))
                CHECK_OK(MPI_Type_free(&types_told[i]));
        if (ni > 0)
            CHECK_CLASS(MPI_Type_get_contents(type, ni - 1, na, nd, room, places, types_told), MPI_ERR_ARG);
    } else {
        int room[64], integers, addresses, types, which;
        MPI_Aint places[64];
        MPI_Datatype types_told[8];
        CHECK_CLASS(MPI_Type_get_envelope(type, &integers, &addresses, &types, &which), MPI_ERR_TYPE);
        CHECK_CLASS(MPI_Type_get_contents(type, 64, 64, 8, room, places, types_told), MPI_ERR_TYPE);
        CHECK_CLASS(MPI_Type_get_contents_c(type, 64, 64, nc - 1, 8, room, places, told.c, types_told), MPI_ERR_ARG);
    }
    for (i = 0; i < nd; i++) {
        if (is_derived(told.d[i]))
            CHECK_OK(MPI_Type_free(&told.d[i]));
        if (is_derived(again.d[i]))
            CHECK_OK(MPI_Type_free(&again.d[i]));
    }
    if (is_derived(type)) {
        CHECK(type != made);
        CHECK_OK(MPI_Type_free(&type));
        CHECK_OK(MPI_Type_free(&made));
    } else
        CHECK(type == made);
}

static void small(MPI_Datatype old)
{
    MPI_Datatype type, types[2] = {old, MPI_CHAR};
    int lengths[2] = {2, 1}, places[2] = {9, 4};
    MPI_Aint far[2] = {160, 0};
    int sizes[2] = {5, 4}, parts[2] = {2, 2}, starts[2] = {3, 0};
    int spread[2] = {MPI_DISTRIBUTE_BLOCK, MPI_DISTRIBUTE_CYCLIC}, blocks[2] = {MPI_DISTRIBUTE_DFLT_DARG, 1}, grid[2] = {2, 3};
    MPI_Type_dup(old, &type);
    round_trip(type, MPI_COMBINER_DUP, 0, 0, 0, 1);
    MPI_Type_contiguous(3, old, &type);
    round_trip(type, MPI_COMBINER_CONTIGUOUS, 1, 0, 0, 1);
    MPI_Type_vector(3, 2, 4, old, &type);
    round_trip(type, MPI_COMBINER_VECTOR, 3, 0, 0, 1);
    MPI_Type_create_hvector(3, 2, 200, old, &type);
    round_trip(type, MPI_COMBINER_HVECTOR, 2, 1, 0, 1);
    MPI_Type_indexed(2, lengths, places, old, &type);
    round_trip(type, MPI_COMBINER_INDEXED, 5, 0, 0, 1);
    MPI_Type_create_hindexed(2, lengths, far, old, &type);
    round_trip(type, MPI_COMBINER_HINDEXED, 3, 2, 0, 1);
    MPI_Type_create_indexed_block(2, 3, places, old, &type);
    round_trip(type, MPI_COMBINER_INDEXED_BLOCK, 4, 0, 0, 1);
    MPI_Type_create_hindexed_block(2, 3, far, old, &type);
    round_trip(type, MPI_COMBINER_HINDEXED_BLOCK, 2, 2, 0, 1);
    MPI_Type_create_struct(2, lengths, far, types, &type);
    round_trip(type, MPI_COMBINER_STRUCT, 3, 2, 0, 2);
    MPI_Type_create_subarray(2, sizes, parts, starts, MPI_ORDER_FORTRAN, old, &type);
    round_trip(type, MPI_COMBINER_SUBARRAY, 8, 0, 0, 1);
    MPI_Type_create_darray(6, 4, 2, sizes, spread, blocks, grid, MPI_ORDER_C, old, &type);
    round_trip(type, MPI_COMBINER_DARRAY, 12, 0, 0, 1);
    MPI_Type_create_resized(old, -16, 320, &type);
    round_trip(type, MPI_COMBINER_RESIZED, 0, 2, 0, 1);
}

static void large(MPI_Datatype old)
{
    MPI_Datatype type, types[2] = {old, MPI_CHAR};
    MPI_Count lengths[2] = {2, (MPI_Count)1 << 33}, places[2] = {9, (MPI_Count)1 << 34};
    MPI_Count sizes[2] = {(MPI_Count)1 << 35, 4}, parts[2] = {(MPI_Count)1 << 32, 2}, starts[2] = {3, 0};
    int spread[2] = {MPI_DISTRIBUTE_BLOCK, MPI_DISTRIBUTE_CYCLIC}, blocks[2] = {MPI_DISTRIBUTE_DFLT_DARG, 1}, grid[2] = {2, 3};
    MPI_Type_contiguous_c((MPI_Count)3 << 31, old, &type);
    round_trip(type, MPI_COMBINER_CONTIGUOUS, 0, 0, 1, 1);
    MPI_Type_vector_c(3, 2, (MPI_Count)1 << 32, old, &type);
    round_trip(type, MPI_COMBINER_VECTOR, 0, 0, 3, 1);
    MPI_Type_create_hvector_c((MPI_Count)1 << 32, 2, 200, old, &type);
    round_trip(type, MPI_COMBINER_HVECTOR, 0, 0, 3, 1);
    MPI_Type_indexed_c(2, lengths, places, old, &type);
    round_trip(type, MPI_COMBINER_INDEXED, 0, 0, 5, 1);
    MPI_Type_create_hindexed_c(2, lengths, places, old, &type);
    round_trip(type, MPI_COMBINER_HINDEXED, 0, 0, 5, 1);
    MPI_Type_create_indexed_block_c(2, 3, places, old, &type);
    round_trip(type, MPI_COMBINER_INDEXED_BLOCK, 0, 0, 4, 1);
    MPI_Type_create_hindexed_block_c(2, 3, places, old, &type);
    round_trip(type, MPI_COMBINER_HINDEXED_BLOCK, 0, 0, 4, 1);
    MPI_Type_create_struct_c(2, lengths, places, types, &type);
    round_trip(type, MPI_COMBINER_STRUCT, 0, 0, 5, 2);
    MPI_Type_create_subarray_c(2, sizes, parts, starts, MPI_ORDER_FORTRAN, old, &type);
    round_trip(type, MPI_COMBINER_SUBARRAY, 2, 0, 6, 1);
    MPI_Type_create_darray_c(6, 4, 2, sizes, spread, blocks, grid, MPI_ORDER_C, old, &type);
    round_trip(type, MPI_COMBINER_DARRAY, 10, 0, 2, 1);
    MPI_Type_create_resized_c(old, -16, (MPI_Count)1 << 40, &type);
    round_trip(type, MPI_COMBINER_RESIZED, 0, 0, 2, 1);
}

static void given(void)
{
    MPI_Datatype type;
    MPI_Type_create_f90_real(15, 307, &type);
    round_trip(type, MPI_COMBINER_F90_REAL, 2, 0, 0, 0);
    MPI_Type_create_f90_complex(6, MPI_UNDEFINED, &type);
    round_trip(type, MPI_COMBINER_F90_COMPLEX, 2, 0, 0, 0);
    MPI_Type_create_f90_integer(9, &type);
    round_trip(type, MPI_COMBINER_F90_INTEGER, 1, 0, 0, 0);
}

int main(int argc, char **argv)
{
    MPI_Datatype derived, type;
    struct parts told;
    int none[1];
    check_start(&argc, &argv);
    small(MPI_INT);
    large(MPI_INT);
    MPI_Type_vector(2, 1, 3, MPI_DOUBLE, &derived);
    MPI_Type_set_name(derived, "every third");
    small(derived);
    large(derived);
    given();
    MPI_Type_create_f90_real(6, 30, &type);
    small(type);

    /* A datatype that is told is a new one: what happens to it does not happen to the old. */
    MPI_Type_contiguous(2, derived, &type);
    decode(type, &told);
    CHECK(told.d[0] != derived);
    {
        char name[MPI_MAX_OBJECT_NAME];
        int len;
        MPI_Type_set_name(told.d[0], "told");
        MPI_Type_get_name(derived, name, &len);
        CHECK(strcmp(name, "every third") == 0);
    }
    MPI_Type_free(&told.d[0]);
    MPI_Type_free(&type);
    MPI_Type_free(&derived);

    CHECK_CLASS(MPI_Type_get_contents(MPI_INT, 0, 0, 0, none, NULL, NULL), MPI_ERR_TYPE);
    CHECK_CLASS(MPI_Type_get_contents_c(MPI_INT, 0, 0, 0, 0, none, NULL, NULL, NULL), MPI_ERR_TYPE);
    CHECK_OK(MPI_Finalize());
    return 0;
}
