//! Streams between daemons.

use super::*;
use crate::cluster::mesh::proto::{Relay, Rpc, StreamHead};
use crate::cluster::mesh::{OpenError, StreamError, stream};
use pvm::limits::{CONTROL_FRAME_MAX, GREETING_MAX, STREAM_WINDOW};

fn relay(from: u64, to: u64) -> Head {
    Head::Relay(Relay { from, to })
}

#[tokio::test]
async fn streams_go_both_ways_with_their_heads() {
    let (mut one, mut two) = pair().await;
    for swap in [false, true] {
        let (here, there) = match swap {
            false => (&mut one, &mut two),
            true => (&mut two, &mut one),
        };
        let (mut send, mut recv) = here
            .mesh
            .open_bi(there.id(), Head::Rpc(Rpc {}))
            .await
            .unwrap();
        stream::send(&mut send, &Relay { from: 5, to: 6 })
            .await
            .unwrap();
        send.finish().unwrap();
        let MeshEvent::Bi {
            from,
            head,
            send: mut answer,
            recv: mut asked,
        } = there.event().await
        else {
            panic!("not Bi");
        };
        assert_eq!((from, head), (here.id(), Head::Rpc(Rpc {})));
        let question = stream::receive::<Relay>(&mut asked, 64).await;
        assert_eq!(question, Ok(Some(Relay { from: 5, to: 6 })));
        assert_eq!(stream::receive::<Relay>(&mut asked, 64).await, Ok(None));
        stream::send(&mut answer, &Relay { from: 7, to: 8 })
            .await
            .unwrap();
        let reply = stream::receive::<Relay>(&mut recv, 64).await;
        assert_eq!(reply, Ok(Some(Relay { from: 7, to: 8 })));
    }
}

#[tokio::test]
async fn many_streams_to_one_daemon_keep_apart() {
    let (one, mut two) = pair().await;
    let mut open = Vec::new();
    for task in 0..200 {
        let mut send = one
            .mesh
            .open_uni(two.id(), relay(task, task + 1))
            .await
            .unwrap();
        send.write_all(&task.to_le_bytes()).await.unwrap();
        send.finish().unwrap();
        open.push(send);
    }
    let mut seen = Vec::new();
    for _ in 0..200 {
        let MeshEvent::Uni {
            from,
            head: Head::Relay(head),
            mut recv,
        } = two.event().await
        else {
            panic!("not a relay");
        };
        assert_eq!(from, one.id());
        assert_eq!(head.to, head.from + 1);
        assert_eq!(recv.read_to_end(8).await.unwrap(), head.from.to_le_bytes());
        seen.push(head.from);
    }
    seen.sort_unstable();
    assert!(seen.into_iter().eq(0..200));
}

#[tokio::test]
async fn a_stream_that_nobody_reads_holds_up_no_other() {
    let (one, mut two) = pair().await;
    let mut stalled = Vec::new();
    for task in 0..40 {
        let mut send = one.mesh.open_uni(two.id(), relay(task, 1)).await.unwrap();
        stalled.push(tokio::spawn(async move {
            let bytes = vec![1; 4 * STREAM_WINDOW as usize];
            // Ends when the daemons do.
            let _ = send.write_all(&bytes).await;
        }));
    }
    let mut unread = Vec::new();
    for _ in 0..40 {
        unread.push(two.event().await);
    }
    let mut send = one.mesh.open_uni(two.id(), relay(99, 1)).await.unwrap();
    let bytes = vec![2; 1 << 20];
    let written = tokio::spawn(async move {
        send.write_all(&bytes).await.unwrap();
        send.finish().unwrap();
        send.stopped().await
    });
    let MeshEvent::Uni { mut recv, .. } = two.event().await else {
        panic!("not Uni");
    };
    assert_eq!(recv.read_to_end(1 << 20).await.unwrap().len(), 1 << 20);
    written.await.unwrap().unwrap();
    assert!(stalled.iter().all(|it| !it.is_finished()));
    stalled.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn streams_need_a_connection() {
    let (one, two) = pair().await;
    let nobody = DaemonId(9);
    let error = one.mesh.open_bi(nobody, control()).await.map(|_| ());
    assert_eq!(error, Err(OpenError::NotConnected(nobody)));
    one.mesh.close(two.id());
    let error = one.mesh.open_uni(two.id(), control()).await.map(|_| ());
    assert_eq!(error, Err(OpenError::NotConnected(two.id())));
}

#[tokio::test]
async fn a_stream_breaks_with_its_connection() {
    let (mut one, mut two) = pair().await;
    let (_send, mut recv) = one.mesh.open_bi(two.id(), control()).await.unwrap();
    let MeshEvent::Bi {
        recv: mut other, ..
    } = two.event().await
    else {
        panic!("not Bi");
    };
    two.mesh.close(one.id());
    for recv in [&mut recv, &mut other] {
        let error = stream::receive::<Relay>(recv, 64).await;
        assert!(matches!(error, Err(StreamError::Broken(_))), "{error:?}");
    }
    one.lost().await;
    two.lost().await;
}

#[tokio::test]
async fn streams_without_a_good_head_are_refused() {
    let (one, mut two) = pair().await;
    let connection = one.mesh.0.peers().newest(two.id()).unwrap();
    let too_long = (GREETING_MAX as u32 + 1).to_le_bytes();
    let unknown = {
        let mut bytes = Vec::new();
        pvm::wire::frame::encode(&StreamHead { kind: None }, &mut bytes).unwrap();
        bytes
    };
    let malformed = [2, 0, 0, 0, 0xff, 0xff];
    for bytes in [&too_long[..], &unknown, &malformed, &[1, 0, 0, 0]] {
        let (mut send, mut recv) = connection.open_bi().await.unwrap();
        send.write_all(bytes).await.unwrap();
        send.finish().unwrap();
        let refused = recv.read_to_end(64).await;
        assert!(refused.is_err(), "{bytes:?}");
        let mut send = connection.open_uni().await.unwrap();
        send.write_all(bytes).await.unwrap();
        // Either it is stopped, or its end was in time.
        let _ = send.finish();
        let _ = send.stopped().await;
    }
    // The connection goes on, and nobody has been told of those.
    one.mesh.open_uni(two.id(), control()).await.unwrap();
    let event = two.event().await;
    assert!(matches!(
        event,
        MeshEvent::Uni {
            head: Head::Control(_),
            ..
        }
    ));
}

#[tokio::test]
async fn messages_have_limits() {
    let (one, mut two) = pair().await;
    let mut send = one.mesh.open_uni(two.id(), control()).await.unwrap();
    send.write_all(&65u32.to_le_bytes()).await.unwrap();
    let MeshEvent::Uni { mut recv, .. } = two.event().await else {
        panic!("not Uni");
    };
    let error = stream::receive::<Relay>(&mut recv, 64).await;
    let expected = StreamError::TooLarge { len: 65, limit: 64 };
    assert_eq!(error, Err(expected));

    let mut send = one.mesh.open_uni(two.id(), control()).await.unwrap();
    send.write_all(&[9, 0, 0, 0, 1]).await.unwrap();
    send.finish().unwrap();
    let MeshEvent::Uni { mut recv, .. } = two.event().await else {
        panic!("not Uni");
    };
    let error = stream::receive::<Relay>(&mut recv, 64).await;
    assert_eq!(error, Err(StreamError::CutShort));
}

#[tokio::test]
async fn a_flood_over_loopback_loses_few_packets() {
    const LEN: usize = 32 << 20;
    let (one, mut two) = pair().await;
    let mut send = one.mesh.open_uni(two.id(), relay(1, 2)).await.unwrap();
    let writer = tokio::spawn(async move {
        let piece = vec![1; 64 << 10];
        for _ in 0..LEN / piece.len() {
            send.write_all(&piece).await.unwrap();
        }
        send.finish().unwrap();
    });
    let MeshEvent::Uni { mut recv, .. } = two.event().await else {
        panic!("not a stream");
    };
    let mut seen = 0;
    while let Some(chunk) = recv.read_chunk(usize::MAX, true).await.unwrap() {
        seen += chunk.bytes.len();
    }
    writer.await.unwrap();
    assert_eq!(seen, LEN);
    let path = one.mesh.0.peers().newest(two.id()).unwrap().stats().path;
    assert!(path.current_mtu > 1500, "{path:?}");
    assert!(path.lost_packets * 10 < path.sent_packets, "{path:?}");
}

#[tokio::test]
async fn a_question_may_be_larger_than_any_frame() {
    const LEN: usize = CONTROL_FRAME_MAX + 1;
    for limit in [LEN, LEN - 1] {
        let (one, mut two) = pair().await;
        let (mut send, _recv) = one.mesh.open_bi(two.id(), Head::Rpc(Rpc {})).await.unwrap();
        let sent = tokio::spawn(async move { stream::send_all(&mut send, &vec![7; LEN]).await });
        let MeshEvent::Bi { mut recv, .. } = two.event().await else {
            panic!("not Bi");
        };
        let bytes = stream::receive_all(&mut recv, limit).await;
        assert_eq!(
            bytes.map(|bytes| bytes.len()).ok(),
            (limit == LEN).then_some(LEN)
        );
        drop(recv);
        sent.await.unwrap().ok();
    }
}
