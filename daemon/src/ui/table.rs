//! Tables: drawn on a terminal, plain aligned columns in a pipe.

use comfy_table::{Attribute, Cell, CellAlignment, ContentArrangement, Table, presets};
use std::io::IsTerminal;

/// How a table is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Columns of text, for pipes and files.
    Plain,
    /// Lines between rows and columns.
    Drawn {
        /// Whether it may use colours.
        colour: bool,
    },
}

impl Look {
    /// The look for our stdout, given the value of `NO_COLOR`.
    pub fn of_stdout(no_colour: bool) -> Self {
        match std::io::stdout().is_terminal() {
            true => Look::Drawn { colour: !no_colour },
            false => Look::Plain,
        }
    }
}

/// A column: its title, and whether it holds numbers.
#[derive(Debug, Clone, Copy)]
pub struct Column<'a>(pub &'a str, pub bool);

/// Narrowest terminal that cells are fitted to.
const WIDTH_MIN: u16 = 60;

/// The text of a table, with a newline at the end of each line.
pub fn render(look: Look, columns: &[Column<'_>], rows: &[Vec<String>]) -> String {
    match look {
        Look::Plain => plain(columns, rows),
        Look::Drawn { colour } => drawn(colour, columns, rows),
    }
}

fn plain(columns: &[Column<'_>], rows: &[Vec<String>]) -> String {
    let titles: Vec<String> = columns.iter().map(|column| column.0.to_owned()).collect();
    let lines: Vec<&Vec<String>> = std::iter::once(&titles).chain(rows).collect();
    let width = |at: usize| {
        lines
            .iter()
            .filter_map(|line| line.get(at))
            .map(|cell| cell.chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..columns.len())
        .map(|at| width(at).unwrap_or(0))
        .collect();
    let mut text = String::new();
    for line in lines {
        let cells =
            line.iter()
                .zip(columns)
                .zip(&widths)
                .map(|((cell, column), width)| match column.1 {
                    true => format!("{cell:>width$}"),
                    false => format!("{cell:<width$}"),
                });
        let line = cells.collect::<Vec<_>>().join("  ");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn drawn(colour: bool, columns: &[Column<'_>], rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    // A terminal that does not tell its width, or hardly has one, breaks lines by itself.
    if table.width().is_some_and(|width| width >= WIDTH_MIN) {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    let title = |column: &Column<'_>| match colour {
        true => Cell::new(column.0).add_attribute(Attribute::Bold),
        false => Cell::new(column.0),
    };
    table.set_header(columns.iter().map(title).collect::<Vec<_>>());
    for row in rows {
        let cell = |(text, column): (&String, &Column<'_>)| match column.1 {
            true => Cell::new(text).set_alignment(CellAlignment::Right),
            false => Cell::new(text),
        };
        table.add_row(row.iter().zip(columns).map(cell).collect::<Vec<_>>());
    }
    format!("{table}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_columns_are_aligned() {
        let columns = [
            Column("JOB", false),
            Column("RANK", true),
            Column("PROGRAM", false),
        ];
        let rows = vec![
            vec!["j1".to_owned(), "0".to_owned(), "./a b".to_owned()],
            vec!["j12".to_owned(), "10".to_owned(), "x".to_owned()],
        ];
        let text = render(Look::Plain, &columns, &rows);
        assert_eq!(text, "JOB  RANK  PROGRAM\nj1      0  ./a b\nj12    10  x\n");
        let drawn = render(Look::Drawn { colour: false }, &columns, &rows);
        assert!(drawn.contains("./a b") && !drawn.contains('\x1b'));
    }
}
