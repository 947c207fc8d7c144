! The Fortran forms whose arguments differ from those in C: strings, lists given out one by one,
! a time in two numbers. Prints one line when all is well.
program fcalls
  implicit none
  include 'fpvm3.h'
  integer :: mytid, tid, info, bufid, n, narch, dtid, speed, count, ptid, flag, tids(2), i, seen
  integer :: bytes, tag, source, numbers(3), back(3)
  integer*8 :: long(1)
  complex*16 :: z(1)
  character(len=40) :: name, arch, aout
  character(len=6) :: text
  logical :: good

  good = .true.
  call pvmfsetopt(PVMAUTOERR, 0, info)
  call check('setopt', info == 1)
  call pvmfmytid(mytid)
  call check('mytid', mytid > 0)
  call pvmfparent(tid)
  call check('parent', tid == PVMNOPARENT)
  call pvmftidtohost(mytid, dtid)

  n = -1
  call pvmfconfig(n, narch, tid, name, arch, speed, info)
  call check('config', n == 1 .and. narch == 1 .and. tid == dtid .and. speed == 1000)
  call check('names', info == 0 .and. len_trim(name) > 0 .and. arch == 'LINUX64')
  call pvmfmstat(name, info)
  call check('mstat', info == 0)
  call pvmfmstat('nowhere', info)
  call check('mstat of nowhere', info == PVMNOHOST)

  seen = 0
  count = -1
  do i = 1, 100
    call pvmftasks(0, count, tid, ptid, tids(1), flag, aout, info)
    if (info < 0 .or. i > count) exit
    if (tid == mytid) then
      seen = seen + 1
      call check('aout', aout == 'fcalls' .and. tids(1) == dtid)
    end if
    if (i == count) exit
  end do
  call check('tasks', seen == 1)

  call pvmfspawn('true', PVMTASKDEFAULT, '*', 1, tids, n)
  call check('spawn', n == 1 .and. tids(1) > 0)
  call pvmfnotify(PVMTASKEXIT, 5, 1, tids, info)
  call check('notify', info == 0)
  call pvmftrecv(-1, 5, 60, 0, bufid)
  call check('trecv', bufid > 0)
  call pvmfspawn('no such program  ', PVMTASKHOST, '.', 1, tids, n)
  call check('spawn of nothing', n == 0 .and. tids(1) == PVMNOFILE)
  call pvmftrecv(-1, 5, 0, 1000, bufid)
  call check('trecv of nothing', bufid == 0)

  numbers = (/1, -2, 3/)
  long(1) = 2_8**40
  z(1) = (1d0, -2d0)
  call pvmfinitsend(PVMDATADEFAULT, bufid)
  call pvmfpack(INTEGER4, numbers, 2, 2, info)
  call pvmfpack(STRING, 'abc', 3, 1, info)
  call pvmfpack(INTEGER8, long, 1, 1, info)
  call pvmfpack(COMPLEX16, z, 1, 1, info)
  call check('pack', info == 0)
  call pvmfpack(99, z, 1, 1, info)
  call check('pack of what', info == PVMBADPARAM)
  call pvmfbufinfo(bufid, bytes, tag, source, info)
  ! Characters have no length in front, as in PVM.
  call check('bufinfo', bytes == 8 + 4 + 8 + 16)
  call pvmfsend(mytid, 7, info)
  call pvmfrecv(-1, 7, bufid)
  back = 0
  text = 'xxxxxx'
  long = 0
  z = 0
  call pvmfunpack(INTEGER4, back, 2, 2, info)
  call pvmfunpack(STRING, text, 3, 1, info)
  call pvmfunpack(INTEGER8, long, 1, 1, info)
  call pvmfunpack(COMPLEX16, z, 1, 1, info)
  call check('unpack', info == 0 .and. all(back == (/1, 0, 3/)) .and. text == 'abcxxx')
  call check('long, complex', long(1) == 2_8**40 .and. z(1) == (1d0, -2d0))

  call pvmfjoingroup('some group   ', i)
  call pvmfgsize('some group', n)
  call check('groups', i == 0 .and. n == 1)
  call pvmfsiblings(n, -1, tid)
  call check('siblings', n == 1)
  call pvmfsiblings(n, 0, tid)
  call check('sibling', tid == mytid)
  call pvmfsend(mytid, -1, info)
  call pvmfperror('fcalls  ', info)
  call pvmfexit(info)
  if (good) print '(a)', 'all checks passed'

contains

  subroutine check(what, well)
    character(len=*), intent(in) :: what
    logical, intent(in) :: well
    if (.not. well) then
      print '(a,a)', 'wrong: ', what
      good = .false.
    end if
  end subroutine check

end program fcalls
