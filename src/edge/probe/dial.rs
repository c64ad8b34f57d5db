//! Connections to what is looked at: straight, or through the host from which is looked.

use std::path::PathBuf;

use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpStream, UnixListener};
use tokio_util::task::AbortOnDropHandle;

use super::{Scene, Stream, chain, host_of};

/// Connects to `host:port`.
pub(super) async fn dial(address: &str, scene: &Scene<'_>) -> Result<Box<dyn Stream>, String> {
    let Some(from) = scene.from else {
        return Ok(Box::new(TcpStream::connect(address).await.map_err(|error| chain(&error))?));
    };
    let refuse = || format!("`{address}` is no address with a port");
    let port = address.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).ok_or_else(refuse)?;
    from.dial(host_of(address), port).await.map_err(|why| format!("from {}: {why}", from.name()))
}

/// A socket in a private directory, for clients that connect for themselves. It takes one connection.
pub(super) struct Doorway {
    /// Where it is.
    pub(super) path: PathBuf,
    _directory: TempDir,
    _porter: AbortOnDropHandle<()>,
}

/// Connects to `host:port` through the host from which is looked, and has a client's connection to the doorway lead there.
pub(super) async fn open_doorway(address: &str, scene: &Scene<'_>) -> Result<Doorway, String> {
    let mut stream = dial(address, scene).await?;
    let refuse = |error: &std::io::Error| format!("can't make a socket: {}", chain(error));
    let directory = tempfile::tempdir().map_err(|error| refuse(&error))?;
    let path = directory.path().join("s");
    let listener = UnixListener::bind(&path).map_err(|error| refuse(&error))?;
    let porter = tokio::spawn(async move {
        if let Ok((mut client, _)) = listener.accept().await {
            // Whoever ends first ends the look.
            let _ = copy_bidirectional(&mut client, &mut stream).await;
        }
    });
    Ok(Doorway { path, _directory: directory, _porter: AbortOnDropHandle::new(porter) })
}
