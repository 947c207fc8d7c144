/* ranks: 1 */
/* MPI 5.0, chapter 20: queries about the ABI, before MPI_Init and after. */
#include "check.h"

static void versions(void)
{
    int major = -1, minor = -1;
    CHECK(MPI_Abi_get_version(&major, &minor) == MPI_SUCCESS);
    CHECK(major == MPI_ABI_VERSION && minor == MPI_ABI_SUBVERSION);
}

static void size_is(MPI_Info info, const char *key, const char *expected)
{
    char value[MPI_MAX_INFO_VAL];
    int room = sizeof value, flag = 0;
    CHECK(MPI_Info_get_string(info, key, &room, value, &flag) == MPI_SUCCESS);
    CHECK(flag && strcmp(value, expected) == 0);
}

static void sizes(void)
{
    MPI_Info info = MPI_INFO_NULL;
    CHECK(MPI_Abi_get_info(&info) == MPI_SUCCESS);
    size_is(info, "mpi_aint_size", sizeof(void *) == 8 ? "8" : "4");
    size_is(info, "mpi_count_size", "8");
    size_is(info, "mpi_offset_size", "8");
    MPI_Info_free(&info);
    CHECK(MPI_Abi_get_fortran_info(&info) == MPI_SUCCESS);
    size_is(info, "mpi_integer_size", "4");
    size_is(info, "mpi_double_precision_size", "8");
    MPI_Info_free(&info);
}

static void booleans(void)
{
    int yes = 1, no = 0, is_set = -1;
    CHECK(MPI_Abi_get_fortran_booleans(4, &yes, &no, &is_set) == MPI_SUCCESS && !is_set);
    yes = -1;
    CHECK(MPI_Abi_set_fortran_booleans(4, &yes, &no) == MPI_SUCCESS);
    yes = no = 7;
    CHECK(MPI_Abi_get_fortran_booleans(4, &yes, &no, &is_set) == MPI_SUCCESS && is_set);
    CHECK(yes == -1 && no == 0);
}

int main(int argc, char **argv)
{
    MPI_Info info;
    versions();
    sizes();
    booleans();
    MPI_Init(&argc, &argv);
    MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN);
    versions();
    sizes();
    int yes = 1, no = 0;
    CHECK_CLASS(MPI_Abi_set_fortran_booleans(4, &yes, &no), MPI_ERR_ABI);
    CHECK_CLASS(MPI_Abi_set_fortran_booleans(3, &yes, &no), MPI_ERR_ARG);
    CHECK_CLASS(MPI_Abi_set_fortran_info(MPI_INFO_NULL), MPI_ERR_INFO);
    MPI_Abi_get_fortran_info(&info);
    CHECK(MPI_Abi_set_fortran_info(info) == MPI_SUCCESS);
    CHECK_CLASS(MPI_Abi_set_fortran_info(info), MPI_ERR_ABI);
    MPI_Info_free(&info);
    MPI_Finalize();
    return 0;
}
