/* For programs that are measured side by side. */
#ifndef WEIGH_H
#define WEIGH_H

#include <stdio.h>

/* Linux shares processors out by session, and launchers make one for all ranks, one for each, or none: on a
 * machine that does something else too, that would be all that is measured. As root all weigh the same. */
static void weigh(void)
{
    FILE *share = fopen("/proc/self/autogroup", "w");

    if (share == NULL)
        return;
    fputs("-20", share);
    fclose(share);
}

#endif
