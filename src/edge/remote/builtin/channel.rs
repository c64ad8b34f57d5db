//! One command over a connection of the built-in transport.
//!
//! Knows channels (RFC 4254, section 6); does not connect. Invariant: a channel whose user lets go is closed, so that the server has
//! its session free again; what runs on the machine goes on.

use std::io;
use std::pin::pin;

use bytes::Bytes;
use futures_util::stream;
use russh::client::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::io::AsyncRead;
use tokio::sync::{mpsc, oneshot};
use tokio_util::io::StreamReader;

use crate::edge::remote::running::Exit;

/// Parts of output (of at most 32 KiB) that wait for their reader. When they are this many and those that wait before them, the whole
/// connection waits: it is shared, and has no window of its own for each reader.
const PARTS: usize = 64;
/// `SSH_EXTENDED_DATA_STDERR`.
const STDERR: u32 = 1;

/// How a channel ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// As the command did.
    Exited(Exit),
    /// The server would not begin the command.
    Refused,
    /// Nobody said how.
    Silent,
}

/// What comes out of a command.
pub(super) struct Streams {
    pub(super) stdout: Box<dyn AsyncRead + Send + Unpin>,
    pub(super) stderr: Box<dyn AsyncRead + Send + Unpin>,
    pub(super) ended: oneshot::Receiver<Ended>,
}

/// Gives the command its input, and takes what the channel brings to its readers, until it is closed.
pub(super) fn attend(channel: Channel<Msg>, input: Vec<u8>) -> Streams {
    let (from, to) = channel.split();
    let (out, stdout) = mpsc::channel(PARTS);
    let (err, stderr) = mpsc::channel(PARTS);
    let (ending, ended) = oneshot::channel();
    tokio::spawn(carry(from, to, input, Outlets { out: Some(out), err: Some(err), ending }));
    Streams { stdout: Box::new(reader(stdout)), stderr: Box::new(reader(stderr)), ended }
}

/// Where the parts go.
struct Outlets {
    out: Option<mpsc::Sender<Bytes>>,
    err: Option<mpsc::Sender<Bytes>>,
    ending: oneshot::Sender<Ended>,
}

async fn feed(to: &ChannelWriteHalf<Msg>, input: Vec<u8>) {
    // A command may end without having read everything.
    if !input.is_empty() {
        let _ = to.data_bytes(input).await;
    }
    let _ = to.eof().await;
}

async fn carry(mut from: ChannelReadHalf, to: ChannelWriteHalf<Msg>, input: Vec<u8>, outlets: Outlets) {
    let Outlets { mut out, mut err, mut ending } = outlets;
    let mut ended = Ended::Silent;
    let mut feeding = pin!(feed(&to, input));
    let mut fed = false;
    loop {
        let message = tokio::select! {
            message = from.wait() => message,
            () = &mut feeding, if !fed => {
                fed = true;
                continue;
            }
            () = ending.closed() => break,
        };
        let (outlet, data) = match message {
            Some(ChannelMsg::Data { data }) => (&out, data),
            Some(ChannelMsg::ExtendedData { data, ext: STDERR }) => (&err, data),
            Some(ChannelMsg::ExitStatus { exit_status }) => {
                ended = Ended::Exited(Exit::Status(i32::try_from(exit_status).unwrap_or(i32::MAX)));
                continue;
            }
            Some(ChannelMsg::ExitSignal { .. }) => {
                ended = Ended::Exited(Exit::Signal);
                continue;
            }
            Some(ChannelMsg::Failure) if ended == Ended::Silent => {
                ended = Ended::Refused;
                break;
            }
            Some(ChannelMsg::Eof) => {
                (out, err) = (None, None);
                continue;
            }
            Some(ChannelMsg::Close) | None => break,
            Some(_) => continue,
        };
        let Some(outlet) = outlet else { continue };
        // A reader that has gone takes nothing; the command is not to be held up by that.
        tokio::select! {
            _ = outlet.send(data) => {}
            () = ending.closed() => break,
        }
    }
    // First: the connection may wait for room here, and could not take what comes next.
    drop(from);
    // It may be gone already.
    let _ = to.close().await;
    let _ = ending.send(ended);
}

fn reader(mut parts: mpsc::Receiver<Bytes>) -> impl AsyncRead + Send + Unpin {
    StreamReader::new(stream::poll_fn(move |context| parts.poll_recv(context).map(|part| part.map(Ok::<_, io::Error>))))
}
