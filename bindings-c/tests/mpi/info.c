/* Info objects (MPI 5.0, chapter 10). */
/* ranks: 1 2 */
#include "check.h"

/* The value of a key that has to be there. */
static void check_value(MPI_Info info, const char *key, const char *wanted)
{
    char value[MPI_MAX_INFO_VAL];
    int length = sizeof value, flag = -1;

    CHECK_OK(MPI_Info_get_string(info, key, &length, value, &flag));
    CHECK_IS(flag, 1);
    CHECK_IS(length, strlen(wanted) + 1);
    CHECK_TEXT(value, wanted);
}

static void values(MPI_Info info)
{
    char value[MPI_MAX_INFO_VAL] = "untouched", key[MPI_MAX_INFO_KEY + 1];
    int flag = -1, length = -1, count = -1;

    CHECK_OK(MPI_Info_set(info, "file", "data"));
    CHECK_OK(MPI_Info_set(info, "host", "far"));
    CHECK_OK(MPI_Info_set(info, "file", "more data"));
    check_value(info, "file", "more data");
    CHECK_OK(MPI_Info_get_nkeys(info, &count));
    CHECK_IS(count, 2);
    CHECK_OK(MPI_Info_get_nthkey(info, 0, key));
    CHECK_TEXT(key, "file");
    CHECK_OK(MPI_Info_get_nthkey(info, 1, key));
    CHECK_TEXT(key, "host");

    /* A value that does not fit is cut; the length is that of the whole. */
    length = 5;
    CHECK_OK(MPI_Info_get_string(info, "file", &length, value, &flag));
    CHECK_TEXT(value, "more");
    CHECK_IS(length, 10);
    strcpy(value, "untouched");
    length = 0;
    CHECK_OK(MPI_Info_get_string(info, "file", &length, value, &flag));
    CHECK_TEXT(value, "untouched");
    CHECK_IS(length, 10);

    /* What is not there is no error. */
    length = 20;
    CHECK_OK(MPI_Info_get_string(info, "nothing", &length, value, &flag));
    CHECK(flag == 0 && length == 20);
    CHECK_TEXT(value, "untouched");

    /* The deprecated forms: their length leaves the end mark out. */
    CHECK_OK(MPI_Info_get(info, "file", 4, value, &flag));
    CHECK_IS(flag, 1);
    CHECK_TEXT(value, "more");
    CHECK_OK(MPI_Info_get(info, "nothing", 4, value, &flag));
    CHECK_IS(flag, 0);
    CHECK_OK(MPI_Info_get_valuelen(info, "file", &length, &flag));
    CHECK(flag == 1 && length == 9);
    CHECK_OK(MPI_Info_get_valuelen(info, "nothing", &length, &flag));
    CHECK_IS(flag, 0);
}

static void limits(MPI_Info info)
{
    char key[MPI_MAX_INFO_KEY + 2], value[MPI_MAX_INFO_VAL + 2];
    int flag, count;

    memset(key, 'k', sizeof key);
    memset(value, 'v', sizeof value);
    key[MPI_MAX_INFO_KEY - 1] = value[MPI_MAX_INFO_VAL - 1] = '\0';
    CHECK_OK(MPI_Info_set(info, key, value));
    check_value(info, key, value);
    CHECK_OK(MPI_Info_delete(info, key));
    key[MPI_MAX_INFO_KEY - 1] = 'k';
    value[MPI_MAX_INFO_VAL - 1] = 'v';
    key[MPI_MAX_INFO_KEY + 1] = value[MPI_MAX_INFO_VAL + 1] = '\0';
    CHECK_CLASS(MPI_Info_set(info, key, "x"), MPI_ERR_INFO_KEY);
    CHECK_CLASS(MPI_Info_set(info, "", "x"), MPI_ERR_INFO_KEY);
    CHECK_CLASS(MPI_Info_set(info, "k", value), MPI_ERR_INFO_VALUE);
    CHECK_CLASS(MPI_Info_get(info, "", 4, value, &flag), MPI_ERR_INFO_KEY);
    CHECK_CLASS(MPI_Info_delete(info, "nothing"), MPI_ERR_INFO_NOKEY);
    CHECK_CLASS(MPI_Info_get_nthkey(info, -1, key), MPI_ERR_ARG);
    CHECK_OK(MPI_Info_get_nkeys(info, &count));
    CHECK_CLASS(MPI_Info_get_nthkey(info, count, key), MPI_ERR_ARG);
    CHECK_CLASS(MPI_Info_get(info, "k", -1, value, &flag), MPI_ERR_ARG);
    CHECK_CLASS(MPI_Info_get_nkeys(info, NULL), MPI_ERR_ARG);
}

static void handles(void)
{
    MPI_Info info, copy, stale, null = MPI_INFO_NULL, environment = MPI_INFO_ENV;
    int count = -1;

    CHECK_OK(MPI_Info_create(&info));
    CHECK(info != MPI_INFO_NULL);
    CHECK(MPI_Info_fromint(MPI_Info_toint(info)) == info);
    CHECK_OK(MPI_Info_set(info, "a", "1"));
    CHECK_OK(MPI_Info_dup(info, &copy));
    CHECK(copy != info);
    CHECK_OK(MPI_Info_set(info, "a", "2"));
    check_value(copy, "a", "1");
    CHECK_OK(MPI_Info_free(&copy));
    CHECK(copy == MPI_INFO_NULL);
    stale = info;
    CHECK_OK(MPI_Info_free(&info));
    CHECK_CLASS(MPI_Info_get_nkeys(stale, &count), MPI_ERR_INFO);
    CHECK_CLASS(MPI_Info_free(&stale), MPI_ERR_INFO);
    /* A new object does not answer to the handle of an old one. */
    CHECK_OK(MPI_Info_create(&info));
    CHECK_CLASS(MPI_Info_get_nkeys(stale, &count), MPI_ERR_INFO);
    CHECK_OK(MPI_Info_free(&info));
    CHECK_CLASS(MPI_Info_free(&null), MPI_ERR_INFO);
    CHECK_CLASS(MPI_Info_dup(MPI_INFO_NULL, &copy), MPI_ERR_INFO);
    CHECK_CLASS(MPI_Info_free(&environment), MPI_ERR_INFO);
    CHECK_CLASS(MPI_Info_set(MPI_INFO_ENV, "a", "1"), MPI_ERR_INFO);
    CHECK_CLASS(MPI_Info_delete(MPI_INFO_ENV, "command"), MPI_ERR_INFO);
}

static void environment(const char *command)
{
    char *words[] = {"prog", "one", "two", NULL}, maxprocs[16];
    MPI_Info info;

    check_value(MPI_INFO_ENV, "command", command);
    snprintf(maxprocs, sizeof maxprocs, "%d", check_size());
    check_value(MPI_INFO_ENV, "maxprocs", maxprocs);
    CHECK_OK(MPI_Info_create_env(3, words, &info));
    check_value(info, "command", "prog");
    check_value(info, "argv", "one two");
    CHECK_OK(MPI_Info_free(&info));
    CHECK_OK(MPI_Info_create_env(0, NULL, &info));
    check_value(info, "command", command);
    CHECK_OK(MPI_Info_free(&info));
    CHECK_CLASS(MPI_Info_create_env(-1, words, &info), MPI_ERR_ARG);
}

int main(int argc, char **argv)
{
    MPI_Info info;

    /* Info objects may be used before MPI_Init. */
    CHECK_OK(MPI_Info_create(&info));
    CHECK_OK(MPI_Info_set(info, "early", "yes"));
    check_start(&argc, &argv);
    check_value(info, "early", "yes");
    CHECK_OK(MPI_Info_delete(info, "early"));
    values(info);
    limits(info);
    CHECK_OK(MPI_Info_free(&info));
    handles();
    environment(argv[0]);
    CHECK_OK(MPI_Finalize());
    return 0;
}
