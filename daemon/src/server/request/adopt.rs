//! Adopt: tasks that their owner attaches itself.

use super::Reply;
use crate::job::life::Rules;
use crate::server::assembly::Purpose;
use crate::server::hub::{Asked, Hub};
use crate::server::jobs::Template;
use crate::server::launch;
use crate::server::tasks::{CAPABILITY, Task};
use pvm::ids::{JobId, TaskId};
use pvm::wire::control::{
    Adopt, Adopted, AdoptedTask, App, FailurePolicy, Launch, SpawnResult, from_daemon,
};

/// What stands for the program of such a task in listings.
pub const ADOPTED: &str = "(adopted)";

impl Hub {
    pub(super) fn adopt(&mut self, asked: Asked, adopt: Adopt) -> Reply {
        self.check_serves("making tasks")?;
        let launch = Launch {
            apps: vec![App {
                count: adopt.count,
                program: ADOPTED.into(),
                ..App::default()
            }],
            placement: adopt.placement,
            ..Launch::default()
        };
        let assembly = self.plan(None, &launch, Purpose::Adopt(asked))?;
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
        let mut entry = launch::entry(job, rules, template, ADOPTED.into());
        entry.life.run();
        entry.lease = Some(asked.client);
        self.jobs.insert(job, entry);
        self.assemble(job, assembly, &launch);
        Ok(None)
    }

    /// Answers with what has been adopted, by rank.
    pub(in crate::server) fn tell_adopted(
        &self,
        job: JobId,
        asked: Asked,
        results: Vec<Option<SpawnResult>>,
    ) {
        let tasks = results.into_iter().flatten().filter_map(|result| {
            let here = || {
                let id = TaskId::from_bits(result.task)?;
                let task: &Task = self.tasks.get(&id)?;
                Some(self.adopted_task(id, &task.capability))
            };
            result.adopted.clone().or_else(here)
        });
        let adopted = Adopted {
            job: job.0,
            tasks: tasks.collect(),
        };
        self.answer(asked, from_daemon::Body::Adopted(adopted));
    }

    /// What a task needs to attach here.
    pub(in crate::server) fn adopted_task(
        &self,
        id: TaskId,
        capability: &[u8; CAPABILITY],
    ) -> AdoptedTask {
        AdoptedTask {
            task: id.bits(),
            capability: capability.to_vec(),
            socket: self.facts.socket.to_string_lossy().into_owned(),
        }
    }
}
