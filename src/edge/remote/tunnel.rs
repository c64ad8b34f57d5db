//! A connection to some other place, made by a machine for us: what `ssh -W` does, over the multiplexed connection that is there.
//!
//! Knows the words of OpenSSH's multiplexing protocol for it (OpenSSH's PROTOCOL.mux, section 6). Invariant: a tunnel stands only
//! when the other place has taken the connection, and falls when it is dropped.

use std::fmt;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use russh::ChannelStream;
use russh::client::Msg;
use sendfd::SendWithFd;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, Interest, ReadBuf};
use tokio::net::UnixStream;

use super::builtin::Line;

const HELLO: u32 = 0x0000_0001;
const VERSION: u32 = 4;
const NEW_STDIO_FORWARD: u32 = 0x1000_0008;
const PERMISSION_DENIED: u32 = 0x8000_0001;
const FAILURE: u32 = 0x8000_0003;
const SESSION_OPENED: u32 = 0x8000_0006;
/// No packet that belongs here is longer.
const MAX_PACKET: u32 = 64 * 1024;

/// Bytes to and from the other place.
pub struct Tunnel(Bytes);

enum Bytes {
    /// Through a master of OpenSSH.
    Master {
        bytes: UnixStream,
        /// The tunnel lasts for as long as this.
        _control: UnixStream,
    },
    /// A channel of the built-in transport.
    Channel {
        bytes: ChannelStream<Msg>,
        /// Likewise.
        _line: Arc<Line>,
    },
}

impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tunnel")
    }
}

impl From<(ChannelStream<Msg>, Arc<Line>)> for Tunnel {
    fn from((bytes, line): (ChannelStream<Msg>, Arc<Line>)) -> Self {
        Self(Bytes::Channel { bytes, _line: line })
    }
}

/// Asks the master that listens on `socket` to connect to `host` and `port`, as its machine sees them.
///
/// # Errors
/// The inner if the machine could not connect, in the words of the master; the outer if the master can't be talked to.
pub(super) async fn dial(socket: &Path, host: &str, port: u16) -> io::Result<Result<Tunnel, String>> {
    let mut control = UnixStream::connect(socket).await?;
    control.write_all(&packet(&[&HELLO.to_be_bytes(), &VERSION.to_be_bytes()])?).await?;
    let port = u32::from(port).to_be_bytes();
    let words: [&[u8]; 5] =
        [&NEW_STDIO_FORWARD.to_be_bytes(), &[0; 4], &string(b"")?, &string(host.as_bytes())?, &port];
    control.write_all(&packet(&words)?).await?;
    let (bytes, theirs) = UnixStream::pair()?;
    for _ in ["its input", "its output"] {
        let send = || control.send_with_fd(&[0], &[theirs.as_raw_fd()]);
        control.async_io(Interest::WRITABLE, send).await?;
    }
    drop(theirs);
    loop {
        let (kind, rest) = read_packet(&mut control).await?;
        match kind {
            SESSION_OPENED => return Ok(Ok(Tunnel(Bytes::Master { bytes, _control: control }))),
            // Both carry the number of the request, and a text.
            PERMISSION_DENIED | FAILURE => {
                return Ok(Err(String::from_utf8_lossy(rest.get(8..).unwrap_or_default()).into_owned()));
            }
            _ => {}
        }
    }
}

/// Whether a server that gives this reason has tried the other place, and nothing there takes connections. OpenSSH's sends the system's
/// words (its `channel_post_connecting`).
pub(super) fn is_closed(reason: &str) -> bool {
    const WORDS: [&str; 3] = ["Connection refused", "No route to host", "Connection timed out"];
    let reason = reason.trim();
    reason.starts_with("connect failed: ") && WORDS.iter().any(|words| reason.ends_with(words))
}

fn packet(words: &[&[u8]]) -> io::Result<Vec<u8>> {
    string(&words.concat())
}

/// Bytes with their number in front.
fn string(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    Ok([&length.to_be_bytes(), bytes].concat())
}

/// Its kind, and what comes after.
async fn read_packet(control: &mut UnixStream) -> io::Result<(u32, Vec<u8>)> {
    let length = control.read_u32().await?.min(MAX_PACKET);
    let kind = control.read_u32().await?;
    let mut rest = vec![0; length.saturating_sub(4) as usize];
    control.read_exact(&mut rest).await?;
    Ok((kind, rest))
}

impl AsyncRead for Tunnel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Bytes::Master { bytes, .. } => Pin::new(bytes).poll_read(context, buffer),
            Bytes::Channel { bytes: channel, .. } => Pin::new(channel).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Bytes::Master { bytes: line, .. } => Pin::new(line).poll_write(context, bytes),
            Bytes::Channel { bytes: channel, .. } => Pin::new(channel).poll_write(context, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Bytes::Master { bytes, .. } => Pin::new(bytes).poll_flush(context),
            Bytes::Channel { bytes: channel, .. } => Pin::new(channel).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Bytes::Master { bytes, .. } => Pin::new(bytes).poll_shutdown(context),
            Bytes::Channel { bytes: channel, .. } => Pin::new(channel).poll_shutdown(context),
        }
    }
}
