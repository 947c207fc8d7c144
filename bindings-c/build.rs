//! Compiles the C shim of the variadic calls and names the shared object.

fn main() {
    cc::Build::new()
        .file("shim/packf.c")
        .include("include")
        .flag("-fvisibility=hidden")
        .warnings_into_errors(true)
        .compile("pvm_shim");
    // What programs are linked with is libpvm3.so.3 or libgpvm3.so.3, both links to the one shared
    // object; its own name decides what they ask for at run time (README.md).
    println!("cargo::rustc-link-arg-cdylib=-Wl,-soname,libpvmcore.so.0");
    println!("cargo::rerun-if-changed=shim/packf.c");
    println!("cargo::rerun-if-changed=include/pvm3.h");
}
