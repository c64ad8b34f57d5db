//! Ticks called by hand, with a time of one's own.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use turnus::app::daemon::Daemon;
use turnus::app::daemon::tick::{Tick, Worked, run_at};
use turnus::domain::id::{ContentHash, OccurrenceId};
use turnus::domain::settings::Ssh;
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
        let daemon = provider.block_on(async { Daemon::new(store, &Ssh::default(), &state_dir).unwrap() });
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
