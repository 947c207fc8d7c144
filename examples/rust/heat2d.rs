//! Heat spreads over a plate: `pvm run -n 4 heat2d`
//!
//! The plate is a grid of points, hot along its upper edge. In every step each inner point becomes
//! the mean of its four neighbours. The tasks share the rows; each keeps a copy of the row above
//! and of the row below its own, the *halo*, and gets new ones before every step, while it already
//! works on the rows that do not need them. At the end rank 0 computes everything again by itself
//! and compares.

use anyhow::{Result, ensure};
use clap::Parser;
use pvm::{Communicator, Request, Vm};
use std::ops::Range;

const FROM_ABOVE: pvm::Tag = 1;
const FROM_BELOW: pvm::Tag = 2;

/// Heat spreads over a plate; checked against a serial run.
#[derive(Parser)]
struct Args {
    /// Rows of the grid.
    #[arg(long, default_value_t = 96)]
    rows: usize,
    /// Columns of the grid.
    #[arg(long, default_value_t = 64)]
    columns: usize,
    /// Number of steps.
    #[arg(long, default_value_t = 500)]
    steps: usize,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let vm = Vm::attach()?;
    let world = vm.world();
    ensure!(
        args.rows >= world.size(),
        "{} rows are too few for {} tasks",
        args.rows,
        world.size()
    );
    ensure!(args.columns >= 1, "a plate has at least one column");

    let mine = share(args.rows, world.size(), world.rank());
    let mut plate = Plate::new(mine, &args);
    for _ in 0..args.steps {
        step_with_neighbours(&mut plate, &world)?;
    }

    if let Some(parts) = world.gatherv(0, plate.own_points())? {
        let parallel = parts.concat();
        let serial = serial(&args);
        ensure!(
            parallel == serial,
            "the parallel run differs from the serial one"
        );
        let centre = serial[args.rows / 2 * args.columns + args.columns / 2];
        println!(
            "{} x {} points, {} steps",
            args.rows, args.columns, args.steps
        );
        println!("the centre has {centre:.6} degrees, as in the serial run");
    }
    Ok(())
}

/// The rows of one rank: as equal as can be.
fn share(rows: usize, size: usize, rank: usize) -> Range<usize> {
    rows * rank / size..rows * (rank + 1) / size
}

/// Some rows of the grid, with one halo row above and one below.
struct Plate {
    columns: usize,
    /// Number of own rows.
    rows: usize,
    /// First own row in the whole grid.
    first: usize,
    /// Rows of the whole grid.
    all_rows: usize,
    now: Vec<f64>,
    next: Vec<f64>,
}

impl Plate {
    fn new(own: Range<usize>, args: &Args) -> Self {
        let (columns, rows) = (args.columns, own.len());
        let mut now = vec![0.0; (rows + 2) * columns];
        if own.start == 0 {
            now[columns..2 * columns].fill(100.0);
        }
        let next = now.clone();
        Self {
            columns,
            rows,
            first: own.start,
            all_rows: args.rows,
            now,
            next,
        }
    }

    /// Row `row` of the own rows, counted from 1; 0 and `rows + 1` are the halo.
    fn row(&self, row: usize) -> &[f64] {
        &self.now[row * self.columns..(row + 1) * self.columns]
    }

    fn row_mut(&mut self, row: usize) -> &mut [f64] {
        &mut self.now[row * self.columns..(row + 1) * self.columns]
    }

    fn own_points(&self) -> &[f64] {
        &self.now[self.columns..(self.rows + 1) * self.columns]
    }

    /// Computes the next state of some own rows; the plate's edges stay as they are.
    fn advance(&mut self, rows: Range<usize>) {
        for row in rows {
            let in_grid = self.first + row - 1;
            if in_grid == 0 || in_grid + 1 == self.all_rows {
                continue;
            }
            for column in 1..self.columns.saturating_sub(1) {
                let at = row * self.columns + column;
                let (above, below) = (self.now[at - self.columns], self.now[at + self.columns]);
                self.next[at] = (above + below + self.now[at - 1] + self.now[at + 1]) / 4.0;
            }
        }
    }

    fn finish_step(&mut self) {
        std::mem::swap(&mut self.now, &mut self.next);
    }
}

/// One step of a task: exchange the halo without waiting, do the inner rows, then the outer ones.
fn step_with_neighbours(plate: &mut Plate, world: &Communicator) -> Result<()> {
    let above = world.rank().checked_sub(1);
    let below = Some(world.rank() + 1).filter(|&rank| rank < world.size());
    let (columns, rows) = (plate.columns, plate.rows);

    // A request owns its buffer until `wait` gives it back.
    let mut sends: Vec<Request<Vec<f64>>> = Vec::new();
    let mut halo_above = None;
    let mut halo_below = None;
    if let Some(above) = above {
        halo_above = Some(world.irecv(above, FROM_ABOVE, vec![0.0; columns])?);
        sends.push(world.isend(above, FROM_BELOW, plate.row(1).to_vec())?);
    }
    if let Some(below) = below {
        halo_below = Some(world.irecv(below, FROM_BELOW, vec![0.0; columns])?);
        sends.push(world.isend(below, FROM_ABOVE, plate.row(rows).to_vec())?);
    }

    plate.advance(2..rows);

    if let Some(halo) = halo_above {
        let (points, _) = halo.wait()?;
        plate.row_mut(0).copy_from_slice(&points);
    }
    if let Some(halo) = halo_below {
        let (points, _) = halo.wait()?;
        plate.row_mut(rows + 1).copy_from_slice(&points);
    }
    plate.advance(1..2);
    if rows > 1 {
        plate.advance(rows..rows + 1);
    }
    plate.finish_step();
    pvm::wait_all(sends)?;
    Ok(())
}

/// The same computation by one task alone.
fn serial(args: &Args) -> Vec<f64> {
    let mut plate = Plate::new(0..args.rows, args);
    for _ in 0..args.steps {
        plate.advance(1..args.rows + 1);
        plate.finish_step();
    }
    plate.own_points().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_cover_all_rows() {
        for size in 1..9 {
            let rows: Vec<usize> = (0..size).flat_map(|rank| share(96, size, rank)).collect();
            assert!(rows.into_iter().eq(0..96));
        }
    }

    #[test]
    fn heat_flows_down() {
        let args = Args {
            rows: 9,
            columns: 9,
            steps: 50,
        };
        let points = serial(&args);
        let column: Vec<f64> = (0..9).map(|row| points[row * 9 + 4]).collect();
        assert_eq!((column[0], column[8]), (100.0, 0.0));
        assert!(column.is_sorted_by(|hotter, colder| hotter > colder));
    }
}
