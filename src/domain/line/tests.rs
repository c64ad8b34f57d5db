//! Hostile lines, and that honest ones stay as they are.

use proptest::prelude::{any, prop};
use proptest::proptest;

use super::{clean_line, is_hidden};

fn check(input: &str, expected: &str) {
    assert_eq!(clean_line(input.as_bytes(), 80), expected, "{input:?}");
}

#[test]
fn honest_text_stays_as_it_is() {
    check("", "");
    check("Unpacking postfix (3.9.1) over (3.9.0) ...", "Unpacking postfix (3.9.1) over (3.9.0) ...");
    check("größer als 5 €, быстрее, árvíztűrő, 日本 👍", "größer als 5 €, быстрее, árvíztűrő, 日本 👍");
    check("/srv/two  spaces", "/srv/two  spaces");
    check("[31m is not a sequence without its escape", "[31m is not a sequence without its escape");
}

#[test]
fn escape_sequences_are_removed() {
    check("\u{1b}[31mred\u{1b}[0m", "red");
    check("\u{1b}[38;2;255;0;0mred\u{1b}[m", "red");
    check("\u{1b}[?25lhidden cursor", "hidden cursor");
    check("\u{1b}[2J\u{1b}[1;1Hclear", "clear");
    check("\u{9b}31mred", "red");
    check("\u{1b}(Bcharset", "charset");
    check("\u{1b}#8screen", "screen");
    check("\u{1b}creset", "reset");
    check("\u{1b}]0;title\u{7}text", "text");
    check("\u{1b}]8;;https://evil.example\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link");
    check("\u{9d}0;title\u{9c}text", "text");
    check("\u{1b}P1$r0m\u{1b}\\text", "text");
    check("\u{1b}_application\u{1b}\\text", "text");
}

#[test]
fn a_broken_sequence_hides_nothing_that_follows() {
    check("\u{1b}", "");
    check("\u{1b}[", "");
    check("\u{1b}[31", "");
    check("\u{1b}[31\u{1b}[0mtext", "text");
    check("\u{1b}[31ärger", "ärger");
    check("\u{1b}]0;never ended", "0;never ended");
    check("\u{1b}]0;cut\u{1b}[31mshort", "0;cutshort");
    check("\u{1b}]0;line\nbreak", "0;line break");
    check("\u{1b}ärger", "ärger");
}

#[test]
fn controls_go_and_breaks_become_spaces() {
    check("a\nb\tc\r\nd", "a b c  d");
    check("\n  indented \r\n", "indented");
    check("a\0b\u{7}c\u{8}d\u{7f}e\u{84}f", "abcdef");
    check("a\u{2028}b\u{2029}c\u{85}d", "a b c d");
}

#[test]
fn nothing_reorders_or_hides_text() {
    check("invoice\u{202e}fdp.exe", "invoicefdp.exe");
    check("a\u{2066}b\u{2069}c\u{200f}d\u{61c}e", "abcde");
    check("pay\u{200b}pal\u{feff}\u{2060}\u{e0041}", "paypal");
    check("می\u{200c}خواهم", "می\u{200c}خواهم");
}

#[test]
fn bytes_that_are_not_text_are_shown_as_such() {
    assert_eq!(clean_line(b"a\xffb\xc3", 80), "a\u{fffd}b\u{fffd}");
    assert_eq!(clean_line(b"\x9b31mred", 80), "\u{fffd}31mred", "a raw C1 byte is no sequence in UTF-8");
}

#[test]
fn what_is_too_long_ends_in_an_ellipsis() {
    let cut = |input: &str, max| clean_line(input.as_bytes(), max);
    assert_eq!(cut("abcd", 4), "abcd");
    assert_eq!(cut("abcde", 4), "abc…");
    assert_eq!(cut("abc  \n ", 3), "abc", "white space at the end is not cut off, it is not there");
    assert_eq!(cut("abc d", 4), "abc…");
    assert_eq!(cut("a   d", 4), "a  …");
    assert_eq!(cut("ab cd", 4), "ab …");
    assert_eq!(cut("äöüß€", 3), "äö…");
    assert_eq!(cut("ab", 1), "…");
    assert_eq!(cut("ab", 0), "");
    assert_eq!(cut("", 0), "");
}

#[test]
fn ten_megabytes_cost_no_more_than_reading_them() {
    let long = vec![b'x'; 10 << 20];
    assert_eq!(clean_line(&long, 10), "xxxxxxxxx…");
    let unended = "\u{1b}]".repeat(5 << 20);
    assert_eq!(clean_line(unended.as_bytes(), 10), "");
}

proptest! {
    #[test]
    fn the_line_is_short_and_harmless_whatever_comes_in(bytes in prop::collection::vec(any::<u8>(), 0..200), max in 0_usize..50) {
        let line = clean_line(&bytes, max);
        assert!(line.chars().count() <= max);
        assert!(!line.chars().any(is_hidden), "{line:?}");
        assert!(!line.chars().any(char::is_control), "{line:?}");
        assert_eq!(clean_line(line.as_bytes(), max), line, "cleaning twice changes nothing");
    }

    #[test]
    fn the_same_holds_for_text_full_of_controls(text in "[\u{1b}\u{9b}\u{9d}\u{7}\u{9c}\\[\\]0-9;mP \\\\\r\n\u{202e}aä]{0,60}", max in 0_usize..50) {
        let line = clean_line(text.as_bytes(), max);
        assert!(line.chars().count() <= max);
        assert!(!line.chars().any(|character| is_hidden(character) || character.is_control()), "{text:?} gave {line:?}");
    }
}
