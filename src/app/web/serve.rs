//! Listens, one request a connection, until it is told to stop.
//!
//! Own, because what axum brings waits for slow clients without end. Invariants: every connection ends within its time, whatever
//! comes over it; there are never more than so many.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::guard::Peer;
use super::{Pages, Patience, router};

/// Who comes then waits until another one has gone.
const MAX_CONNECTIONS: usize = 256;
/// The head of a request is not larger than this.
const HEAD_BYTES: usize = 16 * 1024;
/// Between attempts, where no connection can be taken: most often there are no file descriptors left.
const PAUSE: Duration = Duration::from_millis(200);

/// Serves the pages on `listener` until `stop` is cancelled.
pub async fn serve(pages: Arc<Pages>, listener: TcpListener, patience: Patience, stop: &CancellationToken) {
    let (router, connections) = (router(pages, patience), TaskTracker::new());
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await.ok()?;
            Some((place, listener.accept().await))
        };
        let (place, accepted) = tokio::select! {
            () = stop.cancelled() => break,
            Some(next) = next => next,
            else => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let router = router.clone();
                connections.spawn(async move {
                    converse(router, stream, peer, patience).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection can't be taken");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(patience.leave, connections.wait()).await.is_err() {
        tracing::debug!("some connections are cut");
    }
}

/// One request, one answer.
async fn converse(router: Router, stream: TcpStream, peer: SocketAddr, patience: Patience) {
    let service = TowerToHyperService::new(router.layer(Extension(Peer(peer.ip()))));
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(patience.head).max_buf_size(HEAD_BYTES).keep_alive(false);
    match tokio::time::timeout(patience.connection, server.serve_connection(TokioIo::new(stream), service)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, %peer, "a connection broke"),
        Err(_) => tracing::debug!(%peer, "a connection took too long"),
    }
}
