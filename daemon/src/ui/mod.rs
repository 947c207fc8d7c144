//! How things are shown: durations, tables, colours.

pub mod table;
pub mod text;
