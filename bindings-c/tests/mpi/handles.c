/* Handles as integers, as Fortran has them (MPI 5.0, chapter 20). */
/* ranks: 1 */
#include "check.h"

/* A predefined handle is its own number; no integer is taken for a handle that it is not. The functions are spelled
 * out, for the table of what is tested counts names. */
#define CHECK_HANDLE(name, to, from, handle, null)                           \
    do {                                                                     \
        CHECK_IS(to(handle), (intptr_t)(handle));                            \
        CHECK_INTEGER(to, from, handle, null);                               \
        CHECK_INTEGER(P##to, P##from, handle, null);                         \
        CHECK_INTEGER(MPI_##name##_c2f, MPI_##name##_f2c, handle, null);     \
        CHECK_INTEGER(PMPI_##name##_c2f, PMPI_##name##_f2c, handle, null);   \
    } while (0)
#define CHECK_INTEGER(to, from, handle, null)                                \
    do {                                                                     \
        CHECK(from(to(handle)) == (handle));                                 \
        CHECK(from(to(null)) == (null));                                     \
        CHECK(from(0x7fffffff) == (null) && from(-1) == (null));             \
    } while (0)

int main(void)
{
    MPI_Info info, next;
    int number;

    /* These may be called at any time. */
    CHECK_HANDLE(Comm, MPI_Comm_toint, MPI_Comm_fromint, MPI_COMM_SELF, MPI_COMM_NULL);
    CHECK_HANDLE(Errhandler, MPI_Errhandler_toint, MPI_Errhandler_fromint, MPI_ERRORS_RETURN, MPI_ERRHANDLER_NULL);
    CHECK_HANDLE(File, MPI_File_toint, MPI_File_fromint, MPI_FILE_NULL, MPI_FILE_NULL);
    CHECK_HANDLE(Group, MPI_Group_toint, MPI_Group_fromint, MPI_GROUP_EMPTY, MPI_GROUP_NULL);
    CHECK_HANDLE(Info, MPI_Info_toint, MPI_Info_fromint, MPI_INFO_ENV, MPI_INFO_NULL);
    CHECK_HANDLE(Message, MPI_Message_toint, MPI_Message_fromint, MPI_MESSAGE_NO_PROC, MPI_MESSAGE_NULL);
    CHECK_HANDLE(Op, MPI_Op_toint, MPI_Op_fromint, MPI_SUM, MPI_OP_NULL);
    CHECK_HANDLE(Request, MPI_Request_toint, MPI_Request_fromint, MPI_REQUEST_NULL, MPI_REQUEST_NULL);
    CHECK_HANDLE(Session, MPI_Session_toint, MPI_Session_fromint, MPI_SESSION_NULL, MPI_SESSION_NULL);
    CHECK_HANDLE(Type, MPI_Type_toint, MPI_Type_fromint, MPI_DOUBLE, MPI_DATATYPE_NULL);
    CHECK_HANDLE(Win, MPI_Win_toint, MPI_Win_fromint, MPI_WIN_NULL, MPI_WIN_NULL);

    /* The integer of a freed handle leads nowhere, or to the object that has its place now. */
    CHECK_OK(MPI_Info_create(&info));
    number = MPI_Info_toint(info);
    CHECK(number > 4095 && MPI_Info_fromint(number) == info);
    CHECK(MPI_Info_c2f(info) == number && MPI_Info_f2c(number) == info);
    CHECK(MPI_Comm_fromint(number) == MPI_COMM_NULL);
    CHECK_OK(MPI_Info_free(&info));
    CHECK(MPI_Info_fromint(number) == MPI_INFO_NULL);
    CHECK_OK(MPI_Info_create(&next));
    CHECK(MPI_Info_fromint(MPI_Info_toint(next)) == next);
    CHECK_OK(MPI_Info_free(&next));
    return 0;
}
