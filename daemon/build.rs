//! Compiles the messages between daemons with protox: no protoc is needed.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = protox::compile(["proto/mesh.proto"], ["proto"])?;
    prost_build::Config::new().compile_fds(files)?;
    println!("cargo::rerun-if-changed=proto/mesh.proto");
    Ok(())
}
