//! Rows of figures, and the table that is made of them.

use std::collections::HashMap;
use std::fmt::Write;

/// Figures by row and by who they are of; rows in the order in which they came.
#[derive(Default)]
pub struct Figures {
    rows: Vec<String>,
    all: HashMap<(String, String), Vec<f64>>,
}

impl Figures {
    /// Takes the lines of a program: a row's name, a tab, a figure; of those that are none nothing.
    pub fn take(&mut self, whose: &str, lines: &str) {
        for line in lines.lines() {
            let figure = line
                .split_once('\t')
                .and_then(|(row, figure)| Some((row, figure.trim().parse().ok()?)));
            if let Some((row, figure)) = figure {
                self.add(whose, row, figure);
            }
        }
    }

    /// Takes one figure.
    pub fn add(&mut self, whose: &str, row: &str, figure: f64) {
        if !self.rows.iter().any(|known| known == row) {
            self.rows.push(row.to_owned());
        }
        self.all
            .entry((row.to_owned(), whose.to_owned()))
            .or_default()
            .push(figure);
    }

    /// The median of somebody's figures in a row.
    fn median(&self, row: &str, whose: &str) -> Option<f64> {
        let mut figures = self.all.get(&(row.to_owned(), whose.to_owned()))?.clone();
        figures.sort_by(f64::total_cmp);
        figures.get(figures.len() / 2).copied()
    }

    /// A table in Markdown: ours, the others, and how many times worse we are than the best of them and
    /// than the limit.
    pub fn table(&self, ours: &str, others: &[&str], limit: &str) -> String {
        let mut text = format!(
            "| | unit | {ours} | {} | of the best | of the limit |\n",
            others.join(" | ")
        );
        text += &format!("|---|---|{}\n", "---:|".repeat(others.len() + 3));
        for row in &self.rows {
            let unit = Unit::of(row);
            let mine = self.median(row, ours);
            let theirs: Vec<_> = others.iter().map(|other| self.median(row, other)).collect();
            let best = theirs
                .iter()
                .flatten()
                .copied()
                .reduce(|a, b| unit.better(a, b));
            let cells: Vec<String> = theirs.iter().map(|figure| shown(*figure)).collect();
            writeln!(
                text,
                "| {row} | {} | {} | {} | {} | {} |",
                unit.name,
                shown(mine),
                cells.join(" | "),
                unit.times(mine, best),
                unit.times(mine, self.median(row, limit)),
            )
            .expect("a string takes any text");
        }
        text
    }
}

/// What a row is measured in.
#[derive(Clone, Copy)]
struct Unit {
    name: &'static str,
    more_is_better: bool,
}

impl Unit {
    fn of(row: &str) -> Self {
        let (name, more_is_better) = match row.split(' ').next() {
            Some("bandwidth" | "both") => ("MB/s", true),
            Some("rate") => ("million/s", true),
            Some("memory") => ("MB", false),
            Some("start") => ("ms", false),
            _ => ("us", false),
        };
        Self {
            name,
            more_is_better,
        }
    }

    fn better(self, a: f64, b: f64) -> f64 {
        if self.more_is_better {
            a.max(b)
        } else {
            a.min(b)
        }
    }

    /// How many times as bad one figure is as another one: below 1 it is better.
    fn times(self, figure: Option<f64>, other: Option<f64>) -> String {
        match (figure, other) {
            (Some(figure), Some(other)) if figure > 0.0 && other > 0.0 => {
                let times = if self.more_is_better {
                    other / figure
                } else {
                    figure / other
                };
                format!("{times:.2}")
            }
            _ => String::new(),
        }
    }
}

/// A figure with the digits that mean something.
fn shown(figure: Option<f64>) -> String {
    match figure {
        None => "missing".to_owned(),
        Some(figure) if figure >= 100.0 => format!("{figure:.0}"),
        Some(figure) if figure >= 10.0 => format!("{figure:.1}"),
        Some(figure) => format!("{figure:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_compares_with_the_best() {
        let mut figures = Figures::default();
        for lines in [
            "latency 8 B\t1.0\nsomething else",
            "latency 8 B\t3.0",
            "latency 8 B\t2.0",
        ] {
            figures.take("ours", lines);
        }
        figures.take("a", "latency 8 B\t4\nrate 8 B\t10");
        figures.take("b", "latency 8 B\t1\nrate 8 B\t40");
        figures.take("ours", "rate 8 B\t20");
        figures.take("limit", "latency 8 B\t0.5");
        figures.take("a", "barrier n=2\t123.4");
        let table = figures.table("ours", &["a", "b"], "limit");
        let rows: Vec<&str> = table.lines().skip(2).collect();
        assert_eq!(
            rows,
            [
                "| latency 8 B | us | 2.00 | 4.00 | 1.00 | 2.00 | 4.00 |",
                "| rate 8 B | million/s | 20.0 | 10.0 | 40.0 | 2.00 |  |",
                "| barrier n=2 | us | missing | 123 | missing |  |  |",
            ]
        );
    }
}
