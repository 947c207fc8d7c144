/* Packing, the portable form, elements of messages (MPI 5.0, 5.1.11, 5.2 and 5.3). */
/* ranks: 1 */
#include "check.h"
#include <stdint.h>

struct particle {
    double place[3];
    int kind;
    char name[5];
};

static MPI_Datatype particle(void)
{
    int lengths[3] = {3, 1, 5};
    MPI_Aint places[3] = {0, 24, 28};
    MPI_Datatype types[3] = {MPI_DOUBLE, MPI_INT, MPI_CHAR}, made;
    MPI_Type_create_struct(3, lengths, places, types, &made);
    MPI_Type_commit(&made);
    return made;
}

static void fill(struct particle *all, int count)
{
    int i;
    memset(all, 0, count * sizeof *all);
    for (i = 0; i < count; i++) {
        all[i].place[0] = i + 0.25;
        all[i].place[1] = -i;
        all[i].place[2] = 1e10 * i;
        all[i].kind = -i;
        memcpy(all[i].name, "abcd", 5);
    }
}

static void native(void)
{
    MPI_Datatype type = particle();
    struct particle here[10], there[10];
    char buffer[1000];
    int size = -1, position = 3, end;
    MPI_Count wide = -1, at = 0;
    fill(here, 10);
    memset(there, 0, sizeof there);
    CHECK_OK(MPI_Pack_size(10, type, MPI_COMM_WORLD, &size));
    CHECK(size >= 330 && size <= (int)sizeof buffer);
    CHECK_OK(MPI_Pack_size_c(10, type, MPI_COMM_WORLD, &wide));
    CHECK_IS(wide, size);
    CHECK_OK(MPI_Pack(here, 7, type, buffer, sizeof buffer, &position, MPI_COMM_WORLD));
    CHECK_OK(MPI_Pack(here + 7, 3, type, buffer, sizeof buffer, &position, MPI_COMM_WORLD));
    end = position;
    position = 3;
    CHECK_OK(MPI_Unpack(buffer, end, &position, there, 10, type, MPI_COMM_WORLD));
    CHECK_IS(position, end);
    CHECK(memcmp(here, there, sizeof here) == 0);
    CHECK_CLASS(MPI_Unpack(buffer, end, &position, there, 1, type, MPI_COMM_WORLD), MPI_ERR_TRUNCATE);
    CHECK_IS(position, end);
    position = 800;
    CHECK_CLASS(MPI_Pack(here, 10, type, buffer, sizeof buffer, &position, MPI_COMM_WORLD), MPI_ERR_TRUNCATE);
    CHECK_IS(position, 800);
    position = -1;
    CHECK_CLASS(MPI_Pack(here, 1, type, buffer, sizeof buffer, &position, MPI_COMM_WORLD), MPI_ERR_ARG);
    position = 0;
    CHECK_CLASS(MPI_Pack(here, -1, type, buffer, sizeof buffer, &position, MPI_COMM_WORLD), MPI_ERR_COUNT);
    CHECK_CLASS(MPI_Pack(NULL, 1, type, buffer, sizeof buffer, &position, MPI_COMM_WORLD), MPI_ERR_BUFFER);
    CHECK_CLASS(MPI_Pack(here, 1, type, buffer, sizeof buffer, &position, MPI_COMM_NULL), MPI_ERR_COMM);
    CHECK_CLASS(MPI_Pack(here, 1, MPI_DATATYPE_NULL, buffer, sizeof buffer, &position, MPI_COMM_WORLD), MPI_ERR_TYPE);
    CHECK_OK(MPI_Pack(NULL, 0, type, buffer, sizeof buffer, &position, MPI_COMM_WORLD));
    CHECK_IS(position, 0);
    CHECK_OK(MPI_Pack_c(here, 2, type, buffer, sizeof buffer, &at, MPI_COMM_WORLD));
    CHECK_IS(at, 66);
    at = 0;
    memset(there, 0, sizeof there);
    CHECK_OK(MPI_Unpack_c(buffer, 66, &at, there, 2, type, MPI_COMM_WORLD));
    CHECK(memcmp(here, there, 2 * sizeof *here) == 0);
    CHECK_CLASS(MPI_Pack_size(0x7fffffff, type, MPI_COMM_WORLD, &size), MPI_ERR_VALUE_TOO_LARGE);
    CHECK_OK(MPI_Pack_size_c(0x7fffffff, type, MPI_COMM_WORLD, &wide));
    CHECK_IS(wide, 33ll * 0x7fffffff);
    MPI_Type_free(&type);
}

/* Addresses in the type, MPI_BOTTOM in the call. */
static void absolute(void)
{
    int one = 17, position = 0, lengths[2] = {1, 1};
    double two = 2.5;
    char buffer[12];
    MPI_Aint places[2];
    MPI_Datatype types[2] = {MPI_INT, MPI_DOUBLE}, type;
    MPI_Get_address(&one, &places[0]);
    MPI_Get_address(&two, &places[1]);
    MPI_Type_create_struct(2, lengths, places, types, &type);
    MPI_Type_commit(&type);
    CHECK_OK(MPI_Pack(MPI_BOTTOM, 1, type, buffer, sizeof buffer, &position, MPI_COMM_SELF));
    CHECK_IS(position, 12);
    CHECK(memcmp(buffer, &one, 4) == 0 && memcmp(buffer + 4, &two, 8) == 0);
    one = 0;
    two = 0;
    position = 0;
    CHECK_OK(MPI_Unpack(buffer, 12, &position, MPI_BOTTOM, 1, type, MPI_COMM_SELF));
    CHECK(one == 17 && two == 2.5);
    MPI_Type_free(&type);
}

/* A matrix is turned round by packing columns. */
static void transposed(void)
{
    static double from[50][70], to[70][50];
    MPI_Datatype column, columns;
    int i, j, position = 0;
    for (i = 0; i < 50; i++)
        for (j = 0; j < 70; j++)
            from[i][j] = 1000 * i + j;
    MPI_Type_vector(50, 1, 70, MPI_DOUBLE, &column);
    MPI_Type_create_resized(column, 0, sizeof(double), &columns);
    MPI_Type_commit(&columns);
    CHECK_OK(MPI_Pack(from, 70, columns, to, sizeof to, &position, MPI_COMM_WORLD));
    for (i = 0; i < 50; i++)
        for (j = 0; j < 70; j++)
            CHECK(to[j][i] == from[i][j]);
    MPI_Type_free(&column);
    MPI_Type_free(&columns);
}

static void portable(void)
{
    static const unsigned char expected[33] = {0x3f, 0xf4, 0, 0, 0, 0, 0, 0, 0xbf, 0xf0, 0, 0, 0, 0, 0, 0, 0x42, 0x02, 0xa0,
                                               0x5f, 0x20, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 'a', 'b', 'c', 'd', 0};
    MPI_Datatype type = particle();
    struct particle here[4], there[4];
    unsigned char buffer[200];
    MPI_Aint size = -1, position = 0;
    MPI_Count wide = -1, at = 0;
    long numbers[2] = {-2, 1l << 40};
    long double x = -2.75L, y = 0;
    static const unsigned char quad[16] = {0xc0, 0x00, 0x60};
    fill(here, 4);
    memset(there, 0, sizeof there);
    CHECK_OK(MPI_Pack_external_size("external32", 4, type, &size));
    CHECK_IS(size, 4 * 33);
    CHECK_OK(MPI_Pack_external_size_c("external32", 4, type, &wide));
    CHECK_IS(wide, size);
    CHECK_OK(MPI_Pack_external("external32", here, 4, type, buffer, sizeof buffer, &position));
    CHECK_IS(position, size);
    here[1].place[0] = 1.25;
    CHECK(memcmp(buffer + 33, expected, sizeof expected) == 0);
    position = 0;
    CHECK_OK(MPI_Unpack_external("external32", buffer, size, &position, there, 4, type));
    CHECK_IS(position, size);
    CHECK(memcmp(here, there, sizeof here) == 0);
    CHECK_CLASS(MPI_Unpack_external("external32", buffer, size, &position, there, 1, type), MPI_ERR_TRUNCATE);

    CHECK_OK(MPI_Pack_external_c("external32", numbers, 1, MPI_LONG, buffer, sizeof buffer, &at));
    CHECK_IS(at, 4);
    CHECK(memcmp(buffer, "\377\377\377\376", 4) == 0);
    at = 0;
    numbers[0] = 0;
    CHECK_OK(MPI_Unpack_external_c("external32", buffer, 4, &at, numbers, 1, MPI_LONG));
    CHECK_IS(numbers[0], -2);
    position = 0;
    CHECK_CLASS(MPI_Pack_external("external32", numbers, 2, MPI_LONG, buffer, sizeof buffer, &position), MPI_ERR_CONVERSION);
    CHECK_OK(MPI_Pack_external("external32", &x, 1, MPI_LONG_DOUBLE, buffer, sizeof buffer, &position));
    CHECK(position == 16 && memcmp(buffer, quad, 16) == 0);
    position = 0;
    CHECK_OK(MPI_Unpack_external("external32", buffer, 16, &position, &y, 1, MPI_LONG_DOUBLE));
    CHECK(y == x);
    position = 0;
    CHECK_CLASS(MPI_Pack_external("internal", here, 1, type, buffer, sizeof buffer, &position), MPI_ERR_UNSUPPORTED_DATAREP);
    CHECK_CLASS(MPI_Pack_external("external32", here, 1, type, buffer, 32, &position), MPI_ERR_TRUNCATE);
    CHECK_CLASS(MPI_Pack_external("external32", here, 1, type, buffer, -1, &position), MPI_ERR_ARG);
    CHECK_CLASS(MPI_Pack_external_size("external32", -1, type, &size), MPI_ERR_COUNT);
    MPI_Type_free(&type);
}

/* More than 2^31 bytes from one place of memory. */
static void large(void)
{
    MPI_Count count = ((MPI_Count)1 << 31) + 3, position = 0, size;
    MPI_Datatype twice, type;
    char byte = 'x', last[8] = {0};
    /* Every element is the same byte: nothing of that size has to exist. */
    MPI_Type_create_resized(MPI_CHAR, 0, 0, &twice);
    MPI_Type_contiguous_c(count, twice, &type);
    MPI_Type_commit(&type);
    CHECK_OK(MPI_Pack_size_c(1, type, MPI_COMM_WORLD, &size));
    CHECK_IS(size, count);
    CHECK_CLASS(MPI_Pack_c(&byte, 1, type, last, sizeof last, &position, MPI_COMM_WORLD), MPI_ERR_TRUNCATE);
    CHECK_IS(position, 0);
    MPI_Type_commit(&twice);
    CHECK_OK(MPI_Pack_c(&byte, 8, twice, last, sizeof last, &position, MPI_COMM_WORLD));
    CHECK(memcmp(last, "xxxxxxxx", 8) == 0);
    MPI_Type_free(&twice);
    MPI_Type_free(&type);
}

/* A message to oneself. */
static void pass(const void *from, int sent, MPI_Datatype as, void *to, int room, MPI_Datatype type, MPI_Status *status)
{
    MPI_Request request;

    CHECK_OK(MPI_Isend(from, sent, as, 0, 5, MPI_COMM_SELF, &request));
    CHECK_OK(MPI_Recv(to, room, type, 0, 5, MPI_COMM_SELF, status));
    CHECK_OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
}

/* Receives `bytes` bytes, sent as such, as particles. */
static void elements(int bytes, int count, int expected)
{
    struct particle here[4], there[4];
    MPI_Datatype type = particle();
    MPI_Status status;
    MPI_Count wide = -1, other = -1;
    int found = -1;

    fill(here, 4);
    pass(here, bytes, MPI_BYTE, there, 4, type, &status);
    CHECK_OK(MPI_Get_elements(&status, type, &found));
    CHECK_IS(found, expected);
    CHECK_OK(MPI_Get_elements_c(&status, type, &wide));
    CHECK_OK(MPI_Get_elements_x(&status, type, &other));
    CHECK_IS(wide, expected);
    CHECK_IS(other, expected);
    CHECK_OK(MPI_Get_count(&status, type, &found));
    CHECK_IS(found, count);
    MPI_Type_free(&type);
}

/* What is packed is received as the datatype, and what is sent as one is unpacked. */
static void travelling(void)
{
    struct particle here[4], there[4];
    MPI_Datatype type = particle();
    char packed[200];
    int position = 0;

    fill(here, 4);
    memset(there, 0, sizeof there);
    CHECK_OK(MPI_Pack(here, 4, type, packed, sizeof packed, &position, MPI_COMM_SELF));
    pass(packed, position, MPI_PACKED, there, 4, type, MPI_STATUS_IGNORE);
    CHECK(memcmp(here, there, sizeof here) == 0);
    memset(packed, 0, sizeof packed);
    memset(there, 0, sizeof there);
    pass(here, 4, type, packed, sizeof packed, MPI_PACKED, MPI_STATUS_IGNORE);
    position = 0;
    CHECK_OK(MPI_Unpack(packed, sizeof packed, &position, there, 4, type, MPI_COMM_SELF));
    CHECK(memcmp(here, there, sizeof here) == 0);
    MPI_Type_free(&type);
}

int main(int argc, char **argv)
{
    check_start(&argc, &argv);
    native();
    absolute();
    transposed();
    portable();
    large();
    elements(0, 0, 0);
    elements(8, MPI_UNDEFINED, 1);
    elements(28, MPI_UNDEFINED, 4);
    elements(30, MPI_UNDEFINED, 6);
    elements(33, 1, 9);
    elements(65, MPI_UNDEFINED, 17);
    elements(66, 2, 18);
    elements(12, MPI_UNDEFINED, MPI_UNDEFINED);
    travelling();
    CHECK_OK(MPI_Finalize());
    return 0;
}
