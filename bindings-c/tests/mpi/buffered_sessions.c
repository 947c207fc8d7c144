/* Buffered sends in the buffers of sessions: what descends from a session uses its buffer, if it has none of its own,
 * before that of the process (MPI 5.0, 3.6). */
/* ranks: 1 2 3 */
#include "check.h"

#define ROOM(bytes) ((bytes) + MPI_BSEND_OVERHEAD)

/* Bytes that fit the buffer of the session, of the process, of a communicator. */
enum { NOTHING = -1, SESSION = 100, PROCESS = 200, COMMUNICATOR = 300 };

static char in_session[ROOM(SESSION)], in_process[ROOM(PROCESS)], in_communicator[ROOM(COMMUNICATOR)];

/* Which buffer a communicator uses: the largest message that it takes says it. */
static int used(MPI_Comm comm)
{
    static char sent[1000], received[1000];
    const int sizes[] = {COMMUNICATOR, PROCESS, SESSION};
    int rank, size, i, code;

    CHECK_OK(MPI_Comm_set_errhandler(comm, MPI_ERRORS_RETURN));
    CHECK_OK(MPI_Comm_rank(comm, &rank));
    CHECK_OK(MPI_Comm_size(comm, &size));
    for (i = 0; i < 3; i++) {
        code = MPI_Bsend(sent, sizes[i], MPI_BYTE, (rank + 1) % size, 3, comm);
        if (code == MPI_SUCCESS) {
            CHECK_OK(MPI_Recv(received, sizes[i], MPI_BYTE, (rank + size - 1) % size, 3, comm, MPI_STATUS_IGNORE));
            return sizes[i];
        }
        CHECK_CLASS(code, MPI_ERR_BUFFER);
    }
    return NOTHING;
}

static MPI_Comm made_of(MPI_Group group)
{
    MPI_Comm comm;

    CHECK_OK(MPI_Comm_create_from_group(group, "buffered", MPI_INFO_NULL, MPI_ERRORS_RETURN, &comm));
    return comm;
}

static MPI_Group set(MPI_Session session)
{
    MPI_Group group;

    CHECK_OK(MPI_Group_from_session_pset(session, "mpi://WORLD", &group));
    return group;
}

static void attaching(MPI_Session session)
{
    char *found = NULL;
    int length = -1;
    MPI_Count large = -1;
    MPI_Request request;

    CHECK_CLASS(MPI_Session_detach_buffer(session, &found, &length), MPI_ERR_BUFFER);
    CHECK_CLASS(MPI_Session_attach_buffer(session, NULL, 100), MPI_ERR_BUFFER);
    CHECK_CLASS(MPI_Session_attach_buffer(session, in_session, -1), MPI_ERR_COUNT);
    CHECK_CLASS(MPI_Session_attach_buffer(MPI_SESSION_NULL, in_session, 1), MPI_ERR_SESSION);
    CHECK_CLASS(MPI_Session_detach_buffer(session, NULL, &length), MPI_ERR_ARG);
    CHECK_OK(MPI_Session_flush_buffer(session));
    CHECK_OK(MPI_Session_attach_buffer(session, in_session, sizeof in_session));
    CHECK_CLASS(MPI_Session_attach_buffer(session, in_session, sizeof in_session), MPI_ERR_BUFFER);
    CHECK_OK(MPI_Session_iflush_buffer(session, &request));
    CHECK_OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
    CHECK_OK(MPI_Session_detach_buffer(session, &found, &length));
    CHECK(found == in_session);
    CHECK_IS(length, sizeof in_session);
    CHECK_OK(MPI_Session_attach_buffer_c(session, MPI_BUFFER_AUTOMATIC, 0));
    CHECK_OK(MPI_Session_detach_buffer_c(session, &found, &large));
    CHECK(found == MPI_BUFFER_AUTOMATIC);
    CHECK_IS(large, 0);
}

/* The nearest buffer is used: that of the communicator, of its session, of the process. */
static void nearest(MPI_Session session)
{
    MPI_Group group = set(session);
    MPI_Comm comm = made_of(group);
    char *found;
    int length;

    CHECK_IS(used(comm), NOTHING);
    CHECK_OK(MPI_Buffer_attach(in_process, sizeof in_process));
    CHECK_IS(used(comm), PROCESS);
    CHECK_OK(MPI_Session_attach_buffer(session, in_session, sizeof in_session));
    CHECK_IS(used(comm), SESSION);
    CHECK_OK(MPI_Comm_attach_buffer_c(comm, in_communicator, sizeof in_communicator));
    CHECK_IS(used(comm), COMMUNICATOR);
    CHECK_OK(MPI_Session_flush_buffer(session));
    {
        MPI_Count large = -1;
        CHECK_OK(MPI_Comm_detach_buffer_c(comm, &found, &large));
        CHECK(found == in_communicator);
        CHECK_IS(large, sizeof in_communicator);
    }
    CHECK_OK(MPI_Session_detach_buffer(session, &found, &length));
    CHECK_IS(used(comm), PROCESS);
    CHECK_OK(MPI_Buffer_detach(&found, &length));
    CHECK_IS(used(comm), NOTHING);
    CHECK_OK(MPI_Comm_free(&comm));
    CHECK_OK(MPI_Group_free(&group));
}

/* Whatever is made of what a session gives descends from it; what others give does not. */
static void descent(MPI_Session session)
{
    MPI_Group group = set(session), own, derived, mixed;
    MPI_Comm comm = made_of(group), copy, part, other;
    MPI_Session another;
    char *found;
    int length, rank, all[1][3] = {{0, 0, 1}};

    CHECK_OK(MPI_Comm_rank(comm, &rank));
    CHECK_OK(MPI_Comm_size(comm, &length));
    all[0][1] = length - 1;
    CHECK_OK(MPI_Session_attach_buffer(session, in_session, sizeof in_session));
    CHECK_OK(MPI_Comm_dup(comm, &copy));
    CHECK_OK(MPI_Comm_split(copy, 0, -rank, &part));
    CHECK_IS(used(copy), SESSION);
    CHECK_IS(used(part), SESSION);
    CHECK_OK(MPI_Comm_free(&copy));
    CHECK_OK(MPI_Comm_group(part, &own));
    CHECK_OK(MPI_Group_range_incl(own, 1, all, &derived));
    CHECK_OK(MPI_Group_union(MPI_GROUP_EMPTY, derived, &mixed));
    other = made_of(mixed);
    CHECK_IS(used(other), SESSION);
    CHECK_OK(MPI_Comm_free(&other));
    CHECK_OK(MPI_Comm_free(&part));
    CHECK_OK(MPI_Group_free(&own));
    CHECK_OK(MPI_Group_free(&derived));
    CHECK_OK(MPI_Group_free(&mixed));

    CHECK_IS(used(MPI_COMM_WORLD), NOTHING);
    CHECK_OK(MPI_Comm_group(MPI_COMM_WORLD, &own));
    other = made_of(own);
    CHECK_IS(used(other), NOTHING);
    CHECK_OK(MPI_Comm_free(&other));
    CHECK_OK(MPI_Group_free(&own));
    CHECK_OK(MPI_Session_init(MPI_INFO_NULL, MPI_ERRORS_RETURN, &another));
    own = set(another);
    other = made_of(own);
    CHECK_IS(used(other), NOTHING);
    CHECK_OK(MPI_Comm_free(&other));
    CHECK_OK(MPI_Group_free(&own));
    CHECK_OK(MPI_Session_finalize(&another));

    CHECK_OK(MPI_Session_detach_buffer(session, &found, &length));
    CHECK(found == in_session);
    CHECK_OK(MPI_Comm_free(&comm));
    CHECK_OK(MPI_Group_free(&group));
}

int main(int argc, char **argv)
{
    MPI_Session session;

    check_start(&argc, &argv);
    CHECK_OK(MPI_Session_init(MPI_INFO_NULL, MPI_ERRORS_RETURN, &session));
    attaching(session);
    nearest(session);
    descent(session);
    CHECK_OK(MPI_Session_finalize(&session));
    CHECK_OK(MPI_Finalize());
    return 0;
}
