/* What a task of a big-endian host with 32 bits sends, and what it is sent. */
#include <pvm3.h>
#include <stdio.h>
#include <string.h>

static int bad;

static void check(int holds, const char *what)
{
    if (!holds) {
        bad = 1;
        fprintf(stderr, "%s\n", what);
    }
}

static void send_all(int other, int tag, int encoding)
{
    char bytes[] = "abc", text[] = "abc", nothing[] = "";
    short shorts[] = {-2, 3};
    unsigned short ushort = 0xfffe;
    int ints[] = {1, -1};
    unsigned int uint = 0xffffffff;
    long big = 1L << 40;
    unsigned long ulong = ~0UL;
    float real = 1.5f, complex[] = {1.0f, -1.0f};
    double wide = -2.0, wide_complex[] = {0.5, -0.25};

    pvm_initsend(encoding);
    pvm_pkbyte(bytes, 3, 1);
    pvm_pkshort(shorts, 2, 1);
    pvm_pkushort(&ushort, 1, 1);
    pvm_pkint(ints, 2, 1);
    pvm_pkuint(&uint, 1, 1);
    pvm_pklong(&big, 1, 1);
    pvm_pkulong(&ulong, 1, 1);
    pvm_pkfloat(&real, 1, 1);
    pvm_pkdouble(&wide, 1, 1);
    pvm_pkcplx(complex, 1, 1);
    pvm_pkdcplx(wide_complex, 1, 1);
    pvm_pkstr(text);
    pvm_pkstr(nothing);
    check(pvm_send(other, tag) == 0, "pvm_send");
}

static void receive_all(int other, int tag)
{
    char bytes[3], text[9], nothing[9];
    short shorts[2];
    unsigned short ushort;
    int ints[2];
    unsigned int uint;
    long big;
    unsigned long ulong;
    float real, complex[2];
    double wide, wide_complex[2];

    check(pvm_recv(other, tag) > 0, "pvm_recv");
    check(pvm_upkbyte(bytes, 3, 1) == 0 && memcmp(bytes, "abc", 3) == 0, "bytes");
    check(pvm_upkshort(shorts, 2, 1) == 0 && shorts[0] == -2 && shorts[1] == 3, "shorts");
    check(pvm_upkushort(&ushort, 1, 1) == 0 && ushort == 0xfffe, "ushort");
    check(pvm_upkint(ints, 2, 1) == 0 && ints[0] == 1 && ints[1] == -1, "ints");
    check(pvm_upkuint(&uint, 1, 1) == 0 && uint == 0xffffffff, "uint");
    check(pvm_upklong(&big, 1, 1) == 0 && big == 1L << 40, "long");
    check(pvm_upkulong(&ulong, 1, 1) == 0 && ulong == ~0UL, "ulong");
    check(pvm_upkfloat(&real, 1, 1) == 0 && real == 1.5f, "float");
    check(pvm_upkdouble(&wide, 1, 1) == 0 && wide == -2.0, "double");
    check(pvm_upkcplx(complex, 1, 1) == 0 && complex[0] == 1.0f && complex[1] == -1.0f, "complex");
    check(pvm_upkdcplx(wide_complex, 1, 1) == 0 && wide_complex[0] == 0.5
              && wide_complex[1] == -0.25, "double complex");
    check(pvm_upkstr(text) == 0 && strcmp(text, "abc") == 0, "string");
    check(pvm_upkstr(nothing) == 0 && strcmp(nothing, "") == 0, "empty string");
    check(pvm_upkbyte(bytes, 1, 1) == PvmNoData, "the end");
}

static void act_as_group(int other)
{
    int mine, ints[] = {3, 4};
    long longs[] = {5, 6}, all[4];
    double parts[] = {0.25, 0.5}, part;

    check(pvm_recv(other, 6) > 0, "the other is a member");
    mine = pvm_joingroup("both");
    check(mine == 1, "pvm_joingroup");
    check(pvm_gather(all, longs, 2, PVM_LONG, 7, "both", mine) == 0, "pvm_gather");
    check(all[0] == -2 && all[1] == 0x7fffffff && all[2] == 5 && all[3] == 6, "gathered longs");
    check(pvm_reduce(PvmSum, ints, 2, PVM_INT, 8, "both", mine) == 0, "pvm_reduce");
    check(ints[0] == 33 && ints[1] == 44, "sums");
    check(pvm_scatter(&part, parts, 1, PVM_DOUBLE, 9, "both", mine) == 0, "pvm_scatter");
    check(part == 0.5, "scattered doubles");
}

int main(void)
{
    int me, *tids, other, room[64];
    char byte;

    me = pvm_mytid();
    check(pvm_siblings(&tids) == 2, "pvm_siblings");
    other = tids[tids[0] == me];
    pvm_setopt(PvmAutoErr, 0);
    receive_all(other, 1);
    check(pvm_recv(other, 2) > 0, "pvm_recv of raw data");
    check(pvm_upkbyte(&byte, 1, 1) == PvmBadMsg, "bytes of raw data");
    check(pvm_upkint(room, 1, 1) == PvmBadMsg, "ints of raw data");
    check(pvm_precv(other, 3, room, 64, PVM_INT, NULL, NULL, NULL) == PvmBadMsg, "pvm_precv");
    act_as_group(other);
    send_all(other, 4, PvmDataDefault);
    send_all(other, 5, PvmDataRaw);
    pvm_exit();
    if (!bad)
        printf("all checks passed\n");
    return bad;
}
