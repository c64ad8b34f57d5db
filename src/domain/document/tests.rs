//! Positions, quoting, plain types and syntax errors; what is checked per file is in the tests of its parser.

use super::quantity::{parse_duration_s, parse_size_bytes};
use super::{Lines, Located, MAX_BYTES, Position, Table, nearest, quoted, read, stem};
use crate::domain::problem::Problems;

/// Problems as lines `line:column what (expected: …) (hint: …)`.
pub(in crate::domain) fn told(problems: &Problems) -> String {
    let tell = |problem: &crate::domain::problem::Problem| {
        let expected = problem.expected.as_ref().map(|text| format!(" (expected: {text})")).unwrap_or_default();
        let hint = problem.hint.as_ref().map(|text| format!(" (hint: {text})")).unwrap_or_default();
        format!("{}:{} {}{expected}{hint}", problem.line, problem.column, problem.what)
    };
    problems.0.iter().map(tell).collect::<Vec<_>>().join("\n")
}

/// What is wrong with `text` if `build` reads it.
fn problems_of(text: &str, build: impl FnOnce(Table<'_>)) -> Problems {
    read(text, "x.toml", build).1
}

#[test]
fn positions_count_characters_from_one() {
    let check = |text: &str, offset, line, column| {
        assert_eq!(Lines::of(text).position(offset), Position { line, column }, "{text:?} at {offset}");
    };
    check("", 0, 1, 1);
    check("abc", 0, 1, 1);
    check("abc", 3, 1, 4);
    check("a\nbc", 2, 2, 1);
    check("a\r\nbc", 4, 2, 2);
    check("a\n", 2, 2, 1);
    check("äöü = 1", 6, 1, 4);
    // In the middle of a character means that character; behind the end means the end.
    check("äöü", 1, 1, 1);
    check("abc", 99, 1, 4);
    // Editors do not show a byte order mark.
    check("\u{feff}abc", 3, 1, 1);
    check("\u{feff}a\nb", 5, 2, 1);
}

#[test]
fn quotes_stay_on_one_visible_line() {
    let check = |text: &str, expected: &str| assert_eq!(quoted(text), expected);
    check("plain", "`plain`");
    check("it's \"so\\", "`it's \"so\\`");
    check("a\nb\0", "`a\\nb\\0`");
    check("\u{1b}[31m", "`\\u{1b}[31m`");
    check("\u{202e}txt", "`\\u{202e}txt`");
    check(&"x".repeat(60), &format!("`{}`", "x".repeat(60)));
    check(&"x".repeat(61), &format!("`{}…`", "x".repeat(60)));
}

#[test]
fn the_nearest_word_is_within_a_slip_or_a_third() {
    let known = ["name", "address", "port", "proxy_jump"];
    let check = |word: &str, expected| assert_eq!(nearest(word, known), expected, "{word}");
    check("adress", Some("address"));
    check("prot", Some("port"));
    check("proxyjump", Some("proxy_jump"));
    check("nmae", Some("name"));
    check("colour", None);
    check("", None);
    check(&"address".repeat(100), None);
}

#[test]
fn durations_are_whole_seconds() {
    let check = |text, expected| assert_eq!(parse_duration_s(text), expected, "{text}");
    check("45s", Some(45));
    check("45m", Some(2700));
    check("4h", Some(14_400));
    check("1h 30m", Some(5400));
    check("14d", Some(1_209_600));
    check("2 weeks", Some(1_209_600));
    check("-4h", Some(-14_400));
    check("4h ago", Some(-14_400));
    check("0s", Some(0));
    check("1.5s", None);
    check("300ms", None);
    // How long a month is depends on the month.
    check("1 month", None);
    check("1y", None);
    check("45", None);
    check("soon", None);
    check("", None);
    check("99999999999999999999h", None);
}

#[test]
fn sizes_know_decimal_and_binary_units() {
    let check = |text, expected| assert_eq!(parse_size_bytes(text), expected, "{text}");
    check("1024", Some(1024));
    check("10B", Some(10));
    check("1kB", Some(1000));
    check("500MB", Some(500_000_000));
    check("2GiB", Some(2_147_483_648));
    check("2 GiB", Some(2_147_483_648));
    check("1TiB", Some(1_099_511_627_776));
    check("2G", None);
    check("1.5GiB", None);
    check("-1GiB", None);
    check("GiB", None);
    check("", None);
    check("2GiBs", None);
    check("99999999999TiB", None);
}

#[test]
fn the_stem_of_a_file_is_a_name() {
    let check = |file, expected: Option<&str>| {
        assert_eq!(stem(file).map(String::from).as_deref(), expected, "{file}");
    };
    check("inventories/nordwind.toml", Some("nordwind"));
    check("nordwind.toml", Some("nordwind"));
    check("inventories/Nordwind.toml", None);
    check("inventories/north wind.toml", None);
    check("inventories/-x.toml", None);
    check("inventories/a.b.toml", None);
    check("", None);
}

#[test]
fn every_syntax_error_is_told_and_nothing_else() {
    let never = |_: Table<'_>| panic!("a tree with holes is not read");
    let check = |text: &str, expected: &str| assert_eq!(told(&problems_of(text, never)), expected, "{text}");
    check("a = 1\na = 2", "2:1 `a` is there twice");
    check("[x]\n[y]\n[x]", "3:2 `x` is there twice");
    let problems = problems_of("a = \"open\nb = 1\nc = = 2\n[d\n", never);
    let lines: std::collections::BTreeSet<usize> = problems.0.iter().map(|problem| problem.line).collect();
    assert!([1, 3, 4].iter().all(|line| lines.contains(line)), "{}", told(&problems));
}

#[test]
fn what_is_no_text_is_refused_as_a_whole() {
    let never = |_: Table<'_>| panic!("this is not read");
    let check = |text: &str, expected: &str| assert_eq!(told(&problems_of(text, never)), expected);
    check("a = 1\nb = \"\0\"", "2:6 the file has a NUL byte (expected: text)");
    let long = format!("# {}", "x".repeat(MAX_BYTES));
    check(&long, "1:1 the file has 1048578 bytes (expected: at most 1048576 bytes)");
    // Exactly the limit is fine.
    let full = format!("# {}", "x".repeat(MAX_BYTES - 2));
    assert_eq!(told(&problems_of(&full, |table| table.finish())), "");
}

#[test]
fn unknown_keys_are_told_with_what_was_meant() {
    let check = |text: &str, expected: &str| {
        let problems = problems_of(text, |mut table| {
            table.optional("name");
            table.optional("address");
            table.finish();
        });
        assert_eq!(told(&problems), expected, "{text}");
    };
    check("name = 1", "");
    check("nam = 1", "1:1 unknown key `nam` in the file (hint: did you mean `name`?)");
    check("colour = 1", "1:1 unknown key `colour` in the file (expected: `name`, `address`)");
    check("name = 1\n  \"a\\nb\" = 1", "2:3 unknown key `a\\nb` in the file (expected: `name`, `address`)");
}

#[test]
fn wrong_types_are_told_with_what_was_found() {
    let check = |line: &str, expected: &str| {
        let problems = problems_of(line, |mut table| {
            table.optional("s").and_then(|value| value.line());
            table.optional("i").and_then(|value| value.integer::<u16>(1..=9));
            table.optional("b").and_then(|value| value.boolean());
            table.optional("d").and_then(|value| value.duration_s());
            table.optional("z").and_then(|value| value.size_bytes());
            table.optional("a").and_then(|value| value.entries());
            table.optional("t").and_then(|value| value.table());
            table.tables("l", 2);
            table.optional("day").and_then(|value| value.date());
            table.optional("time").and_then(|value| value.date_time());
            table.finish();
        });
        assert_eq!(told(&problems), expected, "{line}");
    };
    let line = "(expected: one line of 1 to 500 characters, not blank)";
    check("s = 5", "1:5 `s` is the number `5` (expected: a string)");
    check("s = ''", &format!("1:5 `s` is `` {line}"));
    check("s = ' '", &format!("1:5 `s` is ` ` {line}"));
    check("s = \"a\\nb\"", &format!("1:5 `s` is `a\\nb` {line}"));
    let number = "(expected: a whole number from 1 to 9)";
    check("i = '5'", &format!("1:5 `i` is the string `5` {number}"));
    check("i = 1.5", &format!("1:5 `i` is the number `1.5` {number}"));
    check("i = 10", &format!("1:5 `i` is the number `10` {number}"));
    check("i = 0x9", "");
    check("i = 99999999999999999999", &format!("1:5 `i` is the number `99999999999999999999` {number}"));
    check("b = 'yes'", "1:5 `b` is the string `yes` (expected: `true` or `false`)");
    let duration = "(expected: a duration from 1s to 366d, such as \"45m\" or \"1h 30m\")";
    check("d = 60", &format!("1:5 `d` is the number `60` {duration}"));
    check("d = '0s'", &format!("1:5 `d` is `0s` {duration}"));
    check("d = '-1h'", &format!("1:5 `d` is `-1h` {duration}"));
    check("d = '366d'", "");
    check("d = '366d 1s'", &format!("1:5 `d` is `366d 1s` {duration}"));
    check("z = 1024", "");
    check("z = '0'", "1:5 `z` is `0` (expected: a size above zero, such as \"500MB\" or \"2GiB\")");
    check("z = -1", "1:5 `z` is the number `-1` (expected: a whole number, at least 1)");
    check("a = 1", "1:5 `a` is the number `1` (expected: an array)");
    let many = format!("a = [{}9]", "0,".repeat(2000));
    check(&many, "1:4006 `a` has 2001 entries (expected: at most 2000)");
    check("a = []", "1:5 `a` is empty (expected: at least one entry)");
    check("t = [{}]", "1:5 `t` is an array (expected: one table, as `[t]`)");
    check("[[t]]", "1:1 `t` is an array (expected: one table, as `[t]`)");
    check("[l]", "1:1 `l` is a table (expected: an array of tables, each as `[[l]]`)");
    check("l = [5]", "1:6 an entry of `l` is the number `5` (expected: a table)");
    check("[[l]]\n[[l]]\n[[l]]", "3:1 `l` has 3 entries (expected: at most 2)");
    let day = "(expected: a date without quotes, such as 2026-03-27)";
    check("day = 2026-03-27", "");
    check("day = '2026-03-27'", &format!("1:7 `day` is the string `2026-03-27` {day}"));
    check("day = 2026-03-27T14:00:00", &format!("1:7 `day` is the time `2026-03-27T14:00:00` {day}"));
    let time = "(expected: a local date and time without quotes, such as 2026-03-27T14:00:00)";
    check("time = 2026-03-27T14:00:00", "");
    check("time = 2026-03-27 14:00:00", "");
    check("time = 2026-03-27", &format!("1:8 `time` is the time `2026-03-27` {time}"));
    check("time = 2026-03-27T14:00:00Z", &format!("1:8 `time` is the time `2026-03-27T14:00:00Z` {time}"));
    check("time = 2026-03-27T14:00:00.5", &format!("1:8 `time` is the time `2026-03-27T14:00:00.5` {time}"));
    check("time = 14:00:00", &format!("1:8 `time` is the time `14:00:00` {time}"));
}

#[test]
fn a_flood_of_problems_is_cut_and_counted() {
    let text = (0..150).map(|number| format!("k{number} = 1\n")).collect::<String>();
    let problems = problems_of(&text, |table| table.finish());
    assert_eq!(problems.0.len(), 101);
    let last = problems.0.last().map(|problem| problem.what.as_str());
    assert_eq!(last, Some("50 more problems in this file are not listed"));
}

#[test]
fn a_value_knows_its_place() {
    let (found, _) = read("a = 1\nb = 'x'", "x.toml", |mut table| {
        table.optional("a");
        table.optional("b").map(|value| value.locate(()))
    });
    assert_eq!(found, Some(Located { value: (), offset: 10 }));
}
