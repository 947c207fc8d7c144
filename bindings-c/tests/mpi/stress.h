/* For programs that try how much is possible: `full` as first argument makes them as long as they are meant, for
 * minutes; without it they are done in a moment. */

#ifndef STRESS_H
#define STRESS_H

#include "check.h"

#include <dirent.h>
#include <sys/socket.h>

/* How often: at full length, or else. */
static inline long stress_length(int argc, char **argv, long full, long otherwise)
{
    return argc > 1 && strcmp(argv[1], "full") == 0 ? full : otherwise;
}

/* What the system says of this process's memory under a name, in KiB. */
static inline long stress_status(const char *name)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    long kib = -1;

    CHECK(file != NULL);
    while (kib < 0 && fgets(line, sizeof line, file))
        if (strncmp(line, name, strlen(name)) == 0)
            kib = atol(line + strlen(name) + 1);
    fclose(file);
    CHECK(kib > 0);
    return kib;
}

/* Whether a descriptor is a socket of the internet: a connection to a task of another host, or one that is made. */
static inline int stress_is_connection(int descriptor)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;

    if (getsockname(descriptor, (struct sockaddr *)&address, &len) != 0)
        return 0;
    return address.ss_family == AF_INET || address.ss_family == AF_INET6;
}

/* Descriptors that this process has open: connections, or all others. */
static inline int stress_descriptors(int connections)
{
    DIR *folder = opendir("/proc/self/fd");
    struct dirent *entry;
    int count = 0;

    CHECK(folder != NULL);
    while ((entry = readdir(folder)))
        count += entry->d_name[0] != '.' && stress_is_connection(atoi(entry->d_name)) == connections;
    closedir(folder);
    return count;
}

/* Whether the memory of this process is its own: valgrind and sanitizers keep much of what was freed. */
static inline int stress_is_watched(void)
{
    const char *by = getenv("PVM_CHECK");

    return by != NULL && *by != '\0';
}

/* Memory may not have grown by more KiB than this. */
static inline void stress_grown(const char *since, long kib, long limit)
{
    if (kib > limit && !stress_is_watched())
        fprintf(stderr, "rank %d: %ld KiB more than %s\n", check_rank(), kib, since);
}

/* Says what something took. */
static inline void stress_say(const char *what, double started)
{
    if (check_rank() == 0)
        printf("%s: %.2f s, %ld MiB now, %ld at most, %d files, %d connections\n", what, MPI_Wtime() - started,
               stress_status("VmRSS") / 1024, stress_status("VmHWM") / 1024, stress_descriptors(0),
               stress_descriptors(1));
    fflush(stdout);
}

#endif
