/* Start and end, versions, threads, memory, the clock (MPI 5.0, chapters 9 and 11). */
/* ranks: 1 2 3 8 */
/* expect: abort => 7: MPI_Abort with code 7 */
/* expect: abort-zero => 1: MPI_Abort with code 0 */
/* expect: too-early => 16: MPI_Comm_size: MPI_ERR_OTHER */
/* expect: too-late => 16: MPI_Comm_size: MPI_ERR_OTHER */
/* expect: twice => 16: MPI_Init was called before */
/* expect: fatal => 5: MPI_Comm_size: MPI_ERR_COMM */
#include "check.h"

#include <pthread.h>

static void before(void)
{
    int flag = -1, version = 0, subversion = -1, length = 0;
    char text[MPI_MAX_LIBRARY_VERSION_STRING];

    CHECK_OK(MPI_Initialized(&flag));
    CHECK_IS(flag, 0);
    CHECK_OK(MPI_Finalized(&flag));
    CHECK_IS(flag, 0);
    CHECK_OK(MPI_Get_version(&version, &subversion));
    CHECK(version == MPI_VERSION && version == 5 && subversion == MPI_SUBVERSION);
    CHECK_OK(MPI_Get_library_version(text, &length));
    CHECK_IS(strlen(text), length);
    CHECK(strncmp(text, "pvm ", 4) == 0);
    CHECK_OK(MPI_Abi_get_version(&version, &subversion));
    CHECK(version == MPI_ABI_VERSION && subversion == MPI_ABI_SUBVERSION);
}

static void *elsewhere(void *flag)
{
    CHECK_OK(MPI_Is_thread_main((int *)flag));
    return NULL;
}

static void threads(int provided)
{
    int level = -1, flag = -1;
    pthread_t thread;

    CHECK_OK(MPI_Query_thread(&level));
    CHECK_IS(level, provided);
    CHECK_OK(MPI_Is_thread_main(&flag));
    CHECK_IS(flag, 1);
    CHECK(pthread_create(&thread, NULL, elsewhere, &flag) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_IS(flag, 0);
    CHECK_CLASS(MPI_Query_thread(NULL), MPI_ERR_ARG);
}

static void memory(void)
{
    char *base = NULL, *other = NULL, on_stack;
    MPI_Info info;

    CHECK_OK(MPI_Alloc_mem(1000, MPI_INFO_NULL, &base));
    CHECK_IS((size_t)base % 16, 0);
    memset(base, 7, 1000);
    CHECK_OK(MPI_Alloc_mem(0, MPI_INFO_NULL, &other));
    CHECK(base != other);
    CHECK_OK(MPI_Free_mem(other));
    CHECK_OK(MPI_Info_create(&info));
    CHECK_OK(MPI_Info_set(info, "mpi_minimum_memory_alignment", "4096"));
    CHECK_OK(MPI_Alloc_mem(10, info, &other));
    CHECK_IS((size_t)other % 4096, 0);
    CHECK_OK(MPI_Info_free(&info));
    CHECK(base[0] == 7 && base[999] == 7);
    CHECK_OK(MPI_Free_mem(base));
    CHECK_OK(MPI_Free_mem(other));
    CHECK_CLASS(MPI_Free_mem(&on_stack), MPI_ERR_BASE);
    CHECK_CLASS(MPI_Free_mem(other), MPI_ERR_BASE);
    CHECK_CLASS(MPI_Alloc_mem(-1, MPI_INFO_NULL, &base), MPI_ERR_ARG);
    CHECK_CLASS(MPI_Alloc_mem(1, MPI_INFO_NULL, NULL), MPI_ERR_ARG);
#ifndef __SANITIZE_ADDRESS__ /* It ends a program that asks for so much. */
    CHECK_CLASS(MPI_Alloc_mem(INTPTR_MAX, MPI_INFO_NULL, &base), MPI_ERR_NO_MEM);
    CHECK_CLASS(MPI_Alloc_mem((MPI_Aint)1 << 60, MPI_INFO_NULL, &base), MPI_ERR_NO_MEM);
#endif
}

static void names_and_clock(void)
{
    char name[MPI_MAX_PROCESSOR_NAME];
    int length = -1;
    double start = MPI_Wtime(), now;
    MPI_Info info;

    CHECK_OK(MPI_Get_processor_name(name, &length));
    CHECK(length > 0);
    CHECK_IS(strlen(name), length);
    CHECK(MPI_Wtick() > 0 && MPI_Wtick() < 0.001);
    for (now = MPI_Wtime(); now <= start; now = MPI_Wtime())
        CHECK(now == start);
    CHECK(PMPI_Wtime() - start < 60);
    CHECK_OK(MPI_Pcontrol(1));
    CHECK_OK(MPI_Pcontrol(2, "with", 3, "more"));
    CHECK_OK(MPI_Get_hw_resource_info(&info));
    CHECK_OK(MPI_Info_free(&info));
    CHECK(MPI_Aint_add(40, 2) == 42 && MPI_Aint_diff(40, 2) == 38);
}

static void abi(void)
{
    MPI_Info info;
    char value[8];
    int length = sizeof value, flag = 0;

    CHECK_OK(MPI_Abi_get_info(&info));
    CHECK_OK(MPI_Info_get_string(info, "mpi_aint_size", &length, value, &flag));
    CHECK_IS(flag, 1);
    CHECK_TEXT(value, "8");
    CHECK_OK(MPI_Info_free(&info));
    CHECK_IS(MPI_Comm_toint(MPI_COMM_WORLD), (intptr_t)MPI_COMM_WORLD);
    CHECK(MPI_Comm_fromint(MPI_Comm_toint(MPI_COMM_SELF)) == MPI_COMM_SELF);
    CHECK(MPI_Comm_fromint(0x7fffffff) == MPI_COMM_NULL);
}

static void world(void)
{
    MPI_Comm parent = MPI_COMM_WORLD;
    int rank = -1, size = -1, flag = -1, length = -1;
    char name[MPI_MAX_OBJECT_NAME];

    CHECK_OK(MPI_Comm_rank(MPI_COMM_WORLD, &rank));
    CHECK_OK(MPI_Comm_size(MPI_COMM_WORLD, &size));
    CHECK(0 <= rank && rank < size);
    CHECK_OK(MPI_Comm_test_inter(MPI_COMM_WORLD, &flag));
    CHECK_IS(flag, 0);
    CHECK_OK(MPI_Comm_get_name(MPI_COMM_WORLD, name, &length));
    CHECK_TEXT(name, "MPI_COMM_WORLD");
    CHECK_OK(MPI_Comm_set_name(MPI_COMM_WORLD, "all"));
    CHECK_OK(MPI_Comm_get_name(MPI_COMM_WORLD, name, &length));
    CHECK_TEXT(name, "all");
    CHECK_IS(length, 3);
    CHECK_OK(MPI_Comm_get_name(MPI_COMM_NULL, name, &length));
    CHECK_TEXT(name, "MPI_COMM_NULL");
    CHECK_IS(length, 13);
    CHECK_CLASS(MPI_Comm_set_name(MPI_COMM_NULL, "none"), MPI_ERR_COMM);
    CHECK_CLASS(MPI_Comm_get_name((MPI_Comm)0, name, &length), MPI_ERR_COMM);
    CHECK_CLASS(MPI_Comm_get_name(MPI_COMM_WORLD, NULL, &length), MPI_ERR_ARG);
    CHECK_OK(MPI_Comm_rank(MPI_COMM_SELF, &rank));
    CHECK_OK(MPI_Comm_size(MPI_COMM_SELF, &size));
    CHECK(rank == 0 && size == 1);
    CHECK_OK(MPI_Comm_get_parent(&parent));
    CHECK(parent == MPI_COMM_NULL);
    CHECK_CLASS(MPI_Comm_get_parent(NULL), MPI_ERR_ARG);
    CHECK_CLASS(MPI_Comm_rank(MPI_COMM_NULL, &rank), MPI_ERR_COMM);
    CHECK_CLASS(MPI_Comm_size((MPI_Comm)0, &size), MPI_ERR_COMM);
    CHECK_CLASS(MPI_Comm_size((MPI_Comm)(intptr_t)-1, &size), MPI_ERR_COMM);
    CHECK_CLASS(MPI_Comm_size(MPI_COMM_WORLD, NULL), MPI_ERR_ARG);
}

/* One of the runs that have to end badly: the last rank alone is at fault. */
static void end_badly(const char *how, int *argc, char ***argv)
{
    int size;

    if (strcmp(how, "too-early") == 0)
        MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Init(argc, argv);
    if (strcmp(how, "too-late") == 0) {
        MPI_Finalize();
        MPI_Comm_size(MPI_COMM_WORLD, &size);
    } else if (check_rank() == check_size() - 1) {
        if (strcmp(how, "abort") == 0)
            MPI_Abort(MPI_COMM_WORLD, 7);
        else if (strcmp(how, "abort-zero") == 0)
            MPI_Abort(MPI_COMM_WORLD, 0);
        else if (strcmp(how, "twice") == 0)
            MPI_Init(NULL, NULL);
        else if (strcmp(how, "fatal") == 0)
            MPI_Comm_size(MPI_COMM_NULL, &size);
    }
    MPI_Finalize();
}

int main(int argc, char **argv)
{
    int flag = -1, provided = -1;

    if (argc > 1) {
        end_badly(argv[1], &argc, &argv);
        return 0;
    }
    before();
    CHECK_OK(MPI_Init_thread(NULL, NULL, MPI_THREAD_MULTIPLE, &provided));
    CHECK_OK(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN));
    CHECK_OK(MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN));
    CHECK_OK(MPI_Initialized(&flag));
    CHECK_IS(flag, 1);
    CHECK_CLASS(MPI_Init(&argc, &argv), MPI_ERR_OTHER);
    threads(provided);
    memory();
    names_and_clock();
    abi();
    world();
    CHECK_OK(MPI_Finalize());
    CHECK_OK(MPI_Initialized(&flag));
    CHECK_IS(flag, 1);
    CHECK_OK(MPI_Finalized(&flag));
    CHECK_IS(flag, 1);
    CHECK(MPI_Wtime() > 0);
    return 0;
}
