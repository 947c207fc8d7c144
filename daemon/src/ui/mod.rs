//! How things are shown: durations, tables, colours, many names in few words.

pub mod fold;
pub mod table;
pub mod text;
