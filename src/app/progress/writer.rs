//! A thread of its own that writes: a reader that stops reading (Ctrl-S, a paused pipe) holds up this thread and not the run.
//!
//! Invariant: what became of steps and hosts waits for its reader as long as it takes; what is only there to be seen moving is
//! left out while too much waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::terminal::{Lines, Live};
use crate::app::console::{print, say};

/// While more than this waits, nothing is added that may be left out.
const WAITING_BYTES: usize = 8 * 1024 * 1024;

/// Something to write.
#[derive(Debug)]
pub(super) enum Piece {
    /// A line on stdout.
    Print(String),
    /// A line on stderr.
    Say(String),
    /// A line above the live ones.
    Above(String),
    /// A change of the live lines.
    Live(Live),
}

impl Piece {
    fn bytes(&self) -> usize {
        match self {
            Self::Print(text) | Self::Say(text) | Self::Above(text) => text.len(),
            Self::Live(live) => live.bytes(),
        }
    }
}

/// The way to the thread.
#[derive(Debug)]
pub(super) struct Writer {
    pieces: Sender<Piece>,
    waiting: Arc<AtomicUsize>,
    thread: JoinHandle<()>,
}

impl Writer {
    pub(super) fn start() -> Self {
        let (pieces, received) = channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let written = waiting.clone();
        let thread = std::thread::spawn(move || write(&received, &written));
        Self { pieces, waiting, thread }
    }

    /// Writes it, sooner or later.
    pub(super) fn write(&self, piece: Piece) {
        self.waiting.fetch_add(piece.bytes(), Ordering::Relaxed);
        // The thread ends with the last sender.
        let _ = self.pieces.send(piece);
    }

    /// Writes it unless too much is waiting. Returns whether it will be written.
    pub(super) fn offer(&self, piece: Piece) -> bool {
        let has_room = self.waiting.load(Ordering::Relaxed) < WAITING_BYTES;
        if has_room {
            self.write(piece);
        }
        has_room
    }

    /// Waits until all is written.
    pub(super) async fn finish(self) {
        drop(self.pieces);
        let thread = self.thread;
        // It does not panic, and if it did there would be nothing left to write.
        let _ = tokio::task::spawn_blocking(move || thread.join()).await;
    }
}

fn write(pieces: &Receiver<Piece>, written: &AtomicUsize) {
    let mut lines = Lines::default();
    loop {
        let next = match lines.patience() {
            None => pieces.recv().map_err(|_| RecvTimeoutError::Disconnected),
            // However fast pieces come.
            Some(Duration::ZERO) => Err(RecvTimeoutError::Timeout),
            Some(patience) => pieces.recv_timeout(patience),
        };
        let piece = match next {
            Ok(piece) => piece,
            Err(RecvTimeoutError::Timeout) => {
                lines.print_held();
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        };
        let bytes = piece.bytes();
        match piece {
            Piece::Print(text) => print(&text),
            Piece::Say(text) => say(&text),
            Piece::Above(text) => lines.print_above(&text),
            Piece::Live(live) => lines.change(live),
        }
        written.fetch_sub(bytes, Ordering::Relaxed);
    }
    lines.print_held();
}

#[cfg(test)]
mod tests;
