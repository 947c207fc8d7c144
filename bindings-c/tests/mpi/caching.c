/* Attributes of objects: MPI 5.0, 7.7. */

#include "check.h"

/* What the functions below were called with, in order. */
static int deleted[8], deletions, copies;
static int refuse;

static int copy(MPI_Comm comm, int key, void *extra, void *in, void *out, int *flag)
{
    int size;

    CHECK(extra == &copies);
    CHECK(key != MPI_KEYVAL_INVALID);
    CHECK_OK(MPI_Comm_size(comm, &size));
    if (refuse)
        return refuse;
    copies++;
    *(void **)out = (char *)in + 1;
    *flag = 1;
    return MPI_SUCCESS;
}

static int forget(MPI_Comm comm, int key, void *value, void *extra)
{
    int size, flag;

    (void)key;
    (void)extra;
    CHECK_OK(MPI_Comm_size(comm, &size));
    CHECK_OK(MPI_Finalized(&flag));
    CHECK(!flag);
    if (refuse)
        return refuse;
    deleted[deletions++ % 8] = (int)(MPI_Aint)value;
    return MPI_SUCCESS;
}

static long get(MPI_Comm comm, int key)
{
    void *value = NULL;
    int flag = 0;

    CHECK_OK(MPI_Comm_get_attr(comm, key, &value, &flag));
    return flag ? (long)(MPI_Aint)value : -1;
}

static void *number(long n)
{
    return (void *)(MPI_Aint)n;
}

static void values(void)
{
    int key, other, saved, n;
    MPI_Comm comm, second;

    CHECK_OK(MPI_Comm_create_keyval(copy, forget, &key, &copies));
    CHECK_OK(MPI_Comm_create_keyval(MPI_COMM_NULL_COPY_FN, MPI_COMM_NULL_DELETE_FN, &other, NULL));
    CHECK(key != other);
    CHECK_OK(MPI_Comm_dup(MPI_COMM_WORLD, &comm));
    CHECK_IS(get(comm, key), -1);
    CHECK_OK(MPI_Comm_set_attr(comm, key, number(10)));
    CHECK_OK(MPI_Comm_set_attr(comm, other, number(20)));
    CHECK_IS(get(comm, key), 10);
    CHECK_OK(MPI_Comm_set_attr(comm, key, number(11)));
    CHECK_IS(deletions, 1);
    CHECK_IS(deleted[0], 10);
    CHECK_OK(MPI_Comm_dup(comm, &second));
    CHECK_IS(copies, 1);
    CHECK_IS(get(second, key), 12);
    CHECK_IS(get(second, other), -1);
    /* A key that was freed lives on in attributes. */
    saved = key;
    CHECK_OK(MPI_Comm_free_keyval(&key));
    CHECK_IS(key, MPI_KEYVAL_INVALID);
    CHECK_IS(get(second, saved), 12);
    CHECK_OK(MPI_Comm_free(&second));
    CHECK_IS(deletions, 2);
    CHECK_IS(deleted[1], 12);
    CHECK_OK(MPI_Comm_delete_attr(comm, saved));
    CHECK_IS(deleted[2], 11);
    CHECK_CLASS(MPI_Comm_delete_attr(comm, saved), MPI_ERR_KEYVAL);
    CHECK_CLASS(MPI_Comm_get_attr(comm, MPI_KEYVAL_INVALID, &comm, &n), MPI_ERR_KEYVAL);
    CHECK_CLASS(MPI_Comm_free_keyval(&key), MPI_ERR_KEYVAL);
    CHECK_OK(MPI_Comm_free(&comm));
    CHECK_OK(MPI_Comm_free_keyval(&other));
}

/* What a function of the program refuses does not happen, and its code is the call's. */
static void refusals(void)
{
    int key, class, code, i;
    MPI_Comm comm, second;

    CHECK_OK(MPI_Add_error_class(&class));
    CHECK_OK(MPI_Add_error_code(class, &code));
    CHECK_OK(MPI_Comm_create_keyval(copy, forget, &key, &copies));
    CHECK_OK(MPI_Comm_dup(MPI_COMM_SELF, &comm));
    CHECK_OK(MPI_Comm_set_attr(comm, key, number(5)));
    for (i = 0; i < 2; i++) {
        refuse = code;
        CHECK_IS(MPI_Comm_delete_attr(comm, key), code);
        CHECK_IS(MPI_Comm_set_attr(comm, key, number(6)), code);
        CHECK_IS(MPI_Comm_free(&comm), code);
        CHECK_IS(MPI_Comm_dup(comm, &second), code);
        CHECK(second == MPI_COMM_NULL);
        refuse = 0;
        CHECK_IS(get(comm, key), 5);
    }
    CHECK_OK(MPI_Comm_free(&comm));
    CHECK_OK(MPI_Comm_free_keyval(&key));
}

static void same(void)
{
    int key, flag = -1;
    void *value = NULL;
    MPI_Comm comm, copy_of;

    CHECK_OK(MPI_Keyval_create(MPI_DUP_FN, MPI_NULL_DELETE_FN, &key, NULL));
    CHECK_OK(MPI_Comm_dup(MPI_COMM_WORLD, &comm));
    CHECK_OK(MPI_Attr_put(comm, key, number(77)));
    CHECK_OK(MPI_Comm_dup(comm, &copy_of));
    CHECK_IS(get(copy_of, key), 77);
    CHECK_OK(MPI_Attr_get(comm, key, &value, &flag));
    CHECK(flag && value == number(77));
    CHECK_OK(MPI_Attr_delete(comm, key));
    CHECK_OK(MPI_Attr_get(comm, key, &value, &flag));
    CHECK_IS(flag, 0);
    CHECK_IS(get(comm, key), -1);
    CHECK_OK(MPI_Keyval_free(&key));
    CHECK_OK(MPI_Comm_free(&comm));
    CHECK_OK(MPI_Comm_free(&copy_of));
}

/* Without a window a key for windows can be made, and is no key for others. */
static void without_a_window(void)
{
    int key = MPI_KEYVAL_INVALID, stale;

    CHECK_OK(MPI_Win_create_keyval(MPI_WIN_NULL_COPY_FN, MPI_WIN_NULL_DELETE_FN, &key, NULL));
    CHECK(key != MPI_KEYVAL_INVALID);
    CHECK_CLASS(MPI_Comm_set_attr(MPI_COMM_SELF, key, number(1)), MPI_ERR_KEYVAL);
    CHECK_CLASS(MPI_Type_set_attr(MPI_INT, key, number(1)), MPI_ERR_KEYVAL);
    stale = key;
    CHECK_CLASS(MPI_Comm_free_keyval(&stale), MPI_ERR_KEYVAL);
    CHECK_OK(MPI_Win_free_keyval(&key));
    CHECK_IS(key, MPI_KEYVAL_INVALID);
    CHECK_CLASS(MPI_Win_free_keyval(&stale), MPI_ERR_KEYVAL);
}

static int type_copies, type_deletions;

static int copy_of_type(MPI_Datatype type, int key, void *extra, void *in, void *out, int *flag)
{
    (void)key;
    CHECK(extra == &type_copies);
    CHECK(type != MPI_DATATYPE_NULL);
    *(void **)out = in;
    *flag = ++type_copies > 0;
    return MPI_SUCCESS;
}

static int forget_of_type(MPI_Datatype type, int key, void *value, void *extra)
{
    int size;

    (void)key;
    (void)value;
    (void)extra;
    CHECK_OK(MPI_Type_size(type, &size));
    type_deletions++;
    return MPI_SUCCESS;
}

static void types(void)
{
    int key, comm_key, flag;
    void *value;
    MPI_Datatype pair, copy_of;

    CHECK_OK(MPI_Type_create_keyval(copy_of_type, forget_of_type, &key, &type_copies));
    CHECK_OK(MPI_Comm_create_keyval(MPI_COMM_DUP_FN, MPI_COMM_NULL_DELETE_FN, &comm_key, NULL));
    CHECK_OK(MPI_Type_contiguous(2, MPI_INT, &pair));
    CHECK_OK(MPI_Type_set_attr(pair, key, number(3)));
    CHECK_CLASS(MPI_Type_set_attr(pair, comm_key, number(3)), MPI_ERR_KEYVAL);
    CHECK_OK(MPI_Type_dup(pair, &copy_of));
    CHECK_IS(type_copies, 1);
    CHECK_OK(MPI_Type_get_attr(copy_of, key, &value, &flag));
    CHECK(flag && value == number(3));
    CHECK_OK(MPI_Type_delete_attr(copy_of, key));
    CHECK_IS(type_deletions, 1);
    CHECK_OK(MPI_Type_free(&pair));
    CHECK_IS(type_deletions, 2);
    CHECK_OK(MPI_Type_free(&copy_of));
    CHECK_IS(type_deletions, 2);
    CHECK_CLASS(MPI_Type_get_attr(MPI_DATATYPE_NULL, key, &value, &flag), MPI_ERR_TYPE);
    CHECK_OK(MPI_Type_set_attr(MPI_INT, key, number(4)));
    CHECK_OK(MPI_Type_delete_attr(MPI_INT, key));
    CHECK_OK(MPI_Type_free_keyval(&key));
    CHECK_OK(MPI_Comm_free_keyval(&comm_key));
}

static int predefined(int key)
{
    int *value = NULL, flag = 0;

    CHECK_OK(MPI_Comm_get_attr(MPI_COMM_WORLD, key, &value, &flag));
    CHECK(flag);
    return *value;
}

static void known(void)
{
    int *last, flag, class;

    CHECK(predefined(MPI_TAG_UB) >= 32767);
    CHECK_IS(predefined(MPI_IO), MPI_ANY_SOURCE);
    CHECK_IS(predefined(MPI_HOST), MPI_PROC_NULL);
    CHECK_IS(predefined(MPI_WTIME_IS_GLOBAL), 0);
    CHECK_IS(predefined(MPI_APPNUM), 0);
    CHECK(predefined(MPI_UNIVERSE_SIZE) >= check_size());
    CHECK_OK(MPI_Add_error_class(&class));
    CHECK_OK(MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_LASTUSEDCODE, &last, &flag));
    CHECK_IS(*last, class);
    CHECK_CLASS(MPI_Comm_set_attr(MPI_COMM_WORLD, MPI_TAG_UB, NULL), MPI_ERR_KEYVAL);
    CHECK_CLASS(MPI_Comm_delete_attr(MPI_COMM_WORLD, MPI_IO), MPI_ERR_KEYVAL);
}

static void at_the_end(void)
{
    int keys[3], i;

    deletions = 0;
    for (i = 0; i < 3; i++) {
        CHECK_OK(MPI_Comm_create_keyval(MPI_COMM_NULL_COPY_FN, forget, &keys[i], NULL));
        CHECK_OK(MPI_Comm_set_attr(MPI_COMM_SELF, keys[i], number(i)));
    }
    CHECK_OK(MPI_Finalize());
    CHECK_IS(deletions, 3);
    for (i = 0; i < 3; i++)
        CHECK_IS(deleted[i], 2 - i);
}

int main(int argc, char **argv)
{
    check_start(&argc, &argv);
    values();
    refusals();
    same();
    without_a_window();
    types();
    known();
    at_the_end();
    return 0;
}
