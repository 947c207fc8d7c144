//! Reading just enough of a program's first bytes to know whether this host can run it, and, in
//! [`dynamic`], which libraries it wants.

pub mod dynamic;

use std::path::PathBuf;

/// What a file's first bytes say.
#[derive(Debug, PartialEq, Eq)]
pub enum Kind {
    /// A program of this machine.
    Native,
    /// A program of another machine: its name.
    Foreign(String),
    /// A script: its interpreter.
    Script(PathBuf),
    /// A script whose interpreter's name ends in a carriage return: it has lines of Windows.
    WindowsLines,
    /// Nothing that the kernel runs.
    Unknown,
    /// No bytes at all.
    Empty,
}

/// Bytes that [`kind`] wants to see.
pub const HEAD: usize = 256;

#[cfg(target_arch = "x86_64")]
const MACHINES: &[u16] = &[62, 3];
#[cfg(target_arch = "aarch64")]
const MACHINES: &[u16] = &[183, 40];
#[cfg(target_arch = "riscv64")]
const MACHINES: &[u16] = &[243];
#[cfg(target_arch = "powerpc64")]
const MACHINES: &[u16] = &[21];
#[cfg(target_arch = "s390x")]
const MACHINES: &[u16] = &[22];

/// Classifies a file by its first bytes (at most [`HEAD`]).
pub fn kind(head: &[u8]) -> Kind {
    if head.is_empty() {
        return Kind::Empty;
    }
    if let Some(rest) = head.strip_prefix(b"#!") {
        return script(rest);
    }
    match head {
        [0x7f, b'E', b'L', b'F', _, data, ..] if head.len() >= 20 => {
            let machine = [head[18], head[19]];
            let machine = match data {
                2 => u16::from_be_bytes(machine),
                _ => u16::from_le_bytes(machine),
            };
            let order = if cfg!(target_endian = "big") { 2 } else { 1 };
            if *data == order && MACHINES.contains(&machine) {
                Kind::Native
            } else {
                Kind::Foreign(machine_name(machine))
            }
        }
        [b'M', b'Z', ..] => Kind::Foreign("Windows".into()),
        [0xcf, 0xfa, 0xed, 0xfe, ..] | [0xca, 0xfe, 0xba, 0xbe, ..] => {
            Kind::Foreign("macOS".into())
        }
        _ => Kind::Unknown,
    }
}

fn script(rest: &[u8]) -> Kind {
    let line = rest.split(|b| *b == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let mut words = line.split_whitespace();
    let Some(interpreter) = words.next() else {
        return Kind::Unknown;
    };
    // The carriage return belongs to the last word, and `env` looks for a program named like that.
    let is_last = words.next().is_none() || interpreter.ends_with("/env");
    match line.ends_with('\r') && is_last {
        true => Kind::WindowsLines,
        false => Kind::Script(interpreter.into()),
    }
}

fn machine_name(machine: u16) -> String {
    let name = match machine {
        3 => "32-bit x86",
        8 => "MIPS",
        20 | 21 => "POWER",
        22 => "s390",
        40 => "32-bit ARM",
        62 => "x86_64",
        183 => "aarch64",
        243 => "RISC-V",
        258 => "LoongArch",
        n => return format!("machine type {n}"),
    };
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn elf(data: u8, machine: [u8; 2]) -> Vec<u8> {
        let mut head = vec![0x7f, b'E', b'L', b'F', 2, data, 1, 0];
        head.resize(18, 0);
        head.extend(machine);
        head.resize(64, 0);
        head
    }

    #[test]
    fn own_and_foreign_programs_are_told_apart() {
        let own = std::fs::read("/proc/self/exe").unwrap();
        assert_eq!(kind(&own[..HEAD]), Kind::Native);
        assert_eq!(kind(&elf(1, [8, 0])), Kind::Foreign("MIPS".into()));
        assert_eq!(kind(&elf(2, [0, 22])), Kind::Foreign("s390".into()));
        assert_eq!(kind(b"MZ\x90\0"), Kind::Foreign("Windows".into()));
    }

    #[test]
    fn scripts_name_their_interpreter() {
        assert_eq!(kind(b"#!/bin/sh -e\nls\n"), Kind::Script("/bin/sh".into()));
        assert_eq!(
            kind(b"#! /usr/bin/env python"),
            Kind::Script("/usr/bin/env".into())
        );
        assert_eq!(kind(b"#!/bin/sh\r\nls\r\n"), Kind::WindowsLines);
        assert_eq!(kind(b"#!/usr/bin/env python\r\n"), Kind::WindowsLines);
        assert_eq!(
            kind(b"#!/bin/perl -w\r\n"),
            Kind::Script("/bin/perl".into())
        );
        assert_eq!(kind(b"#!\n"), Kind::Unknown);
        assert_eq!(kind(b"hello"), Kind::Unknown);
        assert_eq!(kind(b""), Kind::Empty);
    }

    proptest! {
        #[test]
        fn any_bytes_are_classified(head: Vec<u8>) {
            kind(&head);
        }
    }
}
