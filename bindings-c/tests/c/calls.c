/*
 * Calls every function of pvm3.h that is there, with good and bad arguments, alone and with the
 * other tasks of the launch. Prints "all checks passed" in the first task; a failed check prints
 * its line and the task exits with 1.
 */
#include <pvm3.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>

static int failures;

#define CHECK(condition)                                                                  \
    do {                                                                                  \
        if (!(condition)) {                                                               \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);               \
            failures++;                                                                   \
        }                                                                                 \
    } while (0)

#define EQUAL(value, expected)                                                            \
    do {                                                                                  \
        long got_ = (value), wanted_ = (expected);                                        \
        if (got_ != wanted_) {                                                            \
            fprintf(stderr, "%s:%d: %s is %ld, not %ld\n", __FILE__, __LINE__, #value,    \
                    got_, wanted_);                                                       \
            failures++;                                                                   \
        }                                                                                 \
    } while (0)

/* Layouts that old binaries rely on. */
typedef char hostinfo_size[sizeof(struct pvmhostinfo) == 32 ? 1 : -1];
typedef char taskinfo_size[sizeof(struct pvmtaskinfo) == 32 ? 1 : -1];
typedef char minfo_size[sizeof(struct pvmminfo) == 32 ? 1 : -1];
typedef char mboxinfo_size[sizeof(struct pvmmboxinfo) == 40 ? 1 : -1];
typedef char pid_place[offsetof(struct pvmtaskinfo, ti_pid) == 24 ? 1 : -1];
typedef char dsig_place[offsetof(struct pvmhostinfo, hi_dsig) == 28 ? 1 : -1];

static int me;

static int body_length(void)
{
    int bytes = -1;
    EQUAL(pvm_bufinfo(pvm_getsbuf(), &bytes, NULL, NULL), 0);
    return bytes;
}

static void buffers(void)
{
    int first, second, bytes, tag, tid;
    struct pvmminfo info;

    EQUAL(pvm_getsbuf(), 0);
    EQUAL(pvm_getrbuf(), 0);
    EQUAL(pvm_pkint(&me, 1, 1), PvmNoBuf);
    EQUAL(pvm_upkint(&me, 1, 1), PvmNoBuf);
    EQUAL(pvm_initsend(3), PvmBadParam);
    EQUAL(pvm_errno, PvmBadParam);
    EQUAL(pvm_initsend(-1), PvmBadParam);
    EQUAL(pvm_mkbuf(7), PvmBadParam);
    first = pvm_initsend(PvmDataDefault);
    CHECK(first > 0);
    EQUAL(pvm_getsbuf(), first);
    second = pvm_mkbuf(PvmDataRaw);
    CHECK(second > 0 && second != first);
    EQUAL(pvm_setsbuf(second), first);
    EQUAL(pvm_setsbuf(first), second);
    EQUAL(pvm_setsbuf(-1), PvmBadParam);
    EQUAL(pvm_setsbuf(99999), PvmNoSuchBuf);
    EQUAL(pvm_setrbuf(-1), PvmBadParam);
    EQUAL(pvm_setrbuf(99999), PvmNoSuchBuf);
    EQUAL(pvm_setsbuf(0), first);
    EQUAL(pvm_getsbuf(), 0);
    EQUAL(pvm_freebuf(first), 0);
    EQUAL(pvm_freebuf(first), PvmNoSuchBuf);
    EQUAL(pvm_freebuf(0), 0);
    EQUAL(pvm_freebuf(-1), PvmBadParam);
    EQUAL(pvm_bufinfo(0, &bytes, &tag, &tid), PvmBadParam);
    EQUAL(pvm_bufinfo(first, &bytes, &tag, &tid), PvmNoSuchBuf);
    EQUAL(pvm_getminfo(second, &info), 0);
    EQUAL(info.enc, 0x00408c41);
    info.tag = 55;
    info.wid = 7;
    EQUAL(pvm_setminfo(second, &info), 0);
    EQUAL(pvm_bufinfo(second, NULL, &tag, NULL), 0);
    EQUAL(tag, 55);
    EQUAL(pvm_getminfo(second, NULL), PvmBadParam);
    EQUAL(pvm_setminfo(0, &info), PvmBadParam);
    EQUAL(pvm_freebuf(second), 0);
}

/* Sends the send buffer to this task and makes it the receive buffer. */
static void send_to_self(int tag)
{
    EQUAL(pvm_send(me, tag), 0);
    CHECK(pvm_recv(me, tag) > 0);
}

static void all_types(int encoding, int stride)
{
    char c[6] = "abcde", c2[6] = "";
    short s[6] = {1, -2, 3, -4, 5, -6}, s2[6] = {0};
    unsigned short us[6] = {1, 65535, 3, 4, 5, 6}, us2[6] = {0};
    int i[6] = {1, -2147483647, 3, 4, 5, 6}, i2[6] = {0};
    unsigned int ui[6] = {1, 4294967295u, 3, 4, 5, 6}, ui2[6] = {0};
    long l[6] = {1L << 40, -1, 3, 4, 5, 6}, l2[6] = {0};
    unsigned long ul[6] = {~0ul, 2, 3, 4, 5, 6}, ul2[6] = {0};
    float f[12] = {1.5f, -2.5f, 3}, f2[12] = {0};
    double d[12] = {1e300, -2.5, 3}, d2[12] = {0};
    char text[16] = "";
    int n = 6 / stride, k;

    CHECK(pvm_initsend(encoding) > 0);
    EQUAL(pvm_pkbyte(c, n, stride), 0);
    EQUAL(pvm_pkshort(s, n, stride), 0);
    EQUAL(pvm_pkushort(us, n, stride), 0);
    EQUAL(pvm_pkint(i, n, stride), 0);
    EQUAL(pvm_pkuint(ui, n, stride), 0);
    EQUAL(pvm_pklong(l, n, stride), 0);
    EQUAL(pvm_pkulong(ul, n, stride), 0);
    EQUAL(pvm_pkfloat(f, n, stride), 0);
    EQUAL(pvm_pkdouble(d, n, stride), 0);
    EQUAL(pvm_pkcplx(f, n, stride), 0);
    EQUAL(pvm_pkdcplx(d, n, stride), 0);
    if (encoding != PvmDataInPlace)
        EQUAL(pvm_pkstr("hello"), 0);
    send_to_self(5);
    EQUAL(pvm_upkbyte(c2, n, stride), 0);
    EQUAL(pvm_upkshort(s2, n, stride), 0);
    EQUAL(pvm_upkushort(us2, n, stride), 0);
    EQUAL(pvm_upkint(i2, n, stride), 0);
    EQUAL(pvm_upkuint(ui2, n, stride), 0);
    EQUAL(pvm_upklong(l2, n, stride), 0);
    EQUAL(pvm_upkulong(ul2, n, stride), 0);
    EQUAL(pvm_upkfloat(f2, n, stride), 0);
    EQUAL(pvm_upkdouble(d2, n, stride), 0);
    for (k = 0; k < n; k++) {
        int at = k * stride;
        CHECK(c2[at] == c[at] && s2[at] == s[at] && us2[at] == us[at] && i2[at] == i[at]);
        CHECK(ui2[at] == ui[at] && l2[at] == l[at] && ul2[at] == ul[at]);
        CHECK(f2[at] == f[at] && d2[at] == d[at]);
        if (stride > 1)
            CHECK(i2[at + 1] == 0 && d2[at + 1] == 0);
    }
    EQUAL(pvm_upkcplx(f2, n, stride), 0);
    EQUAL(pvm_upkdcplx(d2, n, stride), 0);
    CHECK(f2[1] == f[1] && d2[1] == d[1]);
    if (encoding != PvmDataInPlace) {
        EQUAL(pvm_upkstr(text), 0);
        CHECK(strcmp(text, "hello") == 0);
    }
    EQUAL(pvm_upkbyte(c2, 1, 1), PvmNoData);
}

static void packing(void)
{
    static const int lengths[2][4] = {{8, 4, 24, 8}, {8, 3, 24, 5}};
    int encoding, i = 1, one = 0;
    long l[3] = {1, 2, 3};
    double d = 2.5;

    for (encoding = PvmDataDefault; encoding <= PvmDataRaw; encoding++) {
        all_types(encoding, 1);
        all_types(encoding, 2);
        pvm_initsend(encoding);
        EQUAL(pvm_pkstr("abc"), 0);
        EQUAL(body_length(), lengths[encoding][0]);
        pvm_initsend(encoding);
        EQUAL(pvm_pkbyte("abc", 3, 1), 0);
        EQUAL(body_length(), lengths[encoding][1]);
        pvm_initsend(encoding);
        EQUAL(pvm_pklong(l, 3, 1), 0);
        EQUAL(body_length(), lengths[encoding][2]);
        pvm_initsend(encoding);
        EQUAL(pvm_pkstr(""), 0);
        EQUAL(body_length(), lengths[encoding][3]);
        EQUAL(pvm_pkint(&i, -1, 1), PvmBadParam);
        EQUAL(pvm_pkint(NULL, 1, 1), PvmBadParam);
        EQUAL(pvm_pkint(NULL, 0, 1), 0);
        EQUAL(pvm_pkstr(NULL), PvmBadParam);
    }
    all_types(PvmDataInPlace, 1);
    pvm_initsend(PvmDataInPlace);
    EQUAL(pvm_pkint(&i, 1, 1), 0);
    EQUAL(body_length(), 0);
    EQUAL(pvm_pkint(&i, 1, 2), PvmNotImpl);
    EQUAL(pvm_pkstr("x"), PvmNotImpl);
    EQUAL(pvm_packf("%d", 1), PvmNotImpl);
    i = 77; /* in place: what counts is the value when it is sent */
    send_to_self(6);
    EQUAL(pvm_upkint(&one, 1, 1), 0);
    EQUAL(one, 77);
    EQUAL(pvm_upkint(&one, -1, 1), PvmBadParam);
    EQUAL(pvm_upkint(NULL, 1, 1), PvmBadParam);
    EQUAL(pvm_upkstr(NULL), PvmBadParam);

    EQUAL(pvm_packf("%+ %d %2d %lf %s %c %hd %lud", PvmDataRaw, 42, (int[]){1, 2}, d, "text", 'q',
                    7, 9ul), 0);
    send_to_self(8);
    {
        int pair[2];
        char text[8], c;
        short s;
        unsigned long ul;
        double back;
        EQUAL(pvm_unpackf("%d %2d %lf %s %c %hd %lud", &one, pair, &back, text, &c, &s, &ul), 0);
        CHECK(one == 42 && pair[1] == 2 && back == 2.5 && c == 'q' && s == 7 && ul == 9);
        CHECK(strcmp(text, "text") == 0);
    }
    EQUAL(pvm_packf("%q", 1), PvmBadParam);
    EQUAL(pvm_packf("%"), PvmBadParam);
    EQUAL(pvm_packf(NULL), PvmBadParam);
}

static void alone(void)
{
    int id, probed, bytes, tag, tid, value = 9, got = 0, length;
    struct timeval none = {0, 0}, moment = {0, 20000}, odd = {0, -1};

    EQUAL(pvm_send(me, 1) >= 0, 1);
    CHECK(pvm_recv(-1, 1) > 0);
    pvm_initsend(PvmDataDefault);
    pvm_pkint(&value, 1, 1);
    EQUAL(pvm_send(me, -1), PvmBadParam);
    EQUAL(pvm_send(0, 1), PvmBadParam);
    EQUAL(pvm_send(0x40000, 1), PvmBadParam);
    EQUAL(pvm_send(me | 0x3ffff, 1), 0); /* nobody there: PVM does not mind */
    EQUAL(pvm_probe(-1, -1), 0);
    EQUAL(pvm_nrecv(-1, -1), 0);
    EQUAL(pvm_trecv(-1, -1, &none), 0);
    EQUAL(pvm_trecv(-1, -1, &moment), 0);
    EQUAL(pvm_trecv(-1, -1, &odd), 0);

    EQUAL(pvm_send(me, 3), 0);
    probed = pvm_probe(me, 3);
    CHECK(probed > 0);
    EQUAL(pvm_bufinfo(probed, &bytes, &tag, &tid), 0);
    CHECK(bytes == 4 && tag == 3 && tid == me);
    id = pvm_recv(-1, -1);
    EQUAL(id, probed);
    EQUAL(pvm_getrbuf(), id);
    EQUAL(pvm_upkint(&got, 1, 1), 0);
    EQUAL(got, 9);
    EQUAL(pvm_upkint(&got, 1, 1), PvmNoData);
    EQUAL(pvm_setrbuf(0), id);
    EQUAL(pvm_send(me, 4), 0);
    CHECK(pvm_recv(-1, 4) > 0);
    EQUAL(pvm_freebuf(id), 0); /* was saved, so it was still there */
    id = pvm_getrbuf();
    EQUAL(pvm_send(me, 5), 0);
    CHECK(pvm_nrecv(-1, 5) > 0);
    EQUAL(pvm_freebuf(id), PvmNoSuchBuf); /* freed by the receive */

    EQUAL(pvm_psend(me, 6, &value, 1, PVM_INT), 0);
    EQUAL(pvm_precv(me, 6, &got, 1, PVM_INT, &tid, &tag, &length), 0);
    CHECK(got == 9 && tid == me && tag == 6 && length == 4);
    EQUAL(pvm_psend(me, 7, "abcdefgh", 8, PVM_BYTE), 0);
    got = 0;
    EQUAL(pvm_precv(-1, -1, &got, 1, PVM_BYTE, NULL, NULL, &length), 0);
    CHECK(got == 'a' && length == 8); /* cut, and told so */
    EQUAL(pvm_psend(me, 6, "x", 1, PVM_STR), PvmNotImpl);
    EQUAL(pvm_psend(me, 6, "x", 1, 99), PvmBadParam);
    EQUAL(pvm_psend(me, 6, NULL, 1, PVM_INT), PvmBadParam);
    EQUAL(pvm_precv(me, 6, &got, 1, PVM_STR, NULL, NULL, NULL), PvmNotImpl);
    EQUAL(pvm_psend(me, 6, &value, -5, PVM_INT), 0);
    EQUAL(pvm_precv(me, 6, NULL, 0, PVM_INT, NULL, NULL, &length), 0);
    EQUAL(length, 0);

    pvm_initsend(PvmDataDefault);
    EQUAL(pvm_mcast(&me, 1, 5), 0); /* not to oneself */
    EQUAL(pvm_mcast(NULL, 0, 5), 0);
    EQUAL(pvm_mcast(&me, -1, 5), PvmBadParam);
    EQUAL(pvm_mcast(NULL, 2, 5), PvmBadParam);
    EQUAL(pvm_nrecv(-1, -1), 0);

    EQUAL(pvm_setcontext(7), 0);
    EQUAL(pvm_send(me, 1), 0);
    EQUAL(pvm_setcontext(0), 7);
    EQUAL(pvm_probe(-1, -1), 0);
    EQUAL(pvm_setcontext(7), 0);
    CHECK(pvm_recv(-1, -1) > 0);
    EQUAL(pvm_setcontext(0), 7);
    EQUAL(pvm_getcontext(), 0);
}

static void options(void)
{
    EQUAL(pvm_getopt(PvmRoute), PvmAllowDirect);
    EQUAL(pvm_setopt(PvmRoute, PvmRouteDirect), PvmAllowDirect);
    EQUAL(pvm_setopt(PvmRoute, 9), PvmBadParam);
    EQUAL(pvm_getopt(PvmFragSize), 4080);
    EQUAL(pvm_getopt(99), PvmBadParam);
    EQUAL(pvm_setopt(PvmPollType, 1), PvmNotImpl);
    CHECK(strcmp(pvm_version(), "3.4.6") == 0);
    EQUAL(pvm_initsend(99), PvmBadParam);
    CHECK(strcmp(pvm_strerror(), "Bad parameter") == 0);
}

static void machine(void)
{
    int nhost = 0, narch = 0, ntask = 0, i, found = 0, *tids, started[3] = {0};
    struct pvmhostinfo *hosts;
    struct pvmtaskinfo *tasks;

    EQUAL(pvm_config(&nhost, &narch, &hosts), 0);
    CHECK(nhost >= 1 && narch == 1 && hosts[0].hi_tid == pvm_tidtohost(me));
    CHECK(hosts[0].hi_name[0] != 0 && hosts[0].hi_speed == 1000);
    EQUAL(pvm_config(NULL, NULL, NULL), 0);
    EQUAL(pvm_mstat(hosts[0].hi_name), 0);
    EQUAL(pvm_mstat("no-such-host"), PvmNoHost);
    EQUAL(pvm_mstat(""), PvmBadParam);
    EQUAL(pvm_mstat(NULL), PvmBadParam);
    EQUAL(pvm_tidtohost(-1), 0x3ffc0000);

    EQUAL(pvm_tasks(0, &ntask, &tasks), 0);
    for (i = 0; i < ntask; i++)
        found += tasks[i].ti_tid == me && tasks[i].ti_a_out[0] != 0 && tasks[i].ti_pid > 0;
    EQUAL(found, 1);
    EQUAL(pvm_tasks(me, &ntask, &tasks), 0);
    CHECK(ntask == 1 && tasks[0].ti_tid == me && tasks[0].ti_host == pvm_tidtohost(me));
    EQUAL(pvm_tasks(me | 0x3ffff, &ntask, &tasks), 0);
    EQUAL(ntask, 0);
    EQUAL(pvm_tasks(0x3fc0000, &ntask, &tasks), PvmNoHost);
    EQUAL(pvm_pstat(me), 0);
    EQUAL(pvm_pstat(me | 0x3ffff), PvmNoTask);
    EQUAL(pvm_pstat(-1), PvmBadParam);
    EQUAL(pvm_kill(0), PvmBadParam);
    EQUAL(pvm_kill(me | 0x3ffff), 0);
    EQUAL(pvm_sendsig(me, 0), 0);
    EQUAL(pvm_sendsig(me, 999), 0);
    EQUAL(pvm_sendsig(0, SIGTERM), PvmBadParam);
    CHECK(pvm_siblings(&tids) >= 1);
    EQUAL(pvm_siblings(NULL), PvmBadParam);

    EQUAL(pvm_spawn("no-such-program", NULL, PvmTaskDefault, NULL, 3, started), 0);
    CHECK(started[0] == PvmNoFile && started[2] == PvmNoFile);
    EQUAL(pvm_spawn(NULL, NULL, PvmTaskDefault, NULL, 1, started), PvmBadParam);
    EQUAL(pvm_spawn("x", NULL, PvmTaskDefault, NULL, 0, started), PvmBadParam);
    EQUAL(pvm_spawn("true", NULL, PvmTaskHost, "no-such-host", 1, started), 0);
    EQUAL(started[0], PvmNoHost);
    EQUAL(pvm_spawn("true", NULL, PvmTaskHost, NULL, 1, started), 0);
    EQUAL(pvm_spawn("no-such-program", NULL, PvmTaskArch, getenv("PVM_ARCH"), 1, started), 0);
    EQUAL(started[0], PvmNoFile);
    EQUAL(pvm_spawn("true", NULL, PvmTaskArch, "CRAY", 1, started), 0);
    EQUAL(started[0], PvmNoHost);
    EQUAL(pvm_export(NULL), PvmBadParam);
    EQUAL(pvm_export("HELLO"), 0);
    EQUAL(pvm_export("HELLO"), 0);
    CHECK(strcmp(getenv("PVM_EXPORT"), "HELLO") == 0);
    EQUAL(pvm_unexport("HELLO"), 0);
    CHECK(strcmp(getenv("PVM_EXPORT"), "") == 0);
}

/* Spawns a program that is no PVM program and is told when it ends. */
static void children(void)
{
    char *argv[] = {"-c", "test \"$HELLO\" = there && sleep 0.1", NULL};
    int tid = 0, got = 0, tag = 0, source = 0, id;

    EQUAL(pvm_notify(99, 1, 1, &me), PvmBadParam);
    EQUAL(pvm_notify(PvmTaskExit, -1, 1, &me), PvmBadParam);
    EQUAL(pvm_notify(PvmTaskExit, 1, 0, &me), PvmBadParam);
    EQUAL(pvm_notify(PvmTaskExit, 1, 1, NULL), PvmBadParam);
    setenv("HELLO", "there", 1);
    pvm_export("HELLO");
    EQUAL(pvm_spawn("sh", argv, PvmTaskHost, ".:/", 1, &tid), 1);
    CHECK(tid > 0);
    EQUAL(pvm_notify(PvmTaskExit, 71, 1, &tid), 0);
    id = pvm_recv(-1, 71);
    CHECK(id > 0);
    EQUAL(pvm_bufinfo(id, NULL, &tag, &source), 0);
    CHECK(tag == 71 && (unsigned int)source == 0x80000000u);
    EQUAL(pvm_upkint(&got, 1, 1), 0);
    EQUAL(got, tid);
    EQUAL(pvm_notify(PvmTaskExit, 72, 1, &tid), 0); /* gone already: at once */
    CHECK(pvm_recv(-1, 72) > 0);
    EQUAL(pvm_notify(PvmTaskExit, 73, 1, &me), 0);
    EQUAL(pvm_probe(-1, 73), 0);
    EQUAL(pvm_notify(PvmTaskExit | PvmNotifyCancel, 73, 1, &me), 0);
    CHECK(pvm_recv(-1, 73) > 0);
    EQUAL(pvm_send(tid, 1) < 0, pvm_getsbuf() == 0);
}

/* A message of any size goes round; every task adds to it. */
static void round_trip(int *tids, int count, int mine, int ints)
{
    int *data = calloc(ints, sizeof *data), k, tag = 100 + ints % 1000;
    int next = tids[(mine + 1) % count], before = tids[(mine + count - 1) % count];

    if (mine == 0) {
        pvm_initsend(ints % 2 ? PvmDataDefault : PvmDataRaw);
        EQUAL(pvm_pkint(data, ints, 1), 0);
        EQUAL(pvm_send(next, tag), 0);
    }
    CHECK(pvm_recv(before, tag) > 0);
    EQUAL(pvm_upkint(data, ints, 1), 0);
    if (mine != 0) {
        for (k = 0; k < ints; k++)
            data[k]++;
        pvm_initsend(PvmDataInPlace);
        EQUAL(pvm_pkint(data, ints, 1), 0);
        EQUAL(pvm_send(next, tag), 0);
    } else {
        for (k = 0; k < ints; k++)
            if (data[k] != count - 1)
                break;
        EQUAL(k, ints);
    }
    pvm_initsend(PvmDataDefault); /* lets go of what was packed in place */
    free(data);
}

/* Everybody sends to everybody before anybody receives: sends never wait. */
static void storm(int *tids, int count, int mine)
{
    static int data[50000];
    int k, round, value;
    for (round = 0; round < 3; round++) {
        for (k = 0; k < 50000; k++)
            data[k] = mine * 10 + round;
        pvm_initsend(PvmDataRaw);
        EQUAL(pvm_pkint(data, 50000, 1), 0);
        EQUAL(pvm_mcast(tids, count, 40), 0);
    }
    for (k = 0; k < count; k++) {
        if (k == mine)
            continue;
        for (round = 0; round < 3; round++) {
            CHECK(pvm_recv(tids[k], 40) > 0);
            EQUAL(pvm_upkint(data, 50000, 1), 0);
            value = k * 10 + round;
            CHECK(data[0] == value && data[49999] == value);
        }
    }
}

static void groups(int count)
{
    int mine, k, sum, info, type = PVM_INT, n = 1, *all;
    double pair[2], z[2];
    short *parts, part[2] = {0, 0};

    EQUAL(pvm_joingroup(NULL), PvmNullGroup);
    EQUAL(pvm_joingroup(""), PvmNullGroup);
    EQUAL(pvm_gsize("nobody"), PvmNoGroup);
    EQUAL(pvm_lvgroup("nobody"), PvmNoGroup);
    EQUAL(pvm_barrier("nobody", 1), PvmNoGroup);
    mine = pvm_joingroup("all");
    CHECK(mine >= 0 && mine < count);
    EQUAL(pvm_joingroup("all"), PvmDupGroup);
    EQUAL(pvm_barrier("all", count), 0);
    EQUAL(pvm_barrier("all", 0), PvmMismatch);
    EQUAL(pvm_barrier("all", -2), PvmMismatch);
    EQUAL(pvm_gsize("all"), count);
    EQUAL(pvm_getinst("all", me), mine);
    EQUAL(pvm_getinst("all", me | 0x3ffff), PvmNotInGroup);
    EQUAL(pvm_gettid("all", mine), me);
    EQUAL(pvm_gettid("all", count), PvmNoInst);
    EQUAL(pvm_barrier("all", -1), 0);

    sum = mine + 1;
    EQUAL(pvm_reduce(PvmSum, &sum, 1, PVM_INT, 9, "all", 0), 0);
    if (mine == 0)
        EQUAL(sum, count * (count + 1) / 2);
    pair[0] = mine;
    pair[1] = -mine;
    EQUAL(pvm_reduce(PvmMin, pair, 2, PVM_DOUBLE, 9, "all", count - 1), 0);
    if (mine == count - 1)
        CHECK(pair[0] == 0 && pair[1] == -(count - 1));
    z[0] = 0;
    z[1] = 1;
    EQUAL(pvm_reduce(PvmProduct, z, 1, PVM_DCPLX, 9, "all", 0), 0);
    if (mine == 0) { /* i to the power of count */
        static const double re[4] = {1, 0, -1, 0}, im[4] = {0, 1, 0, -1};
        CHECK(z[0] == re[count % 4] && z[1] == im[count % 4]);
    }
    EQUAL(pvm_reduce(PvmSum, &sum, 1, PVM_UINT, 9, "all", 0), PvmBadParam);
    EQUAL(pvm_reduce(PvmSum, &sum, -1, PVM_INT, 9, "all", 0), PvmBadParam);
    EQUAL(pvm_reduce(NULL, &sum, 1, PVM_INT, 9, "all", 0), PvmBadParam);
    EQUAL(pvm_reduce(PvmSum, &sum, 1, PVM_INT, 9, "all", count), PvmNoInst);
    EQUAL(pvm_reduce(PvmSum, &sum, 1, PVM_INT, 9, "nobody", 0), PvmNoGroup);
    PvmMax(&type, &sum, &mine, &n, &info);
    EQUAL(info, 0);
    type = PVM_STR;
    PvmMax(&type, &sum, &mine, &n, &info);
    EQUAL(info, PvmBadParam);

    parts = calloc(2 * count, sizeof *parts);
    for (k = 0; k < 2 * count; k++)
        parts[k] = (short)(mine == 0 ? k * k : -1);
    EQUAL(pvm_scatter(part, mine == 0 ? parts : NULL, 2, PVM_SHORT, 8, "all", 0), 0);
    CHECK(part[0] == 4 * mine * mine && part[1] == (2 * mine + 1) * (2 * mine + 1));
    EQUAL(pvm_gather(mine == 0 ? parts : NULL, part, 2, PVM_SHORT, 8, "all", 0), 0);
    if (mine == 0)
        for (k = 0; k < 2 * count; k++)
            EQUAL(parts[k], k * k);
    free(parts);

    EQUAL(pvm_barrier("all", count), 0);
    if (mine == 0) {
        pvm_initsend(PvmDataDefault);
        pvm_pkstr("to all");
        EQUAL(pvm_bcast("all", 60), count > 1 ? 0 : PvmNoInst);
        EQUAL(pvm_bcast("all", -60), PvmBadParam);
    } else {
        char text[16];
        CHECK(pvm_recv(-1, 60) > 0);
        EQUAL(pvm_upkstr(text), 0);
        CHECK(strcmp(text, "to all") == 0);
    }
    EQUAL(pvm_barrier("all", count), 0);
    all = &count;
    CHECK(*all == count);
    EQUAL(pvm_lvgroup("all"), 0);
    EQUAL(pvm_lvgroup("all") < 0, 1);
}

/* The last task leaves early; the others are told. */
static void farewell(int *tids, int count, int mine)
{
    int last = tids[count - 1], got = 0, k;

    if (count < 2)
        return;
    if (mine == count - 1) {
        for (k = 0; k < count - 1; k++)
            CHECK(pvm_recv(tids[k], 90) > 0);
        return;
    }
    EQUAL(pvm_notify(PvmTaskExit, 91, 1, &last), 0);
    pvm_initsend(PvmDataDefault);
    EQUAL(pvm_send(last, 90), 0);
    CHECK(pvm_recv(-1, 91) > 0);
    EQUAL(pvm_upkint(&got, 1, 1), 0);
    EQUAL(got, last);
    pvm_initsend(PvmDataDefault);
    EQUAL(pvm_send(last, 1), 0); /* dead: PVM does not mind */
}

int main(void)
{
    int *tids, count, mine = 0;

    pvm_setopt(PvmAutoErr, 0);
    me = pvm_mytid();
    if (me < 0) {
        pvm_perror("calls");
        return 1;
    }
    count = pvm_siblings(&tids);
    CHECK(count >= 1);
    while (mine < count && tids[mine] != me)
        mine++;
    EQUAL(pvm_parent(), PvmNoParent);
    buffers();
    packing();
    alone();
    options();
    machine();
    children();
    round_trip(tids, count, mine, 1);
    round_trip(tids, count, mine, 1000);
    round_trip(tids, count, mine, 300001);
    storm(tids, count, mine);
    groups(count);
    farewell(tids, count, mine);
    EQUAL(pvm_exit(), 0);
    if (count == 1) {
        int again = pvm_mytid(); /* leaving and coming back gives a new id */
        CHECK(again > 0 && again != me);
        EQUAL(pvm_siblings(&tids), 1);
        EQUAL(pvm_exit(), 0);
    }
    if (mine == 0 && failures == 0)
        printf("all checks passed\n");
    return failures != 0;
}
