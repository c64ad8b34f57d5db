//! The pages of a provider on a port of their own, its customer's letters, and whoever clicks on them.

use std::net::SocketAddr;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use turnus::app::acceptance::write_report;
use turnus::app::web::rate::{Rate, Rates};
use turnus::app::web::{Pages, Patience, serve};
use turnus::domain::id::{Epoch, OccurrenceId, RunId};
use turnus::domain::inventory::{CalendarEntry, Locale, Receives};
use turnus::domain::notification::Kind;
use turnus::domain::occurrence::{OccurrenceEvent, OccurrenceState};
use turnus::domain::plan::{HostIndex, StepIndex};
use turnus::domain::report::Report;
use turnus::domain::run::event::{Event, Facts, Outcome, Recorded, RunResult, StepEnd, StepResult};
use turnus::domain::settings::{Provider, Settings};
use turnus::domain::wording::WordingFile;
use turnus::edge::store::applied::contact::{ContactRow, replace_all_contacts};
use turnus::edge::store::link::{MadeLink, NewLink, make_link};
use turnus::edge::store::notification::{Message, NotificationFilter, list_notifications, tell};
use turnus::edge::store::occurrence::StoredOccurrence;
use turnus::edge::store::occurrence::change::{Change, change_occurrence};
use turnus::edge::store::occurrence::insert::{NewOccurrence, insert_occurrences};
use turnus::edge::store::record::Batch;
use turnus::edge::store::run::{RunNumber, find_run};
use turnus::edge::store::{Store, database_now};
use uuid::Uuid;

use crate::kit::database::{Database, execute};
use crate::store::occurrence::find;
use crate::store::{create, name, take, write};

/// Places in lists of letters.
pub(super) const IT: usize = 0;
pub(super) const BOSS: usize = 1;

/// Far more than any test asks for.
pub(super) const FREE: Rates = {
    let rate = Rate { burst: 1e6, per_second: 1e6 };
    Rates { client: rate, overall: rate }
};

/// A message to one recipient.
#[derive(Debug)]
pub(super) struct Letter {
    pub(super) number: i64,
    pub(super) link: MadeLink,
}

/// What comes back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    headers: reqwest::header::HeaderMap,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

pub(super) struct Site {
    database: Database,
    pub(super) store: Store,
    pub(super) address: SocketAddr,
    stop: CancellationToken,
    served: JoinHandle<()>,
    client: reqwest::Client,
    occurrence: OccurrenceId,
}

impl Site {
    pub(super) async fn open() -> Self {
        Self::open_with(FREE, Patience::default(), &Settings::default()).await
    }

    pub(super) async fn open_with(rates: Rates, patience: Patience, settings: &Settings) -> Self {
        Self::open_worded(&[], rates, patience, settings).await
    }

    /// With a date in twenty days, which nobody was told of.
    pub(super) async fn open_worded(
        wording: &[WordingFile],
        rates: Rates,
        patience: Patience,
        settings: &Settings,
    ) -> Self {
        // Fails where another test of this process was first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let database = Database::open().await;
        let store = database.store().await;
        let provider = Provider { name: Some("Systemhaus".to_owned()), ..settings.provider.clone() };
        let pages =
            Pages::new(database.store().await, &Settings { provider, ..settings.clone() }, wording, rates).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let stopped = stop.clone();
        let served = tokio::spawn(async move {
            serve::serve(Arc::clone(&pages), listener, patience, &stopped).await;
            Pages::close(pages).await.unwrap();
        });
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
        let occurrence = OccurrenceId(Uuid::now_v7());
        let site = Self { database, store, address, stop, served, client, occurrence };
        site.store_contacts("IT-Leitung").await;
        site.plan().await;
        site
    }

    pub(super) async fn close(self) {
        self.stop.cancel();
        self.served.await.unwrap();
        self.store.close().await.unwrap();
        self.database.close().await;
    }

    /// For a daemon.
    pub(super) async fn other_store(&self) -> Store {
        self.database.store().await
    }

    async fn store_contacts(&self, it: &str) {
        let contact = |name: &str, email: &str, locale, receives: &[Receives]| ContactRow {
            name: name.to_owned(),
            email: email.to_owned(),
            locale,
            receives: receives.to_vec(),
            calendar: CalendarEntry::Publish,
        };
        let all = [Receives::Announcement, Receives::Report];
        let customer = vec![
            contact(it, "it@nordwind.example", Locale::De, &all),
            contact("Chefin", "chefin@nordwind.example", Locale::Ru, &all),
        ];
        let team = vec![contact("Team", "team@provider.example", Locale::En, &[])];
        let mut connection = self.store.pool().acquire().await.unwrap();
        let rows = [(Some(&name("nordwind")), customer), (None, team)];
        replace_all_contacts(&mut connection, &rows).await.unwrap();
    }

    /// Another name for the IT.
    pub(super) async fn rename(&self, it: &str) {
        self.store_contacts(it).await;
    }

    async fn plan(&self) {
        let day = Timestamp::now().in_tz("Europe/Berlin").unwrap().date();
        let local = day.checked_add(jiff::ToSpan::days(20)).unwrap().at(14, 0, 0, 0);
        let start = local.in_tz("Europe/Berlin").unwrap().timestamp();
        let new = NewOccurrence {
            id: self.occurrence,
            customer: name("nordwind"),
            window: name("quarterly"),
            recurrence_id: local,
            sequence: 0,
            moved_from: None,
            chosen_by: None,
            job: name("debian-quarterly"),
            time_zone: "Europe/Berlin".to_owned(),
            local_start: local,
            start,
            latest_start: start + SignedDuration::from_hours(3),
            end: start + SignedDuration::from_hours(4),
            reasons: Vec::new(),
            skip: None,
            next_notice: None,
            review: None,
        };
        let mut connection = self.store.pool().acquire().await.unwrap();
        assert_eq!(insert_occurrences(&mut connection, &[new]).await.unwrap(), 1);
    }

    /// Tells the customer of the date; the letters to IT and boss.
    pub(super) async fn announce(&self) -> Vec<Letter> {
        self.step(OccurrenceState::Planned, OccurrenceEvent::Announce).await;
        let (kind, occurrence) = (Kind::Announcement, self.occurrence);
        let mut connection = self.store.pool().acquire().await.unwrap();
        tell(&mut connection, &Message { kind, occurrence, lead: None, detail: &json!({}) }).await.unwrap();
        drop(connection);
        self.letters(Kind::Announcement).await
    }

    pub(super) async fn cancel(&self) {
        self.step(OccurrenceState::Announced, OccurrenceEvent::Cancel).await;
    }

    async fn step(&self, from: OccurrenceState, event: OccurrenceEvent) {
        let (now, cause) = (Timestamp::now(), (event == OccurrenceEvent::Cancel).then_some("test"));
        let change = Change { id: self.occurrence, from, event, cause, by: None, now };
        let mut connection = self.store.pool().acquire().await.unwrap();
        assert!(change_occurrence(&mut connection, &change).await.unwrap());
    }

    /// Runs something by hand to its end; the letters to IT and boss.
    pub(super) async fn finish(&self) -> Vec<Letter> {
        self.finish_once_more(0).await
    }

    pub(super) async fn finish_once_more(&self, round: usize) -> Vec<Letter> {
        let (run, _) = create(&self.store, &[&format!("web{round:02}")]).await;
        let epoch = take(&self.store, run, "one:1").await.unwrap();
        write(&self.store, run, epoch, &good_end()).await.unwrap();
        let letters = self.letters(Kind::Finished).await;
        letters.into_iter().skip(2 * round).collect()
    }

    async fn letters(&self, kind: Kind) -> Vec<Letter> {
        let mut connection = self.store.pool().acquire().await.unwrap();
        let all = NotificationFilter { customer: None, occurrence: None, state: None, limit: 1000 };
        let mut rows = list_notifications(&mut connection, all).await.unwrap();
        drop(connection);
        rows.retain(|row| row.kind == kind);
        // IT before the boss, run by run.
        rows.sort_by_key(|row| (row.run, row.recipient.starts_with("chefin")));
        let mut letters = Vec::new();
        for row in rows {
            letters.push(Letter { number: row.number, link: self.link(row.number).await.unwrap() });
        }
        letters
    }

    pub(super) async fn link(&self, notification: i64) -> Option<MadeLink> {
        let mut connection = self.store.pool().acquire().await.unwrap();
        let now = database_now(&mut connection).await.unwrap();
        make_link(&mut connection, &NewLink { notification, now }).await.unwrap()
    }

    pub(super) async fn occurrence(&self) -> StoredOccurrence {
        find(&self.store, self.occurrence).await
    }

    pub(super) async fn run(&self) -> RunId {
        RunId(self.ask_database("select id::text from run").await.parse().unwrap())
    }

    pub(super) async fn report(&self) -> Report {
        let number = RunNumber(self.ask_database("select number::text from run").await.parse().unwrap());
        let mut connection = self.store.pool().acquire().await.unwrap();
        let stored = find_run(&mut connection, number).await.unwrap().unwrap();
        let record = turnus::edge::store::event::read_events(&mut connection, stored.id).await.unwrap();
        write_report(&stored, &record, None).unwrap()
    }

    /// Everything that an answer could change.
    pub(super) async fn rows(&self) -> String {
        let tables = ["link", "answer", "occurrence", "notification", "audit", "run"];
        let all = tables.map(|table| format!("(select string_agg(t::text, E'\\n' order by t::text) from {table} t)"));
        self.ask_database(&format!("select concat_ws(E'\\n', {})", all.join(", "))).await
    }

    pub(super) async fn ask_database(&self, query: &str) -> String {
        let asked = sqlx::query_scalar::<_, Option<String>>(sqlx::AssertSqlSafe(query.to_owned()));
        asked.fetch_one(&self.store.pool()).await.unwrap().unwrap_or_default()
    }

    pub(super) async fn execute(&self, statement: &str) {
        let mut connection = self.store.pool().acquire().await.unwrap();
        execute(&mut connection, statement.to_owned()).await;
    }

    pub(super) async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.ask_with_body(method, path, headers, String::new()).await
    }

    pub(super) async fn ask_with_body(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Answer {
        let url = format!("http://{}{path}", self.address);
        let mut request = self.client.request(method.parse().unwrap(), url);
        if !body.is_empty() {
            request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Answer { status, headers, body: answer.text().await.unwrap() }
    }

    pub(super) async fn get(&self, letter: &Letter) -> Answer {
        self.ask("GET", &format!("/l/{}", letter.link.token), &[]).await
    }

    pub(super) async fn post(&self, letter: &Letter, form: &[(&str, &str)]) -> Answer {
        self.post_raw(letter, &fields(form)).await
    }

    pub(super) async fn post_raw(&self, letter: &Letter, form: &str) -> Answer {
        self.ask_with_body("POST", &format!("/l/{}", letter.link.token), &[], form.to_owned()).await
    }

    /// With the code of the letter.
    pub(super) async fn decide(&self, letter: &Letter, form: &[(&str, &str)]) -> Answer {
        self.post(letter, &[form, &[("code", &letter.link.code)]].concat()).await
    }

    /// Forms by token, all sent before the first is answered.
    pub(super) async fn post_at_once(&self, forms: &[(String, String)]) -> Vec<Answer> {
        let post = async |token: &String, form: &String| {
            self.ask_with_body("POST", &format!("/l/{token}"), &[], form.clone()).await
        };
        let posts = forms.iter().map(|(token, form)| post(token, form));
        futures_util::future::join_all(posts).await
    }
}

/// All that happens in a run on one host, with one step, that ends well.
pub(crate) fn good_end() -> Batch {
    let (host, step) = (HostIndex(0), StepIndex(0));
    let events = [
        Event::LeaseTaken { epoch: Epoch(1), controller: "one:1".to_owned() },
        Event::BatchStarted { batch: 0 },
        Event::HostStarted { host },
        Event::HostReady { host, facts: Facts::new() },
        Event::StepStarted { host, step },
        Event::StepFinished { host, step, result: StepResult::of(StepEnd::Succeeded) },
        Event::HostFinished { host, outcome: Outcome::Updated },
        Event::RunFinished { result: RunResult::Succeeded },
    ];
    let recorded = events.into_iter().zip(1..).map(|(event, seq)| Recorded {
        seq,
        at: Timestamp::from_second(1_770_000_000 + seq * 60).unwrap(),
        event,
    });
    Batch::of(recorded.collect(), Vec::new())
}

/// A form as browsers encode it.
pub(super) fn fields(form: &[(&str, &str)]) -> String {
    let encode = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    form.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect::<Vec<_>>().join("&")
}
