//! Lines that are never too long and lose nothing.

use proptest::proptest;

use super::{REPORT, heading, pad, paragraph, row, wrap};

#[test]
fn words_are_wrapped() {
    let check = |text: &str, columns: usize, expected: &[&str]| assert_eq!(wrap(text, columns), expected, "{text:?}");
    check("", 5, &[""]);
    check("one", 5, &["one"]);
    check("one two", 7, &["one two"]);
    check("one two", 6, &["one", "two"]);
    check("abcdefgh ij", 3, &["abc", "def", "gh", "ij"]);
    check("äöü ß", 5, &["äöü ß"]);
    check("1\u{a0}000 bytes", 5, &["1\u{a0}000", "bytes"]);
}

#[test]
fn rows_and_bullets_continue_under_their_text() {
    let long = "word ".repeat(30);
    let bullet = paragraph(REPORT, "  ", "- ", long.trim());
    assert!(bullet.starts_with("  - word") && bullet.contains("\n    word"), "{bullet}");
    let row = row(REPORT, "  ", "Label", long.trim());
    assert!(row.starts_with("  Label                   word"), "{row}");
    assert!(row.contains(&format!("\n{}word", " ".repeat(26))), "{row}");
}

#[test]
fn columns_are_filled_or_cut() {
    assert_eq!(pad("ab", 4), "ab  ");
    assert_eq!(pad("abcd", 4), "abcd");
    assert_eq!(pad("abcde", 4), "abc…");
    assert_eq!(heading(REPORT, "Größe"), "Größe\n─────");
    assert!(heading(REPORT, &"long ".repeat(100)).lines().all(|line| line.chars().count() <= REPORT.columns));
    assert_eq!(row(REPORT, "  ", "Label", ""), "  Label", "no spaces at the end");
}

proptest! {
    #[test]
    fn no_line_is_too_long_and_no_word_is_lost(text in "[a-zäß ]{0,300}", indent in 0_usize..30) {
        let lines = paragraph(REPORT, &" ".repeat(indent), "- ", &text);
        assert!(lines.lines().all(|line| line.chars().count() <= REPORT.columns), "{lines}");
        let letters = |text: &str| text.chars().filter(|letter| letter.is_alphabetic()).collect::<String>();
        assert_eq!(letters(&lines), letters(&text));
    }
}
