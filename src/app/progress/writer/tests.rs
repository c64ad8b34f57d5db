//! What waits and what is left out when nobody reads.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::channel;

use super::{Piece, WAITING_BYTES, Writer};

#[test]
fn results_always_wait_and_the_rest_is_left_out_while_too_much_waits() {
    // Nobody takes anything out of this channel.
    let (pieces, received) = channel();
    let thread = std::thread::spawn(|| {});
    let writer = Writer { pieces, waiting: Arc::new(AtomicUsize::new(0)), thread };
    let big = || Piece::Print("x".repeat(WAITING_BYTES));
    assert!(writer.offer(big()));
    assert!(!writer.offer(Piece::Print("output".to_owned())));
    writer.write(Piece::Print("host_finished".to_owned()));
    drop(writer);
    let texts: Vec<_> = received
        .into_iter()
        .map(|piece| match piece {
            Piece::Print(text) => text,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(texts.len(), 2);
    assert_eq!(texts[1], "host_finished");
}
