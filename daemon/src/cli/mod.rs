//! The command line of `pvm`: what was typed, what it means, and doing it.
//!
//! # Layout
//! - [`normal`]: the spelling of options; [`low`]: the options, as text; [`high`]: their meaning
//! - [`run`]: `pvm run`; one file for each other verb
//! - [`exit`]: exit codes; [`failure`]: refusals of the daemon; [`signal`], [`nearest`]: names

pub mod exit;
pub mod failure;
pub mod help;
pub mod high;
pub mod low;
pub mod nearest;
pub mod normal;
pub mod run;
pub mod signal;
