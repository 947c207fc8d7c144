//! pvmd.
fn main() {}
