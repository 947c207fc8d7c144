/* Groups of processes: MPI 5.0, 7.3. */
/* ranks: 1 2 3 4 8 */

#include "check.h"

static MPI_Group world;
static int size, rank;

static int size_of(MPI_Group group)
{
    int n = -1;

    CHECK_OK(MPI_Group_size(group, &n));
    return n;
}

static int compare(MPI_Group one, MPI_Group other)
{
    int result = -1;

    CHECK_OK(MPI_Group_compare(one, other, &result));
    return result;
}

static void asks(void)
{
    int own = -1;

    CHECK_IS(size_of(world), size);
    CHECK_OK(MPI_Group_rank(world, &own));
    CHECK_IS(own, rank);
    CHECK_IS(size_of(MPI_GROUP_EMPTY), 0);
    CHECK_OK(MPI_Group_rank(MPI_GROUP_EMPTY, &own));
    CHECK_IS(own, MPI_UNDEFINED);
    CHECK_CLASS(MPI_Group_size(MPI_GROUP_NULL, &own), MPI_ERR_GROUP);
    CHECK_CLASS(MPI_Group_size(world, NULL), MPI_ERR_ARG);
}

static void parts(void)
{
    MPI_Group even, odd, all, back, none;
    int ranks[8], n = 0, own, i;

    for (i = 0; i < size; i += 2)
        ranks[n++] = i;
    CHECK_OK(MPI_Group_incl(world, n, ranks, &even));
    CHECK_OK(MPI_Group_excl(world, n, ranks, &odd));
    CHECK_IS(size_of(even), n);
    CHECK_IS(size_of(odd), size - n);
    CHECK_OK(MPI_Group_rank(even, &own));
    CHECK_IS(own, rank % 2 ? MPI_UNDEFINED : rank / 2);
    CHECK_OK(MPI_Group_union(even, odd, &all));
    CHECK_IS(compare(all, world), size > 2 ? MPI_SIMILAR : MPI_IDENT);
    CHECK_OK(MPI_Group_intersection(world, even, &back));
    CHECK_IS(compare(back, even), MPI_IDENT);
    CHECK_OK(MPI_Group_free(&back));
    CHECK_IS(back == MPI_GROUP_NULL, 1);
    CHECK_OK(MPI_Group_difference(world, odd, &back));
    CHECK_IS(compare(back, even), MPI_IDENT);
    CHECK_IS(compare(even, odd), MPI_UNEQUAL);
    CHECK_OK(MPI_Group_intersection(even, odd, &none));
    CHECK(none == MPI_GROUP_EMPTY);
    CHECK_OK(MPI_Group_free(&none));
    CHECK_OK(MPI_Group_incl(world, 0, NULL, &none));
    CHECK(none == MPI_GROUP_EMPTY);
    CHECK_OK(MPI_Group_free(&even));
    CHECK_CLASS(MPI_Group_size(MPI_GROUP_NULL, &n), MPI_ERR_GROUP);
    CHECK_OK(MPI_Group_free(&all));
    CHECK_OK(MPI_Group_free(&back));
    CHECK_OK(MPI_Group_free(&odd));
    CHECK_CLASS(MPI_Group_free(&odd), MPI_ERR_GROUP);
}

static void ranges(void)
{
    int range[1][3], ranks[8], i;
    MPI_Group reversed, same, none;

    range[0][0] = size - 1;
    range[0][1] = 0;
    range[0][2] = -1;
    CHECK_OK(MPI_Group_range_incl(world, 1, range, &reversed));
    CHECK_IS(compare(world, reversed), size > 1 ? MPI_SIMILAR : MPI_IDENT);
    for (i = 0; i < size; i++)
        ranks[i] = size - 1 - i;
    CHECK_OK(MPI_Group_incl(world, size, ranks, &same));
    CHECK_IS(compare(same, reversed), MPI_IDENT);
    CHECK_OK(MPI_Group_range_excl(world, 1, range, &none));
    CHECK(none == MPI_GROUP_EMPTY);
    range[0][2] = 0;
    CHECK_CLASS(MPI_Group_range_incl(world, 1, range, &none), MPI_ERR_ARG);
    range[0][0] = 0;
    range[0][1] = size;
    range[0][2] = 1;
    CHECK_CLASS(MPI_Group_range_incl(world, 1, range, &none), MPI_ERR_RANK);
    CHECK_CLASS(MPI_Group_range_excl(world, -1, range, &none), MPI_ERR_ARG);
    CHECK_OK(MPI_Group_free(&reversed));
    CHECK_OK(MPI_Group_free(&same));
}

static void wrong_ranks(void)
{
    int bad[2];
    MPI_Group group;

    bad[0] = bad[1] = 0;
    CHECK_CLASS(MPI_Group_incl(world, 2, bad, &group), MPI_ERR_RANK);
    bad[0] = -1;
    CHECK_CLASS(MPI_Group_incl(world, 1, bad, &group), MPI_ERR_RANK);
    bad[0] = size;
    CHECK_CLASS(MPI_Group_excl(world, 1, bad, &group), MPI_ERR_RANK);
    CHECK_CLASS(MPI_Group_incl(world, -1, bad, &group), MPI_ERR_ARG);
    CHECK_CLASS(MPI_Group_incl(world, 1, NULL, &group), MPI_ERR_ARG);
}

static void translations(void)
{
    int ranks[3], translated[3], last = size - 1;
    MPI_Group only;

    CHECK_OK(MPI_Group_incl(world, 1, &last, &only));
    ranks[0] = last;
    ranks[1] = MPI_PROC_NULL;
    ranks[2] = 0;
    CHECK_OK(MPI_Group_translate_ranks(world, 3, ranks, only, translated));
    CHECK_IS(translated[0], 0);
    CHECK_IS(translated[1], MPI_PROC_NULL);
    CHECK_IS(translated[2], size > 1 ? MPI_UNDEFINED : 0);
    CHECK_OK(MPI_Group_translate_ranks(world, 0, NULL, only, NULL));
    ranks[0] = size;
    CHECK_CLASS(MPI_Group_translate_ranks(world, 1, ranks, only, translated), MPI_ERR_RANK);
    CHECK_OK(MPI_Group_free(&only));
}

int main(int argc, char **argv)
{
    check_start(&argc, &argv);
    size = check_size();
    rank = check_rank();
    CHECK_OK(MPI_Comm_group(MPI_COMM_WORLD, &world));
    asks();
    parts();
    ranges();
    wrong_ranks();
    translations();
    CHECK_OK(MPI_Group_free(&world));
    CHECK_OK(MPI_Finalize());
    return 0;
}
