/* A task that forks: the child leaves without a word, or becomes a task of its own. */
#include <pvm3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
    int me = pvm_mytid(), *tids, count = pvm_siblings(&tids), status, value = 7, bad = 0;
    int other = tids[tids[0] == me ? count - 1 : 0];
    pid_t silent, speaking;

    pvm_initsend(PvmDataDefault);
    pvm_pkint(&value, 1, 1);
    silent = fork();
    if (silent == 0)
        exit(0); /* its exit handlers must not end the task */
    speaking = fork();
    if (speaking == 0) {
        int mine = pvm_mytid();
        _exit(mine > 0 && mine != me && pvm_parent() == PvmNoParent && pvm_exit() == 0 ? 0 : 1);
    }
    bad += waitpid(silent, &status, 0) != silent || status != 0;
    bad += waitpid(speaking, &status, 0) != speaking || status != 0;
    bad += pvm_mytid() != me;
    bad += pvm_send(other, 5) != 0;
    bad += pvm_recv(other, 5) <= 0;
    pvm_exit();
    if (me == tids[0] && !bad)
        printf("all checks passed\n");
    return bad;
}
