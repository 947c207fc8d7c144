//! Connections in use: the streams that come over them.

use super::error::{LostReason, OpenError, StreamError};
use super::peers::LinkNumber;
use super::proto::StreamHead;
use super::{Head, MeshEvent, Peer, Shared, endpoint, stream};
use crate::cluster::trust::DaemonId;
use pvm::limits::{GREETING_MAX, HANDSHAKE_DEADLINE_MS, STREAM_OPEN_DEADLINE_MS};
use quinn::{Connection, ConnectionError, RecvStream, SendStream, VarInt};
use std::time::Duration;
use tokio::time::timeout;

/// What a stream is ended with that nobody understands.
const NOT_UNDERSTOOD: VarInt = VarInt::from_u32(1);

/// Takes in a connection that both sides keep. False: we are about to leave.
pub(super) fn take_in(mesh: &Shared, peer: &Peer, connection: &Connection) -> bool {
    let added = mesh.peers().add(peer, connection);
    if let Some(number) = added {
        endpoint::admit_streams(connection);
        let link = Link {
            mesh: mesh.clone(),
            id: peer.id,
            number,
        };
        tokio::spawn(link.serve(connection.clone()));
    }
    added.is_some()
}

/// One connection that is in the table.
#[derive(Clone)]
struct Link {
    mesh: Shared,
    id: DaemonId,
    number: LinkNumber,
}

impl Link {
    async fn serve(self, connection: Connection) {
        let error = tokio::select! {
            error = self.take_bi(&connection) => error,
            error = self.take_uni(&connection) => error,
        };
        let reason = LostReason::of(&error);
        self.mesh.peers().remove(self.id, self.number, reason);
    }

    async fn take_bi(&self, connection: &Connection) -> ConnectionError {
        loop {
            match connection.accept_bi().await {
                Ok((send, recv)) => drop(tokio::spawn(self.clone().bi(send, recv))),
                Err(error) => return error,
            }
        }
    }

    async fn take_uni(&self, connection: &Connection) -> ConnectionError {
        loop {
            match connection.accept_uni().await {
                Ok(recv) => drop(tokio::spawn(self.clone().uni(recv))),
                Err(error) => return error,
            }
        }
    }

    async fn bi(self, mut send: SendStream, mut recv: RecvStream) {
        let from = self.id;
        match self.head(&mut recv).await {
            Some(head) => self.tell(MeshEvent::Bi {
                from,
                head,
                send,
                recv,
            }),
            // It may be gone already.
            None => drop(send.reset(NOT_UNDERSTOOD)),
        }
    }

    async fn uni(self, mut recv: RecvStream) {
        let from = self.id;
        if let Some(head) = self.head(&mut recv).await {
            self.tell(MeshEvent::Uni { from, head, recv });
        }
    }

    /// What a stream is for; `None`: it is refused.
    async fn head(&self, recv: &mut RecvStream) -> Option<Head> {
        let limit = Duration::from_millis(HANDSHAKE_DEADLINE_MS);
        let head = timeout(limit, stream::expect::<StreamHead>(recv, GREETING_MAX)).await;
        let what = match head {
            Ok(Ok(StreamHead { kind: Some(kind) })) => return Some(kind),
            Ok(Ok(StreamHead { kind: None })) => "it is of an unknown kind".to_owned(),
            Ok(Err(StreamError::Broken(_))) => return None,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no head within {} s", limit.as_secs()),
        };
        tracing::warn!("refused a stream of daemon {}: {what}", self.id);
        // It may be gone already.
        let _ = recv.stop(NOT_UNDERSTOOD);
        None
    }

    fn tell(&self, event: MeshEvent) {
        self.mesh.peers().stream(self.id, self.number, event);
    }
}

/// Opens a stream in both directions.
pub(super) async fn open_bi(
    mesh: &Shared,
    id: DaemonId,
    head: Head,
) -> Result<(SendStream, RecvStream), OpenError> {
    let connection = connection(mesh, id)?;
    within_deadline(id, async {
        let opened = connection.open_bi().await;
        let (mut send, recv) = opened.map_err(|error| broken(id, &error))?;
        send_head(&connection, id, &mut send, head).await?;
        Ok((send, recv))
    })
    .await
}

/// Opens a stream to the other daemon.
pub(super) async fn open_uni(
    mesh: &Shared,
    id: DaemonId,
    head: Head,
) -> Result<SendStream, OpenError> {
    let connection = connection(mesh, id)?;
    within_deadline(id, async {
        let opened = connection.open_uni().await;
        let mut send = opened.map_err(|error| broken(id, &error))?;
        send_head(&connection, id, &mut send, head).await?;
        Ok(send)
    })
    .await
}

fn connection(mesh: &Shared, id: DaemonId) -> Result<Connection, OpenError> {
    mesh.peers().newest(id).ok_or(OpenError::NotConnected(id))
}

async fn within_deadline<T>(
    id: DaemonId,
    open: impl Future<Output = Result<T, OpenError>>,
) -> Result<T, OpenError> {
    let limit = Duration::from_millis(STREAM_OPEN_DEADLINE_MS);
    timeout(limit, open)
        .await
        .unwrap_or(Err(OpenError::Full(id)))
}

async fn send_head(
    connection: &Connection,
    id: DaemonId,
    send: &mut SendStream,
    head: Head,
) -> Result<(), OpenError> {
    let head = StreamHead { kind: Some(head) };
    stream::send(send, &head).await.map_err(|error| {
        let reason = match connection.close_reason() {
            Some(reason) => LostReason::of(&reason),
            None => LostReason::Broken(error.to_string()),
        };
        OpenError::Broken { id, reason }
    })
}

fn broken(id: DaemonId, error: &ConnectionError) -> OpenError {
    let reason = LostReason::of(error);
    OpenError::Broken { id, reason }
}
