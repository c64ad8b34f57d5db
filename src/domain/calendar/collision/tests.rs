//! Windows in each other's way, as rows.

use jiff::Timestamp;

use super::{Booked, Collision, collisions};
use crate::domain::id::Name;

fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

fn at(hour: i64) -> Timestamp {
    Timestamp::from_second(hour * 3600).expect("in range")
}

/// Windows as `customer window from-to host,host`; collisions as lines with hours.
fn told(windows: &[&str], limit: usize) -> Vec<String> {
    let rows: Vec<(Name, Name, i64, i64, Vec<Name>)> = windows
        .iter()
        .map(|row| {
            let words: Vec<&str> = row.split(' ').collect();
            let (from, to) = words[2].split_once('-').expect("a span");
            let hour = |text: &str| text.parse().expect("an hour");
            (name(words[0]), name(words[1]), hour(from), hour(to), words[3].split(',').map(name).collect())
        })
        .collect();
    let booked: Vec<Booked<'_>> = rows
        .iter()
        .map(|(customer, window, from, to, hosts)| Booked { customer, window, hosts, start: at(*from), end: at(*to) })
        .collect();
    let hour = |at: Timestamp| at.as_second() / 3600;
    let line = |collision: Collision| match collision {
        Collision::SameHost { customer, host, windows: [first, second], from, until } => {
            format!("{customer} {host}: {first} {second} {}-{}", hour(from), hour(until))
        }
        Collision::TooManyParallel { from, until, windows, limit } => {
            format!("{windows} of {limit}: {}-{}", hour(from), hour(until))
        }
    };
    collisions(&booked, limit).into_iter().map(line).collect()
}

#[test]
fn a_host_is_in_one_window_at_a_time() {
    assert_eq!(told(&["n a 1-3 web,db", "n b 2-5 db"], 9), ["n db: a b 2-3"]);
    assert_eq!(told(&["n b 2-5 db", "n a 1-9 db"], 9), ["n db: a b 2-5"]);
    assert_eq!(told(&["n a 1-3 db", "n b 3-5 db"], 9), [""; 0], "they only touch");
    assert_eq!(told(&["n a 1-3 db", "x b 1-3 db"], 9), [""; 0], "other customers have hosts of their own");
    assert_eq!(told(&["n a 1-3 db", "n a 2-4 db"], 9), ["n db: a a 2-3"], "a window may be in its own way");
    let long = ["n a 1-20 db", "n b 2-3 db", "n c 4-5 db", "n d 19-25 db", "n e 24-26 db"];
    assert_eq!(told(&long, 9), ["n db: a b 2-3", "n db: a c 4-5", "n db: a d 19-20", "n db: d e 24-25"]);
}

#[test]
fn no_more_windows_at_once_than_runs_may_be() {
    let four = ["a w 1-4 h", "b w 2-6 h", "c w 3-5 h", "d w 6-7 h"];
    assert_eq!(told(&four, 3), [""; 0]);
    assert_eq!(told(&four, 2), ["3 of 2: 3-4"]);
    assert_eq!(told(&four, 1), ["3 of 1: 2-5"], "one span, as long as it lasts");
    assert_eq!(told(&["a w 1-3 h", "b w 1-2 h", "c w 2-3 h"], 1), ["2 of 1: 1-3"], "one closes when another opens");
    assert_eq!(told(&["a w 1-2 h", "b w 1-2 h", "a w 8-9 h", "b w 8-9 h"], 1), ["2 of 1: 1-2", "2 of 1: 8-9"]);
    assert_eq!(told(&[], 0), [""; 0]);
}
