//! The semantics on a machine of cardboard: tasks are threads, the daemon is a table.

use super::encoding::{ARCHITECTURE, Encoding};
use super::item::Kind;
use super::machine::{AttachError, CallError, Lost, Machine, News, Standing};
use super::{Error, Part, Pvm, SpawnPlace, SpawnRequest, tid};
use crate::ids::{Tag, TaskId};
use crate::wire::control::{
    Done, Failure, FailureCode, GroupMember, GroupReply, HostInfo, HostList, HostSlots,
    SpawnResult, Spawned, TaskInfo, TaskList, from_daemon, to_daemon,
};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

#[derive(Default)]
struct Stage {
    tasks: BTreeMap<u64, VecDeque<News>>,
    watched: Vec<(u64, u64, u64)>,
    groups: HashMap<String, Vec<Option<u64>>>,
    barriers: HashMap<String, (u32, u32, u64)>,
    last: u32,
    daemon_lost: bool,
}

type Shared = Arc<(Mutex<Stage>, Condvar)>;

thread_local! {
    static STAGE: RefCell<Option<Shared>> = const { RefCell::new(None) };
}

struct Rehearsed {
    shared: Shared,
    standing: Standing,
}

impl Rehearsed {
    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.shared.0.lock().unwrap()
    }

    fn me(&self) -> u64 {
        self.standing.me.bits()
    }

    fn join(&self, name: String) -> Result<from_daemon::Body, CallError> {
        let mut stage = self.stage();
        let group = stage.groups.entry(name).or_default();
        if group.contains(&Some(self.me())) {
            return refuse(FailureCode::FailureAlreadyInGroup);
        }
        let free = group.iter().position(Option::is_none);
        let instance = free.unwrap_or_else(|| {
            group.push(None);
            group.len() - 1
        });
        group[instance] = Some(self.me());
        Ok(reply(instance, group))
    }

    fn leave_group(&self, name: &str) -> Result<from_daemon::Body, CallError> {
        let mut stage = self.stage();
        let Some(group) = stage.groups.get_mut(name) else {
            return refuse(FailureCode::FailureNoSuchGroup);
        };
        let Some(at) = group.iter().position(|m| *m == Some(self.me())) else {
            return refuse(FailureCode::FailureNotInGroup);
        };
        group[at] = None;
        Ok(from_daemon::Body::Done(Done {}))
    }

    fn query(&self, name: &str) -> Result<from_daemon::Body, CallError> {
        match self.stage().groups.get(name) {
            Some(group) => Ok(reply(0, group)),
            None => refuse(FailureCode::FailureNoSuchGroup),
        }
    }

    fn barrier(&self, name: String, count: u32) -> Result<from_daemon::Body, CallError> {
        let mut stage = self.stage();
        let Some(group) = stage.groups.get(&name) else {
            return refuse(FailureCode::FailureNoSuchGroup);
        };
        let size = group.iter().flatten().count() as u32;
        let answer = reply(0, group);
        let count = if count == 0 { size } else { count };
        let waiting = stage.barriers.entry(name.clone()).or_default();
        if waiting.0 != 0 && waiting.1 != count {
            return refuse(FailureCode::FailureMismatch);
        }
        *waiting = (waiting.0 + 1, count, waiting.2);
        let round = waiting.2;
        if waiting.0 == count {
            *waiting = (0, 0, round + 1);
            self.shared.1.notify_all();
        }
        while stage.barriers[&name].2 == round {
            stage = self.shared.1.wait(stage).unwrap();
        }
        Ok(answer)
    }

    /// The only host is "here".
    fn spawn(&self, launch: crate::wire::control::Launch) -> Result<from_daemon::Body, CallError> {
        let mut stage = self.stage();
        let app = &launch.apps[0];
        let wanted = app.placement.clone().unwrap_or_default();
        let is_here = |host: &HostSlots| ["here", "1"].contains(&host.host.as_str());
        let is_named = wanted.hosts.iter().all(is_here) && wanted.architecture.is_empty();
        if is_named == wanted.others {
            return refuse(FailureCode::FailureNoSuchHost);
        }
        let start = |_| match app.program.as_slice() {
            b"missing" => SpawnResult {
                failure: Some(failure(FailureCode::FailureProgramNotFound)),
                ..SpawnResult::default()
            },
            _ => SpawnResult {
                task: stage.add().bits(),
                ..SpawnResult::default()
            },
        };
        let results = (0..app.count).map(start).collect();
        Ok(from_daemon::Body::Spawned(Spawned { results }))
    }

    fn notify(&self, request: crate::wire::control::Notify) {
        let mut stage = self.stage();
        if request.cancel {
            stage
                .watched
                .retain(|(_, _, token)| *token != request.token);
        }
        for task in request.tasks {
            if stage.tasks.contains_key(&task) {
                stage.watched.push((self.me(), task, request.token));
            } else {
                let token = request.token;
                let news = stage.tasks.get_mut(&self.me()).unwrap();
                news.push_back(News::Exited { token });
            }
        }
    }
}

impl Stage {
    fn add(&mut self) -> TaskId {
        self.last += 1;
        let task = TaskId::new(1, 1, self.last).unwrap();
        self.tasks.insert(task.bits(), VecDeque::new());
        task
    }
}

fn failure(code: FailureCode) -> Failure {
    Failure {
        code: code as i32,
        ..Failure::default()
    }
}

fn refuse<T>(code: FailureCode) -> Result<T, CallError> {
    Err(CallError::Refused(failure(code)))
}

fn reply(instance: usize, group: &[Option<u64>]) -> from_daemon::Body {
    let members = group.iter().enumerate().filter_map(|(instance, task)| {
        Some(GroupMember {
            instance: instance as u32,
            task: (*task)?,
        })
    });
    from_daemon::Body::GroupReply(GroupReply {
        instance: instance as u32,
        members: members.collect(),
    })
}

impl Machine for Rehearsed {
    fn attach(_again: bool) -> Result<Self, AttachError> {
        let shared = STAGE.with_borrow(Clone::clone).ok_or(AttachError {
            error: Error::SysErr,
            text: "no stage".to_owned(),
        })?;
        let me = shared.0.lock().unwrap().add();
        let standing = Standing {
            me,
            parent: None,
            world: vec![me],
            host: "here".to_owned(),
            host_index: 1,
            has_job: true,
        };
        Ok(Self { shared, standing })
    }

    fn standing(&self) -> &Standing {
        &self.standing
    }

    fn send(&mut self, to: TaskId, tag: Tag, bytes: Vec<u8>) -> Result<(), Lost> {
        let source = self.standing.me;
        if let Some(news) = self.stage().tasks.get_mut(&to.bits()) {
            news.push_back(News::Message { source, tag, bytes });
        }
        self.shared.1.notify_all();
        Ok(())
    }

    fn next(&mut self, deadline: Option<Instant>) -> Result<Option<News>, Lost> {
        let mut stage = self.stage();
        loop {
            if stage.daemon_lost {
                return Err(Lost);
            }
            if let Some(news) = stage.tasks.get_mut(&self.me()).unwrap().pop_front() {
                return Ok(Some(news));
            }
            let left = deadline.map_or(Duration::from_secs(60), |deadline| {
                deadline.saturating_duration_since(Instant::now())
            });
            if left.is_zero() {
                return Ok(None);
            }
            stage = self.shared.1.wait_timeout(stage, left).unwrap().0;
        }
    }

    fn call(&mut self, request: to_daemon::Body) -> Result<from_daemon::Body, CallError> {
        use to_daemon::Body;
        match request {
            Body::GroupJoin(join) => self.join(join.name),
            Body::GroupLeave(leave) => self.leave_group(&leave.name),
            Body::GroupQuery(query) => self.query(&query.name),
            Body::GroupBarrier(barrier) => self.barrier(barrier.name, barrier.count),
            Body::Spawn(spawn) => self.spawn(spawn.launch.unwrap()),
            Body::Notify(notify) => {
                self.notify(notify);
                Ok(from_daemon::Body::Done(Done {}))
            }
            Body::ListHosts(_) => Ok(from_daemon::Body::HostList(HostList {
                hosts: vec![HostInfo {
                    name: "here".to_owned(),
                    index: 1,
                    ..HostInfo::default()
                }],
            })),
            Body::ListTasks(list) => {
                let stage = self.stage();
                let wanted = |task: &&u64| list.task == 0 || list.task == **task;
                let tasks = stage.tasks.keys().filter(wanted).map(|task| TaskInfo {
                    task: *task,
                    program: "/bin/act".to_owned(),
                    attached: true,
                    ..TaskInfo::default()
                });
                Ok(from_daemon::Body::TaskList(TaskList {
                    tasks: tasks.collect(),
                }))
            }
            _ => refuse(FailureCode::FailureMalformed),
        }
    }

    fn leave(self) {
        let me = self.me();
        let mut stage = self.stage();
        stage.tasks.remove(&me);
        let ended: Vec<_> = stage.watched.extract_if(.., |w| w.1 == me).collect();
        for (watcher, _, token) in ended {
            if let Some(news) = stage.tasks.get_mut(&watcher) {
                news.push_back(News::Exited { token });
            }
        }
        self.shared.1.notify_all();
    }
}

/// Runs `act` in as many threads as tasks, each with its own state.
fn perform<R: Send>(tasks: usize, act: impl Fn(&mut Pvm<Rehearsed>) -> R + Sync) -> Vec<R> {
    let shared = Shared::default();
    std::thread::scope(|scope| {
        let start = |_| {
            let (shared, act) = (shared.clone(), &act);
            scope.spawn(move || {
                STAGE.set(Some(shared));
                act(&mut Pvm::default())
            })
        };
        let threads: Vec<_> = (0..tasks).map(start).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    })
}

fn alone<R: Send>(act: impl Fn(&mut Pvm<Rehearsed>) -> R + Sync) -> R {
    perform(1, act).pop().unwrap()
}

fn now() -> Option<Instant> {
    Some(Instant::now())
}

/// Sends one int to oneself.
fn send_int(pvm: &mut Pvm<Rehearsed>, value: i32, tag: i32) {
    let me = pvm.my_tid().unwrap();
    pvm.buffers().init_send(Encoding::Xdr).unwrap();
    let buffer = pvm.buffers().sending().unwrap();
    buffer.pack([value].into_iter()).unwrap();
    pvm.send(me, tag).unwrap();
}

fn take_int(pvm: &mut Pvm<Rehearsed>) -> i32 {
    let mut value = 0;
    let buffer = pvm.buffers().receiving().unwrap();
    buffer.unpack(1, |_, v| value = v).unwrap();
    value
}

#[test]
fn a_probed_message_keeps_its_buffer() {
    alone(|pvm| {
        let me = pvm.my_tid().unwrap();
        send_int(pvm, 5, 7);
        let probed = pvm.probe(-1, 7).unwrap().unwrap();
        assert_eq!(pvm.probe(me, -1), Ok(Some(probed)));
        assert_eq!(pvm.buffer_info(probed), Ok((4, 7, me)));
        assert_eq!(pvm.receive(-1, -1, now()), Ok(Some(probed)));
        assert_eq!(take_int(pvm), 5);
        assert_eq!(pvm.probe(-1, -1), Ok(None));
    });
}

#[test]
fn a_receive_frees_the_previous_buffer() {
    alone(|pvm| {
        send_int(pvm, 1, 1);
        send_int(pvm, 2, 2);
        let first = pvm.receive(-1, -1, None).unwrap().unwrap();
        assert_eq!(pvm.receive(-1, 9, now()), Ok(None));
        assert_eq!(pvm.buffers().receive_id(), first);
        let second = pvm.receive(-1, -1, None).unwrap().unwrap();
        assert_eq!(take_int(pvm), 2);
        assert_eq!(pvm.free_buffer(first), Err(Error::NoSuchBuf));
        assert_eq!(pvm.free_buffer(second), Ok(()));
        assert_eq!(pvm.buffers().receive_id(), 0);
    });
}

#[test]
fn a_freed_message_is_not_received() {
    alone(|pvm| {
        send_int(pvm, 1, 1);
        let id = pvm.probe(-1, -1).unwrap().unwrap();
        pvm.free_buffer(id).unwrap();
        assert_eq!(pvm.receive(-1, -1, now()), Ok(None));
    });
}

#[test]
fn contexts_separate_messages() {
    alone(|pvm| {
        assert_eq!(pvm.set_context(5), 0);
        send_int(pvm, 1, 1);
        pvm.set_context(6);
        assert_eq!(pvm.probe(-1, -1), Ok(None));
        assert_eq!(pvm.set_context(-1), 6);
        assert!(pvm.probe(-1, -1).unwrap().is_some());
    });
}

#[test]
fn sends_check_their_arguments() {
    alone(|pvm| {
        let me = pvm.my_tid().unwrap();
        assert_eq!(pvm.send(me, 1), Err(Error::NoBuf));
        pvm.buffers().init_send(Encoding::Xdr).unwrap();
        assert_eq!(pvm.send(me, -1), Err(Error::BadParam));
        assert_eq!(pvm.send(tid::DAEMON, 1), Err(Error::BadParam));
        assert_eq!(pvm.send(0, 1), Err(Error::BadParam));
        assert_eq!(pvm.send(0x40077, 1), Ok(()));
        assert_eq!(pvm.mcast(&[me, 0], 1), Err(Error::BadParam));
        assert_eq!(pvm.mcast(&[], 1), Ok(()));
        assert_eq!(pvm.mcast(&[me], 1), Ok(()));
        assert_eq!(pvm.probe(-1, -1), Ok(None));
    });
}

#[test]
fn private_receives_leave_the_buffer_alone() {
    alone(|pvm| {
        let me = pvm.my_tid().unwrap();
        send_int(pvm, 1, 1);
        let buffer = pvm.receive(-1, -1, None).unwrap().unwrap();
        pvm.psend(me, 3, &[1, 2, 3]).unwrap();
        let received = pvm.precv(-1, 3).unwrap();
        assert_eq!((received.tid, received.tag), (me, 3));
        assert_eq!(received.message.body(), [1, 2, 3]);
        assert_eq!(pvm.buffers().receive_id(), buffer);
    });
}

#[test]
fn raw_data_of_an_unlike_host_is_told_by_every_receive() {
    alone(|pvm| {
        let me = pvm.my_tid().unwrap();
        pvm.buffers().init_send(Encoding::Raw).unwrap();
        let buffer = pvm.buffers().sending().unwrap();
        buffer.pack([7i32].into_iter()).unwrap();
        buffer.word = 0x0080_8882;
        for _ in 0..2 {
            pvm.send(me, 3).unwrap();
        }
        assert_eq!(pvm.precv(-1, 3).err(), Some(Error::BadMsg));
        pvm.receive(-1, 3, None).unwrap();
        let buffer = pvm.buffers().receiving().unwrap();
        assert_eq!(buffer.unpack(1, |_, _: i32| ()), Err(Error::BadMsg));
    });
}

#[test]
fn spawning_tells_what_did_not_start() {
    alone(|pvm| {
        let mut request = SpawnRequest {
            program: b"act".to_vec(),
            count: 3,
            ..SpawnRequest::default()
        };
        let started = pvm.spawn(request.clone()).unwrap();
        assert_eq!(started, [Ok(0x40002), Ok(0x40003), Ok(0x40004)]);
        request.flags = 1;
        let nowhere = pvm.spawn(request.clone()).unwrap();
        assert_eq!(nowhere, [Err(Error::NoHost); 3]);
        request.place = SpawnPlace::parse("here:/tmp");
        request.program = b"missing".to_vec();
        let missing = pvm.spawn(request.clone()).unwrap();
        assert_eq!(missing, [Err(Error::NoFile); 3]);
        request.flags = 1 + 32;
        let elsewhere = pvm.spawn(request).unwrap();
        assert_eq!(elsewhere, [Err(Error::NoHost); 3]);
        assert_eq!(pvm.tasks(0).unwrap().len(), 4);
        assert_eq!(pvm.tasks(0x40000).unwrap().len(), 4);
        assert_eq!(pvm.tasks(0x80000), Err(Error::NoHost));
        assert_eq!(pvm.tasks(0x40077), Ok(Vec::new()));
        assert_eq!(pvm.status(0x40002), Ok(()));
        assert_eq!(pvm.status(0x40077), Err(Error::NoTask));
        assert_eq!(pvm.parent(), Err(Error::NoParent));
    });
}

#[test]
fn tasks_are_spawned_by_architecture_as_pvm_calls_it() {
    alone(|pvm| {
        let mut request = SpawnRequest {
            program: b"act".to_vec(),
            count: 1,
            flags: 2,
            place: SpawnPlace::parse(ARCHITECTURE),
            ..SpawnRequest::default()
        };
        let started = pvm.spawn(request.clone()).unwrap();
        assert_eq!(started, [Ok(0x40002)]);
        request.flags = 2 + 32;
        let others = pvm.spawn(request.clone()).unwrap();
        assert_eq!(others, [Err(Error::NoHost)]);
        request.flags = 2;
        request.place = SpawnPlace::parse("CRAY");
        let nowhere = pvm.spawn(request).unwrap();
        assert_eq!(nowhere, [Err(Error::NoHost)]);
    });
}

#[test]
fn the_dead_are_reported_in_the_context_of_the_request() {
    alone(|pvm| {
        pvm.set_context(4);
        pvm.notify(1, 9, &[0x40077]).unwrap();
        pvm.set_context(0);
        assert_eq!(pvm.probe(-1, 9), Ok(None));
        pvm.set_context(4);
        let id = pvm.receive(tid::DAEMON, 9, now()).unwrap().unwrap();
        assert_eq!(pvm.buffer_info(id), Ok((4, 9, tid::DAEMON)));
        assert_eq!(take_int(pvm), 0x40077);
        assert_eq!(pvm.notify(77, 9, &[0x40077]), Err(Error::BadParam));
        assert_eq!(pvm.notify(1, -9, &[0x40077]), Err(Error::BadParam));
        assert_eq!(pvm.notify(1, 9, &[]), Err(Error::BadParam));
        assert_eq!(pvm.notify(1, 9, &[0x40000]), Err(Error::BadParam));
    });
}

#[test]
fn a_cancelled_notice_comes_at_once() {
    alone(|pvm| {
        let me = pvm.my_tid().unwrap();
        pvm.notify(1, 9, &[me]).unwrap();
        assert_eq!(pvm.probe(-1, 9), Ok(None));
        pvm.notify(1 + 256, 9, &[me]).unwrap();
        pvm.receive(-1, 9, now()).unwrap().unwrap();
        assert_eq!(take_int(pvm), me);
    });
}

#[test]
fn without_a_daemon_calls_fail_and_enrol_again() {
    alone(|pvm| {
        pvm.my_tid().unwrap();
        let shared = STAGE.with_borrow(|s| s.clone().unwrap());
        shared.0.lock().unwrap().daemon_lost = true;
        assert_eq!(pvm.receive(-1, -1, None), Err(Error::SysErr));
        assert_eq!(pvm.tid_if_enrolled(), None);
        shared.0.lock().unwrap().daemon_lost = false;
        assert_eq!(pvm.my_tid(), Ok(0x40002));
        pvm.exit().unwrap();
        assert_eq!(pvm.my_tid(), Ok(0x40003));
        STAGE.set(None);
        pvm.exit().unwrap();
        assert_eq!(pvm.my_tid(), Err(Error::SysErr));
        assert_eq!(pvm.take_complaint().as_deref(), Some("no stage"));
    });
}

#[test]
fn group_errors_are_those_of_pvm() {
    alone(|pvm| {
        let me = pvm.my_tid().unwrap();
        assert_eq!(pvm.group_size("g"), Err(Error::NoGroup));
        assert_eq!(pvm.barrier("g", 0), Err(Error::NoGroup));
        assert_eq!(pvm.join_group(""), Err(Error::NullGroup));
        assert_eq!(pvm.join_group("g"), Ok(0));
        assert_eq!(pvm.join_group("g"), Err(Error::DupGroup));
        assert_eq!(pvm.barrier("g", 0), Err(Error::Mismatch));
        assert_eq!(pvm.barrier("g", -1), Ok(()));
        assert_eq!(pvm.instance("g", me), Ok(0));
        assert_eq!(pvm.instance("g", 0x40077), Err(Error::NotInGroup));
        assert_eq!(pvm.task_of_instance("g", 1), Err(Error::NoInst));
        assert_eq!(pvm.bcast("g", 1), Err(Error::NoInst));
        assert_eq!(pvm.gathered("g", 1), Err(Error::NoInst));
        assert_eq!(pvm.leave_group("g"), Ok(()));
        assert_eq!(pvm.leave_group("g"), Err(Error::NotInGroup));
        assert_eq!(pvm.gathered("g", 0), Err(Error::NotInGroup));
    });
}

#[test]
fn groups_work_together() {
    let sums = perform(5, |pvm| {
        let me = pvm.join_group("g").unwrap();
        pvm.barrier("g", 5).unwrap();
        let group = pvm.gathered("g", 2).unwrap();
        assert_eq!(group.size(), 5);
        assert_eq!(group.position(), me as usize);

        let all: Vec<u8> = (0..10).collect();
        let part = match group.is_root() {
            true => Part::All(&all),
            false => Part::Own(2),
        };
        let mine = pvm.scatter(&group, 4, Kind::Byte, part).unwrap();
        assert_eq!(mine, [2 * me as u8, 2 * me as u8 + 1]);
        let parts = pvm.gather(&group, 4, Kind::Byte, &mine).unwrap();
        assert_eq!(parts.is_some(), me == 2);
        parts.map(|parts| parts.concat()).unwrap_or_default()
    });
    let at_root: Vec<_> = sums.into_iter().filter(|s| !s.is_empty()).collect();
    assert_eq!(at_root, [(0..10).collect::<Vec<u8>>()]);
}

#[test]
fn a_broadcast_reaches_the_others() {
    let got = perform(3, |pvm| {
        let me = pvm.join_group("g").unwrap();
        pvm.barrier("g", 3).unwrap();
        if me == 0 {
            pvm.buffers().init_send(Encoding::Raw).unwrap();
            pvm.buffers().sending().unwrap().pack_str(b"hi").unwrap();
            pvm.bcast("g", 6).unwrap();
            return b"hi".to_vec();
        }
        pvm.receive(-1, 6, None).unwrap();
        pvm.buffers()
            .receiving()
            .unwrap()
            .unpack_str()
            .unwrap()
            .to_vec()
    });
    assert_eq!(got, [b"hi"; 3]);
}
