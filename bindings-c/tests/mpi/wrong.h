/* What wrong.c does its calls with: arguments that are right, and such that are wrong, each in several ways. */

#ifndef WRONG_H
#define WRONG_H

#include "check.h"

#include <limits.h>
#include <stdint.h>

/* Which wrong handle: the null one, one that was never set, one that was freed, of another kind, or nonsense. */
enum { HANDLES = 5, RANKS = 4, TAGS = 3 };

static struct {
    MPI_Comm comm[HANDLES];
    MPI_Datatype type[HANDLES];
    MPI_Group group[HANDLES];
    MPI_Op op[HANDLES];
    MPI_Info info[HANDLES];
    MPI_Errhandler errhandler[HANDLES];
    MPI_Request request[HANDLES];
    MPI_Message message[HANDLES];
    MPI_Session session[HANDLES];
} wrong;

static const int wrong_ranks[RANKS] = {-7, 100, INT_MAX, INT_MIN};
/* The first one is right for receives. */
static const int wrong_tags[TAGS] = {MPI_ANY_TAG, -7, INT_MIN};

/* Right arguments, read. */
static struct {
    int ints[64], zeros[64], ranges[1][3];
    MPI_Count counts[64];
    MPI_Aint aints[64];
    char memory[4096];
    MPI_Comm comm;
    MPI_Datatype type, types[64];
    MPI_Group group;
    MPI_Info info;
    MPI_Request request, requests[64];
    MPI_Session session;
} in;

/* Right arguments, written. */
static struct {
    int ints[64];
    MPI_Count counts[64];
    MPI_Aint aints[64];
    char memory[4096], text[MPI_MAX_LIBRARY_VERSION_STRING];
    MPI_Comm comm;
    MPI_Datatype type;
    MPI_Group group;
    MPI_Op op;
    MPI_Info info;
    MPI_Errhandler errhandler;
    MPI_Request request;
    MPI_Message message;
    MPI_Session session;
    MPI_Status status;
} out;

/* Who was told of the last error. */
enum subject { NOBODY, SELF, COMM, SESSION };

static enum subject told;
static int told_code, told_times;
static long calls, faults;

static void tell_comm(MPI_Comm *comm, int *code, ...)
{
    told = *comm == MPI_COMM_SELF ? SELF : *comm == in.comm ? COMM : NOBODY;
    told_code = *code;
    told_times++;
}

static void tell_session(MPI_Session *session, int *code, ...)
{
    told = *session == in.session ? SESSION : NOBODY;
    told_code = *code;
    told_times++;
}

static void before(void)
{
    memset(&out, 0, sizeof out);
    out.request = MPI_REQUEST_NULL;
    told = NOBODY;
    told_code = told_times = 0;
}

/* A call that has to fail did; all that did not are said. */
static void failed(int line, const char *call, int at, int code, int wanted, enum subject on)
{
    int class_of_code = -1;

    calls++;
    MPI_Error_class(code, &class_of_code);
    if (class_of_code == wanted && told_times == 1 && told_code == code && told == on)
        return;
    faults++;
    fprintf(stderr, "wrong.c:%d: %s (%d) gives class %d, not %d, told %d times to %d, not to %d\n", line, call, at,
            class_of_code, wanted, told_times, told, on);
}

#define WRONG(on, class, first, end, call)                        \
    do {                                                          \
        int at;                                                   \
        for (at = first; at < end; at++) {                        \
            before();                                             \
            failed(__LINE__, #call, at, call, class, on);         \
        }                                                         \
    } while (0)

#define WRONG_HANDLES(kind, member, null, freed, other)                       \
    do {                                                                      \
        wrong.member[0] = null;                                               \
        wrong.member[1] = (kind)0;                                            \
        wrong.member[2] = freed;                                              \
        wrong.member[3] = (kind)other;                                        \
        wrong.member[4] = (kind)(intptr_t)0x123456789abcdef0;                 \
    } while (0)

static void sum(void *in_place, void *inout, int *len, MPI_Datatype *type)
{
    (void)in_place;
    (void)inout;
    (void)len;
    (void)type;
}

/* Objects that are made and freed again: their handles are wrong then. */
static void wrong_handles(void)
{
    MPI_Comm comm;
    MPI_Datatype type;
    MPI_Group group;
    MPI_Op op;
    MPI_Info info;
    MPI_Errhandler errhandler;
    MPI_Request request, again;
    MPI_Message message;
    MPI_Session session;
    int first = 0;

    CHECK_OK(MPI_Comm_dup(MPI_COMM_SELF, &comm));
    CHECK_OK(MPI_Type_contiguous(2, MPI_INT, &type));
    CHECK_OK(MPI_Group_incl(in.group, 1, &first, &group));
    CHECK_OK(MPI_Op_create(sum, 1, &op));
    CHECK_OK(MPI_Info_create(&info));
    CHECK_OK(MPI_Comm_create_errhandler(tell_comm, &errhandler));
    CHECK_OK(MPI_Send_init(in.memory, 1, MPI_INT, 0, 0, MPI_COMM_SELF, &request));
    CHECK_OK(MPI_Isend(in.memory, 1, MPI_INT, 0, 0, MPI_COMM_SELF, &again));
    CHECK_OK(MPI_Mprobe(0, 0, MPI_COMM_SELF, &message, MPI_STATUS_IGNORE));
    CHECK_OK(MPI_Session_init(MPI_INFO_NULL, MPI_ERRORS_RETURN, &session));

    WRONG_HANDLES(MPI_Comm, comm, MPI_COMM_NULL, comm, in.type);
    WRONG_HANDLES(MPI_Datatype, type, MPI_DATATYPE_NULL, type, in.comm);
    WRONG_HANDLES(MPI_Group, group, MPI_GROUP_NULL, group, MPI_COMM_SELF);
    WRONG_HANDLES(MPI_Op, op, MPI_OP_NULL, op, MPI_INT);
    WRONG_HANDLES(MPI_Info, info, MPI_INFO_NULL, info, MPI_SUM);
    WRONG_HANDLES(MPI_Errhandler, errhandler, MPI_ERRHANDLER_NULL, errhandler, in.info);
    WRONG_HANDLES(MPI_Request, request, MPI_REQUEST_NULL, request, MPI_ERRORS_RETURN);
    WRONG_HANDLES(MPI_Message, message, MPI_MESSAGE_NULL, message, in.request);
    WRONG_HANDLES(MPI_Session, session, MPI_SESSION_NULL, session, in.group);

    CHECK_OK(MPI_Comm_free(&comm));
    CHECK_OK(MPI_Type_free(&type));
    CHECK_OK(MPI_Group_free(&group));
    CHECK_OK(MPI_Op_free(&op));
    CHECK_OK(MPI_Info_free(&info));
    CHECK_OK(MPI_Errhandler_free(&errhandler));
    CHECK_OK(MPI_Request_free(&request));
    CHECK_OK(MPI_Mrecv(out.memory, 1, MPI_INT, &message, MPI_STATUS_IGNORE));
    CHECK_OK(MPI_Wait(&again, MPI_STATUS_IGNORE));
    CHECK_OK(MPI_Session_finalize(&session));
}

static MPI_Errhandler of_comms, of_sessions;

static void wrong_start(int *argc, char ***argv)
{
    int one = 1, i;

    check_start(argc, argv);
    CHECK_OK(MPI_Comm_create_errhandler(tell_comm, &of_comms));
    CHECK_OK(MPI_Session_create_errhandler(tell_session, &of_sessions));
    /* With a topology, for the neighbours. */
    CHECK_OK(MPI_Cart_create(MPI_COMM_SELF, 1, &one, &one, 0, &in.comm));
    CHECK_OK(MPI_Comm_group(MPI_COMM_SELF, &in.group));
    CHECK_OK(MPI_Session_init(MPI_INFO_NULL, MPI_ERRORS_RETURN, &in.session));
    CHECK_OK(MPI_Info_create(&in.info));
    CHECK_OK(MPI_Type_dup(MPI_INT, &in.type));
    CHECK_OK(MPI_Send_init(in.memory, 1, MPI_INT, 0, 0, in.comm, &in.request));
    CHECK_OK(MPI_Buffer_attach(MPI_BUFFER_AUTOMATIC, 0));
    for (i = 0; i < 64; i++) {
        in.counts[i] = in.ints[i] = 1;
        in.types[i] = MPI_INT;
        in.requests[i] = MPI_REQUEST_NULL;
    }
    wrong_handles();
    CHECK_OK(MPI_Comm_set_errhandler(in.comm, of_comms));
    CHECK_OK(MPI_Comm_set_errhandler(MPI_COMM_SELF, of_comms));
    CHECK_OK(MPI_Session_set_errhandler(in.session, of_sessions));
}

static void wrong_end(void)
{
    char *buffer;
    int length;

    printf("%ld wrong calls\n", calls);
    CHECK(calls > 0);
    CHECK_IS(faults, 0);
    CHECK_OK(MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN));
    CHECK_OK(MPI_Buffer_detach(&buffer, &length));
    CHECK_OK(MPI_Request_free(&in.request));
    CHECK_OK(MPI_Type_free(&in.type));
    CHECK_OK(MPI_Info_free(&in.info));
    CHECK_OK(MPI_Group_free(&in.group));
    CHECK_OK(MPI_Comm_free(&in.comm));
    CHECK_OK(MPI_Session_finalize(&in.session));
    CHECK_OK(MPI_Errhandler_free(&of_comms));
    CHECK_OK(MPI_Errhandler_free(&of_sessions));
    CHECK_OK(MPI_Finalize());
}

#endif
