/* Making and comparing communicators: MPI 5.0, 7.4. */
/* ranks: 1 2 3 4 8 */

#include "check.h"

static int size, rank;

static int compare(MPI_Comm one, MPI_Comm other)
{
    int result = -1;

    CHECK_OK(MPI_Comm_compare(one, other, &result));
    return result;
}

static int size_of(MPI_Comm comm)
{
    int n = -1;

    CHECK_OK(MPI_Comm_size(comm, &n));
    return n;
}

static int rank_of(MPI_Comm comm)
{
    int n = -1;

    CHECK_OK(MPI_Comm_rank(comm, &n));
    return n;
}

/* All of it can talk: a number goes around. */
static void goes_around(MPI_Comm comm)
{
    int n = size_of(comm), own = rank_of(comm), got = -1;

    CHECK_OK(MPI_Sendrecv(&own, 1, MPI_INT, (own + 1) % n, 5, &got, 1, MPI_INT, (own + n - 1) % n, 5, comm,
                          MPI_STATUS_IGNORE));
    CHECK_IS(got, (own + n - 1) % n);
}

static void copies(void)
{
    MPI_Comm copy, second;

    CHECK_OK(MPI_Comm_dup(MPI_COMM_WORLD, &copy));
    CHECK_IS(compare(MPI_COMM_WORLD, copy), MPI_CONGRUENT);
    CHECK_IS(compare(copy, copy), MPI_IDENT);
    CHECK_OK(MPI_Comm_dup_with_info(copy, MPI_INFO_NULL, &second));
    CHECK_OK(MPI_Comm_free(&copy));
    CHECK(copy == MPI_COMM_NULL);
    goes_around(second);
    CHECK_OK(MPI_Comm_free(&second));
    CHECK_CLASS(MPI_Comm_free(&second), MPI_ERR_COMM);
    CHECK_IS(compare(MPI_COMM_WORLD, MPI_COMM_SELF), size > 1 ? MPI_UNEQUAL : MPI_CONGRUENT);
}

static void copies_later(void)
{
    MPI_Comm copy, second;
    MPI_Request requests[2];
    MPI_Info info;
    char value[8];
    int flag, length = sizeof value;

    CHECK_OK(MPI_Info_create(&info));
    CHECK_OK(MPI_Info_set(info, "mpi_assert_no_any_source", "true"));
    CHECK_OK(MPI_Comm_idup(MPI_COMM_WORLD, &copy, &requests[0]));
    CHECK_OK(MPI_Comm_idup_with_info(MPI_COMM_WORLD, info, &second, &requests[1]));
    CHECK_OK(MPI_Info_free(&info));
    CHECK_OK(MPI_Waitall(2, requests, MPI_STATUSES_IGNORE));
    CHECK_IS(compare(copy, second), MPI_CONGRUENT);
    goes_around(copy);
    goes_around(second);
    CHECK_OK(MPI_Comm_get_info(second, &info));
    CHECK_OK(MPI_Info_get_string(info, "mpi_assert_no_any_source", &length, value, &flag));
    CHECK(flag);
    CHECK_TEXT(value, "true");
    CHECK_OK(MPI_Info_free(&info));
    CHECK_OK(MPI_Comm_free(&copy));
    CHECK_OK(MPI_Comm_free(&second));
}

/* Collectives of all kinds go on at a time, and end in another order in each rank. */
static void copies_meanwhile(void)
{
    enum { COPY, SUM, SECOND, ALL };
    MPI_Comm copies[2];
    MPI_Request requests[ALL];
    int i, ones[2] = { 1, 1 }, sums[2] = { 0, 0 };

    CHECK_OK(MPI_Comm_idup(MPI_COMM_WORLD, &copies[0], &requests[COPY]));
    CHECK_OK(MPI_Allreduce(&ones[0], &sums[0], 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD));
    CHECK_OK(MPI_Iallreduce(&ones[1], &sums[1], 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD, &requests[SUM]));
    CHECK_OK(MPI_Comm_idup(MPI_COMM_WORLD, &copies[1], &requests[SECOND]));
    for (i = 0; i < ALL; i++) {
        CHECK_OK(MPI_Wait(&requests[(i + rank) % ALL], MPI_STATUS_IGNORE));
        CHECK_OK(MPI_Barrier(MPI_COMM_WORLD));
    }
    CHECK_IS(sums[0], size);
    CHECK_IS(sums[1], size);
    for (i = 0; i < 2; i++) {
        CHECK_IS(compare(MPI_COMM_WORLD, copies[i]), MPI_CONGRUENT);
        goes_around(copies[i]);
        CHECK_OK(MPI_Comm_free(&copies[i]));
    }
}

/* Ranks that make different calls are told so. */
static void disagreement(void)
{
    char block[40] = { 0 }, all[80];
    MPI_Comm copy;
    MPI_Request request;
    int code;

    if (size != 2)
        return;
    code = rank == 0 ? MPI_Comm_dup(MPI_COMM_WORLD, &copy)
                     : MPI_Allgather(block, 40, MPI_BYTE, all, 40, MPI_BYTE, MPI_COMM_WORLD);
    CHECK_CLASS(code, MPI_ERR_NOT_SAME);
    if (rank == 0)
        CHECK_OK(MPI_Comm_idup(MPI_COMM_WORLD, &copy, &request));
    else
        CHECK_OK(MPI_Iallgather(block, 40, MPI_BYTE, all, 40, MPI_BYTE, MPI_COMM_WORLD, &request));
    CHECK_CLASS(MPI_Wait(&request, MPI_STATUS_IGNORE), MPI_ERR_NOT_SAME);
    goes_around(MPI_COMM_WORLD);
}

static void splits(void)
{
    MPI_Comm part, back;

    CHECK_OK(MPI_Comm_split(MPI_COMM_WORLD, rank % 2, -rank, &part));
    CHECK_IS(size_of(part), (size + 1 - rank % 2) / 2);
    CHECK_IS(rank_of(part), size_of(part) - 1 - rank / 2);
    goes_around(part);
    CHECK_OK(MPI_Comm_free(&part));
    CHECK_OK(MPI_Comm_split(MPI_COMM_WORLD, 0, size - rank, &back));
    CHECK_IS(compare(MPI_COMM_WORLD, back), size > 1 ? MPI_SIMILAR : MPI_CONGRUENT);
    CHECK_OK(MPI_Comm_free(&back));
    CHECK_OK(MPI_Comm_split(MPI_COMM_WORLD, rank ? 3 : MPI_UNDEFINED, 0, &part));
    CHECK_IS(part == MPI_COMM_NULL, rank == 0);
    if (rank)
        CHECK_OK(MPI_Comm_free(&part));
    CHECK_CLASS(MPI_Comm_split(MPI_COMM_SELF, -5, 0, &part), MPI_ERR_ARG);
    CHECK_CLASS(MPI_Comm_split(MPI_COMM_NULL, 0, 0, &part), MPI_ERR_COMM);
}

static void split_of_type(int type, const char *key, const char *value, int expected)
{
    MPI_Info info = MPI_INFO_NULL;
    MPI_Comm part;

    if (key) {
        CHECK_OK(MPI_Info_create(&info));
        CHECK_OK(MPI_Info_set(info, key, value));
    }
    CHECK_OK(MPI_Comm_split_type(MPI_COMM_WORLD, type, 0, info, &part));
    CHECK_IS(part == MPI_COMM_NULL ? 0 : size_of(part), expected);
    if (part != MPI_COMM_NULL)
        CHECK_OK(MPI_Comm_free(&part));
    if (key)
        CHECK_OK(MPI_Info_free(&info));
}

static void split_types(void)
{
    MPI_Comm part;
    int here;

    CHECK_OK(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &part));
    here = size_of(part);
    goes_around(part);
    CHECK_OK(MPI_Comm_free(&part));
    /* The tests say when there are several hosts. */
    if (getenv("PVM_TEST_HOSTS"))
        CHECK(here >= 1 && here <= size);
    else
        CHECK_IS(here, size);
    split_of_type(MPI_UNDEFINED, NULL, NULL, 0);
    /* Of one host nothing smaller is known. */
    split_of_type(MPI_COMM_TYPE_HW_UNGUIDED, NULL, NULL, here < size ? here : 0);
    split_of_type(MPI_COMM_TYPE_HW_GUIDED, "mpi_hw_resource_type", "mpi_shared_memory", here);
    split_of_type(MPI_COMM_TYPE_HW_GUIDED, "mpi_hw_resource_type", "pvm://moon", 0);
    split_of_type(MPI_COMM_TYPE_HW_GUIDED, NULL, NULL, 0);
    split_of_type(MPI_COMM_TYPE_RESOURCE_GUIDED, "mpi_pset_name", "mpi://SELF", 1);
    split_of_type(MPI_COMM_TYPE_RESOURCE_GUIDED, "mpi_pset_name", "mpi://WORLD", size);
    split_of_type(MPI_COMM_TYPE_RESOURCE_GUIDED, "mpi_hw_resource_type", "pvm://host", here);
    CHECK_CLASS(MPI_Comm_split_type(MPI_COMM_SELF, 12345, 0, MPI_INFO_NULL, &part), MPI_ERR_ARG);
}

static void from_groups(void)
{
    MPI_Group world, group;
    MPI_Comm comm;
    int ranks[8], n = 0, i;

    CHECK_OK(MPI_Comm_group(MPI_COMM_WORLD, &world));
    /* Even and odd ones at a time. */
    for (i = rank % 2; i < size; i += 2)
        ranks[n++] = i;
    CHECK_OK(MPI_Group_incl(world, n, ranks, &group));
    CHECK_OK(MPI_Comm_create(MPI_COMM_WORLD, group, &comm));
    CHECK_IS(size_of(comm), n);
    CHECK_IS(rank_of(comm), rank / 2);
    goes_around(comm);
    CHECK_OK(MPI_Comm_free(&comm));
    CHECK_OK(MPI_Comm_create_group(MPI_COMM_WORLD, group, 7 + rank % 2, &comm));
    CHECK_IS(size_of(comm), n);
    goes_around(comm);
    CHECK_OK(MPI_Comm_free(&comm));
    CHECK_CLASS(MPI_Comm_create_group(MPI_COMM_WORLD, group, -1, &comm), MPI_ERR_TAG);
    if (size > 1)
        CHECK_CLASS(MPI_Comm_create(MPI_COMM_SELF, world, &comm), MPI_ERR_GROUP);
    CHECK_OK(MPI_Group_free(&group));
    /* Only rank 0. */
    CHECK_OK(MPI_Group_incl(world, 1, (int[]){0}, &group));
    CHECK_OK(MPI_Comm_create(MPI_COMM_WORLD, group, &comm));
    CHECK_IS(comm == MPI_COMM_NULL, rank != 0);
    if (rank == 0) {
        CHECK_OK(MPI_Comm_free(&comm));
        CHECK_OK(MPI_Comm_create_group(MPI_COMM_WORLD, group, 0, &comm));
        CHECK_IS(size_of(comm), 1);
        CHECK_OK(MPI_Comm_free(&comm));
    }
    CHECK_OK(MPI_Comm_create(MPI_COMM_WORLD, MPI_GROUP_EMPTY, &comm));
    CHECK(comm == MPI_COMM_NULL);
    CHECK_OK(MPI_Group_free(&group));
    CHECK_OK(MPI_Group_free(&world));
}

static void hint(MPI_Comm comm, const char *key, const char *expected)
{
    MPI_Info info;
    char value[32] = "";
    int flag = 0, length = sizeof value;

    CHECK_OK(MPI_Comm_get_info(comm, &info));
    CHECK_OK(MPI_Info_get_string(info, key, &length, value, &flag));
    CHECK_IS(flag, expected != NULL);
    if (expected)
        CHECK_TEXT(value, expected);
    CHECK_OK(MPI_Info_free(&info));
}

static void hints(void)
{
    MPI_Info info;
    MPI_Comm comm, copy;

    CHECK_OK(MPI_Info_create(&info));
    CHECK_OK(MPI_Info_set(info, "mpi_assert_allow_overtaking", "true"));
    CHECK_OK(MPI_Info_set(info, "shoe_size", "44"));
    CHECK_OK(MPI_Comm_dup_with_info(MPI_COMM_WORLD, info, &comm));
    hint(comm, "mpi_assert_allow_overtaking", "true");
    hint(comm, "mpi_assert_exact_length", "false");
    hint(comm, "shoe_size", NULL);
    /* Copies do not inherit hints. */
    CHECK_OK(MPI_Comm_dup(comm, &copy));
    hint(copy, "mpi_assert_allow_overtaking", "false");
    CHECK_OK(MPI_Comm_set_info(copy, info));
    hint(copy, "mpi_assert_allow_overtaking", "true");
    CHECK_CLASS(MPI_Comm_set_info(copy, MPI_INFO_NULL), MPI_ERR_INFO);
    CHECK_OK(MPI_Info_free(&info));
    CHECK_OK(MPI_Comm_free(&copy));
    CHECK_OK(MPI_Comm_free(&comm));
}

static void what_must_not_be(void)
{
    MPI_Comm comm = MPI_COMM_WORLD;
    MPI_Group group;
    int n;

    CHECK_CLASS(MPI_Comm_free(&comm), MPI_ERR_COMM);
    comm = MPI_COMM_SELF;
    CHECK_CLASS(MPI_Comm_free(&comm), MPI_ERR_COMM);
    CHECK_CLASS(MPI_Comm_remote_size(MPI_COMM_WORLD, &n), MPI_ERR_COMM);
    CHECK_CLASS(MPI_Comm_remote_group(MPI_COMM_WORLD, &group), MPI_ERR_COMM);
    CHECK_CLASS(MPI_Comm_compare(MPI_COMM_WORLD, MPI_COMM_NULL, &n), MPI_ERR_COMM);
    CHECK_CLASS(MPI_Comm_dup(MPI_COMM_NULL, &comm), MPI_ERR_COMM);
}

/* The error handler is inherited. */
static void inherited(void)
{
    MPI_Errhandler handler;
    MPI_Comm comm;

    CHECK_OK(MPI_Comm_dup(MPI_COMM_WORLD, &comm));
    CHECK_OK(MPI_Comm_get_errhandler(comm, &handler));
    CHECK(handler == MPI_ERRORS_RETURN);
    CHECK_OK(MPI_Comm_free(&comm));
}

/* Contexts are given back: many communicators, one after the other. */
/* What was given up while it was under way has come through when the communicator has gone. */
static void disconnects(void)
{
    enum { LEN = 1 << 18 };
    static int numbers[LEN], got[LEN];
    MPI_Comm copy, world = MPI_COMM_WORLD, self = MPI_COMM_SELF, none = MPI_COMM_NULL;
    MPI_Request requests[2];
    int next = (rank + 1) % size, before = (rank + size - 1) % size;

    for (int i = 0; i < LEN; i++)
        numbers[i] = rank + i;
    CHECK_OK(MPI_Comm_dup(MPI_COMM_WORLD, &copy));
    CHECK_OK(MPI_Irecv(got, LEN, MPI_INT, before, 3, copy, &requests[0]));
    CHECK_OK(MPI_Isend(numbers, LEN, MPI_INT, next, 3, copy, &requests[1]));
    CHECK_OK(MPI_Request_free(&requests[0]));
    CHECK_OK(MPI_Request_free(&requests[1]));
    CHECK_OK(MPI_Comm_disconnect(&copy));
    CHECK(copy == MPI_COMM_NULL);
    for (int i = 0; i < LEN; i += 4099)
        CHECK_IS(got[i], before + i);
    CHECK_CLASS(MPI_Comm_disconnect(&world), MPI_ERR_COMM);
    CHECK_CLASS(MPI_Comm_disconnect(&self), MPI_ERR_COMM);
    CHECK_CLASS(MPI_Comm_disconnect(&none), MPI_ERR_COMM);
    CHECK_CLASS(MPI_Comm_disconnect(NULL), MPI_ERR_ARG);
    CHECK(world == MPI_COMM_WORLD && self == MPI_COMM_SELF);
}

static void many(void)
{
    MPI_Comm comm;
    int i;

    for (i = 0; i < 300; i++) {
        CHECK_OK(MPI_Comm_dup(MPI_COMM_WORLD, &comm));
        CHECK_OK(MPI_Comm_free(&comm));
    }
}

int main(int argc, char **argv)
{
    check_start(&argc, &argv);
    size = check_size();
    rank = check_rank();
    copies();
    copies_later();
    copies_meanwhile();
    disagreement();
    splits();
    split_types();
    from_groups();
    hints();
    what_must_not_be();
    inherited();
    disconnects();
    many();
    CHECK_OK(MPI_Finalize());
    return 0;
}
