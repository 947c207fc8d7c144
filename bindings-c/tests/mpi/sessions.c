/* MPI without MPI_Init: MPI 5.0, 11.3, 7.4.2, 7.6.2. */
/* ranks: 1 2 3 4 8 */

#include "check.h"

static int told;

static void teller(MPI_Session *session, int *code, ...)
{
    (void)session;
    (void)code;
    told++;
}

static MPI_Group set(MPI_Session session, const char *name)
{
    MPI_Group group;

    CHECK_OK(MPI_Group_from_session_pset(session, name, &group));
    return group;
}

static void goes_around(MPI_Comm comm)
{
    int n, own, got = -1;

    CHECK_OK(MPI_Comm_size(comm, &n));
    CHECK_OK(MPI_Comm_rank(comm, &own));
    CHECK_OK(MPI_Sendrecv(&own, 1, MPI_INT, (own + 1) % n, 5, &got, 1, MPI_INT, (own + n - 1) % n, 5, comm,
                          MPI_STATUS_IGNORE));
    CHECK_IS(got, (own + n - 1) % n);
}

static void sets(MPI_Session session)
{
    int count = -1, i, length, flag, found = 0;
    char name[MPI_MAX_PSET_NAME_LEN], size[16];
    MPI_Group group;
    MPI_Info info;

    CHECK_OK(MPI_Session_get_num_psets(session, MPI_INFO_NULL, &count));
    CHECK(count >= 2);
    for (i = 0; i < count; i++) {
        length = 0;
        CHECK_OK(MPI_Session_get_nth_pset(session, MPI_INFO_NULL, i, &length, name));
        CHECK(length > 1 && length < MPI_MAX_PSET_NAME_LEN);
        CHECK_OK(MPI_Session_get_nth_pset(session, MPI_INFO_NULL, i, &length, name));
        CHECK_IS(length, strlen(name) + 1);
        found += !strcmp(name, "mpi://WORLD") || !strcmp(name, "mpi://SELF");
        CHECK_OK(MPI_Session_get_pset_info(session, name, &info));
        length = sizeof size;
        CHECK_OK(MPI_Info_get_string(info, "mpi_size", &length, size, &flag));
        CHECK(flag);
        CHECK_OK(MPI_Info_free(&info));
        group = set(session, name);
        CHECK_OK(MPI_Group_size(group, &length));
        CHECK_IS(length, atoi(size));
        CHECK_OK(MPI_Group_free(&group));
    }
    CHECK_IS(found, 2);
    CHECK_CLASS(MPI_Session_get_nth_pset(session, MPI_INFO_NULL, count, &length, name), MPI_ERR_ARG);
    CHECK_CLASS(MPI_Group_from_session_pset(session, "mpi://MOON", &group), MPI_ERR_ARG);
}

static void handlers(MPI_Session session)
{
    MPI_Errhandler handler, got;
    MPI_Group group;

    CHECK_OK(MPI_Session_create_errhandler(teller, &handler));
    CHECK_OK(MPI_Session_set_errhandler(session, handler));
    CHECK_CLASS(MPI_Group_from_session_pset(session, "mpi://MOON", &group), MPI_ERR_ARG);
    CHECK_IS(told, 1);
    CHECK_OK(MPI_Session_call_errhandler(session, MPI_ERR_OTHER));
    CHECK_IS(told, 2);
    CHECK_OK(MPI_Session_get_errhandler(session, &got));
    CHECK_OK(MPI_Errhandler_free(&got));
    CHECK_OK(MPI_Session_set_errhandler(session, MPI_ERRORS_RETURN));
    CHECK_OK(MPI_Errhandler_free(&handler));
}

/* Two at a time with different strings, and one again with the same string. */
static void communicators(MPI_Session session)
{
    MPI_Group world = set(session, "mpi://WORLD"), self = set(session, "mpi://SELF");
    MPI_Comm one, other, again, own;
    int n, result;

    CHECK_OK(MPI_Comm_create_from_group(world, "test.one", MPI_INFO_NULL, MPI_ERRORS_RETURN, &one));
    CHECK_OK(MPI_Comm_create_from_group(world, "test.other", MPI_INFO_NULL, MPI_ERRORS_RETURN, &other));
    CHECK_OK(MPI_Comm_create_from_group(world, "test.one", MPI_INFO_NULL, MPI_ERRORS_RETURN, &again));
    CHECK_OK(MPI_Comm_create_from_group(self, "test.one", MPI_INFO_NULL, MPI_ERRORS_RETURN, &own));
    CHECK_OK(MPI_Comm_compare(one, again, &result));
    CHECK_IS(result, MPI_CONGRUENT);
    CHECK_OK(MPI_Comm_size(own, &n));
    CHECK_IS(n, 1);
    goes_around(one);
    goes_around(other);
    goes_around(again);
    CHECK_OK(MPI_Comm_create_from_group(MPI_GROUP_EMPTY, "", MPI_INFO_NULL, MPI_ERRORS_RETURN, &own));
    CHECK(own == MPI_COMM_NULL);
    CHECK_OK(MPI_Comm_free(&one));
    CHECK_OK(MPI_Comm_free(&other));
    CHECK_OK(MPI_Comm_free(&again));
    CHECK_OK(MPI_Group_free(&world));
    CHECK_OK(MPI_Group_free(&self));
}

static void two_groups(MPI_Session session)
{
    MPI_Group world = set(session, "mpi://WORLD"), low, high;
    MPI_Comm inter;
    int n, size, rank, local, range[1][3] = {{0, 0, 1}};

    CHECK_OK(MPI_Group_size(world, &size));
    CHECK_OK(MPI_Group_rank(world, &rank));
    if (size > 1) {
        CHECK_OK(MPI_Group_range_incl(world, 1, range, &low));
        CHECK_OK(MPI_Group_range_excl(world, 1, range, &high));
        /* Only the leader's remote group counts. */
        if (rank == 0)
            CHECK_OK(MPI_Intercomm_create_from_groups(low, 0, high, size - 2, "test.pair", MPI_INFO_NULL,
                                                      MPI_ERRORS_RETURN, &inter));
        else
            CHECK_OK(MPI_Intercomm_create_from_groups(high, size - 2, rank == size - 1 ? low : MPI_GROUP_NULL, 0,
                                                      "test.pair", MPI_INFO_NULL, MPI_ERRORS_RETURN, &inter));
        CHECK_OK(MPI_Comm_size(inter, &local));
        CHECK_OK(MPI_Comm_remote_size(inter, &n));
        CHECK_IS(local, rank ? size - 1 : 1);
        CHECK_IS(n, rank ? 1 : size - 1);
        CHECK_OK(MPI_Comm_free(&inter));
        CHECK_OK(MPI_Group_free(&low));
        CHECK_OK(MPI_Group_free(&high));
    }
    CHECK_OK(MPI_Group_free(&world));
}

static MPI_Session start(void)
{
    MPI_Session session;
    MPI_Info info;
    char level[32];
    int flag, length = sizeof level;

    CHECK_IS(MPI_Session_init(MPI_INFO_NULL, MPI_ERRORS_RETURN, &session), MPI_SUCCESS);
    CHECK(MPI_Session_fromint(MPI_Session_toint(session)) == session);
    CHECK_OK(MPI_Session_get_info(session, &info));
    CHECK_OK(MPI_Info_get_string(info, "thread_level", &length, level, &flag));
    CHECK(flag);
    CHECK_OK(MPI_Info_free(&info));
    return session;
}

int main(int argc, char **argv)
{
    MPI_Session first = start(), second = start();
    int flag;

    CHECK(first != second);
    CHECK_OK(MPI_Initialized(&flag));
    CHECK(!flag);
    sets(first);
    handlers(first);
    communicators(first);
    two_groups(second);
    CHECK_OK(MPI_Session_finalize(&first));
    CHECK(first == MPI_SESSION_NULL);
    communicators(second);
    CHECK_OK(MPI_Session_finalize(&second));
    /* Again, around the world, and after it. */
    first = start();
    check_start(&argc, &argv);
    communicators(first);
    goes_around(MPI_COMM_WORLD);
    CHECK_OK(MPI_Session_finalize(&first));
    goes_around(MPI_COMM_WORLD);
    CHECK_OK(MPI_Finalize());
    first = start();
    communicators(first);
    CHECK_OK(MPI_Session_finalize(&first));
    return 0;
}
