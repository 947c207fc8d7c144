//! Adopt: tasks that their owner attaches itself.

use super::Reply;
use crate::host::limits;
use crate::job::life::Rules;
use crate::server::hub::{Asked, Hub};
use crate::server::jobs::Template;
use crate::server::launch::{self, Birth};
use crate::server::tasks::Origin;
use pvm::wire::control::{Adopted, AdoptedTask, FailurePolicy, from_daemon};

impl Hub {
    pub(super) fn adopt(&mut self, asked: Asked, count: u32) -> Reply {
        self.check_not_halting("making tasks")?;
        limits::check_count(count.into())?;
        let job = self.next_job();
        let rules = Rules {
            on_failure: FailurePolicy::FailureContinue,
            timeout: None,
            has_keeper: false,
            is_part: false,
        };
        let template = Template {
            environment: Vec::new(),
            directory: "/".into(),
            umask: 0o022,
        };
        let mut entry = launch::entry(job, rules, template, "(adopted)".into());
        entry.lease = Some(asked.client);
        self.jobs.insert(job, entry);
        let birth = Birth {
            job,
            parent: None,
            origin: Origin::Adopted,
        };
        let programs = std::iter::repeat_n("(adopted)".to_owned(), count as usize);
        let entered = self.allocate(count as usize).and_then(|world| {
            let world = world.into();
            self.enter_world(birth, &world, programs)?;
            Ok(world)
        });
        let world = entered.inspect_err(|_| {
            self.jobs.remove(&job);
        })?;
        if let Some(entry) = self.jobs.get_mut(&job) {
            entry.life.run();
        }
        let tasks = world.iter().filter_map(|id| {
            Some(AdoptedTask {
                task: id.bits(),
                capability: self.tasks.get(id)?.capability.to_vec(),
            })
        });
        let adopted = Adopted {
            job: job.0,
            tasks: tasks.collect(),
        };
        Ok(Some(from_daemon::Body::Adopted(adopted)))
    }
}
