//! Stored dates against fresh ones: what becomes of each, as tables and as a property.

use std::collections::BTreeSet;

use jiff::civil::{DateTime, date};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use uuid::Uuid;

use super::{Agreed, Ahead, Change, Horizon, Slot, compare, withdraw, without_consent};
use crate::domain::calendar::{Dated, FreezeSpan, Reason, Skip};
use crate::domain::id::{Name, OccurrenceId};
use crate::domain::occurrence::OccurrenceState;

const HOUR_S: i64 = 3600;
const DAY_S: i64 = 24 * HOUR_S;
/// 1 January 2027, 00:00 UTC. The tables count in days from here.
const NOW_S: i64 = 1_798_761_600;

fn now() -> Timestamp {
    Timestamp::from_second(NOW_S).unwrap()
}

fn horizon() -> Horizon {
    Horizon { now: now(), until: now() + SignedDuration::from_hours(100 * 24) }
}

fn job(name: &str) -> Name {
    name.parse().unwrap()
}

fn agreed(job: &Name) -> Agreed<'_> {
    Agreed {
        job,
        time_zone: "UTC",
        cutoff_s: 1800,
        announce_s: &[14 * 86_400, 2 * 86_400],
        review_s: Some(3 * 86_400),
        freezes: &[],
    }
}

fn local(day: i64) -> DateTime {
    date(2027, 1, 1).at(0, 0, 0, 0) + SignedDuration::from_secs(day * DAY_S)
}

/// A date of the rule on `day`, opening `later_h` hours after its midnight, two hours long.
fn dated(day: i64, later_h: i64) -> Dated {
    let start = now() + SignedDuration::from_secs(day * DAY_S + later_h * HOUR_S);
    Dated {
        recurrence_id: local(day),
        local_start: local(day) + SignedDuration::from_hours(later_h),
        start,
        end: start + SignedDuration::from_hours(2),
        reasons: vec![Reason::ByRule],
        skip: None,
    }
}

fn frozen(day: i64) -> Dated {
    Dated { skip: Some(Skip::Frozen { reason: "stocktaking".to_owned() }), ..dated(day, 0) }
}

fn stored(state: OccurrenceState, dated: &Dated) -> Ahead {
    let job = job("update");
    let mut slot = agreed(&job).slot(dated);
    if state.is_commitment() {
        slot.next_notice = agreed(&job).next_reminder(slot.start, now());
    }
    Ahead { id: OccurrenceId(Uuid::from_u128(1)), state, sequence: 0, chosen_by: None, is_referred_to: false, slot }
}

/// What happens, as one word for each change and the day where it ends.
fn words(changes: &[Change]) -> Vec<String> {
    let day = |slot: &Slot| slot.start.duration_since(now()).as_secs() / DAY_S;
    let word = |change: &Change| match change {
        Change::Appear(to) if to.skip.is_some() => format!("appear skipped {}", day(to)),
        Change::Appear(to) => format!("appear {}", day(to)),
        Change::Redate { to, .. } => format!("redate {}", day(to)),
        Change::Skip { from, .. } if from.state.is_commitment() => "skip told".to_owned(),
        Change::Skip { .. } => "skip".to_owned(),
        Change::Reinstate { .. } => "reinstate".to_owned(),
        Change::Vanish { .. } => "vanish".to_owned(),
        Change::Adjust { .. } => "adjust".to_owned(),
        Change::Move { to, cause, .. } => format!("move {} {cause:?}", day(to)),
        Change::Cancel { .. } => "cancel".to_owned(),
    };
    changes.iter().map(word).collect()
}

#[track_caller]
fn check(stored: Vec<Ahead>, fresh: &[Dated], expected: &[&str]) {
    let job = job("update");
    assert_eq!(words(&compare(&agreed(&job), fresh, stored, &BTreeSet::new(), horizon())), expected);
}

use OccurrenceState::{Announced, Cancelled, Confirmed, Planned, Skipped};

/// The rule gives its dates at `hour` of their days.
fn at_hour(day: i64, hour: i64) -> Dated {
    Dated { recurrence_id: local(day) + SignedDuration::from_hours(hour), ..dated(day, hour) }
}

#[test]
fn another_time_of_day_brings_back_nothing_that_a_person_settled_or_that_is_done() {
    let job = job("update");
    let taken = BTreeSet::from([at_hour(30, 15).recurrence_id]);
    let compared = |fresh: &[Dated], stored| words(&compare(&agreed(&job), fresh, stored, &taken, horizon()));
    assert_eq!(compared(&[at_hour(30, 16), at_hour(37, 16)], vec![]), ["appear 37"], "called off, or done");
    let chosen = Ahead { chosen_by: Some("anna".to_owned()), ..stored(Announced, &at_hour(44, 15)) };
    let moved =
        Ahead { slot: Slot { start: dated(46, 10).start, end: dated(46, 12).start, ..chosen.slot.clone() }, ..chosen };
    assert_eq!(
        compared(&[at_hour(44, 16), at_hour(51, 16)], vec![moved]),
        ["adjust", "appear 51"],
        "moved by a person"
    );
    // Two times of one day are two dates as long as the rule gives both.
    assert_eq!(compared(&[at_hour(30, 15), at_hour(30, 16)], vec![]), ["appear 30"]);
    // A date that is stored is compared as ever.
    assert_eq!(compared(&[at_hour(30, 16)], vec![stored(Planned, &at_hour(30, 16))]), [""; 0]);
}

#[test]
fn a_freeze_lies_over_a_date_that_a_person_chose_as_over_others() {
    let job = job("update");
    let freeze = FreezeSpan {
        from: now() + SignedDuration::from_hours(30 * 24),
        until: now() + SignedDuration::from_hours(31 * 24),
        reason: "frost".to_owned(),
    };
    let freezes = [freeze];
    let frozen = Agreed { freezes: &freezes, ..agreed(&job) };
    let chosen = |state| Ahead { chosen_by: Some("anna".to_owned()), ..stored(state, &dated(30, 5)) };
    let compared = |agreed: &Agreed<'_>, row| compare(agreed, &[], vec![row], &BTreeSet::new(), horizon());
    assert_eq!(words(&compared(&frozen, chosen(Planned))), ["skip"]);
    let told = compared(&frozen, chosen(Announced));
    assert_eq!(words(&told), ["skip told"]);
    assert!(told[0].needs_consent());
    assert_eq!(told[0].to().unwrap().skip.as_deref(), Some("frozen: frost"));
    let skipped = Ahead { slot: told[0].to().unwrap().clone(), ..chosen(Skipped) };
    assert_eq!(words(&compared(&frozen, skipped.clone())), [""; 0]);
    assert_eq!(words(&compared(&agreed(&job), skipped)), ["reinstate"], "the freeze is gone");
}

#[test]
fn what_is_the_same_is_left_alone() {
    for state in [Planned, Announced, Confirmed] {
        check(vec![stored(state, &dated(30, 0))], &[dated(30, 0)], &[]);
    }
    check(vec![stored(Skipped, &frozen(30))], &[frozen(30)], &[]);
}

#[test]
fn dates_that_nobody_was_told_of_follow_the_files() {
    check(vec![], &[dated(30, 0), frozen(40)], &["appear 30", "appear skipped 40"]);
    check(vec![stored(Planned, &dated(30, 0))], &[dated(30, 5)], &["redate 30"]);
    check(vec![stored(Planned, &dated(30, 0))], &[frozen(30)], &["skip"]);
    check(vec![stored(Skipped, &frozen(30))], &[dated(30, 0)], &["reinstate"]);
    check(vec![stored(Planned, &dated(30, 0))], &[], &["vanish"]);
    check(vec![stored(Skipped, &frozen(30))], &[], &["vanish"]);
    check(vec![stored(Planned, &dated(30, 0))], &[dated(31, 0)], &["vanish", "appear 31"]);
    let history = Ahead { is_referred_to: true, ..stored(Skipped, &frozen(30)) };
    check(vec![history], &[], &[]);
}

#[test]
fn another_cause_of_being_left_out_is_written_down() {
    let sick = Dated { skip: Some(Skip::Frozen { reason: "audit".to_owned() }), ..dated(30, 0) };
    check(vec![stored(Skipped, &frozen(30))], &[sick], &["redate 30"]);
}

#[test]
fn a_date_that_the_customer_knows_moves_goes_or_is_left_out_only_with_consent() {
    for state in [Announced, Confirmed] {
        check(vec![stored(state, &dated(30, 0))], &[dated(30, 5)], &["move 30 NewTime"]);
        check(vec![stored(state, &dated(30, 0))], &[frozen(30)], &["skip told"]);
        check(vec![stored(state, &dated(30, 0))], &[], &["cancel"]);
        check(vec![stored(state, &dated(30, 0))], &[dated(33, 0)], &["move 33 NewRuleDate"]);
        check(vec![stored(state, &dated(30, 0))], &[dated(45, 0)], &["cancel", "appear 45"]);
        check(vec![stored(state, &dated(30, 0))], &[frozen(33)], &["cancel", "appear skipped 33"]);
    }
}

#[test]
fn the_nearest_new_date_takes_the_place_and_the_earliest_chooses_first() {
    let mut later = stored(Announced, &dated(37, 0));
    later.id = OccurrenceId(Uuid::from_u128(2));
    let rows = vec![later, stored(Announced, &dated(30, 0))];
    let fresh = [dated(32, 0), dated(38, 0), dated(46, 0)];
    check(rows, &fresh, &["move 32 NewRuleDate", "move 38 NewRuleDate", "appear 46"]);
}

#[test]
fn a_planned_date_is_nobodys_successor() {
    let mut planned = stored(Planned, &dated(37, 0));
    planned.id = OccurrenceId(Uuid::from_u128(2));
    check(vec![stored(Announced, &dated(30, 0)), planned], &[dated(37, 0)], &["cancel"]);
}

#[test]
fn another_length_and_new_data_of_the_zone_are_told_apart() {
    let mut longer = dated(30, 0);
    longer.end += SignedDuration::from_hours(1);
    check(vec![stored(Announced, &dated(30, 0))], &[longer], &["move 30 NewLength"]);
    let mut elsewhere = dated(30, 0);
    elsewhere.start += SignedDuration::from_hours(1);
    elsewhere.end += SignedDuration::from_hours(1);
    check(vec![stored(Announced, &dated(30, 0))], std::slice::from_ref(&elsewhere), &["move 30 ZoneData"]);
    check(vec![stored(Planned, &dated(30, 0))], &[elsewhere], &["redate 30"]);
}

#[test]
fn what_the_customer_was_not_told_may_change_for_all() {
    let other = job("other");
    for state in [Announced, Confirmed] {
        let rows = vec![stored(state, &dated(30, 0))];
        let changes = compare(&agreed(&other), &[dated(30, 0)], rows, &BTreeSet::new(), horizon());
        assert_eq!(words(&changes), ["adjust"]);
        assert!(!changes[0].needs_consent());
        assert_eq!(changes[0].to().unwrap().job, other);
    }
}

#[test]
fn another_rule_date_at_the_same_instant_is_no_move() {
    // The rule gives the day before, and a shift or a holiday leads to the same opening.
    let renamed = Dated { recurrence_id: local(29), ..dated(30, 0) };
    for state in [Planned, Announced, Confirmed] {
        check(vec![stored(state, &dated(30, 0))], std::slice::from_ref(&renamed), &["adjust"]);
    }
    let mut longer = renamed.clone();
    longer.end += SignedDuration::from_hours(1);
    check(vec![stored(Announced, &dated(30, 0))], &[longer], &["move 30 NewRuleDate"]);
}

#[test]
fn a_date_that_a_person_chose_stays_until_its_window_is_gone() {
    for state in [Planned, Announced, Confirmed] {
        let chosen = Ahead { chosen_by: Some("anna".to_owned()), ..stored(state, &dated(30, 0)) };
        check(vec![chosen.clone()], &[dated(30, 5)], &[]);
        check(vec![chosen.clone()], &[frozen(30)], &[]);
        check(vec![chosen.clone()], &[], &[]);
        check(vec![chosen.clone()], &[dated(33, 0)], &["appear 33"]);
        let expected = if state == Planned { "vanish" } else { "cancel" };
        assert_eq!(words(&withdraw(vec![chosen])), [expected]);
    }
}

#[test]
fn a_date_that_a_person_chose_comes_back_with_its_window() {
    let mut chosen = Ahead { chosen_by: Some("anna".to_owned()), ..stored(Cancelled, &dated(30, 0)) };
    chosen.slot.skip = Some("not in the files any more".to_owned());
    let (job, given) = (job("update"), [dated(30, 5)]);
    let changes = compare(&agreed(&job), &given, vec![chosen.clone()], &BTreeSet::new(), horizon());
    assert_eq!(words(&changes), ["reinstate"]);
    let to = changes[0].to().unwrap();
    assert_eq!((to.start, to.skip.as_ref()), (chosen.slot.start, None));
    assert_eq!(to.next_notice, agreed(&job).announce_at(to.start));
}

#[test]
fn what_was_called_off_or_done_does_not_come_again() {
    let job = job("update");
    let taken = BTreeSet::from([local(30)]);
    let told = vec![stored(Announced, &dated(25, 0))];
    let changes = compare(&agreed(&job), &[dated(30, 0), dated(35, 0)], told, &taken, horizon());
    assert_eq!(words(&changes), ["move 35 NewRuleDate"]);
}

#[test]
fn the_horizon_and_the_present_are_respected() {
    check(vec![], &[dated(-1, 0), dated(0, 0), dated(99, 0), dated(100, 0)], &["appear 99"]);
    // Behind the horizon but near it: a stored date has its match, and what has none is looked at later.
    check(vec![stored(Planned, &dated(99, 0))], &[dated(99, 30)], &["redate 100"]);
    check(vec![stored(Planned, &dated(120, 0))], &[], &[]);
    // A date whose new time has passed is gone.
    check(vec![stored(Announced, &dated(0, 5))], &[dated(0, 0)], &["cancel"]);
}

#[test]
fn notices_and_reviews_that_are_due_are_not_put_off() {
    let job = job("update");
    let mut due = stored(Planned, &dated(10, 0));
    due.slot.next_notice = Some(now());
    check(vec![due], &[dated(10, 0)], &[]);
    let mut reviewed = stored(Announced, &dated(2, 0));
    reviewed.slot.review = None;
    check(vec![reviewed], &[dated(2, 0)], &[]);
    let mut reminded = stored(Announced, &dated(1, 0));
    reminded.slot.next_notice = Some(now() - SignedDuration::from_secs(5));
    check(vec![reminded], &[dated(1, 0)], &[]);
    let mut all_told = stored(Announced, &dated(30, 0));
    all_told.slot.next_notice = None;
    check(vec![all_told], &[dated(30, 0)], &[]);
    // A date that is held again close to its opening is told and reviewed at once.
    let changes =
        compare(&agreed(&job), &[dated(1, 0)], vec![stored(Skipped, &frozen(1))], &BTreeSet::new(), horizon());
    let to = changes[0].to().unwrap();
    assert!(to.next_notice.is_some_and(|at| at < now()) && to.review.is_some_and(|at| at < now()));
}

#[test]
fn a_moved_date_reminds_of_its_new_time() {
    let job = job("update");
    let changes =
        compare(&agreed(&job), &[dated(20, 0)], vec![stored(Announced, &dated(30, 0))], &BTreeSet::new(), horizon());
    assert_eq!(changes[0].to().unwrap().next_notice, Some(now() + SignedDuration::from_hours(6 * 24)));
}

/// Carries the changes out on a list, as the store does on its table.
fn carry_out(mut rows: Vec<Ahead>, changes: Vec<Change>) -> Vec<Ahead> {
    let mut next = 1000;
    let mut make = |slot: Slot, state: OccurrenceState| {
        next += 1;
        Ahead {
            id: OccurrenceId(Uuid::from_u128(next)),
            state,
            sequence: 0,
            chosen_by: None,
            is_referred_to: false,
            slot,
        }
    };
    for change in changes {
        if let Some(from) = change.from() {
            rows.retain(|row| row.id != from.id);
        }
        let kept = match change {
            Change::Appear(to) => {
                let state = if to.skip.is_some() { Skipped } else { Planned };
                Some(make(to, state))
            }
            Change::Redate { from, to } | Change::Adjust { from, to } => Some(Ahead { slot: to, ..from }),
            Change::Skip { from, to } => Some(Ahead { slot: to, state: Skipped, ..from }),
            Change::Reinstate { from, to } => Some(Ahead { slot: to, state: Planned, ..from }),
            Change::Move { to, .. } => Some(make(to, Announced)),
            Change::Vanish { .. } | Change::Cancel { .. } => None,
        };
        rows.extend(kept);
    }
    rows
}

fn any_dated() -> impl Strategy<Value = Dated> {
    (-2_i64..120, 0_i64..48, any::<bool>()).prop_map(|(day, later_h, is_frozen)| {
        let skip = is_frozen.then(|| Skip::Frozen { reason: "stocktaking".to_owned() });
        Dated { skip, ..dated(day, later_h) }
    })
}

/// Dates with unique recurrence ids.
fn any_fresh() -> impl Strategy<Value = Vec<Dated>> {
    proptest::collection::vec(any_dated(), 0..12).prop_map(|mut fresh| {
        fresh.sort_by_key(|dated| dated.recurrence_id);
        fresh.dedup_by_key(|dated| dated.recurrence_id);
        fresh
    })
}

fn any_stored() -> impl Strategy<Value = Vec<Ahead>> {
    let state = prop_oneof![Just(Planned), Just(Announced), Just(Confirmed)];
    let row = (any_dated(), state, proptest::option::weighted(0.2, Just("anna".to_owned())));
    proptest::collection::vec(row, 0..12).prop_map(|mut rows| {
        rows.retain(|(dated, ..)| dated.start > now());
        rows.sort_by_key(|(dated, ..)| dated.recurrence_id);
        rows.dedup_by_key(|(dated, ..)| dated.recurrence_id);
        let number = |(index, (dated, state, chosen_by)): (usize, (Dated, OccurrenceState, Option<String>))| {
            let state = if dated.skip.is_some() { Skipped } else { state };
            let chosen_by = chosen_by.filter(|_| state != Skipped);
            Ahead { id: OccurrenceId(Uuid::from_u128(index as u128)), chosen_by, ..stored(state, &dated) }
        };
        rows.into_iter().enumerate().map(number).collect()
    })
}

proptest! {
    #[test]
    fn carried_out_changes_leave_nothing_to_change(rows in any_stored(), fresh in any_fresh()) {
        let job = job("update");
        let changes = compare(&agreed(&job), &fresh, rows.clone(), &BTreeSet::new(), horizon());
        let cancelled: BTreeSet<_> = changes.iter().filter_map(|change| match change {
            Change::Cancel { from } => Some(from.slot.recurrence_id),
            _ => None,
        }).collect();
        let after = carry_out(rows, changes);
        let again = compare(&agreed(&job), &fresh, after, &cancelled, horizon());
        assert_eq!(again, []);
    }

    #[test]
    fn nothing_told_changes_without_consent(rows in any_stored(), fresh in any_fresh()) {
        let job = job("update");
        let changes = compare(&agreed(&job), &fresh, rows.clone(), &BTreeSet::new(), horizon());
        let (free, held) = without_consent(changes);
        assert!(held.iter().all(|change| change.from().is_some_and(|from| from.state.is_commitment())));
        let after = carry_out(rows.clone(), free);
        for told in rows.iter().filter(|row| row.state.is_commitment()) {
            let kept = after.iter().find(|row| row.id == told.id).expect("it is still there");
            assert_eq!((kept.state, kept.slot.start, kept.slot.end), (told.state, told.slot.start, told.slot.end));
        }
    }

    #[test]
    fn what_a_person_chose_stays(rows in any_stored(), fresh in any_fresh()) {
        let job = job("update");
        let changes = compare(&agreed(&job), &fresh, rows.clone(), &BTreeSet::new(), horizon());
        let after = carry_out(rows.clone(), changes);
        for chosen in rows.iter().filter(|row| row.chosen_by.is_some()) {
            assert!(after.contains(chosen), "{chosen:?}");
        }
    }
}
