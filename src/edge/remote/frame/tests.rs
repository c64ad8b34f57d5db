//! Answers cut at every place, noise in front, and answers that are none.

use proptest::prelude::{any, prop, proptest};

use super::{Frame, Parser};

fn frames(pieces: &[&[u8]]) -> Vec<Frame> {
    let mut parser = Parser::new("n1");
    let mut found = Vec::new();
    for piece in pieces {
        parser.feed(piece);
        while let Some(frame) = parser.next().expect("well formed") {
            found.push(frame);
        }
    }
    joined(found)
}

/// Counted bytes come in parts wherever the stream was cut; joined, they must not depend on it.
fn joined(frames: Vec<Frame>) -> Vec<Frame> {
    let mut whole: Vec<Frame> = Vec::new();
    for frame in frames {
        match (whole.last_mut(), frame) {
            (Some(Frame::Log { offset, bytes }), Frame::Log { offset: next, bytes: more })
                if *offset + bytes.len() as u64 == next =>
            {
                bytes.extend(more);
            }
            (Some(Frame::Tail { bytes, .. }), Frame::Tail { bytes: more, .. }) => bytes.extend(more),
            (_, frame) => whole.push(frame),
        }
    }
    whole
}

const ANSWER: &[u8] = b"Welcome!\nturnus:other\nlog 0 3\nno\n\nturnus:n1\nstarted b b\nlog 0 9\nend\nlog 0 \noverdue\n\
    tail 90 81 4\n\0\xff\n\nfacts 4\na=b\ntotal 94\nrc 255 no\nend\n";

fn expected() -> Vec<Frame> {
    vec![
        Frame::Started("b".to_owned()),
        Frame::Log { offset: 0, bytes: b"end\nlog 0".to_vec() },
        Frame::Overdue,
        Frame::Tail { offset: 90, omitted: 81, bytes: b"\0\xff\n\n".to_vec() },
        Frame::Facts(b"a=b\n".to_vec()),
        Frame::Total(94),
        Frame::Exit { status: 255, timed_out: false },
        Frame::End,
    ]
}

#[test]
fn an_answer_may_be_cut_at_every_place() {
    // `log 0 9` covers `end\nlog 0`; the blank that follows it stands alone on a line.
    for cut in 0..=ANSWER.len() {
        let (first, second) = ANSWER.split_at(cut);
        assert_eq!(frames(&[first, second]), expected(), "cut at {cut}");
    }
}

#[test]
fn noise_without_an_answer_is_kept_for_the_error_message_and_bounded() {
    let mut parser = Parser::new("n1");
    for _ in 0..10_000 {
        parser.feed(b"This account is currently not available.\n");
        assert_eq!(parser.next(), Ok(None));
    }
    let preamble = parser.preamble().expect("no answer yet");
    assert!(preamble.len() <= 5000 && preamble.ends_with(b"not available.\n"));
}

#[test]
fn what_the_capsule_never_says_is_refused() {
    for wrong in ["hello", "log 0", "log -1 2", "rc x no", "facts 99999999", "started b", "end now"] {
        let mut parser = Parser::new("n1");
        parser.feed(format!("turnus:n1\n{wrong}\n").as_bytes());
        assert!(parser.next().is_err(), "{wrong}");
    }
    let mut parser = Parser::new("n1");
    parser.feed(b"turnus:n1\n");
    parser.feed(&vec![b'x'; 100_000]);
    assert!(parser.next().is_err(), "a line without end");
}

proptest! {
    #[test]
    fn any_bytes_in_any_cut_come_out_unchanged(
        output in prop::collection::vec(any::<u8>(), 0..2000),
        cuts in prop::collection::vec(1_usize..97, 1..64),
    ) {
        let mut answer = format!("turnus:n1\nlog 7 {}\n", output.len()).into_bytes();
        answer.extend(&output);
        answer.extend(b"rc 0 no\nend\n");
        let mut pieces: Vec<&[u8]> = Vec::new();
        let mut rest = answer.as_slice();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() { break; }
            let (piece, more) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece);
            rest = more;
        }
        let found = frames(&pieces);
        let ending = [Frame::Exit { status: 0, timed_out: false }, Frame::End];
        if output.is_empty() {
            assert_eq!(found, ending);
        } else {
            assert_eq!(found[0], Frame::Log { offset: 7, bytes: output });
            assert_eq!(found[1..], ending);
        }
    }
}
