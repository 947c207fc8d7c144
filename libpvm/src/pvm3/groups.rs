//! Named groups and what their members do together. The daemon knows who is in a group; the
//! data goes from task to task, in a context of the group's own, so that it never mixes with the
//! program's messages.

use super::inbox::Selector;
use super::item::Kind;
use super::machine::Machine;
use super::{Error, Pvm, Result};
use crate::ids::TaskId;
use crate::limits::GROUP_NAME_MAX;
use crate::wire::control::{
    GroupBarrier, GroupJoin, GroupLeave, GroupMember, GroupQuery, GroupReply, from_daemon,
    to_daemon,
};

/// A group as it was when asked, from a member's point of view. The collectives take it, so that
/// all parts of one call see the same members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gathered {
    members: Vec<TaskId>,
    me: usize,
    root: usize,
    context: i32,
}

impl Gathered {
    /// Number of members.
    pub fn size(&self) -> usize {
        self.members.len()
    }

    /// Position of the calling task among the members, which are ordered by instance.
    pub fn position(&self) -> usize {
        self.me
    }

    /// Whether the calling task is the root.
    pub fn is_root(&self) -> bool {
        self.me == self.root
    }

    fn from(&self, member: usize, tag: i32) -> Selector {
        Selector {
            source: self.members[member].tid(),
            tag,
            context: self.context,
        }
    }
}

impl<M: Machine> Pvm<M> {
    /// Joins a group and returns the own instance number, the lowest free one.
    pub fn join_group(&mut self, group: &str) -> Result<i32> {
        let name = group_name(group)?;
        let reply = self.ask_group(to_daemon::Body::GroupJoin(GroupJoin { name }))?;
        Ok(reply.instance as i32)
    }

    /// Leaves a group.
    pub fn leave_group(&mut self, group: &str) -> Result<()> {
        let name = group_name(group)?;
        self.call(to_daemon::Body::GroupLeave(GroupLeave { name }))
            .map(|_| ())
    }

    /// Number of members.
    pub fn group_size(&mut self, group: &str) -> Result<i32> {
        Ok(self.members(group)?.len() as i32)
    }

    /// Instance number of a task.
    pub fn instance(&mut self, group: &str, tid: i32) -> Result<i32> {
        let members = self.members(group)?;
        let of_task = |member: &&(i32, TaskId)| member.1.tid() == tid;
        let found = members.iter().find(of_task);
        found
            .map(|(instance, _)| *instance)
            .ok_or(Error::NotInGroup)
    }

    /// Task with an instance number.
    pub fn task_of_instance(&mut self, group: &str, instance: i32) -> Result<i32> {
        let members = self.members(group)?;
        let found = members.iter().find(|(number, _)| *number == instance);
        found.map(|(_, task)| task.tid()).ok_or(Error::NoInst)
    }

    /// Waits until `count` members have called this; -1 stands for all.
    pub fn barrier(&mut self, group: &str, count: i32) -> Result<()> {
        let name = group_name(group)?;
        let count = match count {
            -1 => 0,
            count if count > 0 => count as u32,
            _ => return Err(self.members(group).err().unwrap_or(Error::Mismatch)),
        };
        self.ask_group(to_daemon::Body::GroupBarrier(GroupBarrier { name, count }))
            .map(|_| ())
    }

    /// Sends the active send buffer to all members but this task, which need not be one.
    pub fn bcast(&mut self, group: &str, tag: i32) -> Result<()> {
        let me = self.my_tid()?;
        self.check_tag(tag)?;
        let members = self.members(group)?;
        let tasks = members.into_iter().map(|(_, task)| task);
        let others: Vec<_> = tasks.filter(|task| task.tid() != me).collect();
        if others.is_empty() {
            return Err(Error::NoInst);
        }
        self.send_to(&others, tag)
    }

    /// The members for a collective call with this root.
    pub fn gathered(&mut self, group: &str, root: i32) -> Result<Gathered> {
        let me = self.my_tid()?;
        let members = self.members(group)?;
        let position = |wanted: &dyn Fn(&(i32, TaskId)) -> bool| members.iter().position(wanted);
        let own = position(&|(_, task)| task.tid() == me).ok_or(Error::NotInGroup)?;
        let root = position(&|(instance, _)| *instance == root).ok_or(Error::NoInst)?;
        Ok(Gathered {
            me: own,
            root,
            context: private_context(group),
            members: members.into_iter().map(|(_, task)| task).collect(),
        })
    }

    /// Deals parts of equal length: the root gives all of them, in order of the members.
    /// Everybody gets the own one.
    pub fn scatter(
        &mut self,
        group: &Gathered,
        tag: i32,
        kind: Kind,
        parts: Part<'_>,
    ) -> Result<Vec<u8>> {
        match parts {
            Part::All(data) => {
                let len = data.len() / group.size();
                let part = |member: usize| &data[member * len..(member + 1) * len];
                for (member, task) in group.members.iter().enumerate() {
                    if member != group.me {
                        self.send_raw(*task, tag, group.context, part(member))?;
                    }
                }
                Ok(part(group.me).to_vec())
            }
            Part::Own(len) => {
                let wanted = group.from(group.root, tag);
                self.receive_part(wanted, kind, len)
            }
        }
    }

    /// Collects parts of equal length at the root, which gets all of them in order of the
    /// members, its own included.
    pub fn gather(
        &mut self,
        group: &Gathered,
        tag: i32,
        kind: Kind,
        part: &[u8],
    ) -> Result<Option<Vec<Vec<u8>>>> {
        if !group.is_root() {
            self.send_raw(group.members[group.root], tag, group.context, part)?;
            return Ok(None);
        }
        let parts = (0..group.size()).map(|member| match member == group.me {
            true => Ok(part.to_vec()),
            false => self.receive_part(group.from(member, tag), kind, part.len()),
        });
        parts.collect::<Result<_>>().map(Some)
    }

    fn receive_part(&mut self, wanted: Selector, kind: Kind, len: usize) -> Result<Vec<u8>> {
        let received = self.receive_private(wanted)?;
        let items = received.message.items(kind)?;
        match items.len() == len {
            true => Ok(items.into_owned()),
            false => Err(Error::BadParam),
        }
    }

    /// Instances and tasks, ordered by instance.
    fn members(&mut self, group: &str) -> Result<Vec<(i32, TaskId)>> {
        let name = group_name(group)?;
        let reply = self.ask_group(to_daemon::Body::GroupQuery(GroupQuery { name }))?;
        let read = |member: &GroupMember| {
            let task = TaskId::from_bits(member.task).ok_or(Error::SysErr)?;
            Ok((member.instance as i32, task))
        };
        let mut members: Vec<_> = reply.members.iter().map(read).collect::<Result<_>>()?;
        members.sort_unstable_by_key(|(instance, _)| *instance);
        members.iter().for_each(|(_, task)| {
            self.names.learn(*task);
        });
        Ok(members)
    }

    fn ask_group(&mut self, request: to_daemon::Body) -> Result<GroupReply> {
        match self.call(request)? {
            from_daemon::Body::GroupReply(reply) => Ok(reply),
            _ => Err(Error::SysErr),
        }
    }
}

/// What a member brings to [`Pvm::scatter`].
#[derive(Debug, Clone, Copy)]
pub enum Part<'a> {
    /// The root: everything.
    All(&'a [u8]),
    /// The others: how long their part is.
    Own(usize),
}

fn group_name(group: &str) -> Result<String> {
    match group.len() {
        0 => Err(Error::NullGroup),
        len if len > GROUP_NAME_MAX => Err(Error::BadParam),
        _ => Ok(group.to_owned()),
    }
}

/// A context for the group's collectives: negative, as all of the library's own are, and not the
/// wildcard. FNV-1a, because every member must find the same one.
fn private_context(group: &str) -> i32 {
    let hash = group.bytes().fold(0x811c_9dc5u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    (hash & 0x3fff_ffff | 0x8000_0000) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_have_private_contexts() {
        for name in ["a", "b", "workers", "ü"] {
            assert!(private_context(name) < -1);
        }
        assert_ne!(private_context("a"), private_context("b"));
    }

    #[test]
    fn names_are_checked() {
        assert_eq!(group_name(""), Err(Error::NullGroup));
        assert_eq!(group_name(&"x".repeat(5000)), Err(Error::BadParam));
    }
}
