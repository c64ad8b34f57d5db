//! Ticks called by hand, with a time of one's own.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use turnus::app::daemon::Daemon;
use turnus::app::daemon::tick::{Tick, Worked, run_at};
use turnus::domain::id::{ContentHash, OccurrenceId};
use turnus::domain::settings::Settings;
use turnus::edge::store::applied::publish::{lock_publishing, publish_all};
use turnus::edge::store::occurrence::StoredOccurrence;
use turnus::edge::store::occurrence::insert::{NewOccurrence, redate_planned};
use turnus::edge::store::revision::{Revision, RevisionKind};

use crate::kit::provider::{Provider, Span, name};
use crate::kit::world::text;

const DAY: i64 = 86_400;
const IN_TWENTY_DAYS: Span = Span { start: 20 * DAY, latest_start: 20 * DAY + 3600, end: 20 * DAY + 7200 };

/// A daemon that does only what the test tells it to.
struct Hand {
    provider: Provider,
    daemon: Arc<Daemon>,
}

impl Hand {
    fn new() -> Self {
        let provider = Provider::new(1);
        let lines = "announce = [\"14d\", \"2d\"]\nreview = \"3d\"\n";
        let inventory = provider.inventory().replace("duration = \"2h\"\n", &format!("duration = \"2h\"\n{lines}"));
        provider.apply_text(RevisionKind::Inventory, "nordwind", &inventory);
        let store = provider.open_store();
        let state_dir = provider.world.path("state");
        let daemon = provider.block_on(async { Daemon::new(store, &Settings::default(), &[], &state_dir).unwrap() });
        Self { provider, daemon }
    }

    fn plan(&self) -> (OccurrenceId, Timestamp) {
        let span = IN_TWENTY_DAYS;
        let with_notices = |new: NewOccurrence| NewOccurrence {
            next_notice: Some(new.start - SignedDuration::from_secs(14 * DAY)),
            review: Some(new.start - SignedDuration::from_secs(3 * DAY)),
            ..new
        };
        let id = self.provider.plan_with(with_notices, span);
        (id, self.provider.occurrence(id).start)
    }

    fn tick(&self, tick: Tick, now: Timestamp) -> Worked {
        self.provider.block_on(run_at(&self.daemon, tick, now)).unwrap()
    }
}

fn as_new(row: StoredOccurrence) -> NewOccurrence {
    NewOccurrence {
        id: row.id,
        customer: row.customer,
        window: row.window,
        recurrence_id: row.recurrence_id,
        sequence: row.sequence,
        moved_from: row.moved_from,
        chosen_by: row.chosen_by,
        job: row.job,
        time_zone: row.time_zone,
        local_start: row.local_start,
        start: row.start,
        latest_start: row.latest_start,
        end: row.end,
        reasons: row.reasons,
        skip: None,
        next_notice: row.next_notice,
        review: row.review,
    }
}

fn days_before(start: Timestamp, days: i64) -> Timestamp {
    start - SignedDuration::from_secs(days * DAY)
}

#[test]
fn the_first_notice_announces_and_the_others_remind_each_once() {
    let hand = Hand::new();
    let (id, start) = hand.plan();
    assert_eq!(hand.tick(Tick::Announce, days_before(start, 15)), Worked::Nothing);
    assert_eq!(hand.tick(Tick::Announce, days_before(start, 14)), Worked::Something);
    let announced = hand.provider.occurrence(id);
    assert_eq!(announced.state.to_string(), "announced");
    assert_eq!(announced.next_notice, Some(days_before(start, 2)));
    assert_eq!(hand.tick(Tick::Announce, days_before(start, 14)), Worked::Nothing);
    assert_eq!(hand.tick(Tick::Announce, days_before(start, 1)), Worked::Something);
    assert_eq!(hand.provider.occurrence(id).next_notice, None);
    assert_eq!(hand.tick(Tick::Announce, start), Worked::Nothing);
    assert_eq!(hand.provider.messages(), ["announcement it@nordwind.example", "reminder it@nordwind.example"]);
}

#[test]
fn of_several_notices_that_are_past_due_one_goes_out() {
    let hand = Hand::new();
    let (id, start) = hand.plan();
    assert_eq!(hand.tick(Tick::Announce, days_before(start, 1)), Worked::Something);
    assert_eq!(hand.provider.messages(), ["announcement it@nordwind.example"]);
    assert_eq!(hand.provider.occurrence(id).next_notice, None);
}

#[test]
fn nothing_opens_unannounced() {
    let hand = Hand::new();
    let (id, start) = hand.plan();
    hand.tick(Tick::Open, start);
    assert_eq!(hand.provider.state(id), "planned (not announced)");
    hand.tick(Tick::Announce, start);
    hand.tick(Tick::Open, start);
    assert_eq!(hand.provider.state(id), "open");
}

#[test]
fn the_team_is_asked_for_a_review_once() {
    let hand = Hand::new();
    let (id, start) = hand.plan();
    assert_eq!(hand.tick(Tick::Collect, days_before(start, 4)), Worked::Nothing);
    assert_eq!(hand.tick(Tick::Collect, days_before(start, 3)), Worked::Something);
    assert_eq!(hand.tick(Tick::Collect, days_before(start, 3)), Worked::Nothing);
    assert_eq!(hand.provider.messages(), ["review_needed team@provider.example"]);
    assert_eq!(hand.provider.occurrence(id).review, None);
}

#[test]
fn a_planned_date_that_lies_elsewhere_is_reviewed_anew() {
    let hand = Hand::new();
    let (id, start) = hand.plan();
    hand.tick(Tick::Collect, days_before(start, 3));
    let (row, later) = (hand.provider.occurrence(id), SignedDuration::from_secs(30 * DAY));
    let review = Some(days_before(start + later, 3));
    let new = NewOccurrence {
        start: row.start + later,
        latest_start: row.latest_start + later,
        end: row.end + later,
        review,
        ..as_new(row)
    };
    hand.provider.in_transaction(async |connection| redate_planned(connection, &[new]).await.unwrap());
    hand.tick(Tick::Collect, days_before(start + later, 3));
    assert_eq!(hand.provider.messages(), ["review_needed team@provider.example"; 2]);
}

#[test]
fn what_was_announced_and_is_missed_takes_its_reminders_back() {
    let hand = Hand::new();
    let (id, start) = hand.plan();
    hand.tick(Tick::Announce, days_before(start, 14));
    hand.tick(Tick::Announce, days_before(start, 2));
    hand.tick(Tick::Open, start + SignedDuration::from_secs(3601));
    assert_eq!(hand.provider.state(id), "missed (controller not running)");
    let cancelled =
        hand.provider.ask("select string_agg(kind, ';' order by number) from notification where state = 'cancelled'");
    assert_eq!(cancelled, "announcement;reminder", "nobody is to be told of what has passed");
    let due = hand.provider.ask("select string_agg(kind, ';' order by number) from notification where state = 'due'");
    assert_eq!(due, "missed;missed");
}

#[test]
fn an_inventory_that_can_t_be_used_is_marked_and_the_others_are_extended() {
    let hand = Hand::new();
    let now = Timestamp::now();
    hand.provider.apply_text(RevisionKind::Inventory, "broken", "this is no inventory");
    hand.provider.execute("update applied set materialised_until = null");
    assert_eq!(hand.tick(Tick::Materialise, now), Worked::Something);
    let faults = hand.provider.ask("select string_agg(name, ';') from applied where fault is not null");
    assert_eq!(faults, "broken");
    let doctor = text(&hand.provider.world.run(&["doctor"]));
    assert!(doctor.contains("broken: what was applied can't be used"), "{doctor}");
    let dates =
        hand.provider.ask("select count(distinct window_name)::text from occurrence where customer = 'nordwind'");
    assert_eq!(dates, "2", "both windows have dates");
    assert_eq!(hand.tick(Tick::Materialise, now), Worked::Nothing);
}

#[test]
fn a_daemon_reports_and_those_long_gone_are_forgotten() {
    let hand = Hand::new();
    let now = Timestamp::now();
    hand.provider.execute(
        "insert into controller (name, version, seen_at) values ('gone:1', '0', clock_timestamp() - interval '2 days')",
    );
    hand.tick(Tick::Housekeeping, now);
    assert_eq!(hand.provider.ask("select string_agg(name, ';') from controller"), hand.daemon.name());
}

/// As a newer version would write it.
const ODD: &str = "'[{\"kind\":\"of_a_newer_version\"}]'::json";
const AT_NOON: Span = Span { start: -10, latest_start: 3600, end: 7200 };

#[test]
fn a_row_that_can_not_be_read_is_missed_when_its_time_is_over() {
    let hand = Hand::new();
    let id = hand.provider.plan("all", AT_NOON);
    hand.provider.execute(&format!("update occurrence set reasons = {ODD}"));
    let now = Timestamp::now();
    let tick = |now| hand.provider.block_on(run_at(&hand.daemon, Tick::Open, now));
    assert!(tick(now).is_err(), "it is told");
    assert_eq!(hand.provider.ask("select state from occurrence"), "planned");
    let _ = tick(now + SignedDuration::from_hours(2));
    hand.provider.execute("update occurrence set reasons = '[]'");
    let state = hand.provider.state(id);
    assert!(state.starts_with("missed (it can't be read"), "{state}");
    let audited = hand.provider.ask("select string_agg(action, ';') from audit where occurrence is not null");
    assert_eq!(audited, "miss occurrence");
    assert!(hand.provider.messages().contains(&"missed it@nordwind.example".to_owned()));
}

#[test]
fn rows_that_can_not_be_read_hold_back_no_announcement_and_no_review() {
    let hand = Hand::new();
    let now = Timestamp::now();
    let told_at = |hours| {
        move |new: NewOccurrence| {
            let at = Some(now - SignedDuration::from_hours(hours));
            NewOccurrence { next_notice: at, review: at, ..new }
        }
    };
    let span = Span { start: 3 * DAY, latest_start: 3 * DAY + 3600, end: 3 * DAY + 7200 };
    for number in 0..120 {
        let window = name(&format!("w{number}"));
        hand.provider.plan_with(|new| told_at(9)(NewOccurrence { window, ..new }), span);
    }
    hand.provider.execute(&format!("update occurrence set reasons = {ODD}"));
    let sound = hand.provider.plan_with(told_at(1), span);
    hand.tick(Tick::Announce, now);
    hand.tick(Tick::Collect, now);
    assert_eq!(hand.provider.state(sound), "announced");
    assert_eq!(hand.provider.messages(), ["announcement it@nordwind.example", "review_needed team@provider.example"]);
}

#[test]
fn many_that_wait_do_not_hold_back_another() {
    let hand = Hand::new();
    hand.provider.apply_text(RevisionKind::Inventory, "broken", "this is no inventory");
    for number in 0..501 {
        let window = name(&format!("w{number}"));
        hand.provider.plan_with(|new| NewOccurrence { customer: name("broken"), window, ..new }, AT_NOON);
    }
    let sound = hand.provider.plan("h1", Span { start: -1, ..AT_NOON });
    let now = Timestamp::now();
    // Two are enough where a machine has the time; one that is busy breaks a tick off at its limit, and the next goes on from there.
    for _ in 0..10 {
        if hand.provider.state(sound) != "open" {
            hand.tick(Tick::Open, now);
        }
    }
    assert_eq!(hand.provider.state(sound), "open");
}

#[test]
fn nothing_is_announced_or_reviewed_too_late() {
    let hand = Hand::new();
    let past_due = |new: NewOccurrence| {
        let at = Some(new.start - SignedDuration::from_secs(3 * DAY));
        NewOccurrence { next_notice: at, review: at, ..new }
    };
    let id = hand.provider.plan_with(past_due, Span { start: -7200, latest_start: -3600, end: -1800 });
    hand.tick(Tick::Collect, Timestamp::now());
    hand.tick(Tick::Announce, Timestamp::now());
    assert_eq!(hand.provider.messages(), [""; 0]);
    let row = hand.provider.occurrence(id);
    assert_eq!((row.state.to_string().as_str(), row.next_notice, row.review), ("planned", None, None));
}

#[test]
fn what_it_waited_for_before_an_outage_is_not_why_it_was_missed() {
    let hand = Hand::new();
    let id = hand.provider.plan_with(|new| NewOccurrence { job: name("nowhere"), ..new }, AT_NOON);
    let other =
        hand.provider.plan_with(|new| NewOccurrence { job: name("nowhere"), window: name("h1"), ..new }, AT_NOON);
    let now = Timestamp::now();
    hand.tick(Tick::Open, now);
    assert_eq!(hand.provider.state(id), "planned (no job nowhere)");
    let latest_start = hand.provider.occurrence(id).latest_start;
    // Only one of them is looked at until its end.
    hand.provider.execute(&format!(
        "update occurrence set looked_at = latest_start_at - interval '30 s' where id = '{}'",
        other.0
    ));
    hand.tick(Tick::Open, latest_start + SignedDuration::from_hours(5));
    assert_eq!(hand.provider.state(id), "missed (controller not running)");
    assert_eq!(hand.provider.state(other), "missed (no job nowhere)");
}

#[test]
fn a_notice_that_can_not_be_given_is_tried_again_before_the_start() {
    let hand = Hand::new();
    let now = Timestamp::now();
    let due = |new: NewOccurrence| NewOccurrence { customer: name("unknown"), next_notice: Some(now), ..new };
    let soon = hand.provider.plan_with(due, Span { start: 1800, latest_start: 3600, end: 7200 });
    let later = hand.provider.plan_with(due, IN_TWENTY_DAYS);
    let now = now + SignedDuration::from_secs(1);
    hand.tick(Tick::Announce, now);
    let wait = |id| hand.provider.occurrence(id).next_notice.unwrap().duration_since(now).as_secs();
    assert!((59..=60).contains(&wait(soon)), "{}", wait(soon));
    assert!((3599..=3600).contains(&wait(later)), "{}", wait(later));
}

#[test]
fn a_stored_date_that_can_t_be_read_keeps_only_its_customer_from_being_extended() {
    let hand = Hand::new();
    let odd = hand.provider.plan_with(|new| NewOccurrence { customer: name("aaa"), ..new }, IN_TWENTY_DAYS);
    hand.provider.apply_text(RevisionKind::Inventory, "aaa", &hand.provider.inventory().replace("nordwind", "aaa"));
    hand.provider.execute(&format!(
        "update occurrence set reasons = '[{{\"kind\":\"of_a_newer_version\"}}]'::json where id = '{}'",
        odd.0
    ));
    hand.provider.execute("update applied set materialised_until = null where kind = 'inventory'");
    assert_eq!(hand.tick(Tick::Materialise, Timestamp::now()), Worked::Something);
    assert_eq!(hand.provider.ask("select string_agg(name, ';') from applied where fault is not null"), "aaa");
    let dates =
        hand.provider.ask("select count(distinct window_name)::text from occurrence where customer = 'nordwind'");
    assert_eq!(dates, "2", "both windows have dates");
}

#[test]
fn dates_are_extended_by_what_an_apply_under_way_brings() {
    let hand = Hand::new();
    hand.provider.execute("update applied set materialised_until = null where kind = 'inventory'");
    let inventory = hand.provider.inventory().replace("T14:00:00", "T16:00:00");
    let hash = ContentHash::of(inventory.as_bytes());
    hand.provider.block_on(async {
        let mut applying = hand.provider.store().begin().await.unwrap();
        lock_publishing(&mut applying).await.unwrap();
        let daemon = Arc::clone(&hand.daemon);
        let tick = tokio::spawn(async move { run_at(&daemon, Tick::Materialise, Timestamp::now()).await.unwrap() });
        let waits = "select exists (select 1 from pg_locks where locktype = 'advisory' and not granted
                                     and database = (select oid from pg_database where datname = current_database()))";
        while !sqlx::query_scalar::<_, bool>(waits).fetch_one(&mut *applying).await.unwrap() {
            assert!(!tick.is_finished(), "it did not wait");
            tokio::task::yield_now().await;
        }
        let revision = Revision { hash: &hash, kind: RevisionKind::Inventory, name: "nordwind", content: &inventory };
        publish_all(&mut applying, &[revision], "anna").await.unwrap();
        applying.commit().await.unwrap();
        tick.await.unwrap();
    });
    let times = hand.provider.ask("select string_agg(distinct local_start::time::text, ';') from occurrence");
    assert_eq!(times, "16:00:00");
}
