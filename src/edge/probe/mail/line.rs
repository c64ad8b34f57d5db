//! Lines to mail servers, with and without TLS.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use lettre::transport::smtp::client::AsyncTokioStream;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsConnector;

use super::Peer;
use crate::edge::probe::certificates::client_config;
use crate::edge::probe::dial::dial;
use crate::edge::probe::{Stream, chain, host_of};

/// So much is read from one server.
const ANSWER_LIMIT: usize = 1024 * 1024;
/// So much of the beginning is remembered.
const HEARD_LIMIT: usize = 512;

/// A line to a server that remembers what the server said first, and ends when the server says too much.
#[derive(Debug)]
pub(super) struct Line {
    wire: Box<dyn Stream>,
    heard: Heard,
    left: usize,
}

/// The first that a server said.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard(Arc<Mutex<Vec<u8>>>);

impl Heard {
    /// The first line; empty if nothing came.
    pub(super) fn first_line(&self) -> String {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&heard).lines().next().unwrap_or_default().to_owned()
    }
}

impl Line {
    /// In clear.
    pub(super) async fn connect(peer: &Peer<'_>) -> Result<Self, String> {
        Ok(Self::over(dial(&peer.address, peer.scene).await?))
    }

    /// The same line with TLS. What was remembered in clear is forgotten.
    pub(super) async fn protect(self, peer: &Peer<'_>) -> Result<Self, String> {
        let name = host_of(&peer.address);
        let server_name =
            ServerName::try_from(name.to_owned()).map_err(|_| format!("`{name}` is no name of a server"))?;
        let connector =
            TlsConnector::from(Arc::new(client_config(peer.server.ca_file.as_deref(), peer.server.tls_verify)?));
        let stream =
            connector.connect(server_name, self.wire).await.map_err(|error| format!("TLS: {}", chain(&error)))?;
        Ok(Self::over(Box::new(stream)))
    }

    pub(super) fn heard(&self) -> Heard {
        self.heard.clone()
    }

    fn over(wire: Box<dyn Stream>) -> Self {
        Self { wire, heard: Heard::default(), left: ANSWER_LIMIT }
    }
}

impl AsyncRead for Line {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        std::task::ready!(Pin::new(&mut self.wire).poll_read(cx, buffer))?;
        let come = &buffer.filled()[before..];
        let Some(left) = self.left.checked_sub(come.len()) else {
            return Poll::Ready(Err(io::Error::other("the server says too much")));
        };
        self.left = left;
        let mut heard = self.heard.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = HEARD_LIMIT.saturating_sub(heard.len());
        heard.extend(come.iter().take(room));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.wire).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_shutdown(cx)
    }
}

impl AsyncTokioStream for Line {
    /// Nobody here asks for it, and a host that connects for us does not tell.
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
