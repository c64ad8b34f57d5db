//! Nobody answers to a report: the reminder, and what silence means. Time is given, not waited for.

use std::sync::Arc;

use jiff::Timestamp;
use turnus::app::daemon::Daemon;
use turnus::app::daemon::tick::{Tick, Worked, run_at};
use turnus::domain::id::ContentHash;
use turnus::domain::settings::Settings;
use turnus::domain::settings::delivery::Acceptance;
use turnus::edge::store::applied::publish::publish_all;
use turnus::edge::store::revision::{Revision, RevisionKind};

use super::site::{BOSS, IT, Letter, Site};
use crate::kit::database::make_state_dir;

const INVENTORY: &str = "[customer]\nname = \"Nordwind\"\nlocale = \"de\"\ntime_zone = \"Europe/Berlin\"\nholidays = \"DE-BY\"\n\
                         [[host]]\nname = \"h1\"\naddress = \"127.0.0.1\"\n";
/// A Friday evening; Good Friday and Easter Monday lie in the week after the next.
const ASKED: &str = "2027-03-19T20:00:00Z";
/// Five working days later: the Tuesday after Easter, and the clocks have changed.
const REMINDED: &str = "2027-03-30T19:00:00Z";

struct Office {
    site: Site,
    daemon: Arc<Daemon>,
    _state_dir: tempfile::TempDir,
}

impl Office {
    /// With a report to which nobody has answered, and whose letters were delivered on that evening.
    async fn open(deemed_after_workdays: Option<u16>) -> (Self, Vec<Letter>) {
        let site = Site::open().await;
        let hash = ContentHash::of(INVENTORY.as_bytes());
        let revision = Revision { hash: &hash, kind: RevisionKind::Inventory, name: "nordwind", content: INVENTORY };
        let mut transaction = site.store.begin().await.unwrap();
        publish_all(&mut transaction, &[revision], "test").await.unwrap();
        transaction.commit().await.unwrap();
        let acceptance = Acceptance { remind_after_workdays: 5, deemed_after_workdays };
        let settings = Settings { acceptance, ..Settings::default() };
        let state_dir = make_state_dir();
        let daemon = Daemon::new(site.other_store().await, &settings, &[], state_dir.path()).unwrap();
        let letters = site.finish().await;
        site.execute("update link set expires_at = '2100-01-01'").await;
        let office = Self { site, daemon, _state_dir: state_dir };
        office.deliver("finished", ASKED).await;
        (office, letters)
    }

    async fn deliver(&self, kind: &str, at: &str) {
        let sent = format!("update notification set state = 'sent', ended_at = '{at}' where kind = '{kind}'");
        self.site.execute(&sent).await;
    }

    async fn tick(&self, now: &str) -> Worked {
        run_at(&self.daemon, Tick::Acceptance, now.parse::<Timestamp>().unwrap()).await.unwrap()
    }

    async fn messages(&self) -> String {
        let all = "select string_agg(kind || ' ' || recipient, '; ' order by recipient) from notification where kind <> 'finished'";
        self.site.ask_database(all).await
    }

    async fn answers(&self) -> String {
        let all = "select string_agg(concat_ws(' ', decision, said_by, via), '; ') from answer";
        self.site.ask_database(all).await
    }

    async fn close(self) {
        Daemon::close(self.daemon).await.unwrap();
        self.site.close().await;
    }
}

const BOTH: &str = "acceptance_reminder chefin@nordwind.example; acceptance_reminder it@nordwind.example";

#[tokio::test]
async fn who_was_asked_is_reminded_once_in_working_days() {
    let (office, _) = Office::open(None).await;
    assert_eq!(office.tick("2027-03-30T18:59:59Z").await, Worked::Nothing);
    assert_eq!(office.tick(REMINDED).await, Worked::Something);
    assert_eq!(office.messages().await, BOTH);
    assert_eq!(
        office.site.ask_database("select min(detail::text) from notification where kind <> 'finished'").await,
        "{\"deemed_on\":null}"
    );
    office.deliver("acceptance_reminder", REMINDED).await;
    assert_eq!(office.tick("2028-01-01T00:00:00Z").await, Worked::Nothing);
    assert_eq!((office.messages().await.as_str(), office.answers().await.as_str()), (BOTH, ""));
    office.close().await;
}

#[tokio::test]
async fn who_was_not_asked_is_not_reminded() {
    let (office, _) = Office::open(Some(10)).await;
    let never = "2028-01-01T00:00:00Z";
    office.site.execute("update notification set state = 'undeliverable'").await;
    assert_eq!(office.tick(never).await, Worked::Nothing, "nothing was delivered");
    office.deliver("finished", ASKED).await;
    office.site.execute("delete from link").await;
    assert_eq!(office.tick(never).await, Worked::Nothing, "there was no link in it");
    assert_eq!(office.messages().await, "");
    office.close().await;
}

#[tokio::test]
async fn who_has_answered_is_not_reminded() {
    let (office, letters) = Office::open(Some(10)).await;
    office.tick(REMINDED).await;
    assert_eq!(office.site.decide(&letters[IT], &[("decision", "accepted")]).await.status, 303);
    let waiting = "select count(*)::text from notification where kind = 'acceptance_reminder' and state = 'due'";
    assert_eq!(office.site.ask_database(waiting).await, "0", "it is taken back");
    assert_eq!(office.tick("2028-01-01T00:00:00Z").await, Worked::Nothing);
    assert_eq!(office.answers().await, "accepted IT-Leitung <it@nordwind.example> page");
    office.close().await;
}

#[tokio::test]
async fn silence_counts_where_the_provider_has_it_so_and_the_reminder_was_delivered() {
    let (office, letters) = Office::open(Some(10)).await;
    office.tick(REMINDED).await;
    let told = "select min(detail::text) from notification where kind = 'acceptance_reminder'";
    assert_eq!(office.site.ask_database(told).await, "{\"deemed_on\":\"2027-04-07\"}");
    assert_eq!(office.tick("2027-05-01T00:00:00Z").await, Worked::Nothing, "the reminder is still on its way");
    office.deliver("acceptance_reminder", REMINDED).await;
    // The tenth working day ends with the sixth of April, in Berlin.
    assert_eq!(office.tick("2027-04-06T21:59:59Z").await, Worked::Nothing);
    assert_eq!(office.tick("2027-04-06T22:00:00Z").await, Worked::Something);
    assert_eq!(office.answers().await, "deemed deadline");
    assert_eq!(office.messages().await, format!("{BOTH}; answer team@provider.example"));
    assert_eq!(office.tick("2027-04-07T22:00:00Z").await, Worked::Nothing);
    assert_eq!(office.site.ask_database("select count(*)::text from audit").await, "1");

    assert_eq!(office.site.decide(&letters[BOSS], &[("decision", "refused"), ("remark", "no")]).await.status, 303);
    assert_eq!(office.answers().await, "deemed deadline", "it is too late");
    let page = office.site.get(&letters[IT]).await;
    assert!(page.body.contains("Der Bericht gilt als abgenommen."), "{}", page.body);
    office.close().await;
}

#[tokio::test]
async fn a_report_that_can_not_be_read_keeps_no_other() {
    let (office, _) = Office::open(Some(10)).await;
    office.site.finish_once_more(1).await;
    office.site.execute("update link set expires_at = '2100-01-01'").await;
    office.deliver("finished", ASKED).await;
    office.tick(REMINDED).await;
    office.deliver("acceptance_reminder", REMINDED).await;
    let odd = "alter table run_event disable trigger user;
               delete from run_event where seq = 3 and run_id = (select id from run order by number limit 1)";
    office.site.execute(odd).await;
    let failed = run_at(&office.daemon, Tick::Acceptance, "2028-01-01T00:00:00Z".parse().unwrap()).await.unwrap_err();
    assert!(format!("{failed:#}").starts_with("the report of run 1 waits for an answer: "), "{failed:#}");
    assert_eq!(office.answers().await, "deemed deadline", "of the other run");
    office.close().await;
}

#[tokio::test]
async fn a_customer_that_can_not_be_read_is_left_alone() {
    let (office, _) = Office::open(Some(10)).await;
    office.site.execute("delete from applied").await;
    assert_eq!(office.tick("2028-01-01T00:00:00Z").await, Worked::Nothing);
    assert_eq!(office.messages().await, "");
    office.close().await;
}
