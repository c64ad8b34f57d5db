//! Every state with every event.

use super::{OccurrenceEvent as E, OccurrenceState as S};

const STATES: [S; 9] =
    [S::Planned, S::Announced, S::Confirmed, S::Open, S::Done, S::Missed, S::Skipped, S::Cancelled, S::Moved];
const EVENTS: [E; 9] =
    [E::Announce, E::Confirm, E::Open, E::Finish, E::Miss, E::Skip, E::Reinstate, E::Cancel, E::Move];

/// The whole table: what is not here can't happen.
const LEGAL: [(S, E, S); 21] = [
    (S::Planned, E::Announce, S::Announced),
    (S::Planned, E::Confirm, S::Confirmed),
    (S::Planned, E::Open, S::Open),
    (S::Planned, E::Miss, S::Missed),
    (S::Planned, E::Skip, S::Skipped),
    (S::Planned, E::Cancel, S::Cancelled),
    (S::Planned, E::Move, S::Moved),
    (S::Announced, E::Confirm, S::Confirmed),
    (S::Announced, E::Open, S::Open),
    (S::Announced, E::Miss, S::Missed),
    (S::Announced, E::Skip, S::Skipped),
    (S::Announced, E::Cancel, S::Cancelled),
    (S::Announced, E::Move, S::Moved),
    (S::Confirmed, E::Open, S::Open),
    (S::Confirmed, E::Miss, S::Missed),
    (S::Confirmed, E::Skip, S::Skipped),
    (S::Confirmed, E::Cancel, S::Cancelled),
    (S::Confirmed, E::Move, S::Moved),
    (S::Skipped, E::Reinstate, S::Planned),
    (S::Cancelled, E::Reinstate, S::Planned),
    (S::Open, E::Finish, S::Done),
];

#[test]
fn a_state_is_left_by_the_events_of_the_table_and_by_no_other() {
    for state in STATES {
        for event in EVENTS {
            let legal = LEGAL.iter().find(|(from, by, _)| (*from, *by) == (state, event)).map(|(_, _, to)| *to);
            assert_eq!(state.next(event).ok(), legal, "{state} {event}");
        }
    }
}

#[test]
fn an_end_is_never_left_but_for_what_files_take_back() {
    for state in [S::Done, S::Missed, S::Moved] {
        for event in EVENTS {
            let refused = state.next(event).expect_err("an end");
            assert_eq!((refused.state, refused.event), (state, event));
        }
    }
}

#[test]
fn what_is_ahead_can_open_and_a_commitment_is_ahead() {
    for state in STATES {
        assert_eq!(state.is_ahead(), state.next(E::Open).is_ok(), "{state}");
        assert!(state.is_ahead() || !state.is_commitment(), "{state}");
    }
}

#[test]
fn the_word_of_a_state_is_the_one_that_is_stored() {
    for state in STATES {
        assert_eq!(serde_json::to_value(state).expect("a word"), state.as_str());
    }
}

#[test]
fn a_refused_step_reads_as_a_sentence() {
    let refused = S::Moved.next(E::Cancel).expect_err("an end");
    assert_eq!(refused.to_string(), "an occurrence that is moved can't be cancelled");
}
