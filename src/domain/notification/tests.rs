//! Every state with every event, every kind with every state of what it is about, every wait.

use jiff::{SignedDuration, Timestamp};

use super::overtaken::{About, overtaken_by};
use super::patience::{outage_wait_s, wait_s};
use super::{Delivery as D, DeliveryEvent as E, Kind};
use crate::domain::occurrence::OccurrenceState as S;

const EVENTS: [E; 6] = [E::Take, E::Send, E::PutOff, E::GiveUp, E::Cancel, E::Retry];

/// The whole table: what is not here can't happen.
const LEGAL: [(D, E, D); 10] = [
    (D::Due, E::Take, D::Leased),
    (D::Due, E::Cancel, D::Cancelled),
    (D::Due, E::Retry, D::Due),
    (D::Leased, E::Take, D::Leased),
    (D::Leased, E::Send, D::Sent),
    (D::Leased, E::PutOff, D::Due),
    (D::Leased, E::GiveUp, D::Undeliverable),
    (D::Leased, E::Cancel, D::Cancelled),
    (D::Undeliverable, E::Retry, D::Due),
    (D::Undeliverable, E::Cancel, D::Cancelled),
];

const STATES: [S; 9] =
    [S::Planned, S::Announced, S::Confirmed, S::Open, S::Done, S::Missed, S::Skipped, S::Cancelled, S::Moved];
/// What is told ahead of a date.
const AHEAD: [Kind; 5] = [Kind::Announcement, Kind::Reminder, Kind::Moved, Kind::ReviewNeeded, Kind::ReviewReminder];

#[test]
fn a_state_is_left_by_the_events_of_the_table_and_by_no_other() {
    for state in D::ALL {
        for event in EVENTS {
            let legal = LEGAL.iter().find(|(from, by, _)| (*from, *by) == (state, event)).map(|(_, _, to)| *to);
            assert_eq!(state.next(event).ok(), legal, "{state} {event}");
        }
    }
}

#[test]
fn what_was_sent_or_cancelled_stays_so_and_says_it() {
    for state in [D::Sent, D::Cancelled] {
        assert!(state.is_end());
        for event in EVENTS {
            let refused = state.next(event).expect_err("an end");
            assert_eq!((refused.state, refused.event), (state, event));
        }
    }
    assert_eq!(D::Sent.next(E::Retry).expect_err("an end").to_string(), "a message that is sent can't be tried again");
    assert_eq!([D::Due, D::Leased, D::Undeliverable].map(D::is_end), [false, false, true]);
}

#[test]
fn the_wait_doubles_from_a_minute_to_an_hour() {
    let waits: Vec<_> = (1..=9).map(|refusals| wait_s(refusals, 0.0)).collect();
    assert_eq!(waits, [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600].map(Some));
    assert_eq!(wait_s(0, 0.0), Some(60), "as after the first");
    assert_eq!(outage_wait_s(0.0), 60);
}

#[test]
fn chance_adds_a_quarter_at_most_and_takes_nothing_away() {
    assert_eq!([0.0, 0.5, 1.0].map(|chance| wait_s(3, chance)), [240, 270, 300].map(Some));
    assert_eq!([-1.0, 7.0, f64::NAN].map(|chance| wait_s(3, chance)), [240, 300, 240].map(Some), "odd chances");
    assert_eq!(wait_s(50, 1.0), Some(4500));
    assert_eq!(outage_wait_s(1.0), 75);
}

#[test]
fn a_message_is_given_up_after_five_days_and_not_before() {
    let waits: Vec<u64> = (1..).map_while(|refusals| wait_s(refusals, 0.0)).collect();
    let total_s: u64 = waits.iter().sum();
    assert!((5 * 86_400..5 * 86_400 + 3600).contains(&total_s), "{total_s}");
    let refusals = u32::try_from(waits.len()).expect("few");
    assert_eq!([refusals + 1, refusals + 2, u32::MAX].map(|refusals| wait_s(refusals, 0.5)), [None; 3]);
}

fn about(state: S, opens_in_s: i64) -> (About, Timestamp) {
    let now: Timestamp = "2027-03-26T12:00:00Z".parse().expect("an instant");
    (About { state, opens: now + SignedDuration::from_secs(opens_in_s), sequence: 2, told_sequence: 2 }, now)
}

#[test]
fn what_is_told_ahead_is_told_while_the_date_lies_ahead_and_never_late() {
    for kind in AHEAD {
        for state in STATES {
            let (ahead, now) = about(state, 1);
            assert_eq!(overtaken_by(kind, &ahead, now).is_none(), state.is_ahead(), "{kind}, {state}");
            let (opens_now, now) = about(state, 0);
            assert!(overtaken_by(kind, &opens_now, now).is_some(), "{kind}, {state}");
            let other_promise = About { sequence: 3, ..ahead };
            assert!(overtaken_by(kind, &other_promise, now).is_some(), "{kind}, {state}");
        }
    }
}

#[test]
fn a_date_that_holds_again_is_not_said_to_be_called_off() {
    for state in STATES {
        let (ahead, now) = about(state, 3600);
        assert_eq!(overtaken_by(Kind::Cancelled, &ahead, now).is_some(), state.is_ahead(), "{state}");
    }
}

#[test]
fn a_beginning_is_told_until_the_end() {
    for state in STATES {
        let (begun, now) = about(state, -60);
        assert_eq!(overtaken_by(Kind::Started, &begun, now).is_none(), state == S::Open, "{state}");
    }
}

#[test]
fn what_has_happened_is_told_whenever() {
    let is_past = |kind: &Kind| !AHEAD.contains(kind) && !matches!(kind, Kind::Cancelled | Kind::Started);
    for kind in Kind::ALL.into_iter().filter(is_past) {
        for state in STATES {
            let (past, now) = about(state, -30 * 86_400);
            assert_eq!(overtaken_by(kind, &About { sequence: 9, ..past }, now), None, "{kind}, {state}");
        }
    }
}

#[test]
fn reasons_say_what_came_between() {
    let why = |kind, state, opens_in_s| {
        let (about, now) = about(state, opens_in_s);
        overtaken_by(kind, &about, now).unwrap_or_default()
    };
    assert_eq!(why(Kind::Reminder, S::Announced, 0), "the window has opened meanwhile");
    assert_eq!(why(Kind::Announcement, S::Open, -1), "the maintenance has begun meanwhile");
    assert_eq!(why(Kind::Moved, S::Cancelled, 60), "the date does not hold any more");
}
