/* What the programs of this folder check with: the first thing that is not so is said with its place
 * and rank, and ends the program with code 1, and so the job. */

#ifndef CHECK_H
#define CHECK_H

#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where a failed check was: before MPI_Init and after MPI_Finalize nobody has a rank. */
static inline void check_failed(const char *file, int line, const char *what)
{
    int started = 0, ended = 0, rank = -1, size = -1;

    MPI_Initialized(&started);
    MPI_Finalized(&ended);
    if (started && !ended) {
        MPI_Comm_rank(MPI_COMM_WORLD, &rank);
        MPI_Comm_size(MPI_COMM_WORLD, &size);
    }
    fprintf(stderr, "%s:%d: rank %d of %d: %s\n", file, line, rank, size, what);
    fflush(NULL);
    _Exit(1);
}

static inline void check_text(const char *file, int line, const char *found, const char *wanted)
{
    char what[1024];

    if (strcmp(found, wanted) != 0) {
        snprintf(what, sizeof what, "'%s' instead of '%s'", found, wanted);
        check_failed(file, line, what);
    }
}

static inline void check_number(const char *file, int line, const char *text, long long found, long long wanted)
{
    char what[512];

    if (found != wanted) {
        snprintf(what, sizeof what, "%s is %lld instead of %lld", text, found, wanted);
        check_failed(file, line, what);
    }
}

static inline void check_class(const char *file, int line, const char *call, int code, int wanted)
{
    char text[MPI_MAX_ERROR_STRING] = "no error code", what[1024];
    int class_of_code = -1, length;

    if (MPI_Error_class(code, &class_of_code) == MPI_SUCCESS && class_of_code == wanted)
        return;
    MPI_Error_string(code, text, &length);
    snprintf(what, sizeof what, "%s gives code %d of class %d (%s), not of class %d", call, code, class_of_code, text,
             wanted);
    check_failed(file, line, what);
}

/* Something is so. */
#define CHECK(condition) ((condition) ? (void)0 : check_failed(__FILE__, __LINE__, #condition))
/* A number is this one: says what it is instead. */
#define CHECK_IS(found, wanted) check_number(__FILE__, __LINE__, #found, (long long)(found), (long long)(wanted))
/* A string is this one. */
#define CHECK_TEXT(found, wanted) check_text(__FILE__, __LINE__, found, wanted)
/* A call ends well. */
#define CHECK_OK(call) check_class(__FILE__, __LINE__, #call, call, MPI_SUCCESS)
/* A call returns an error of this class: the handler of its object, or of MPI_COMM_SELF where it has
 * none, must be MPI_ERRORS_RETURN (check_start). */
#define CHECK_CLASS(call, class) check_class(__FILE__, __LINE__, #call, call, class)

/* MPI_Init, then errors are returned by all calls. */
static inline void check_start(int *argc, char ***argv)
{
    CHECK_OK(MPI_Init(argc, argv));
    CHECK_OK(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN));
    CHECK_OK(MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN));
}

/* The rank in MPI_COMM_WORLD. */
static inline int check_rank(void)
{
    int rank = -1;

    CHECK_OK(MPI_Comm_rank(MPI_COMM_WORLD, &rank));
    return rank;
}

/* The size of MPI_COMM_WORLD. */
static inline int check_size(void)
{
    int size = -1;

    CHECK_OK(MPI_Comm_size(MPI_COMM_WORLD, &size));
    return size;
}

#endif
