//! The daemon of the parallel virtual machine and its command line.
//!
//! # Layout
//! - [`cli`]: the `pvm` program; [`ui`]: how things are shown

pub mod cli;
pub mod ui;
