//! The messages of `proto/mesh.proto`.
#![allow(missing_docs, reason = "generated; documented in the .proto file")]

include!(concat!(env!("OUT_DIR"), "/pvm.mesh.rs"));
