//! `mpi.h`: what stands in every one, constants, prototypes.

use std::fmt::Write;

use super::table::{Constant, Function};

/// Types and the frame; written by hand, with a line `@constants@` and a line `@functions@`.
const FRAME: &str = include_str!("../../../bindings-c/api/mpi.h.frame");

/// The whole header.
pub fn text(constants: &[Constant], functions: &[Function]) -> String {
    FRAME
        .replace("@constants@\n", &defines(constants))
        .replace("@functions@\n", &prototypes(functions))
}

fn defines(constants: &[Constant]) -> String {
    let mut text = String::new();
    let mut group = "";
    for constant in constants {
        if constant.group != group {
            group = &constant.group;
            writeln!(text, "\n/* {group} */").expect("a string takes any text");
        }
        let Constant { name, value, .. } = constant;
        match &constant.cast {
            Some(cast) => writeln!(text, "#define {name} (({cast}) {value})"),
            None if *value < 0 => writeln!(text, "#define {name} ({value})"),
            None => writeln!(text, "#define {name} {value}"),
        }
        .expect("a string takes any text");
    }
    text
}

fn prototypes(functions: &[Function]) -> String {
    let mut text = String::new();
    let mut chapter = "";
    for function in functions {
        if function.chapter != chapter {
            chapter = &function.chapter;
            writeln!(text, "\n/* {chapter} */").expect("a string takes any text");
        }
        let arguments = arguments(function);
        let Function { name, result, .. } = function;
        let space = if result.ends_with('*') { "" } else { " " };
        let note = if function.deprecated {
            " /* deprecated */"
        } else {
            ""
        };
        for prefix in ["", "P"] {
            writeln!(text, "{result}{space}{prefix}{name}({arguments});{note}")
                .expect("a string takes any text");
        }
    }
    text
}

fn arguments(function: &Function) -> String {
    let mut arguments: Vec<String> = function
        .parameters
        .iter()
        .map(|parameter| parameter.kind.c(&parameter.name, function.large))
        .collect();
    if function.variadic {
        arguments.push("...".to_owned());
    }
    match arguments.is_empty() {
        true => "void".to_owned(),
        false => arguments.join(", "),
    }
}
