//! Compiles the control-message definitions with protox: no protoc is needed.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = protox::compile(["proto/control.proto"], ["proto"])?;
    prost_build::Config::new()
        .bytes([".pvm.control.Output.data", ".pvm.control.StdinData.data"])
        // The ledger keeps what hosts say of themselves.
        .type_attribute(
            ".pvm.control.DataFormat",
            "#[derive(serde::Serialize, serde::Deserialize)]",
        )
        // The one large message.
        .boxed(".pvm.control.Examined.health")
        .compile_fds(files)?;
    println!("cargo::rerun-if-changed=proto/control.proto");
    Ok(())
}
