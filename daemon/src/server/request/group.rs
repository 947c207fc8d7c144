//! Named groups.

use super::{Reply, failure, malformed};
use crate::job::barrier::BarrierEnd;
use crate::job::group::GroupError;
use crate::server::hub::{Asked, Hub, Role};
use pvm::limits::GROUP_NAME_MAX;
use pvm::wire::control::{
    Failure, FailureCode, GroupBarrier, GroupMember, GroupReply, from_daemon,
};

impl Hub {
    pub(super) fn group_join(&mut self, asked: Asked, name: String) -> Reply {
        let me = self.caller(asked, "joining a group")?;
        if name.is_empty() || name.len() > GROUP_NAME_MAX {
            return Err(malformed(
                "joining a group",
                "its name is empty or too long",
            ));
        }
        let instance = self
            .groups
            .join(&name, me)
            .map_err(|e| refused("join", &name, e))?;
        Ok(Some(self.group_reply(&name, instance)))
    }

    pub(super) fn group_leave(&mut self, asked: Asked, name: &str) -> Reply {
        let me = self.caller(asked, "leaving a group")?;
        let (instance, end) = self
            .groups
            .leave(name, me)
            .map_err(|e| refused("leave", name, e))?;
        if let Some(end) = end {
            self.end_barrier(name, end);
        }
        Ok(Some(self.group_reply(name, instance)))
    }

    pub(super) fn group_query(&mut self, asked: Asked, name: &str) -> Reply {
        self.groups
            .members(name)
            .map_err(|e| refused("query", name, e))?;
        let instance = match self.clients.get(&asked.client).map(|client| client.role) {
            Some(Role::Task(me)) => self.groups.instance(name, me),
            _ => None,
        };
        Ok(Some(self.group_reply(name, instance.unwrap_or(0))))
    }

    pub(super) fn group_barrier(&mut self, asked: Asked, barrier: &GroupBarrier) -> Reply {
        let me = self.caller(asked, "waiting in a barrier")?;
        let name = &barrier.name;
        let passed = self.groups.barrier(name, me, barrier.count, asked);
        let waiting = passed.map_err(|e| refused("wait in the barrier of", name, e))?;
        self.end_barrier(name, BarrierEnd::Passed(waiting));
        Ok(None)
    }

    /// Instance number of the caller and all members.
    fn group_reply(&self, name: &str, instance: u32) -> from_daemon::Body {
        let members = self.groups.members(name).into_iter().flatten();
        let members = members.map(|(instance, task)| GroupMember {
            instance: *instance,
            task: task.bits(),
        });
        from_daemon::Body::GroupReply(GroupReply {
            instance,
            members: members.collect(),
        })
    }
}

fn refused(verb: &str, name: &str, error: GroupError) -> Failure {
    let code = match error {
        GroupError::NoSuchGroup => FailureCode::FailureNoSuchGroup,
        GroupError::NotMember => FailureCode::FailureNotInGroup,
        GroupError::AlreadyMember(_) => FailureCode::FailureAlreadyInGroup,
        GroupError::Mismatch { .. } => FailureCode::FailureMismatch,
        GroupError::AlreadyWaiting => FailureCode::FailureMalformed,
    };
    failure(
        code,
        format!("cannot {verb} group '{name}'"),
        error.to_string(),
        "",
    )
}
