//! Secrets across every cut, at the borders of what is left out, and overlapping.

use super::{Border, Mask};

fn mask_in_pieces(secrets: &[&str], pieces: &[&str]) -> String {
    let mut mask = Mask::new(secrets, 0);
    let mut shown = Vec::new();
    for piece in pieces {
        if let Some((offset, bytes)) = mask.push(piece.as_bytes()) {
            assert_eq!(offset, shown.len() as u64);
            shown.extend(bytes);
        }
    }
    shown.extend(mask.finish(Border::Clean).map(|(_, bytes)| bytes).unwrap_or_default());
    String::from_utf8(shown).expect("ascii")
}

#[test]
fn a_secret_is_hidden_wherever_the_stream_is_cut() {
    let text = "user=a password=hunter2 hunter hunter22 end";
    for first in 0..=text.len() {
        for second in first..=text.len() {
            let pieces = [&text[..first], &text[first..second], &text[second..]];
            assert_eq!(mask_in_pieces(&["hunter2"], &pieces), "user=a password=******* hunter *******2 end");
        }
    }
}

#[test]
fn nothing_that_may_become_a_secret_is_shown_early() {
    let mut mask = Mask::new(&["hunter2"], 100);
    assert_eq!(mask.push(b"ab hun"), Some((100, b"ab ".to_vec())));
    assert_eq!(mask.push(b"ter"), None);
    assert_eq!(mask.push(b"2!"), Some((103, b"*******!".to_vec())));
    assert_eq!(mask.next_offset(), 111);
}

#[test]
fn overlapping_secrets_are_hidden_both() {
    for cut in 0..7 {
        let text = "xabcdez";
        assert_eq!(mask_in_pieces(&["abc", "cde"], &[&text[..cut], &text[cut..]]), "x*****z");
        let text = "xabcyyy";
        assert_eq!(mask_in_pieces(&["abc", "cde"], &[&text[..cut], &text[cut..]]), "x***yyy");
    }
}

#[test]
fn parts_of_a_secret_at_the_border_of_what_is_left_out_are_hidden() {
    let mut mask = Mask::new(&["hunter2"], 0);
    assert_eq!(mask.push(b"log hun"), Some((0, b"log ".to_vec())));
    assert_eq!(mask.finish(Border::Cut), Some((4, b"***".to_vec())));
    mask.skip_to(1000);
    assert_eq!(mask.push(b"er"), None);
    assert_eq!(mask.push(b"2 the end hunt"), Some((1000, b"*** the end ".to_vec())));
    assert_eq!(mask.finish(Border::Clean), Some((1012, b"hunt".to_vec())));
}

#[test]
fn without_secrets_everything_passes_at_once() {
    assert_eq!(mask_in_pieces(&[], &["a", "", "b"]), "ab");
    assert_eq!(mask_in_pieces(&[""], &["a", "", "b"]), "ab");
    assert_eq!(Mask::hide(&["key".to_owned()], b"a=key"), b"a=***");
}
