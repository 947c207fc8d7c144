/* What the library prints of its own accord, and what pvm_perror prints. */
#include <pvm3.h>

int main(void)
{
    int me = pvm_mytid();

    pvm_send(me, -1);
    pvm_perror("after that");
    pvm_joingroup("");
    pvm_upkint(&me, 1, 1);
    pvm_parent(); /* that there is none is no error */
    pvm_setopt(PvmAutoErr, 0);
    pvm_send(me, -1);
    pvm_exit();
    return 0;
}
