//! Pending updates are collected ahead of an occurrence, people are asked, and nothing opens that nobody decided on.

use std::net::TcpListener;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use nix::sys::signal::Signal;
use turnus::app::daemon::Daemon;
use turnus::app::daemon::tick::{Tick, Worked, run_at};
use turnus::domain::id::OccurrenceId;
use turnus::domain::review::{Approval, Collection, Finding, Selection, Verdict};
use turnus::domain::settings::Settings;
use turnus::edge::store::database_now;
use turnus::edge::store::occurrence::insert::NewOccurrence;
use turnus::edge::store::review::decision::{About, Decided, NewDecision, decide, find_standing};
use turnus::edge::store::review::{NewCollection, find_newest_for, store_collection};
use turnus::edge::store::revision::RevisionKind;

use crate::kit::provider::{Provider, Span, name};
use crate::kit::updates::{JOB, change, found, security, surveyed};
use crate::kit::world::wait_until;

const DAY: i64 = 86_400;
const IN_TWENTY_DAYS: Span = Span { start: 20 * DAY, latest_start: 20 * DAY + 3600, end: 20 * DAY + 7200 };

/// A provider whose job installs approved packages, on a host that can't be reached, and daemons that do what the test tells them to.
struct Hand {
    provider: Provider,
    daemon: Arc<Daemon>,
}

impl Hand {
    fn new() -> Self {
        Self::at_port(1)
    }

    fn at_port(port: u16) -> Self {
        let provider = Provider::new(1);
        provider.apply_text(RevisionKind::Job, "quarterly", JOB);
        let listens = format!("port = {}", provider.world.ssh_port);
        let elsewhere = provider.inventory().replace(&listens, &format!("port = {port}"));
        provider.apply_text(RevisionKind::Inventory, "nordwind", &elsewhere);
        let daemon = daemon(&provider);
        Self { provider, daemon }
    }

    /// An occurrence in twenty days, to be reviewed three days before.
    fn plan(&self) -> (OccurrenceId, Timestamp) {
        let review = |new: NewOccurrence| NewOccurrence { review: Some(before(new.start, 3 * DAY)), ..new };
        let id = self.provider.plan_with(review, IN_TWENTY_DAYS);
        (id, self.provider.occurrence(id).start)
    }

    /// A tick, and what it began.
    fn collect(&self, now: Timestamp) -> Worked {
        self.provider.block_on(async {
            let worked = run_at(&self.daemon, Tick::Collect, now).await.unwrap();
            self.daemon.settle().await;
            worked
        })
    }

    fn open(&self, now: Timestamp) {
        self.provider.block_on(run_at(&self.daemon, Tick::Open, now)).unwrap();
    }

    fn keep(&self, occurrence: OccurrenceId, findings: &Collection) {
        let customer = name("nordwind");
        let new = NewCollection { customer: &customer, occurrence: Some(occurrence), by: "anna", findings };
        self.provider.in_transaction(async |connection| store_collection(connection, &new).await).unwrap();
    }

    /// What anna says of the newest list.
    fn decide(&self, occurrence: OccurrenceId, verdict: Verdict) {
        self.provider.in_transaction(async |connection| {
            let newest = find_newest_for(connection, occurrence).await.unwrap().unwrap();
            let changes = match verdict {
                Verdict::Approve => Selection::default().choose(&newest.findings).unwrap(),
                Verdict::Reject => Default::default(),
            };
            let at = database_now(connection).await.unwrap();
            let (list, by) = (newest.list, "anna".to_owned());
            let approval = Approval { list, by, at, note: None, selection: Selection::default(), changes };
            let decision = NewDecision {
                collection: newest.number,
                customer: &newest.customer,
                about: About::Occurrence(occurrence),
                verdict,
                approval: &approval,
                entered_by: "test",
                replaces: find_standing(connection, occurrence).await.unwrap().map(|standing| standing.number),
            };
            assert!(matches!(decide(connection, &decision).await.unwrap(), Decided::Kept(_)));
        });
    }
}

fn daemon(provider: &Provider) -> Arc<Daemon> {
    let store = provider.open_store();
    let state_dir = provider.world.path("state");
    provider.block_on(async { Daemon::new(store, &Settings::default(), &[], &state_dir).unwrap() })
}

fn before(at: Timestamp, seconds: i64) -> Timestamp {
    at - SignedDuration::from_secs(seconds)
}

fn pending() -> Collection {
    let openssl = security(change("openssl", Some("3.0.15"), Some("3.0.16")));
    found([("h1", Finding::Surveyed(surveyed(vec![openssl])))])
}

fn settled() -> Collection {
    found([("h1", Finding::Surveyed(surveyed(Vec::new())))])
}

const ASKED: &str = "review_needed team@provider.example";
const REMINDED: &str = "review_reminder team@provider.example";
const STARTED: &str = "started it@nordwind.example";

#[test]
fn what_is_pending_is_collected_once_and_the_team_is_asked_and_reminded_once() {
    let hand = Hand::new();
    let (id, start) = hand.plan();
    assert_eq!(hand.collect(before(start, 4 * DAY)), Worked::Nothing);
    assert_eq!(hand.collect(before(start, 3 * DAY)), Worked::Something);
    assert_eq!(hand.collect(before(start, 3 * DAY)), Worked::Nothing);
    let newest = hand.provider.in_transaction(async |connection| find_newest_for(connection, id).await);
    let newest = newest.unwrap().unwrap();
    assert_eq!(newest.collected_by, hand.daemon.name());
    let host = newest.findings.hosts.get(&name("h1")).unwrap();
    assert!(matches!(host, Finding::Unreachable { .. }), "that it can't be reached is a finding, too: {host:?}");
    assert_eq!(hand.provider.messages(), [ASKED]);
    assert_eq!(hand.provider.occurrence(id).review, None);

    let reminder: Timestamp = hand
        .provider
        .ask("select to_char(review_reminder_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') from occurrence")
        .parse()
        .unwrap();
    let workday = reminder.in_tz("Europe/Berlin").unwrap();
    assert!(workday.weekday().to_monday_one_offset() < 6, "{workday}");
    assert!(reminder <= before(start, DAY - 3600) && before(start, 4 * DAY) < reminder, "{workday}");
    assert_eq!(hand.collect(before(reminder, 1)), Worked::Nothing);
    assert_eq!(hand.collect(reminder), Worked::Something);
    assert_eq!(hand.collect(before(start, 1)), Worked::Nothing);
    assert_eq!(hand.provider.messages(), [ASKED, REMINDED]);
}

#[test]
fn who_has_decided_is_not_reminded_and_who_has_nothing_to_decide_neither() {
    for findings in [pending(), settled()] {
        let hand = Hand::new();
        let (id, start) = hand.plan();
        hand.collect(before(start, 3 * DAY));
        hand.keep(id, &findings);
        if !findings.is_settled() {
            hand.decide(id, Verdict::Reject);
        }
        hand.collect(before(start, 60));
        assert_eq!(hand.provider.messages(), [ASKED]);
    }
}

#[test]
fn what_a_dead_daemon_had_taken_is_collected_by_another_later() {
    let hand = Hand::new();
    let (id, start) = hand.plan();
    let due = before(start, 3 * DAY);
    // It dies while it looks.
    let taken = due + SignedDuration::from_mins(30);
    hand.provider.execute(&format!("update occurrence set review_at = '{taken}'"));
    assert_eq!(hand.collect(taken - SignedDuration::from_secs(1)), Worked::Nothing);
    assert_eq!(hand.collect(taken), Worked::Something);
    assert_eq!(hand.provider.messages(), [ASKED]);
    assert_eq!(hand.provider.occurrence(id).review, None);
}

#[test]
fn of_two_daemons_one_collects() {
    let hand = Hand::new();
    let other = daemon(&hand.provider);
    let (_, start) = hand.plan();
    let now = before(start, 3 * DAY);
    hand.provider.block_on(async {
        let both = tokio::join!(run_at(&hand.daemon, Tick::Collect, now), run_at(&other, Tick::Collect, now));
        both.0.unwrap();
        both.1.unwrap();
        hand.daemon.settle().await;
        other.settle().await;
    });
    assert_eq!(hand.provider.ask("select count(*)::text from collection"), "1");
    assert_eq!(hand.provider.messages(), [ASKED]);
}

#[test]
fn a_customer_that_can_t_be_used_is_tried_again() {
    let hand = Hand::new();
    let (id, start) = hand.plan();
    let inventory = hand.provider.inventory();
    hand.provider.apply_text(RevisionKind::Inventory, "nordwind", "this is no inventory");
    let now = before(start, 3 * DAY);
    hand.collect(now);
    assert_eq!(hand.provider.messages(), Vec::<String>::new());
    let again = hand.provider.occurrence(id).review.unwrap();
    assert!(now < again && again < start, "{again}");
    hand.provider.apply_text(RevisionKind::Inventory, "nordwind", &inventory.replace("127.0.0.2", "192.0.2.1.invalid"));
    hand.collect(again);
    assert_eq!(hand.provider.messages(), [ASKED]);
}

#[test]
fn without_a_decision_it_is_missed_at_the_opening() {
    let hand = Hand::new();
    let (id, start) = hand.plan();
    hand.open(before(start, 1));
    assert_eq!(hand.provider.state(id), "planned");
    hand.keep(id, &pending());
    hand.open(start);
    assert_eq!(hand.provider.state(id), "missed (not approved)");
    assert_eq!(hand.provider.messages(), ["missed it@nordwind.example", "missed team@provider.example"]);
    assert_eq!(hand.provider.ask("select count(*)::text from run"), "0");
}

#[test]
fn what_nobody_has_looked_at_is_missed_as_well() {
    let hand = Hand::new();
    let (id, start) = hand.plan();
    hand.open(start);
    assert_eq!(hand.provider.state(id), "missed (not approved)");
}

#[test]
fn what_was_rejected_is_missed_and_says_by_whom() {
    let hand = Hand::new();
    let (id, start) = hand.plan();
    hand.keep(id, &pending());
    hand.decide(id, Verdict::Approve);
    hand.decide(id, Verdict::Reject);
    hand.open(start);
    assert_eq!(hand.provider.state(id), "missed (rejected by anna)");
}

#[test]
fn what_was_approved_opens_and_its_plan_carries_exactly_that() {
    let hand = Hand::new();
    let (id, start) = hand.plan();
    hand.keep(id, &pending());
    hand.decide(id, Verdict::Approve);
    // What was found later was not approved.
    hand.keep(id, &found([("h1", Finding::Surveyed(surveyed(vec![change("other", None, Some("1"))])))]));
    hand.open(start);
    assert_eq!(hand.provider.state(id), "open");
    assert!(hand.provider.messages().contains(&STARTED.to_owned()));
    let plan: serde_json::Value = serde_json::from_str(&hand.provider.ask("select plan::text from run")).unwrap();
    let approval = &plan["approval"];
    assert_eq!((&approval["by"], &approval["list"]), (&"anna".into(), &pending().hash().as_str().into()));
    assert_eq!(approval["changes"]["h1"][0]["name"], "openssl");
    assert_eq!(approval["changes"]["h1"].as_array().unwrap().len(), 1);
    let plan: turnus::domain::plan::Plan = serde_json::from_value(plan).unwrap();
    assert_eq!(plan.hash().as_str(), hand.provider.ask("select plan_hash from run"));
}

#[test]
fn where_nothing_is_pending_nobody_need_decide() {
    let hand = Hand::new();
    let (id, start) = hand.plan();
    hand.keep(id, &pending());
    hand.keep(id, &settled());
    hand.open(start);
    assert_eq!(hand.provider.state(id), "open");
    assert_eq!(hand.provider.ask("select plan->'approval'->>'by' from run"), "", "and nothing is installed");
    assert!(!hand.provider.messages().contains(&STARTED.to_owned()), "nobody need know that nothing begins");
}

#[test]
fn a_daemon_that_is_told_to_stop_gives_back_what_it_is_collecting() {
    // It takes connections at every address, as the hosts have others than 127.0.0.1, and never says a word.
    let silent = TcpListener::bind("0.0.0.0:0").unwrap();
    let hand = Hand::at_port(silent.local_addr().unwrap().port());
    let daemon = hand.provider.serve();
    let now = Timestamp::now();
    let review = |new: NewOccurrence| NewOccurrence { review: Some(now), ..new };
    let id = hand.provider.plan_with(review, Span { start: DAY, latest_start: DAY + 60, end: DAY + 3600 });
    wait_until("it is being collected", || {
        hand.provider.occurrence(id).review.is_some_and(|at| at > now + SignedDuration::from_mins(20))
    });
    daemon.signal(Signal::SIGTERM);
    let (status, printed) = daemon.finish();
    assert_eq!(status, 0, "{printed}");
    let review = hand.provider.occurrence(id).review.unwrap();
    assert!(review < Timestamp::now(), "{review}: another need not wait");
    assert_eq!(hand.provider.ask("select count(*)::text from collection"), "0");
}
