/* Run as two tasks: prints "received 42" once. */
#include <stdio.h>
#include <pvm3.h>

int main(void)
{
    int value = 42;
    int instance = pvm_joingroup("check");

    if (instance < 0 || pvm_barrier("check", 2) < 0) {
        pvm_perror("check");
        return 1;
    }
    if (instance == 1) {
        pvm_initsend(PvmDataDefault);
        pvm_pkint(&value, 1, 1);
        pvm_bcast("check", 7);
    } else {
        value = 0;
        pvm_recv(-1, 7);
        pvm_upkint(&value, 1, 1);
        printf("received %d\n", value);
    }
    pvm_barrier("check", 2);
    pvm_lvgroup("check");
    return pvm_exit() < 0;
}
