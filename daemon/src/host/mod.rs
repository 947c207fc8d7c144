//! The operating system's side of tasks: the only room of the daemon with unsafe code.
//!
//! - [`program`]: looking up what is to be started, and saying exactly why it cannot be
//! - [`stage`]: programs that were copied here from other hosts
//! - [`elf`], [`foreign`]: what a program's file says, and whether it is of another MPI
//! - [`keeper`]: the parent process of a job's processes
//! - [`descendants`]: finding and ending process trees
//! - [`cgroup`]: control groups of jobs, where they can be had; [`groups`]: those that we are in
//! - [`detach`]: becoming a daemon
//! - [`terminal`]: whose turn it is at a terminal
//! - [`limits`], [`facts`], [`topology`], [`memory`], [`addresses`], [`room`], [`logout`]: what this host allows and has;
//!   [`health`]: all of that at a glance; [`lookup`]: what it takes a name for;
//!   [`aside`]: work that the system may keep waiting

pub mod addresses;
pub mod aside;
pub mod cgroup;
pub mod descendants;
pub mod detach;
pub mod elf;
pub mod facts;
pub mod foreign;
pub mod groups;
pub mod health;
pub mod keeper;
pub mod limits;
pub mod logout;
pub mod lookup;
pub mod memory;
pub mod program;
pub mod room;
pub mod stage;
pub mod terminal;
pub mod topology;
pub mod usage;
