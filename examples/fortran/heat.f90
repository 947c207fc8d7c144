! heat - heat spreads along a bar that is cut into pieces, one for each task; neighbours exchange
! the temperatures at their ends in every step. Checked against the whole bar in one piece.
!
!   pvm run -n 4 heat
!
! Build:  gfortran -I include -o heat heat.f90 -lfpvm3 -lpvm3
program heat
  implicit none
  include 'fpvm3.h'
  integer, parameter :: points = 240, steps = 500
  integer, parameter :: tag_left = 1, tag_right = 2, tag_worst = 3
  double precision, parameter :: rate = 0.25d0
  character(len=*), parameter :: group = 'heat'
  double precision, allocatable :: bar(:), new(:)
  double precision :: whole(0:points + 1), worst(1)
  integer :: mytid, tasks, me, first, last, left, right, step, info, dummy
  external pvmmax

  call pvmfmytid(mytid)
  if (mytid < 0) stop 1
  call pvmfsiblings(tasks, -1, dummy)
  call pvmfjoingroup(group, me)
  call pvmfbarrier(group, tasks, info)
  if (me < 0 .or. info < 0) stop 1
  left = -1
  right = -1
  if (me > 0) call pvmfgettid(group, me - 1, left)
  if (me < tasks - 1) call pvmfgettid(group, me + 1, right)

  first = me * points / tasks + 1
  last = (me + 1) * points / tasks
  allocate (bar(first - 1:last + 1), new(first - 1:last + 1))
  call begin(bar, first - 1, last + 1)
  do step = 1, steps
    call exchange()
    new = bar
    call spread_out(bar, new, first, last)
    bar = new
  end do

  call alone()
  worst(1) = maxval(abs(bar(first:last) - whole(first:last)))
  call pvmfreduce(pvmmax, worst, 1, REAL8, tag_worst, group, 0, info)
  if (me == 0) then
    write (*, '(a,i0,a,i0,a)') 'heat in ', points, ' points after ', steps, ' steps'
    write (*, '(a,3f10.6)') 'left, middle, right: ', whole(1), whole(points / 2), whole(points)
    write (*, '(a,es8.1)') 'largest difference from one piece: ', worst(1)
  end if
  call pvmfbarrier(group, tasks, info)
  call pvmflvgroup(group, info)
  call pvmfexit(info)

contains

  ! A warm left half, a cold right half.
  subroutine begin(u, low, high)
    integer, intent(in) :: low, high
    double precision, intent(out) :: u(low:high)
    integer :: i
    do i = low, high
      u(i) = merge(1d0, 0d0, i <= points / 2)
    end do
  end subroutine begin

  subroutine spread_out(old, fresh, low, high)
    integer, intent(in) :: low, high
    double precision, intent(in) :: old(low - 1:high + 1)
    double precision, intent(inout) :: fresh(low - 1:high + 1)
    integer :: i
    do i = low, high
      fresh(i) = old(i) + rate * ((old(i - 1) - old(i)) + (old(i + 1) - old(i)))
    end do
  end subroutine spread_out

  ! The ends of the bar keep their temperature; inside, neighbours tell each other theirs.
  subroutine exchange()
    integer :: bufid
    if (left >= 0) call pvmfpsend(left, tag_left, bar(first), 1, REAL8, info)
    if (right >= 0) then
      call pvmfinitsend(PVMDATARAW, bufid)
      call pvmfpack(REAL8, bar(last), 1, 1, info)
      call pvmfsend(right, tag_right, info)
    end if
    if (right >= 0) call pvmfprecv(right, tag_left, bar(last + 1), 1, REAL8, dummy, dummy, dummy, info)
    if (left >= 0) then
      call pvmfrecv(left, tag_right, bufid)
      call pvmfunpack(REAL8, bar(first - 1), 1, 1, info)
    end if
  end subroutine exchange

  subroutine alone()
    double precision :: fresh(0:points + 1)
    integer :: i
    call begin(whole, 0, points + 1)
    do i = 1, steps
      fresh = whole
      call spread_out(whole, fresh, 1, points)
      whole = fresh
    end do
  end subroutine alone

end program heat
