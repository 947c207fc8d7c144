//! Reads the tables of `bindings-c/api`: functions and constants of MPI.

use anyhow::{Context, Result, bail};

use super::kinds::Kind;

/// A function of MPI, or its form with large counts.
#[derive(Debug)]
pub struct Function {
    /// `MPI_Send`, or `MPI_Send_c`.
    pub name: String,
    /// The chapter that it stands in.
    pub chapter: String,
    /// What it returns in C; `int` is an error code unless `is_value`.
    pub result: String,
    /// What it returns is no error code.
    pub is_value: bool,
    /// Deprecated by the standard.
    pub deprecated: bool,
    /// Counts are `MPI_Count`.
    pub large: bool,
    /// This function has another one, with large counts, or with int counts.
    pub has_twin: bool,
    /// Takes any arguments behind its parameters.
    pub variadic: bool,
    /// What it takes.
    pub parameters: Vec<Parameter>,
}

/// One parameter.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// Its name, as in the standard.
    pub name: String,
    /// What it is.
    pub kind: Kind,
}

impl Function {
    /// The name without `MPI_` and `_c`, in lower case: that of the Rust function that does it.
    pub fn rust_name(&self) -> String {
        let name = self.name.strip_prefix("MPI_").unwrap_or(&self.name);
        let name = match self.large && self.has_twin {
            true => name.strip_suffix("_c").unwrap_or(name),
            false => name,
        };
        name.to_lowercase()
    }
}

/// A constant.
#[derive(Debug)]
pub struct Constant {
    /// As in C.
    pub name: String,
    /// Its value.
    pub value: i64,
    /// The C type that it is cast to.
    pub cast: Option<String>,
    /// What the group of constants is.
    pub group: String,
}

/// Reads `mpi.txt`: all functions, large forms behind theirs.
pub fn functions(text: &str) -> Result<Vec<Function>> {
    let mut functions = Vec::new();
    let mut chapter = String::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            name.clone_into(&mut chapter);
        } else if !line.is_empty() && !line.starts_with('#') {
            let read = function(line, &chapter).with_context(|| format!("mpi.txt:{number}"))?;
            functions.extend(read);
        }
    }
    Ok(functions)
}

fn function(line: &str, chapter: &str) -> Result<Vec<Function>> {
    let mut words = line.split_whitespace();
    let head = words.next().context("no name")?;
    let (head, deprecated) = cut_end(head, '!');
    let (head, result) = head
        .split_once('>')
        .map_or((head, None), |(h, r)| (h, Some(r)));
    let (name, has_twin) = cut_end(head, '+');
    if !name.starts_with("MPI_") {
        bail!("'{name}' is no name of MPI");
    }
    let mut parameters = Vec::new();
    let mut variadic = false;
    for word in words {
        if word == "..." {
            variadic = true;
            continue;
        }
        let (name, kind) = word
            .split_once(':')
            .with_context(|| format!("'{word}' has no kind"))?;
        parameters.push(Parameter {
            name: name.to_owned(),
            kind: Kind::named(kind).with_context(|| format!("no kind is called '{kind}'"))?,
        });
    }
    let form = |large: bool| Function {
        name: match large && has_twin {
            true => format!("{name}_c"),
            false => name.to_owned(),
        },
        chapter: chapter.to_owned(),
        result: result.map_or("int".to_owned(), spaced),
        is_value: result.is_some() || name.ends_with("_toint"),
        deprecated,
        large,
        has_twin,
        variadic,
        parameters: parameters.clone(),
    };
    let stands_alone_large = !has_twin && name.ends_with("_c");
    Ok(match has_twin {
        true => vec![form(false), form(true)],
        false => vec![form(stands_alone_large)],
    })
}

fn cut_end(text: &str, mark: char) -> (&str, bool) {
    match text.strip_suffix(mark) {
        Some(text) => (text, true),
        None => (text, false),
    }
}

/// `void*` as C programmers write it.
fn spaced(result: &str) -> String {
    result.replace('*', " *")
}

/// Reads `constants.txt`.
pub fn constants(text: &str) -> Result<Vec<Constant>> {
    let mut constants = Vec::new();
    let mut group = String::new();
    let mut in_head = true;
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() {
            in_head = false;
        } else if let Some(title) = line.strip_prefix('#') {
            if !in_head {
                title.trim().clone_into(&mut group);
            }
        } else {
            let read = constant(line, &group);
            constants.push(read.with_context(|| format!("constants.txt:{number}"))?);
        }
    }
    Ok(constants)
}

fn constant(line: &str, group: &str) -> Result<Constant> {
    let mut words = line.split_whitespace();
    let name = words.next().context("no name")?;
    let value = words.next().context("no value")?;
    Ok(Constant {
        name: name.to_owned(),
        value: value
            .parse()
            .with_context(|| format!("'{value}' is no number"))?,
        cast: words.next().map(str::to_owned),
        group: group.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_a_plus_is_two_functions() {
        let read = functions("[pt2pt]\nMPI_Send+ buf:buf count:count comm:comm\n").unwrap();
        let names: Vec<_> = read.iter().map(|f| (f.name.as_str(), f.large)).collect();
        assert_eq!(names, [("MPI_Send", false), ("MPI_Send_c", true)]);
        assert!(
            read.iter()
                .all(|f| f.rust_name() == "send" && f.chapter == "pt2pt")
        );
    }

    #[test]
    fn results_and_marks_are_read() {
        let read =
            functions("MPI_Wtime>double\nMPI_Attr_put! comm:comm\nMPI_Pcontrol level:int ...");
        let read = read.unwrap();
        assert!(read[0].is_value && read[0].result == "double");
        assert!(read[1].deprecated && !read[1].is_value);
        assert!(read[2].variadic);
    }

    #[test]
    fn nonsense_names_its_line() {
        let error = functions("\nMPI_Send buf:nothing").unwrap_err();
        assert_eq!(
            format!("{error:#}"),
            "mpi.txt:2: no kind is called 'nothing'"
        );
    }
}
