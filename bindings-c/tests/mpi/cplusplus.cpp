/* mpi.h in C++: names, handles and callbacks of a program in that language. */
/* ranks: 1 2 */
#include "check.h"

#include <map>
#include <string>

namespace {

std::map<MPI_Comm, int> errors;

extern "C" void note(MPI_Comm *comm, int *code, ...)
{
    errors[*comm] = *code;
}

/* An info object that is freed at the end of its life. */
class Info {
public:
    Info() { CHECK_OK(MPI_Info_create(&handle)); }
    ~Info() { CHECK_OK(MPI_Info_free(&handle)); }
    Info(const Info &) = delete;
    Info &operator=(const Info &) = delete;

    void set(const std::string &key, const std::string &value)
    {
        CHECK_OK(MPI_Info_set(handle, key.c_str(), value.c_str()));
    }

    std::string operator[](const std::string &key) const
    {
        char value[MPI_MAX_INFO_VAL];
        int length = sizeof value, flag = 0;

        CHECK_OK(MPI_Info_get_string(handle, key.c_str(), &length, value, &flag));
        return flag ? value : "";
    }

private:
    MPI_Info handle = MPI_INFO_NULL;
};

} // namespace

int main(int argc, char **argv)
{
    MPI_Errhandler handler;

    check_start(&argc, &argv);
    {
        Info info;

        info.set("language", "C++");
        CHECK(info["language"] == "C++" && info["nothing"].empty());
    }
    CHECK_OK(MPI_Comm_create_errhandler(note, &handler));
    CHECK_OK(MPI_Comm_set_errhandler(MPI_COMM_WORLD, handler));
    CHECK_CLASS(MPI_Comm_size(MPI_COMM_WORLD, nullptr), MPI_ERR_ARG);
    CHECK_IS(errors.at(MPI_COMM_WORLD), MPI_ERR_ARG);
    CHECK_OK(MPI_Errhandler_free(&handler));
    CHECK_OK(MPI_Finalize());
    return 0;
}
