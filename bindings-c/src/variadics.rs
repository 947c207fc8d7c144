//! The calls with variable arguments. Rust cannot define such functions: C in `shim/packf.c` reads
//! the arguments, and the exported names jump there with registers and stack as they are. (What C
//! defines in a library that Rust links is not exported.)

use std::arch::naked_asm;

unsafe extern "C" {
    fn pvm_shim_packf();
    fn pvm_shim_unpackf();
    fn pvm_shim_vpackf();
    fn pvm_shim_vunpackf();
}

macro_rules! jumps {
    ($($name:ident => $target:ident;)*) => {$(
        #[doc = concat!("See `", stringify!($target), "` in the shim.\n\n# Safety\nThe arguments ",
            "are what the format says.")]
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name() {
            #[cfg(target_arch = "x86_64")]
            naked_asm!("jmp {}", sym $target);
            #[cfg(target_arch = "aarch64")]
            naked_asm!("b {}", sym $target);
        }
    )*};
}

jumps! {
    pvm_packf => pvm_shim_packf;
    pvm_unpackf => pvm_shim_unpackf;
    pvm_vpackf => pvm_shim_vpackf;
    pvm_vunpackf => pvm_shim_vunpackf;
}
