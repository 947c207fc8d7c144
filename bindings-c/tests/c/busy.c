/* Makes the daemons put many events in order: it joins a group and leaves it, again and again. */
#include <pvm3.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    int turns = argc > 1 ? atoi(argv[1]) : 1;
    while (turns-- > 0) {
        if (pvm_joingroup("busy") < 0 || pvm_lvgroup("busy") < 0)
            return 1;
    }
    printf("busy no more\n");
    pvm_exit();
    return 0;
}
