//! What Rust programs use. Everything here is re-exported at the top of the crate.
//!
//! - [`Vm`]: this task in the virtual machine: who it is, spawning, watching, messages by task id
//! - [`Communicator`]: ranks; messages, collectives, split and dup
//! - [`Request`]: what goes on while the program does something else
//! - [`Plain`]: elements that travel as they lie in memory; everything else goes through serde
//!
//! ```no_run
//! # fn main() -> pvm::Result<()> {
//! let vm = pvm::Vm::attach()?;
//! let world = vm.world();
//! let total = world.allreduce(&[world.rank() as u64], pvm::Sum)?;
//! println!("{}: the sum of all ranks is {}", vm.task_id(), total[0]);
//! # Ok(())
//! # }
//! ```

mod collective;
mod communicator;
mod direct;
mod error;
mod foreign;
mod info;
mod make;
mod notify;
mod plain;
mod point;
mod port;
mod reduction;
mod request;
mod shared;
mod spawn;
mod status;
mod vm;

pub use crate::datatype::UnlikeError;
pub use crate::ids::{JobId, Rank, Tag, TaskId};
pub use crate::transport::route::Route;
pub use communicator::Communicator;
pub use direct::TaskMessage;
pub use error::{Error, Result, SentType};
pub use info::{HostInfo, TaskInfo};
pub use notify::{Exit, ExitStatus, ExitWatch};
pub use plain::{Plain, plain_hash, value_hash};
pub use point::Message;
pub use reduction::{
    BitAnd, BitOr, BitXor, Commutative, Max, Min, Operation, Product, Reduction, Sum,
};
pub use request::{
    Completed, Received, Request, test_all, test_any, test_some, wait_all, wait_any, wait_some,
};
pub use shared::TaskEngine;
pub use spawn::{Command, SpawnError};
pub use status::{ANY, Any, Status};
pub use vm::{Options, Threads, Vm};
