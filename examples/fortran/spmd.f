!
! spmd - a token goes round all tasks of the launch; every one adds its part.
!
!   pvm run -n 4 spmd
!
! Build:  gfortran -fallow-argument-mismatch -I include \
!             -o spmd spmd.f -lfpvm3 -lpvm3
!
      program spmd
      implicit none
      include 'fpvm3.h'
      integer maxtask, rounds
      parameter (maxtask = 4096, rounds = 3)
      integer tids(0:maxtask - 1), mytid, ntask, me, i, info

      call pvmfmytid(mytid)
      if (mytid .lt. 0) stop 1
      call pvmfsiblings(ntask, -1, info)
      if (ntask .lt. 1 .or. ntask .gt. maxtask) stop 1
      me = -1
      do 10 i = 0, ntask - 1
         call pvmfsiblings(ntask, i, tids(i))
         if (tids(i) .eq. mytid) me = i
   10 continue
      do 20 i = 1, rounds
         call round(me, ntask, tids, i)
   20 continue
      call pvmfexit(info)
      end

!     One round: the first task starts the token and gets it back.
      subroutine round(me, ntask, tids, number)
      implicit none
      include 'fpvm3.h'
      integer me, ntask, tids(0:*), number
      integer token, tag, next, before, info
      character*8 name

      tag = 4 + number
      next = tids(mod(me + 1, ntask))
      before = tids(mod(me + ntask - 1, ntask))
      if (me .eq. 0) then
         name = 'token'
         call give(next, tag, 1, name)
         call take(before, tag, token, name)
         if (token .eq. ntask .and. name .eq. 'token') then
            write (*, '(a,i2,a)') ' round', number,
     &         ': the token has been with every task'
         else
            write (*, *) 'wrong token ', token, name
            call pvmfexit(info)
            stop 1
         end if
      else
         call take(before, tag, token, name)
         call give(next, tag, token + 1, name)
      end if
      end

      subroutine give(tid, tag, token, name)
      implicit none
      include 'fpvm3.h'
      integer tid, tag, token, bufid, info
      character*(*) name
      call pvmfinitsend(PVMDATADEFAULT, bufid)
      call pvmfpack(INTEGER4, token, 1, 1, info)
      call pvmfpack(STRING, name, len(name), 1, info)
      call pvmfsend(tid, tag, info)
      if (info .lt. 0) stop 1
      end

      subroutine take(tid, tag, token, name)
      implicit none
      include 'fpvm3.h'
      integer tid, tag, token, bufid, info
      character*(*) name
      call pvmfrecv(tid, tag, bufid)
      if (bufid .lt. 0) stop 1
      call pvmfunpack(INTEGER4, token, 1, 1, info)
      call pvmfunpack(STRING, name, len(name), 1, info)
      if (info .lt. 0) stop 1
      end
