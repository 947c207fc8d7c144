/*
 * pvm_packf and pvm_unpackf: reads the format and the variable arguments, calls the plain pack
 * and unpack functions for the rest. Rust exports the names (src/variadics.rs).
 *
 *   %+                       first of all: initsend, encoding as int (packing only)
 *   %[count|*][.stride|.*][h|l|u...](c|d|f|x|s)
 *
 * c byte, d int, f float, x complex float, s string; h short, l long or double, u unsigned.
 * Without count and stride a packed number is passed by value; everything else by address.
 * Characters outside of this are skipped.
 */
#include "pvm3.h"
#include <stdarg.h>
#include <string.h>

#define HIDDEN __attribute__((visibility("hidden")))

int HIDDEN pvm_shim_packf(const char *format, ...);
int HIDDEN pvm_shim_unpackf(const char *format, ...);
int HIDDEN pvm_shim_vpackf(const char *format, va_list args);
int HIDDEN pvm_shim_vunpackf(const char *format, va_list args);

/* va_list may be an array type: in a struct its address can be handed on. */
struct arguments {
    va_list list;
};

/* One conversion, taken apart. */
struct item {
    int count;
    int stride;
    int by_value;
    int is_short;
    int is_long;
    int is_unsigned;
    char type;
};

static int number(const char **at)
{
    int value = 0;
    while (**at >= '0' && **at <= '9') {
        if (value > 100000000)
            return -1;
        value = 10 * value + (*(*at)++ - '0');
    }
    return value;
}

/* Reads a number or takes it from the arguments; `given` is set if there is one. */
static int amount(const char **at, struct arguments *args, int *given)
{
    if (**at == '*') {
        ++*at;
        *given = 1;
        return va_arg(args->list, int);
    }
    if (**at >= '0' && **at <= '9') {
        *given = 1;
        return number(at);
    }
    return 1;
}

/* Reads what follows a percent sign. */
static int parse(const char **at, struct arguments *args, struct item *item)
{
    int given = 0;
    item->is_short = item->is_long = item->is_unsigned = 0;
    item->stride = 1;
    item->count = amount(at, args, &given);
    if (**at == '.') {
        ++*at;
        item->stride = amount(at, args, &given);
        given = 1;
    }
    item->by_value = !given;
    for (;; ++*at) {
        if (**at == 'h')
            item->is_short = 1;
        else if (**at == 'l')
            item->is_long = 1;
        else if (**at == 'u')
            item->is_unsigned = 1;
        else
            break;
    }
    item->type = **at;
    if (!item->type)
        return PvmBadParam;
    ++*at;
    return item->count < 0 ? PvmBadParam : 0;
}

static int pack_integer(const struct item *item, struct arguments *args)
{
    int n = item->count, stride = item->stride;
    if (item->is_short) {
        short value = 0, *from = &value;
        if (item->by_value)
            value = (short)va_arg(args->list, int);
        else
            from = va_arg(args->list, short *);
        return item->is_unsigned ? pvm_pkushort((unsigned short *)from, n, stride)
                                 : pvm_pkshort(from, n, stride);
    }
    if (item->is_long) {
        long value = 0, *from = &value;
        if (item->by_value)
            value = va_arg(args->list, long);
        else
            from = va_arg(args->list, long *);
        return item->is_unsigned ? pvm_pkulong((unsigned long *)from, n, stride)
                                 : pvm_pklong(from, n, stride);
    }
    {
        int value = 0, *from = &value;
        if (item->by_value)
            value = va_arg(args->list, int);
        else
            from = va_arg(args->list, int *);
        return item->is_unsigned ? pvm_pkuint((unsigned int *)from, n, stride)
                                 : pvm_pkint(from, n, stride);
    }
}

static int pack_real(const struct item *item, struct arguments *args)
{
    double value = 0;
    if (item->by_value)
        value = va_arg(args->list, double);
    if (item->is_long) {
        double *from = item->by_value ? &value : va_arg(args->list, double *);
        return pvm_pkdouble(from, item->count, item->stride);
    } else {
        float single = (float)value;
        float *from = item->by_value ? &single : va_arg(args->list, float *);
        return pvm_pkfloat(from, item->count, item->stride);
    }
}

static int pack_byte(const struct item *item, struct arguments *args)
{
    char value = 0, *from = &value;
    if (item->by_value)
        value = (char)va_arg(args->list, int);
    else
        from = va_arg(args->list, char *);
    return pvm_pkbyte(from, item->count, item->stride);
}

static int pack(const struct item *given, struct arguments *args)
{
    struct item copy = *given, *item = &copy;
    /* A value lives on our stack, where nothing may be packed in place: a stride makes that the
     * error that it is and changes nothing else. */
    if (item->by_value && item->type != 'x')
        item->stride = 2;
    switch (item->type) {
    case 'c':
        return pack_byte(item, args);
    case 'd':
        return pack_integer(item, args);
    case 'f':
        return pack_real(item, args);
    case 'x':
        if (item->is_long)
            return pvm_pkdcplx(va_arg(args->list, double *), item->count, item->stride);
        return pvm_pkcplx(va_arg(args->list, float *), item->count, item->stride);
    case 's':
        return pvm_pkstr(va_arg(args->list, char *));
    default:
        return PvmBadParam;
    }
}

static int unpack(const struct item *item, struct arguments *args)
{
    int n = item->count, stride = item->stride;
    void *to;
    if (!strchr("cdfxs", item->type))
        return PvmBadParam;
    to = va_arg(args->list, void *);
    switch (item->type) {
    case 'c':
        return pvm_upkbyte(to, n, stride);
    case 'd':
        if (item->is_short)
            return item->is_unsigned ? pvm_upkushort(to, n, stride) : pvm_upkshort(to, n, stride);
        if (item->is_long)
            return item->is_unsigned ? pvm_upkulong(to, n, stride) : pvm_upklong(to, n, stride);
        return item->is_unsigned ? pvm_upkuint(to, n, stride) : pvm_upkint(to, n, stride);
    case 'f':
        return item->is_long ? pvm_upkdouble(to, n, stride) : pvm_upkfloat(to, n, stride);
    case 'x':
        return item->is_long ? pvm_upkdcplx(to, n, stride) : pvm_upkcplx(to, n, stride);
    case 's':
        return pvm_upkstr(to);
    default:
        return PvmBadParam;
    }
}

static int run(const char *name, const char *format, struct arguments *args,
               int (*each)(const struct item *, struct arguments *), int packing)
{
    int code = 0;
    const char *at = format;
    if (!format)
        return lpvmerr(name, PvmBadParam);
    while (*at && code >= 0) {
        struct item item;
        if (*at++ != '%')
            continue;
        if (packing && at == format + 1 && *at == '+') {
            ++at;
            code = pvm_initsend(va_arg(args->list, int));
            continue;
        }
        code = parse(&at, args, &item);
        if (code >= 0)
            code = each(&item, args);
        if (code == PvmBadParam)
            lpvmerr(name, code);
    }
    return code < 0 ? code : 0;
}

int pvm_shim_vpackf(const char *format, va_list list)
{
    struct arguments args;
    int code;
    va_copy(args.list, list);
    code = run("pvm_packf", format, &args, pack, 1);
    va_end(args.list);
    return code;
}

int pvm_shim_vunpackf(const char *format, va_list list)
{
    struct arguments args;
    int code;
    va_copy(args.list, list);
    code = run("pvm_unpackf", format, &args, unpack, 0);
    va_end(args.list);
    return code;
}

int pvm_shim_packf(const char *format, ...)
{
    va_list list;
    int code;
    va_start(list, format);
    code = pvm_shim_vpackf(format, list);
    va_end(list);
    return code;
}

int pvm_shim_unpackf(const char *format, ...)
{
    va_list list;
    int code;
    va_start(list, format);
    code = pvm_shim_vunpackf(format, list);
    va_end(list);
    return code;
}
