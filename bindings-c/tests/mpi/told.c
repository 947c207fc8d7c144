/* What the launcher tells a program: its number, the universe, the first error handler (MPI 5.0, 11). */
/* ranks: 1 2 3 */
#include "check.h"

static int predefined(int key)
{
    int *value = NULL, flag = 0;

    CHECK_OK(MPI_Comm_get_attr(MPI_COMM_WORLD, key, &value, &flag));
    CHECK(flag);
    return *value;
}

static MPI_Errhandler handler(MPI_Comm comm)
{
    MPI_Errhandler found;

    CHECK_OK(MPI_Comm_get_errhandler(comm, &found));
    return found;
}

/* Arguments: MPI_APPNUM, MPI_UNIVERSE_SIZE, and "return" or "abort" when that is the error handler. */
int main(int argc, char **argv)
{
    int is_return = argc > 3 && strcmp(argv[3], "return") == 0;
    int is_abort = argc > 3 && strcmp(argv[3], "abort") == 0;
    MPI_Errhandler wanted = is_return ? MPI_ERRORS_RETURN : is_abort ? MPI_ERRORS_ABORT : MPI_ERRORS_ARE_FATAL;
    int size;

    if (is_return)
        CHECK_CLASS(MPI_Comm_size(MPI_COMM_WORLD, &size), MPI_ERR_OTHER);
    CHECK_OK(MPI_Init(&argc, &argv));
    CHECK(handler(MPI_COMM_WORLD) == wanted);
    CHECK(handler(MPI_COMM_SELF) == wanted);
    if (is_return)
        CHECK_CLASS(MPI_Comm_size(MPI_COMM_NULL, &size), MPI_ERR_COMM);
    CHECK_IS(predefined(MPI_APPNUM), argc > 1 ? atoi(argv[1]) : 0);
    if (argc > 2)
        CHECK_IS(predefined(MPI_UNIVERSE_SIZE), atoi(argv[2]));
    CHECK_OK(MPI_Finalize());
    return 0;
}
