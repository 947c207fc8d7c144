//! Notify: being told of tasks' ends.

use super::Reply;
use crate::server::hub::{Asked, Hub};
use crate::server::tasks::{Task, unknown};
use pvm::ids::TaskId;
use pvm::wire::control::{Notify, TaskExited, from_daemon};

impl Hub {
    pub(super) fn notify(&mut self, asked: Asked, notify: Notify) -> Reply {
        if notify.cancel {
            self.watches.cancel(asked.client, notify.token);
            return super::DONE;
        }
        let mut gone = Vec::new();
        for bits in notify.tasks {
            match TaskId::from_bits(bits) {
                Some(id)
                    if self.tasks.get(&id).is_some_and(Task::is_present)
                        || self.is_prepared(id) =>
                {
                    self.watches.add(asked.client, notify.token, id);
                }
                Some(id) if self.hosts.of(id).is_some() => {
                    self.watches.add(asked.client, notify.token, id);
                    self.watch_remote(id);
                }
                _ => gone.push(bits),
            }
        }
        self.answer(asked, from_daemon::Body::Done(Default::default()));
        for task in gone {
            let exited = TaskExited {
                task,
                status: Some(unknown()),
                tokens: vec![notify.token],
                relays: 0,
            };
            self.tell(asked.client, from_daemon::Body::TaskExited(exited));
        }
        Ok(None)
    }
}
