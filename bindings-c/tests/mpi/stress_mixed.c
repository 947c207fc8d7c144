/* Anything after anything: collectives of all forms, messages of all modes, communicators that come and go, in an
 * order that a number decides, the same for all ranks. What each call has to give follows from that number. */
/* ranks: 1 2 3 5 */
/* longer: full */
#include "stress.h"

#define COMMS 5
#define PENDING 6
#define MOST 3000
#define LARGE 60000
#define RANKS 64

/* What all ranks decide alike. */
static unsigned long long state;

static unsigned below(unsigned bound)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state >> 33) % bound;
}

/* A communicator, and who is in it: all know, also those who are not. */
struct group {
    MPI_Comm comm;
    int size;
    int world[RANKS];
};

static struct group groups[COMMS];
static int world_rank, world_size, step;

/* The own rank in a group; -1: none. */
static int rank_in(const struct group *group)
{
    for (int i = 0; i < group->size; i++)
        if (group->world[i] == world_rank)
            return i;
    return -1;
}

/* What a rank says in a step at a place: sums of it fit. */
static int said(int step_then, int rank, int to, int at)
{
    return (step_then * 131 + rank * 17 + to * 5 + at * 3) % 1009;
}

static unsigned count_of(void)
{
    switch (below(8)) {
    case 0: return 0;
    case 1: return 1;
    case 2: return 1 + below(LARGE);
    case 3: return 1 + below(MOST);
    default: return 1 + below(40);
    }
}

/* Collectives that are under way: the buffers, and what is to be in the result. */
enum kind { ALLREDUCE, REDUCE, BCAST, SCAN, ALLGATHER, ALLTOALL, GATHER, SCATTER, BARRIER, KINDS };

struct call {
    enum kind kind;
    int step, group_size, rank, root, count, is_strided, in_place;
    MPI_Op op;
    int *in, *out;
    MPI_Request request;
};

static struct call pending[PENDING];
static MPI_Datatype strided;
static MPI_Op less;

static void keep_left(void *left, void *right, int *count, MPI_Datatype *datatype)
{
    (void)datatype;
    memcpy(right, left, (size_t)*count * sizeof(int));
}

/* One number of the result. */
static int combined(const struct call *call, int upto, int at)
{
    int result = said(call->step, 0, 0, at);

    for (int rank = 1; rank <= upto; rank++) {
        int next = said(call->step, rank, 0, at);

        if (call->op == MPI_SUM)
            result += next;
        else if (call->op == MPI_MAX)
            result = next > result ? next : result;
        else if (call->op == MPI_MIN)
            result = next < result ? next : result;
    }
    return result;
}

/* Where number `at` is: every second place, where elements have gaps. */
static size_t place(const struct call *call, int at)
{
    return call->is_strided ? (size_t)at * 2 : (size_t)at;
}

static void put(const struct call *call, int *buffer, int at, int number)
{
    buffer[place(call, at)] = number;
}

static void check_result(const struct call *call)
{
    int last = call->group_size - 1, blocks = 0, count = call->count, at, other, wanted = 0;

    switch (call->kind) {
    case ALLGATHER: case ALLTOALL: blocks = call->group_size; break;
    case GATHER: blocks = call->rank == call->root ? call->group_size : 0; break;
    case REDUCE: blocks = call->rank == call->root; break;
    case BARRIER: break;
    default: blocks = 1;
    }
    for (other = 0; other < blocks; other++)
        for (at = 0; at < count; at++) {
            switch (call->kind) {
            case ALLREDUCE: case REDUCE: wanted = combined(call, last, at); break;
            case SCAN: wanted = combined(call, call->rank, at); break;
            case BCAST: wanted = said(call->step, call->root, 0, at); break;
            case ALLGATHER: case GATHER: wanted = said(call->step, other, 0, at); break;
            case ALLTOALL: wanted = said(call->step, other, call->rank, at); break;
            case SCATTER: wanted = said(call->step, call->root, call->rank, at); break;
            default: break;
            }
            if (call->out[place(call, other * count + at)] != wanted) {
                fprintf(stderr, "step %d kind %d count %d root %d of %d: number %d of block %d is %d, not %d\n",
                        call->step, call->kind, count, call->root, call->group_size, at, other,
                        call->out[place(call, other * count + at)], wanted);
                CHECK(!"a wrong result");
            }
        }
    for (at = 0; call->is_strided && at < blocks * count; at++)
        CHECK(call->out[(size_t)at * 2 + 1] == -7);
    free(call->in);
    free(call->out);
}

static int *numbers(size_t count)
{
    int *room = malloc((count ? count : 1) * sizeof *room);

    CHECK(room != NULL);
    for (size_t i = 0; i < count; i++)
        room[i] = -7;
    return room;
}

/* Fills what this rank gives; in place it is where the result goes. */
static void fill(struct call *call)
{
    int blocks = 1, other, at, first = 0;
    int *from = call->in_place ? call->out : call->in;

    if (call->kind == ALLTOALL || (call->kind == SCATTER && call->rank == call->root))
        blocks = call->group_size;
    if (call->kind == ALLGATHER && call->in_place)
        first = call->rank * call->count;
    if (call->kind == BCAST) {
        from = call->out;
        blocks = call->rank == call->root;
    }
    for (other = 0; other < blocks; other++)
        for (at = 0; at < call->count; at++)
            put(call, from, first + other * call->count + at, said(call->step, call->rank, blocks > 1 ? other : 0, at));
}

/* Makes a call in one of its forms: 0 blocking, 1 not, 2 persistent. */
static void make(struct call *call, MPI_Comm comm, int form)
{
    void *in = call->in_place ? MPI_IN_PLACE : call->in, *out = call->out;
    int count = call->count, root = call->root;
    MPI_Datatype type = call->is_strided ? strided : MPI_INT;
    MPI_Request *request = &call->request;

#define CALL(name, iname, ...)                                                                                         \
    do {                                                                                                               \
        if (form == 0)                                                                                                 \
            CHECK_OK(MPI_##name(__VA_ARGS__, comm));                                                                   \
        else if (form == 1)                                                                                            \
            CHECK_OK(MPI_##iname(__VA_ARGS__, comm, request));                                                         \
        else                                                                                                           \
            CHECK_OK(MPI_##name##_init(__VA_ARGS__, comm, MPI_INFO_NULL, request));                                    \
    } while (0)

    switch (call->kind) {
    case ALLREDUCE: CALL(Allreduce, Iallreduce, in, out, count, type, call->op); break;
    case SCAN: CALL(Scan, Iscan, in, out, count, type, call->op); break;
    case REDUCE:
        if (call->in_place && call->rank != root)
            CALL(Reduce, Ireduce, out, NULL, count, type, call->op, root);
        else
            CALL(Reduce, Ireduce, in, out, count, type, call->op, root);
        break;
    case BCAST: CALL(Bcast, Ibcast, out, count, type, root); break;
    case ALLGATHER: CALL(Allgather, Iallgather, in, count, type, out, count, type); break;
    case ALLTOALL: CALL(Alltoall, Ialltoall, in, count, type, out, count, type); break;
    case GATHER: CALL(Gather, Igather, in, count, type, out, count, type, root); break;
    case SCATTER: CALL(Scatter, Iscatter, in, count, type, out, count, type, root); break;
    default:
        if (form == 0)
            CHECK_OK(MPI_Barrier(comm));
        else if (form == 1)
            CHECK_OK(MPI_Ibarrier(comm, request));
        else
            CHECK_OK(MPI_Barrier_init(comm, MPI_INFO_NULL, request));
    }
}

static void collect(struct call *call)
{
    if (call->request != MPI_REQUEST_NULL) {
        CHECK_OK(MPI_Wait(&call->request, MPI_STATUS_IGNORE));
        check_result(call);
    }
}

static void collective(struct group *group)
{
    const MPI_Op ops[] = {MPI_SUM, MPI_MAX, MPI_MIN, less};
    unsigned form = below(4), slot = below(PENDING), again = 1 + below(4);
    struct call call = {0};
    MPI_Request kept = MPI_REQUEST_NULL;
    size_t room;

    call.kind = below(KINDS);
    call.group_size = group->size;
    call.root = (int)below((unsigned)group->size);
    call.count = (int)count_of();
    if (call.kind >= ALLGATHER)
        call.count /= group->size;
    call.op = ops[below(4)];
    call.is_strided = below(4) == 0;
    call.in_place = below(3) == 0 && call.kind != GATHER && call.kind != SCATTER && call.kind != BCAST;
    call.request = MPI_REQUEST_NULL;
    if (call.kind == ALLREDUCE || call.kind == REDUCE || call.kind == SCAN)
        /* Operations of the library are for elements of the library. */
        call.is_strided = 0;
    call.rank = rank_in(group);
    if (call.rank < 0)
        return;
    room = (size_t)call.count * (size_t)group->size * 2;
    /* A call that comes again, now and then with other memory. */
    for (unsigned turn = 0; turn < again; turn++) {
        call.step = step * 5 + (int)turn;
        if (turn == 0 || form != 2) {
            call.in = numbers(room);
            call.out = numbers(room);
        }
        fill(&call);
        if (form == 2) {
            if (turn == 0)
                make(&call, group->comm, 2);
            kept = call.request;
            CHECK_OK(MPI_Start(&call.request));
            CHECK_OK(MPI_Wait(&call.request, MPI_STATUS_IGNORE));
            CHECK(call.request == kept);
            if (turn + 1 < again) {
                struct call copy = call;

                copy.in = numbers(room);
                copy.out = numbers(room);
                memcpy(copy.in, call.in, room * sizeof(int));
                memcpy(copy.out, call.out, room * sizeof(int));
                check_result(&copy);
            }
        } else if (form == 3) {
            collect(&pending[slot]);
            make(&call, group->comm, 1);
            pending[slot] = call;
            slot = (slot + 1) % PENDING;
        } else {
            make(&call, group->comm, 0);
            check_result(&call);
        }
    }
    if (form == 2) {
        CHECK_OK(MPI_Request_free(&call.request));
        check_result(&call);
    }
}

/* Each says some messages to each, in some mode; they are received in some way. */
static void messages(struct group *group)
{
    unsigned each = 1 + below(3), way = below(5), mode = below(3), any_tag = below(2);
    int count = (int)count_of() / 4 + 2, rank = rank_in(group), size = group->size, all, i, k, at;
    /* Whoever is ahead is in another step: nobody may take its messages for those of this one. */
    int tag = step % 1000;
    MPI_Request requests[RANKS * 8];
    int *out[RANKS * 4], *in[RANKS * 4], next[RANKS] = {0};
    MPI_Status status;

    if (rank < 0)
        return;
    all = size * (int)each;
    for (i = 0; i < all; i++) {
        int to = i % size;

        k = i / size;
        out[i] = numbers((size_t)count);
        in[i] = numbers((size_t)count);
        out[i][0] = rank;
        out[i][1] = k;
        for (at = 2; at < count; at++)
            out[i][at] = said(step, rank, to, at);
    }
    for (i = 0; i < all && way < 2; i++)
        /* From one each, or from anybody. */
        CHECK_OK(MPI_Irecv(in[i], count, MPI_INT, way ? i % size : MPI_ANY_SOURCE,
                           way && any_tag ? MPI_ANY_TAG : tag, group->comm, &requests[all + i]));
    for (i = 0; i < all; i++) {
        int to = i % size;

        if (mode == 0)
            CHECK_OK(MPI_Isend(out[i], count, MPI_INT, to, tag, group->comm, &requests[i]));
        else if (mode == 1)
            CHECK_OK(MPI_Issend(out[i], count, MPI_INT, to, tag, group->comm, &requests[i]));
        else
            CHECK_OK(MPI_Ibsend(out[i], count, MPI_INT, to, tag, group->comm, &requests[i]));
    }
    for (i = 0; i < all; i++) {
        int from, found, index = i;

        switch (way) {
        case 0:
        case 1:
            CHECK_OK(MPI_Waitany(all, requests + all, &index, &status));
            break;
        case 2: {
            MPI_Message message;

            CHECK_OK(MPI_Mprobe(MPI_ANY_SOURCE, tag, group->comm, &message, &status));
            CHECK_OK(MPI_Mrecv(in[i], count, MPI_INT, &message, &status));
            break;
        }
        case 3:
            CHECK_OK(MPI_Probe(i % size, any_tag ? MPI_ANY_TAG : tag, group->comm, &status));
            CHECK_OK(MPI_Recv(in[i], count, MPI_INT, status.MPI_SOURCE, status.MPI_TAG, group->comm, &status));
            break;
        default:
            CHECK_OK(MPI_Recv(in[i], count, MPI_INT, MPI_ANY_SOURCE, tag, group->comm, &status));
        }
        CHECK_OK(MPI_Get_count(&status, MPI_INT, &found));
        CHECK_IS(found, count);
        CHECK_IS(status.MPI_TAG, tag);
        from = status.MPI_SOURCE;
        CHECK_IS(in[index][0], from);
        /* In their order, where they are received one after another. */
        if (way >= 2)
            CHECK_IS(in[index][1], next[from]);
        next[from]++;
        for (at = 2; at < count; at++)
            CHECK_IS(in[index][at], said(step, from, rank, at));
    }
    CHECK_OK(MPI_Waitall(all, requests, MPI_STATUSES_IGNORE));
    for (i = 0; i < size; i++)
        CHECK_IS(next[i], (int)each);
    for (i = 0; i < all; i++) {
        free(in[i]);
        free(out[i]);
    }
}

/* A group in the place of another one: a copy, or a part, of one that there is. */
static void replace(void)
{
    struct group *old = &groups[1 + below(COMMS - 1)], *from = &groups[below(COMMS)], made = {0};
    unsigned way = below(3), colors = 1 + below(2), turn = below(RANKS);
    int rank, i;

    if (from == old)
        from = &groups[0];
    rank = rank_in(from);
    made.comm = MPI_COMM_NULL;
    if (way == 0) {
        made = *from;
        if (rank >= 0)
            CHECK_OK(MPI_Comm_dup(from->comm, &made.comm));
    } else {
        /* Those of the first color, in another order. */
        for (i = 0; i < from->size; i++) {
            int other = (i + (int)turn) % from->size;

            if (other % (int)colors == 0)
                made.world[made.size++] = from->world[other];
        }
        if (rank >= 0) {
            int key = (rank - (int)turn % from->size + from->size) % from->size, color = rank % (int)colors;

            CHECK_OK(MPI_Comm_split(from->comm, color ? (way == 1 ? color : MPI_UNDEFINED) : 0, key, &made.comm));
            if (color && way == 1)
                CHECK_OK(MPI_Comm_free(&made.comm));
            CHECK((made.comm == MPI_COMM_NULL) == (color != 0));
        }
    }
    for (i = 0; i < PENDING; i++)
        collect(&pending[i]);
    if (old->comm != MPI_COMM_NULL)
        CHECK_OK(MPI_Comm_free(&old->comm));
    *old = made;
    if (made.comm != MPI_COMM_NULL) {
        CHECK_OK(MPI_Comm_rank(made.comm, &rank));
        CHECK_IS(rank, rank_in(&made));
        CHECK_OK(MPI_Comm_set_errhandler(made.comm, MPI_ERRORS_RETURN));
    }
}

int main(int argc, char **argv)
{
    int steps = (int)stress_length(argc, argv, 60000, 1500), i;
    size_t attached = (size_t)64 << 20;
    void *room = malloc(attached);

    check_start(&argc, &argv);
    state = argc > 2 ? strtoull(argv[2], NULL, 10) | 1 : 88172645463325252ULL;
    world_rank = check_rank();
    world_size = check_size();
    CHECK(world_size <= RANKS && room != NULL);
    CHECK_OK(MPI_Buffer_attach_c(room, (MPI_Count)attached));
    CHECK_OK(MPI_Type_create_resized(MPI_INT, 0, 2 * sizeof(int), &strided));
    CHECK_OK(MPI_Type_commit(&strided));
    CHECK_OK(MPI_Op_create(keep_left, 0, &less));
    for (i = 0; i < COMMS; i++) {
        groups[i].comm = MPI_COMM_NULL;
        groups[i].size = i ? 0 : world_size;
        for (int rank = 0; rank < world_size; rank++)
            groups[i].world[rank] = rank;
    }
    groups[0].comm = MPI_COMM_WORLD;
    for (i = 0; i < PENDING; i++)
        pending[i].request = MPI_REQUEST_NULL;
    for (step = 0; step < steps; step++) {
        struct group *group = &groups[below(COMMS)];

        if (group->size == 0)
            group = &groups[0];
        switch (below(12)) {
        case 0: replace(); break;
        case 1: case 2: case 3: messages(group); break;
        default: collective(group);
        }
    }
    for (i = 0; i < PENDING; i++)
        collect(&pending[i]);
    for (i = 1; i < COMMS; i++)
        if (groups[i].comm != MPI_COMM_NULL)
            CHECK_OK(MPI_Comm_free(&groups[i].comm));
    CHECK_OK(MPI_Op_free(&less));
    CHECK_OK(MPI_Type_free(&strided));
    CHECK_OK(MPI_Buffer_detach_c(&room, &(MPI_Count){0}));
    free(room);
    CHECK_OK(MPI_Finalize());
    return 0;
}
