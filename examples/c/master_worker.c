/*
 * master_worker - counts primes; the work is handed out piece by piece, to whoever is idle.
 *
 *   pvm run -n 4 master_worker      the four tasks of the launch: one master, three workers
 *   pvm run -n 1 master_worker 3    one task, which spawns three workers of its own
 *
 * Build:  cc -o master_worker master_worker.c -lpvm3
 */
#include <pvm3.h>
#include <stdio.h>
#include <stdlib.h>

#define BELOW 200000
#define PIECE 2500
#define PIECES (BELOW / PIECE)

enum tag { TAG_PIECE = 1, TAG_RESULT = 2, TAG_STOP = 3 };

static int is_prime(int n)
{
    int divisor;
    if (n < 2)
        return 0;
    for (divisor = 2; divisor * divisor <= n; divisor++)
        if (n % divisor == 0)
            return 0;
    return 1;
}

static int primes_of_piece(int piece)
{
    int n, found = 0;
    for (n = piece * PIECE; n < (piece + 1) * PIECE; n++)
        found += is_prime(n);
    return found;
}

static void die(const char *what)
{
    pvm_perror((char *)what);
    pvm_exit();
    exit(1);
}

/* Takes pieces until told to stop. */
static void work(int master)
{
    for (;;) {
        int tag, piece, found, buffer = pvm_recv(master, -1);
        if (buffer < 0 || pvm_bufinfo(buffer, NULL, &tag, NULL) < 0)
            die("receiving work");
        if (tag == TAG_STOP)
            return;
        pvm_upkint(&piece, 1, 1);
        found = primes_of_piece(piece);
        pvm_initsend(PvmDataDefault);
        pvm_pkint(&piece, 1, 1);
        pvm_pkint(&found, 1, 1);
        if (pvm_send(master, TAG_RESULT) < 0)
            die("sending a result");
    }
}

static void hand_out(int worker, int piece)
{
    pvm_initsend(PvmDataDefault);
    pvm_pkint(&piece, 1, 1);
    if (pvm_send(worker, TAG_PIECE) < 0)
        die("handing out work");
}

/* Hands out all pieces and adds up what comes back. */
static void lead(const int *workers, int count)
{
    int times[PIECES] = {0};
    int next = 0, back = 0, total = 0, once = 1, i;

    for (i = 0; i < count && next < PIECES; i++)
        hand_out(workers[i], next++);
    while (back < next || next < PIECES) {
        int piece, found, worker, buffer;
        if (count == 0) {
            piece = next++;
            found = primes_of_piece(piece);
        } else {
            buffer = pvm_recv(-1, TAG_RESULT);
            if (buffer < 0 || pvm_bufinfo(buffer, NULL, NULL, &worker) < 0)
                die("receiving a result");
            pvm_upkint(&piece, 1, 1);
            pvm_upkint(&found, 1, 1);
            if (next < PIECES)
                hand_out(worker, next++);
        }
        times[piece]++;
        total += found;
        back++;
    }
    pvm_initsend(PvmDataDefault);
    pvm_mcast((int *)workers, count, TAG_STOP);
    for (i = 0; i < PIECES; i++)
        once = once && times[i] == 1;
    printf("primes below %d: %d\n", BELOW, total);
    printf("every piece counted once: %s\n", once ? "yes" : "no");
}

int main(int argc, char **argv)
{
    int me = pvm_mytid(), parent = pvm_parent(), *siblings, count;

    if (me < 0)
        return 1;
    if (parent > 0) {
        work(parent);
    } else if (argc > 1) {
        int wanted = atoi(argv[1]);
        int *workers = malloc(sizeof *workers * (wanted > 0 ? wanted : 1));
        count = pvm_spawn(argv[0], NULL, PvmTaskDefault, "", wanted, workers);
        if (count < wanted) {
            fprintf(stderr, "master_worker: only %d of %d workers started\n", count, wanted);
            pvm_exit();
            return 1;
        }
        lead(workers, count);
        free(workers);
    } else {
        count = pvm_siblings(&siblings);
        if (count < 0)
            die("asking for siblings");
        if (siblings[0] == me)
            lead(siblings + 1, count - 1);
        else
            work(siblings[0]);
    }
    pvm_exit();
    return 0;
}
