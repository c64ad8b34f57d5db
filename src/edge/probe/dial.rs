//! Connections to what is looked at: straight, or through the host from which is looked.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Scene, Stream, Undialed, Way, chain, host_of};

/// Who has gone through a doorway may say so much longer goodbye to the server.
const LINGER: Duration = Duration::from_secs(1);
/// So much comes back through a doorway, in bytes: more than any answer that is looked at, with all that is around it.
const ANSWER_LIMIT: u64 = 4 * 1024 * 1024;

/// Connects to `host:port`.
pub(super) async fn dial(address: &str, scene: &Scene<'_>) -> Result<Box<dyn Stream>, String> {
    match scene.from {
        None => Ok(Box::new(TcpStream::connect(address).await.map_err(|error| chain(&error))?)),
        Some(from) => dial_from(address, from).await.map_err(|error| format!("from {}: {}", from.name(), error.why())),
    }
}

/// Has a host connect to `host:port`.
pub(super) async fn dial_from(address: &str, from: &dyn Way) -> Result<Box<dyn Stream>, Undialed> {
    let port = port_of(address).ok_or_else(|| Undialed::Untold(format!("`{address}` is no address with a port")))?;
    from.dial(host_of(address), port).await
}

/// The port in `host:port`.
pub(super) fn port_of(address: &str) -> Option<u16> {
    address.rsplit_once(':').and_then(|(_, port)| port.parse().ok())
}

/// A socket in a private directory, for clients that connect for themselves, or read without a limit. It takes one connection.
pub(super) struct Doorway {
    /// Where it is.
    pub(super) path: PathBuf,
    directory: TempDir,
    _open: DropGuard,
}

impl Doorway {
    /// Where clients of PostgreSQL look for it.
    pub(super) fn directory(&self) -> &Path {
        self.directory.path()
    }
}

/// Connects to `host:port`, and has a client's connection to the doorway lead there.
pub(super) async fn open_doorway(address: &str, scene: &Scene<'_>) -> Result<Doorway, String> {
    let stream = dial(address, scene).await?;
    let refuse = |error: &std::io::Error| format!("can't make a socket: {}", chain(error));
    let directory = tempfile::tempdir().map_err(|error| refuse(&error))?;
    // The name that PostgreSQL's clients want; to others it is as good as any.
    let path = directory.path().join(format!(".s.PGSQL.{}", port_of(address).unwrap_or_default()));
    let listener = UnixListener::bind(&path).map_err(|error| refuse(&error))?;
    let closed = CancellationToken::new();
    let open = closed.clone().drop_guard();
    tokio::spawn(async move {
        let carry = async {
            if let Ok((client, _)) = listener.accept().await {
                carry(client, stream).await;
            }
        };
        let close = async {
            closed.cancelled().await;
            tokio::time::sleep(LINGER).await;
        };
        tokio::select! { () = carry => {}, () = close => {} }
    });
    Ok(Doorway { path, directory, _open: open })
}

/// Until both have ended. That one has is all that the other learns.
async fn carry(mut client: UnixStream, server: Box<dyn Stream>) {
    let (mut from_client, mut to_client) = client.split();
    let (from_server, mut to_server) = tokio::io::split(server);
    let there = async {
        let _ = copy(&mut from_client, &mut to_server).await;
        let _ = to_server.shutdown().await;
    };
    let back = async {
        let _ = copy(&mut from_server.take(ANSWER_LIMIT), &mut to_client).await;
        let _ = to_client.shutdown().await;
    };
    tokio::join!(there, back);
}
