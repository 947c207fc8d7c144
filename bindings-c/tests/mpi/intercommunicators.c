/* Communicators of two groups: MPI 5.0, 7.6. */
/* ranks: 2 3 4 8 */

#include "check.h"

static int size, rank;
/* Whether this process is in the half of the odd ranks. */
static int odd;

static int local_size(void)
{
    return (size + 1 - odd) / 2;
}

static int remote_size(void)
{
    return size - local_size();
}

static MPI_Comm join(MPI_Comm *half)
{
    MPI_Comm inter;

    CHECK_OK(MPI_Comm_split(MPI_COMM_WORLD, odd, rank, half));
    /* Only the leader's peer communicator counts. */
    CHECK_OK(MPI_Intercomm_create(*half, 0, rank < 2 ? MPI_COMM_WORLD : MPI_COMM_NULL, 1 - odd, 9, &inter));
    return inter;
}

static void check_inter(MPI_Comm inter, int own, int local, int remote)
{
    int flag = 0, n = -1, peer, got = -1;
    MPI_Group group;

    CHECK_OK(MPI_Comm_test_inter(inter, &flag));
    CHECK(flag);
    CHECK_OK(MPI_Comm_size(inter, &n));
    CHECK_IS(n, local);
    CHECK_OK(MPI_Comm_remote_size(inter, &n));
    CHECK_IS(n, remote);
    CHECK_OK(MPI_Comm_rank(inter, &n));
    CHECK_IS(n, own);
    CHECK_OK(MPI_Comm_remote_group(inter, &group));
    CHECK_OK(MPI_Group_size(group, &n));
    CHECK_IS(n, remote);
    CHECK_OK(MPI_Group_rank(group, &n));
    CHECK_IS(n, MPI_UNDEFINED);
    CHECK_OK(MPI_Group_free(&group));
    CHECK_OK(MPI_Comm_group(inter, &group));
    CHECK_OK(MPI_Group_rank(group, &n));
    CHECK_IS(n, own);
    CHECK_OK(MPI_Group_free(&group));
    /* Those that have a partner talk. */
    peer = own < remote ? own : MPI_PROC_NULL;
    CHECK_OK(MPI_Sendrecv(&rank, 1, MPI_INT, peer, 3, &got, 1, MPI_INT, peer, 3, inter, MPI_STATUS_IGNORE));
    if (peer != MPI_PROC_NULL)
        CHECK_IS(got % 2, 1 - odd);
}

static void copies(MPI_Comm inter, MPI_Comm half)
{
    MPI_Request request;
    MPI_Comm copy;
    int result;

    CHECK_OK(MPI_Comm_dup(inter, &copy));
    check_inter(copy, rank / 2, local_size(), remote_size());
    CHECK_OK(MPI_Comm_compare(inter, copy, &result));
    CHECK_IS(result, MPI_CONGRUENT);
    CHECK_OK(MPI_Comm_compare(inter, half, &result));
    CHECK_IS(result, MPI_UNEQUAL);
    CHECK_OK(MPI_Comm_free(&copy));
    CHECK_OK(MPI_Comm_idup(inter, &copy, &request));
    CHECK_OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
    check_inter(copy, rank / 2, local_size(), remote_size());
    CHECK_OK(MPI_Comm_free(&copy));
}

static void splits(MPI_Comm inter)
{
    MPI_Comm part;
    int color = rank / 2 % 2, local, remote, i;

    CHECK_OK(MPI_Comm_split(inter, color, 0, &part));
    for (local = remote = i = 0; i < size; i++)
        if (i / 2 % 2 == color)
            *(i % 2 == odd ? &local : &remote) += 1;
    CHECK_IS(part == MPI_COMM_NULL, remote == 0);
    if (part != MPI_COMM_NULL) {
        check_inter(part, rank / 4, local, remote);
        CHECK_OK(MPI_Comm_free(&part));
    }
    /* Colors that one side alone has make nothing. */
    CHECK_OK(MPI_Comm_split(inter, odd, 0, &part));
    CHECK(part == MPI_COMM_NULL);
}

static void from_groups(MPI_Comm inter)
{
    MPI_Group local, first;
    MPI_Comm part;

    CHECK_OK(MPI_Comm_group(inter, &local));
    CHECK_OK(MPI_Group_incl(local, 1, (int[]){0}, &first));
    CHECK_OK(MPI_Comm_create(inter, first, &part));
    CHECK_IS(part == MPI_COMM_NULL, rank > 1);
    if (part != MPI_COMM_NULL) {
        check_inter(part, 0, 1, 1);
        CHECK_OK(MPI_Comm_free(&part));
    }
    CHECK_OK(MPI_Comm_create(inter, odd ? MPI_GROUP_EMPTY : first, &part));
    CHECK(part == MPI_COMM_NULL);
    CHECK_CLASS(MPI_Comm_create_group(inter, first, 0, &part), MPI_ERR_COMM);
    CHECK_OK(MPI_Group_free(&first));
    CHECK_OK(MPI_Group_free(&local));
}

static void merges(MPI_Comm inter)
{
    MPI_Comm all;
    int own, n, got = -1;

    CHECK_OK(MPI_Intercomm_merge(inter, odd, &all));
    CHECK_OK(MPI_Comm_size(all, &n));
    CHECK_IS(n, size);
    CHECK_OK(MPI_Comm_rank(all, &own));
    CHECK_IS(own, odd ? (size + 1) / 2 + rank / 2 : rank / 2);
    CHECK_OK(MPI_Sendrecv(&own, 1, MPI_INT, (own + 1) % n, 5, &got, 1, MPI_INT, (own + n - 1) % n, 5, all,
                          MPI_STATUS_IGNORE));
    CHECK_IS(got, (own + n - 1) % n);
    CHECK_OK(MPI_Comm_free(&all));
    /* Both say the same: some order that all have. */
    CHECK_OK(MPI_Intercomm_merge(inter, 1, &all));
    CHECK_OK(MPI_Comm_rank(all, &own));
    CHECK_OK(MPI_Sendrecv(&own, 1, MPI_INT, (own + 1) % n, 5, &got, 1, MPI_INT, (own + n - 1) % n, 5, all,
                          MPI_STATUS_IGNORE));
    CHECK_IS(got, (own + n - 1) % n);
    CHECK_OK(MPI_Comm_free(&all));
    CHECK_CLASS(MPI_Intercomm_merge(MPI_COMM_WORLD, 0, &all), MPI_ERR_COMM);
}

static void what_must_not_be(MPI_Comm inter, MPI_Comm half)
{
    MPI_Comm bad;

    CHECK_CLASS(MPI_Intercomm_create(inter, 0, MPI_COMM_WORLD, 0, 0, &bad), MPI_ERR_COMM);
    CHECK_CLASS(MPI_Intercomm_create(half, size, MPI_COMM_WORLD, 0, 0, &bad), MPI_ERR_RANK);
    CHECK_CLASS(MPI_Intercomm_create(half, 0, MPI_COMM_WORLD, 0, -1, &bad), MPI_ERR_TAG);
    /* What is wrong at the leader is an error of all. */
    CHECK_CLASS(MPI_Intercomm_create(half, 0, MPI_COMM_WORLD, size, 0, &bad), MPI_ERR_RANK);
    CHECK_CLASS(MPI_Intercomm_create(half, 0, MPI_COMM_NULL, 0, 0, &bad), MPI_ERR_COMM);
    /* A process in both groups. */
    if (rank == 0)
        CHECK_CLASS(MPI_Intercomm_create(MPI_COMM_SELF, 0, MPI_COMM_SELF, 0, 0, &bad), MPI_ERR_COMM);
}

int main(int argc, char **argv)
{
    MPI_Comm half, inter, copy;

    check_start(&argc, &argv);
    size = check_size();
    rank = check_rank();
    odd = rank % 2;
    inter = join(&half);
    check_inter(inter, rank / 2, local_size(), remote_size());
    copies(inter, half);
    splits(inter);
    from_groups(inter);
    merges(inter);
    what_must_not_be(inter, half);
    CHECK_OK(MPI_Comm_dup(inter, &copy));
    CHECK_OK(MPI_Comm_disconnect(&copy));
    CHECK(copy == MPI_COMM_NULL);
    CHECK_OK(MPI_Comm_free(&half));
    check_inter(inter, rank / 2, local_size(), remote_size());
    CHECK_OK(MPI_Comm_free(&inter));
    CHECK_OK(MPI_Finalize());
    return 0;
}
