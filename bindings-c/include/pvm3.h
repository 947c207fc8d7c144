/*
 * pvm3.h - PVM 3.4 for C programs, as the parallel virtual machine of this package offers it.
 *
 * Values, names and layouts are those of PVM 3.4.6, so that existing programs compile and existing
 * binaries run. Chapters that are not here yet are named where they will come.
 */
#ifndef PVM3_H
#define PVM3_H

#include <sys/types.h>
#include <sys/time.h>

/* Prototypes for compilers that know them; old ones get empty parentheses. */
#if defined(__STDC__) || defined(__cplusplus) || defined(__GNUC__)
#define PVM_ARGS(list) list
#define PVM_CONST const
#else
#define PVM_ARGS(list) ()
#define PVM_CONST
#endif

/* ---- version ------------------------------------------------------------------------------- */

#define PVM_VER "3.4.6"
#define PVM_MAJOR_VERSION 3
#define PVM_MINOR_VERSION 4
#define PVM_PATCH_VERSION 6

/* ---- data encodings ------------------------------------------------------------------------ */

#define PvmDataDefault 0 /* XDR */
#define PvmDataRaw 1     /* as in the sender's memory */
#define PvmDataInPlace 2 /* read from the program's memory when it is sent */
#define PvmDataFoo 0
#define PvmDataTrace 4   /* trace events */

/* ---- spawn flags --------------------------------------------------------------------------- */

#define PvmTaskDefault 0
#define PvmTaskHost 1
#define PvmTaskArch 2
#define PvmTaskDebug 4
#define PvmTaskTrace 8
#define PvmMppFront 16
#define PvmHostCompl 32
#define PvmNoSpawnParent 64

/* ---- notification -------------------------------------------------------------------------- */

#define PvmTaskExit 1
#define PvmHostDelete 2
#define PvmHostAdd 3
#define PvmRouteAdd 4
#define PvmRouteDelete 5
#define PvmNotifyCancel 256

/* ---- options ------------------------------------------------------------------------------- */

#define PvmRoute 1
#define PvmDontRoute 1
#define PvmAllowDirect 2
#define PvmRouteDirect 3
#define PvmDebugMask 2
#define PvmAutoErr 3
#define PvmOutputTid 4
#define PvmOutputCode 5
#define PvmTraceTid 6
#define PvmTraceCode 7
#define PvmTraceBuffer 8
#define PvmTraceOptions 9
#define PvmTraceFull 1
#define PvmTraceTime 2
#define PvmTraceCount 3
#define PvmFragSize 10
#define PvmResvTids 11
#define PvmSelfOutputTid 12
#define PvmSelfOutputCode 13
#define PvmSelfTraceTid 14
#define PvmSelfTraceCode 15
#define PvmSelfTraceBuffer 16
#define PvmSelfTraceOptions 17
#define PvmShowTids 18
#define PvmPollType 19
#define PvmPollConstant 1
#define PvmPollSleep 2
#define PvmPollTime 20
#define PvmOutputContext 21
#define PvmTraceContext 22
#define PvmSelfOutputContext 23
#define PvmSelfTraceContext 24
#define PvmNoReset 25

/* For pvm_gettmask and pvm_settmask. */
#define PvmTaskSelf 0
#define PvmTaskChild 1

#define PvmBaseContext 0

/* ---- mailbox ------------------------------------------------------------------------------- */

#define PvmMboxDefault 0
#define PvmMboxPersistent 1
#define PvmMboxMultiInstance 2
#define PvmMboxOverWritable 4
#define PvmMboxFirstAvail 8
#define PvmMboxReadAndDelete 16
#define PvmMboxWaitForInfo 32
#define PvmMboxMaxFlag 512
#define PvmMboxDirectIndexShift 10
#define PvmMboxMaxDirectIndex (1 << 21)

#define PVMNORESETCLASS "###_PVM_NO_RESET_###"
#define PVMHOSTERCLASS "###_PVM_HOSTER_###"
#define PVMTASKERCLASS "###_PVM_TASKER_###"
#define PVMTRACERCLASS "###_PVM_TRACER_###"
#define PVMRMCLASS "###_PVM_RM_###"

/* ---- error codes --------------------------------------------------------------------------- */

#define PvmOk 0
#define PvmBadParam -2
#define PvmMismatch -3
#define PvmOverflow -4
#define PvmNoData -5
#define PvmNoHost -6
#define PvmNoFile -7
#define PvmDenied -8
#define PvmDupEntry -8
#define PvmNoMem -10
#define PvmBadMsg -12
#define PvmSysErr -14
#define PvmNoBuf -15
#define PvmNoSuchBuf -16
#define PvmNullGroup -17
#define PvmDupGroup -18
#define PvmNoGroup -19
#define PvmNotInGroup -20
#define PvmNoInst -21
#define PvmHostFail -22
#define PvmNoParent -23
#define PvmNotImpl -24
#define PvmDSysErr -25
#define PvmBadVersion -26
#define PvmOutOfRes -27
#define PvmDupHost -28
#define PvmCantStart -29
#define PvmAlready -30
#define PvmNoTask -31
#define PvmNotFound -32
#define PvmNoEntry -32
#define PvmExists -33
#define PvmHostrNMstr -34
#define PvmParentNotSet -35
#define PvmIPLoopback -36

/* ---- data types ---------------------------------------------------------------------------- */

#define PVM_STR 0
#define PVM_BYTE 1
#define PVM_SHORT 2
#define PVM_INT 3
#define PVM_FLOAT 4
#define PVM_CPLX 5
#define PVM_DOUBLE 6
#define PVM_DCPLX 7
#define PVM_LONG 8
#define PVM_USHORT 9
#define PVM_UINT 10
#define PVM_ULONG 11

/* ---- structures ---------------------------------------------------------------------------- */

struct pvmhostinfo {
    int hi_tid;    /* the host's daemon */
    char *hi_name;
    char *hi_arch;
    int hi_speed;
    int hi_dsig;   /* data signature */
};

struct pvmtaskinfo {
    int ti_tid;
    int ti_ptid;   /* parent */
    int ti_host;   /* the host's daemon */
    int ti_flag;
    char *ti_a_out; /* program */
    int ti_pid;
};

struct pvmminfo {
    int len; /* of the body */
    int ctx; /* context */
    int tag;
    int wid; /* wait id */
    int enc; /* encoding */
    int crc;
    int src; /* sender */
    int dst; /* receiver */
};

struct pvmmboxinfo {
    char *mi_name;
    int mi_nentries;
    int *mi_indices;
    int *mi_owners;
    int *mi_flags;
};

#define PVM_TRACE_TID -1111
#define PVM_TRACE_CODE -2222

/* Arrays and texts that a call hands out belong to the library until the same call is made
 * again. The library sets environment variables in pvm_export and pvm_unexport only. */

#ifdef __cplusplus
extern "C" {
#endif

/* ---- errors -------------------------------------------------------------------------------- */

/* Also there, for programs that declare them: int pvm_nerr and char *pvm_errlist[]. */
extern int pvm_errno;

int pvm_perror PVM_ARGS((PVM_CONST char *msg));
char *pvm_strerror PVM_ARGS((void));
int lpvmerr PVM_ARGS((PVM_CONST char *place, int code));

/* ---- process control, signals -------------------------------------------------------------- */

int pvm_mytid PVM_ARGS((void));
int pvm_parent PVM_ARGS((void));
int pvm_exit PVM_ARGS((void));
int pvm_spawn PVM_ARGS((PVM_CONST char *file, char **argv, int flags, PVM_CONST char *place, int n,
                        int *tids));
int pvm_pstat PVM_ARGS((int tid));
int pvm_tasks PVM_ARGS((int place, int *ntask, struct pvmtaskinfo **tasks));
int pvm_siblings PVM_ARGS((int **tids));
int pvm_export PVM_ARGS((PVM_CONST char *name));
int pvm_unexport PVM_ARGS((PVM_CONST char *name));
int pvm_kill PVM_ARGS((int tid));
int pvm_sendsig PVM_ARGS((int tid, int signum));

/* ---- configuration of the virtual machine -------------------------------------------------- */
/* to come: addhosts delhosts halt start_pvmd archcode hostsync tickle */

int pvm_config PVM_ARGS((int *nhost, int *narch, struct pvmhostinfo **hosts));
int pvm_mstat PVM_ARGS((PVM_CONST char *host));
int pvm_tidtohost PVM_ARGS((int tid));
char *pvm_version PVM_ARGS((void));

/* ---- message buffers ----------------------------------------------------------------------- */

int pvm_initsend PVM_ARGS((int encoding));
int pvm_mkbuf PVM_ARGS((int encoding));
int pvm_freebuf PVM_ARGS((int bufid));
int pvm_getsbuf PVM_ARGS((void));
int pvm_getrbuf PVM_ARGS((void));
int pvm_setsbuf PVM_ARGS((int bufid));
int pvm_setrbuf PVM_ARGS((int bufid));
int pvm_bufinfo PVM_ARGS((int bufid, int *bytes, int *tag, int *tid));
int pvm_getminfo PVM_ARGS((int bufid, struct pvmminfo *info));
int pvm_setminfo PVM_ARGS((int bufid, struct pvmminfo *info));

/* ---- packing and unpacking ----------------------------------------------------------------- */
/* to come: pkmesg pkmesgbody upkmesg */

int pvm_packf PVM_ARGS((PVM_CONST char *format, ...));
int pvm_pkbyte PVM_ARGS((PVM_CONST char *items, int n, int stride));
int pvm_pkshort PVM_ARGS((PVM_CONST short *items, int n, int stride));
int pvm_pkushort PVM_ARGS((PVM_CONST unsigned short *items, int n, int stride));
int pvm_pkint PVM_ARGS((PVM_CONST int *items, int n, int stride));
int pvm_pkuint PVM_ARGS((PVM_CONST unsigned int *items, int n, int stride));
int pvm_pklong PVM_ARGS((PVM_CONST long *items, int n, int stride));
int pvm_pkulong PVM_ARGS((PVM_CONST unsigned long *items, int n, int stride));
int pvm_pkfloat PVM_ARGS((PVM_CONST float *items, int n, int stride));
int pvm_pkdouble PVM_ARGS((PVM_CONST double *items, int n, int stride));
int pvm_pkcplx PVM_ARGS((PVM_CONST float *items, int n, int stride));
int pvm_pkdcplx PVM_ARGS((PVM_CONST double *items, int n, int stride));
int pvm_pkstr PVM_ARGS((PVM_CONST char *text));

int pvm_unpackf PVM_ARGS((PVM_CONST char *format, ...));
int pvm_upkbyte PVM_ARGS((char *items, int n, int stride));
int pvm_upkshort PVM_ARGS((short *items, int n, int stride));
int pvm_upkushort PVM_ARGS((unsigned short *items, int n, int stride));
int pvm_upkint PVM_ARGS((int *items, int n, int stride));
int pvm_upkuint PVM_ARGS((unsigned int *items, int n, int stride));
int pvm_upklong PVM_ARGS((long *items, int n, int stride));
int pvm_upkulong PVM_ARGS((unsigned long *items, int n, int stride));
int pvm_upkfloat PVM_ARGS((float *items, int n, int stride));
int pvm_upkdouble PVM_ARGS((double *items, int n, int stride));
int pvm_upkcplx PVM_ARGS((float *items, int n, int stride));
int pvm_upkdcplx PVM_ARGS((double *items, int n, int stride));
int pvm_upkstr PVM_ARGS((char *text));

/* ---- sending, receiving, probing ----------------------------------------------------------- */
/* to come: recvf getfds */

int pvm_send PVM_ARGS((int tid, int tag));
int pvm_mcast PVM_ARGS((PVM_CONST int *tids, int n, int tag));
int pvm_psend PVM_ARGS((int tid, int tag, PVM_CONST void *items, int n, int type));
int pvm_recv PVM_ARGS((int tid, int tag));
int pvm_nrecv PVM_ARGS((int tid, int tag));
int pvm_trecv PVM_ARGS((int tid, int tag, struct timeval *timeout));
int pvm_precv PVM_ARGS((int tid, int tag, void *items, int n, int type, int *from_tid,
                        int *from_tag, int *from_len));
int pvm_probe PVM_ARGS((int tid, int tag));

/* ---- message contexts ---------------------------------------------------------------------- */
/* to come: newcontext freecontext; then message handlers: addmhf delmhf */

int pvm_setcontext PVM_ARGS((int context));
int pvm_getcontext PVM_ARGS((void));

/* ---- mailbox: to come (putinfo recvinfo delinfo getmboxinfo insert lookup delete) ----------- */

/* ---- notification, options ----------------------------------------------------------------- */

int pvm_notify PVM_ARGS((int what, int tag, int n, PVM_CONST int *tids));
int pvm_setopt PVM_ARGS((int what, int value));
int pvm_getopt PVM_ARGS((int what));

/* ---- output collection, tracing: to come (catchout gettmask settmask reg_tracer) ------------ */

/* ---- groups -------------------------------------------------------------------------------- */
/* to come: freezegroup */

/* Combines n items of x with those of y into x. Programs write the items' type for void, which
 * C allows with empty parentheses only. */
#if defined(__cplusplus) || (defined(__STDC_VERSION__) && __STDC_VERSION__ >= 202311L)
typedef void (*pvm_operator)(int *type, void *x, void *y, int *n, int *info);
#else
typedef void (*pvm_operator)();
#endif

int pvm_joingroup PVM_ARGS((PVM_CONST char *group));
int pvm_lvgroup PVM_ARGS((PVM_CONST char *group));
int pvm_gsize PVM_ARGS((PVM_CONST char *group));
int pvm_getinst PVM_ARGS((PVM_CONST char *group, int tid));
int pvm_gettid PVM_ARGS((PVM_CONST char *group, int inst));
int pvm_barrier PVM_ARGS((PVM_CONST char *group, int count));
int pvm_bcast PVM_ARGS((PVM_CONST char *group, int tag));
int pvm_reduce PVM_ARGS((pvm_operator func, void *data, int n, int type, int tag,
                         PVM_CONST char *group, int root));
int pvm_scatter PVM_ARGS((void *result, PVM_CONST void *data, int n, int type, int tag,
                          PVM_CONST char *group, int root));
int pvm_gather PVM_ARGS((void *result, PVM_CONST void *data, int n, int type, int tag,
                         PVM_CONST char *group, int root));

void PvmMax PVM_ARGS((int *type, void *x, void *y, int *n, int *info));
void PvmMin PVM_ARGS((int *type, void *x, void *y, int *n, int *info));
void PvmSum PVM_ARGS((int *type, void *x, void *y, int *n, int *info));
void PvmProduct PVM_ARGS((int *type, void *x, void *y, int *n, int *info));

/* ---- registration of system tasks: to come (reg_rm reg_hoster reg_tasker) ------------------- */

#ifdef __cplusplus
}
#endif

#endif /* PVM3_H */
