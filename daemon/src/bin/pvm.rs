//! pvm.
fn main() {}
