/* Error handlers, classes, codes and strings (MPI 5.0, chapter 9). */
/* ranks: 1 2 3 */
/* expect: raise => 6: the program raised error 6: MPI_ERR_RANK */
/* expect: raise-own => 1: broken badly */
/* expect: abort => 6: the program raised error 6: MPI_ERR_RANK */
/* expect: by-default => 13: MPI_Error_class: MPI_ERR_ARG */
#include "check.h"

#include <stdarg.h>

static int calls, last_code;
static MPI_Comm last_comm;

static void note(MPI_Comm *comm, int *code, ...)
{
    calls++;
    last_comm = *comm;
    last_code = *code;
}

static void note_file(MPI_File *file, int *code, ...)
{
    (void)file;
    calls += 100 + *code;
}

static void note_session(MPI_Session *session, int *code, ...)
{
    (void)session;
    calls += 100 + *code;
}

static void note_win(MPI_Win *win, int *code, ...)
{
    (void)win;
    calls += 100 + *code;
}

static void of_communicators(void)
{
    MPI_Errhandler mine, found;
    int size;

    CHECK_OK(MPI_Comm_create_errhandler(note, &mine));
    CHECK(MPI_Errhandler_fromint(MPI_Errhandler_toint(mine)) == mine);
    CHECK_OK(MPI_Comm_set_errhandler(MPI_COMM_WORLD, mine));
    /* Freed is the handle: the communicator keeps the handler. */
    CHECK_OK(MPI_Errhandler_free(&mine));
    CHECK(mine == MPI_ERRHANDLER_NULL);
    calls = 0;
    CHECK_CLASS(MPI_Comm_size(MPI_COMM_WORLD, NULL), MPI_ERR_ARG);
    CHECK_IS(calls, 1);
    CHECK(last_comm == MPI_COMM_WORLD);
    CHECK_IS(last_code, MPI_ERR_ARG);
    CHECK_OK(MPI_Comm_call_errhandler(MPI_COMM_WORLD, MPI_ERR_OP));
    CHECK_IS(calls, 2);
    CHECK_IS(last_code, MPI_ERR_OP);
    /* Calls without an object are told to the handler of MPI_COMM_SELF. */
    CHECK_OK(MPI_Comm_get_errhandler(MPI_COMM_WORLD, &found));
    CHECK_OK(MPI_Comm_set_errhandler(MPI_COMM_SELF, found));
    CHECK_CLASS(MPI_Comm_size(MPI_COMM_NULL, &size), MPI_ERR_COMM);
    CHECK_IS(calls, 3);
    CHECK(last_comm == MPI_COMM_SELF);
    CHECK_OK(MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN));
    CHECK_OK(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN));
    CHECK_OK(MPI_Errhandler_free(&found));
    CHECK_OK(MPI_Comm_get_errhandler(MPI_COMM_WORLD, &found));
    CHECK(found == MPI_ERRORS_RETURN);
    CHECK_OK(MPI_Comm_call_errhandler(MPI_COMM_WORLD, MPI_ERR_OP));
    CHECK_IS(calls, 3);
}

static void wrong_ones(void)
{
    MPI_Errhandler file, session, win, stale, predefined = MPI_ERRORS_RETURN;

    CHECK_OK(MPI_File_create_errhandler(note_file, &file));
    CHECK_OK(MPI_Session_create_errhandler(note_session, &session));
    CHECK_OK(MPI_Win_create_errhandler(note_win, &win));
    CHECK_CLASS(MPI_Comm_set_errhandler(MPI_COMM_SELF, file), MPI_ERR_ARG);
    CHECK_CLASS(MPI_Comm_set_errhandler(MPI_COMM_SELF, session), MPI_ERR_ARG);
    CHECK_CLASS(MPI_Comm_set_errhandler(MPI_COMM_SELF, win), MPI_ERR_ARG);
    stale = file;
    CHECK_OK(MPI_Errhandler_free(&file));
    CHECK_OK(MPI_Errhandler_free(&session));
    CHECK_OK(MPI_Errhandler_free(&win));
    CHECK_CLASS(MPI_Errhandler_free(&stale), MPI_ERR_ERRHANDLER);
    CHECK_CLASS(MPI_Errhandler_free(&file), MPI_ERR_ERRHANDLER);
    /* What the calls that ask for a handler give may be freed, whichever it is. */
    CHECK_OK(MPI_Errhandler_free(&predefined));
    CHECK(predefined == MPI_ERRHANDLER_NULL);
    CHECK_CLASS(MPI_Comm_set_errhandler(MPI_COMM_SELF, stale), MPI_ERR_ERRHANDLER);
    CHECK_CLASS(MPI_Comm_set_errhandler(MPI_COMM_NULL, MPI_ERRORS_RETURN), MPI_ERR_COMM);
    CHECK_CLASS(MPI_Comm_create_errhandler(NULL, &stale), MPI_ERR_ARG);
    CHECK_CLASS(MPI_Comm_create_errhandler(note, NULL), MPI_ERR_ARG);
}

static MPI_File told_file;
static int told_code;

static void of_files(MPI_File *file, int *code, ...)
{
    told_file = *file;
    told_code = *code;
}

/* Without a file there is the one that is none: its handler is that of the files to come. */
static void without_a_file(void)
{
    MPI_Errhandler handler, found, wrong;

    CHECK_OK(MPI_File_get_errhandler(MPI_FILE_NULL, &found));
    CHECK(found == MPI_ERRORS_RETURN);
    CHECK_OK(MPI_File_call_errhandler(MPI_FILE_NULL, MPI_ERR_IO));
    CHECK_OK(MPI_File_create_errhandler(of_files, &handler));
    CHECK_OK(MPI_File_set_errhandler(MPI_FILE_NULL, handler));
    CHECK_OK(MPI_File_call_errhandler(MPI_FILE_NULL, MPI_ERR_IO));
    CHECK(told_file == MPI_FILE_NULL);
    CHECK_IS(told_code, MPI_ERR_IO);
    CHECK_OK(MPI_File_get_errhandler(MPI_FILE_NULL, &found));
    CHECK_OK(MPI_Errhandler_free(&found));
    CHECK_CLASS(MPI_File_get_errhandler((MPI_File)(size_t)12345678, &found), MPI_ERR_FILE);
    CHECK_IS(told_code, MPI_ERR_FILE);
    CHECK_OK(MPI_Comm_create_errhandler(note, &wrong));
    CHECK_CLASS(MPI_File_set_errhandler(MPI_FILE_NULL, wrong), MPI_ERR_ARG);
    CHECK_CLASS(MPI_Comm_set_errhandler(MPI_COMM_SELF, handler), MPI_ERR_ARG);
    CHECK_OK(MPI_File_set_errhandler(MPI_FILE_NULL, MPI_ERRORS_RETURN));
    CHECK_OK(MPI_Errhandler_free(&wrong));
    CHECK_OK(MPI_Errhandler_free(&handler));
}

static void of_the_library(void)
{
    char text[MPI_MAX_ERROR_STRING];
    int code, class_of_code = -1, length = -1;

    for (code = MPI_SUCCESS; code <= MPI_ERR_ABI; code++) {
        CHECK_OK(MPI_Error_class(code, &class_of_code));
        CHECK_IS(class_of_code, code);
        CHECK_OK(MPI_Error_string(code, text, &length));
        CHECK(0 < length && length < MPI_MAX_ERROR_STRING);
        CHECK_IS(strlen(text), length);
    }
    CHECK_OK(MPI_Error_string(MPI_ERR_RANK, text, &length));
    CHECK(strstr(text, "MPI_ERR_RANK") != NULL);
    CHECK_CLASS(MPI_Error_class(-1, &class_of_code), MPI_ERR_ARG);
    CHECK_CLASS(MPI_Error_string(MPI_ERR_LASTCODE + 1000000, text, &length), MPI_ERR_ARG);
    CHECK_CLASS(MPI_Error_string(MPI_SUCCESS, NULL, &length), MPI_ERR_ARG);
}

static void of_the_program(void)
{
    char text[MPI_MAX_ERROR_STRING], much[MPI_MAX_ERROR_STRING + 1];
    int mine = -1, code = -1, class_of_code = -1, length = -1;

    CHECK_OK(MPI_Add_error_class(&mine));
    CHECK(mine > MPI_ERR_LASTCODE);
    CHECK_OK(MPI_Add_error_code(mine, &code));
    CHECK(code > mine);
    CHECK_OK(MPI_Error_class(code, &class_of_code));
    CHECK_IS(class_of_code, mine);
    CHECK_OK(MPI_Error_string(code, text, &length));
    CHECK_TEXT(text, "");
    CHECK_IS(length, 0);
    CHECK_OK(MPI_Add_error_string(code, "first"));
    CHECK_OK(MPI_Add_error_string(code, "then"));
    CHECK_OK(MPI_Error_string(code, text, &length));
    CHECK_TEXT(text, "then");
    memset(much, 'x', sizeof much);
    much[MPI_MAX_ERROR_STRING] = '\0';
    CHECK_CLASS(MPI_Add_error_string(code, much), MPI_ERR_ARG);
    CHECK_CLASS(MPI_Add_error_string(MPI_ERR_RANK, "mine"), MPI_ERR_ARG);
    CHECK_CLASS(MPI_Add_error_code(code, &length), MPI_ERR_ARG);

    /* What is in use stays. */
    CHECK_CLASS(MPI_Remove_error_class(mine), MPI_ERR_OTHER);
    CHECK_CLASS(MPI_Remove_error_code(code), MPI_ERR_OTHER);
    CHECK_CLASS(MPI_Remove_error_class(code), MPI_ERR_ARG);
    CHECK_CLASS(MPI_Remove_error_code(mine), MPI_ERR_ARG);
    CHECK_OK(MPI_Remove_error_string(code));
    CHECK_CLASS(MPI_Remove_error_string(code), MPI_ERR_ARG);
    CHECK_OK(MPI_Remove_error_code(code));
    CHECK_OK(MPI_Remove_error_class(mine));
    CHECK_CLASS(MPI_Error_class(code, &class_of_code), MPI_ERR_ARG);
    CHECK_CLASS(MPI_Remove_error_class(MPI_ERR_RANK), MPI_ERR_ARG);

    /* A code may be added to a class of the library. */
    CHECK_OK(MPI_Add_error_code(MPI_ERR_IO, &code));
    CHECK_OK(MPI_Error_class(code, &class_of_code));
    CHECK_IS(class_of_code, MPI_ERR_IO);
    CHECK_OK(MPI_Remove_error_code(code));
}

/* One of the runs that have to end badly. */
static void end_badly(const char *how, int *argc, char ***argv)
{
    int class_of_code, code;

    MPI_Init(argc, argv);
    if (strcmp(how, "raise") == 0)
        MPI_Comm_call_errhandler(MPI_COMM_WORLD, MPI_ERR_RANK);
    if (strcmp(how, "raise-own") == 0) {
        MPI_Add_error_class(&class_of_code);
        MPI_Add_error_code(class_of_code, &code);
        MPI_Add_error_string(code, "broken badly");
        MPI_Comm_call_errhandler(MPI_COMM_WORLD, code);
    }
    if (strcmp(how, "abort") == 0) {
        MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_ABORT);
        MPI_Comm_call_errhandler(MPI_COMM_SELF, MPI_ERR_RANK);
    }
    if (strcmp(how, "by-default") == 0)
        MPI_Error_class(-1, &code);
}

int main(int argc, char **argv)
{
    MPI_Errhandler found;

    if (argc > 1) {
        end_badly(argv[1], &argc, &argv);
        return 0;
    }
    CHECK_OK(MPI_Init(&argc, &argv));
    CHECK_OK(MPI_Comm_get_errhandler(MPI_COMM_WORLD, &found));
    CHECK(found == MPI_ERRORS_ARE_FATAL);
    CHECK_OK(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN));
    CHECK_OK(MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN));
    of_communicators();
    wrong_ones();
    without_a_file();
    of_the_library();
    of_the_program();
    CHECK_OK(MPI_Finalize());
    return 0;
}
