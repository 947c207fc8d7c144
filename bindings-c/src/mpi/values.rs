//! Functions of MPI that return a value and no error code.

use std::ffi::c_int;
use std::sync::OnceLock;
use std::time::Instant;

use super::generated::constants as abi;
use super::handle::{self, Object};
use super::raw;

/// Makes `MPI_X` and `PMPI_X` of a function.
macro_rules! values {
    ($($name:ident $pname:ident ($($parameter:ident: $type:ty),*) -> $result:ty = $body:expr;)*) => {$(
        #[unsafe(no_mangle)]
        extern "C" fn $name($($parameter: $type),*) -> $result {
            $body
        }

        #[unsafe(no_mangle)]
        extern "C" fn $pname($($parameter: $type),*) -> $result {
            $body
        }
    )*};
}

values! {
    MPI_Wtime PMPI_Wtime () -> f64 = wtime();
    MPI_Wtick PMPI_Wtick () -> f64 = 1e-9;
    MPI_Aint_add PMPI_Aint_add (base: isize, disp: isize) -> isize = base.wrapping_add(disp);
    MPI_Aint_diff PMPI_Aint_diff (addr1: isize, addr2: isize) -> isize = addr1.wrapping_sub(addr2);
    MPI_Comm_toint PMPI_Comm_toint (comm: raw::Comm) -> c_int = handle::to_int(comm.0);
    MPI_Comm_fromint PMPI_Comm_fromint (comm: c_int) -> raw::Comm = raw::Comm(from_int::<pvm::mpi::Comm>(comm));
    MPI_Group_toint PMPI_Group_toint (group: raw::Group) -> c_int = handle::to_int(group.0);
    MPI_Group_fromint PMPI_Group_fromint (group: c_int) -> raw::Group = raw::Group(from_int::<pvm::mpi::Group>(group));
    MPI_Errhandler_toint PMPI_Errhandler_toint (errhandler: raw::Errhandler) -> c_int = handle::to_int(errhandler.0);
    MPI_Errhandler_fromint PMPI_Errhandler_fromint (errhandler: c_int) -> raw::Errhandler
        = raw::Errhandler(from_int::<pvm::mpi::Errhandler>(errhandler));
    MPI_Info_toint PMPI_Info_toint (info: raw::Info) -> c_int = handle::to_int(info.0);
    MPI_Info_fromint PMPI_Info_fromint (info: c_int) -> raw::Info = raw::Info(from_int::<pvm::mpi::Info>(info));
    MPI_Type_toint PMPI_Type_toint (datatype: raw::Datatype) -> c_int = handle::to_int(datatype.0);
    MPI_Type_fromint PMPI_Type_fromint (datatype: c_int) -> raw::Datatype = raw::Datatype(from_int::<pvm::mpi::Datatype>(datatype));
    MPI_Op_toint PMPI_Op_toint (op: raw::Op) -> c_int = handle::to_int(op.0);
    MPI_Op_fromint PMPI_Op_fromint (op: c_int) -> raw::Op = raw::Op(from_int::<pvm::mpi::Op>(op));
    MPI_Request_toint PMPI_Request_toint (request: raw::Request) -> c_int = handle::to_int(request.0);
    MPI_Request_fromint PMPI_Request_fromint (request: c_int) -> raw::Request = raw::Request(from_int::<pvm::mpi::Request>(request));
    MPI_Message_toint PMPI_Message_toint (message: raw::Message) -> c_int = handle::to_int(message.0);
    MPI_Message_fromint PMPI_Message_fromint (message: c_int) -> raw::Message = raw::Message(from_int::<handle::Arrived>(message));
    MPI_Session_toint PMPI_Session_toint (session: raw::Session) -> c_int = handle::to_int(session.0);
    MPI_Session_fromint PMPI_Session_fromint (session: c_int) -> raw::Session = raw::Session(from_int::<pvm::mpi::Session>(session));
    MPI_Win_toint PMPI_Win_toint (win: raw::Win) -> c_int = handle::to_int(win.0);
    MPI_Win_fromint PMPI_Win_fromint (win: c_int) -> raw::Win = raw::Win(no_kind(win, abi::WIN_NULL));
    MPI_File_toint PMPI_File_toint (file: raw::File) -> c_int = handle::to_int(file.0);
    MPI_File_fromint PMPI_File_fromint (file: c_int) -> raw::File = raw::File(no_kind(file, abi::FILE_NULL));
}

fn from_int<T: Object>(int: c_int) -> usize {
    handle::from_int::<T>(int)
}

/// The handle of an integer, of objects that are all predefined.
fn no_kind(int: c_int, null: isize) -> usize {
    match usize::try_from(int) {
        Ok(number) if number <= handle::PREDEFINED_MAX => number,
        _ => null as usize,
    }
}

/// Seconds since the first call.
fn wtime() -> f64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_secs_f64()
}
