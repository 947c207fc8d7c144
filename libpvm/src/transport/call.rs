//! What a task waits for, as it shows it to those who look.

use crate::sync::clock::now_ns;
use std::time::Duration;

/// Names of what a task can be in, by number.
macro_rules! operations {
    ($($name:ident = $number:literal $text:literal;)*) => {
        /// What a task does when it waits.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
        #[repr(u32)]
        pub enum Operation {
            $(#[doc = $text] $name = $number,)*
            /// Nothing that is known.
            #[default]
            Unknown = 0,
        }

        impl Operation {
            /// The operation of a number, which a task has written.
            pub fn of(number: u32) -> Self {
                match number {
                    $($number => Self::$name,)*
                    _ => Self::Unknown,
                }
            }

            /// What it is called.
            pub fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                    Self::Unknown => "unknown",
                }
            }
        }
    };
}

operations! {
    Send = 1 "send";
    Receive = 2 "receive";
    Probe = 3 "probe";
    Exchange = 4 "send and receive";
    Requests = 5 "wait for requests";
    Barrier = 16 "barrier";
    Broadcast = 17 "broadcast";
    Gather = 18 "gather";
    Scatter = 19 "scatter";
    Allgather = 20 "allgather";
    Alltoall = 21 "alltoall";
    Reduce = 22 "reduce";
    Allreduce = 23 "allreduce";
    Scan = 24 "scan";
    Exscan = 25 "exscan";
    ReduceScatter = 26 "reduce-scatter";
}

impl Operation {
    /// Whether all ranks of a communicator come to it.
    pub fn is_collective(self) -> bool {
        self as u32 >= Self::Barrier as u32
    }
}

/// A blocking call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Call {
    /// An [`Operation`]; 0: nothing.
    pub operation: u32,
    /// Context of the message.
    pub context: u32,
    /// Bits of the task that it waits for; 0: any.
    pub peer: u64,
    /// Tag of the message; negative: any.
    pub tag: i32,
    /// Size of the message.
    pub bytes: u64,
    /// When it began, in nanoseconds of the monotonic clock.
    pub since_ns: u64,
    /// Another number whenever something has come to the task, or another wait has begun.
    pub turn: u64,
}

impl Call {
    /// When a call begins that begins now.
    pub fn now_ns() -> u64 {
        now_ns()
    }

    /// How long it has lasted, as far as the task that shows it can be trusted.
    pub fn waiting(&self) -> Duration {
        Duration::from_nanos(Self::now_ns().saturating_sub(self.since_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_have_numbers_and_names() {
        assert_eq!(Operation::of(23), Operation::Allreduce);
        assert_eq!(Operation::of(23).text(), "allreduce");
        assert_eq!(Operation::of(7), Operation::Unknown);
        assert!(Operation::Barrier.is_collective() && !Operation::Requests.is_collective());
    }
}
