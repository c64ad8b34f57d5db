//! A provider with daemons: a world of hosts, a database that outlives every `turnus serve`, and what was applied.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use sqlx::PgConnection;
use turnus::domain::id::{ContentHash, Name, OccurrenceId};
use turnus::domain::inventory::{CalendarEntry, Locale, Receives};
use turnus::edge::store::Store;
use turnus::edge::store::applied::contact::{ContactRow, replace_all_contacts};
use turnus::edge::store::applied::publish::{publish_all, set_all_materialised};
use turnus::edge::store::occurrence::insert::{NewOccurrence, insert_occurrences};
use turnus::edge::store::occurrence::{StoredOccurrence, find_occurrence};
use turnus::edge::store::revision::{Revision, RevisionKind};
use uuid::Uuid;

use super::database::Database;
use super::world::{Running, World, wait_until};

/// Everything, thrown away at the end.
pub(crate) struct Provider {
    // Before the runtime, which its parts need.
    store: Option<Store>,
    database: Option<Database>,
    pub(crate) world: World,
    runtime: tokio::runtime::Runtime,
}

/// When an occurrence may begin, in seconds from now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub(crate) start: i64,
    pub(crate) latest_start: i64,
    pub(crate) end: i64,
}

/// Due now, with an hour to begin.
pub(crate) const DUE: Span = Span { start: -1, latest_start: 3600, end: 7200 };

impl Provider {
    /// `hosts` hosts, each in a window of its own named as the host, and in the window `all`; the job is `quarterly`.
    pub(crate) fn new(hosts: usize) -> Self {
        Self::with_settings(hosts, "")
    }

    /// The same with further lines for `turnus.toml`.
    pub(crate) fn with_settings(hosts: usize, settings: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let database = runtime.block_on(Database::open());
        Self::build(hosts, settings, runtime, database)
    }

    /// The same on a Postgres of its own, below `directory`.
    pub(crate) fn alone(hosts: usize, settings: &str, directory: &Path) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let database = runtime.block_on(Database::open_alone(directory));
        Self::build(hosts, settings, runtime, database)
    }

    fn build(hosts: usize, settings: &str, runtime: tokio::runtime::Runtime, database: Database) -> Self {
        let store = runtime.block_on(database.store());
        let world = World::without_database(hosts, &format!("[database]\nurl = \"{}\"\n{settings}", database.url()));
        let provider = Self { store: Some(store), database: Some(database), world, runtime };
        let mut inventory = provider.inventory();
        for host in 1..=hosts {
            inventory += &window(&format!("h{host}"), &format!("h{host}"));
        }
        inventory += &window("all", "@all");
        provider.world.write("configuration/inventories/nordwind.toml", &inventory);
        provider.apply();
        provider
    }

    /// As a crash of the server would, in the midst of everything.
    pub(crate) fn restart_database(&self) {
        let database = self.database.as_ref().unwrap();
        self.block_on(database.crash_and_restart());
        self.block_on(self.store().reconnect()).unwrap();
    }

    pub(crate) fn inventory(&self) -> String {
        std::fs::read_to_string(self.world.path("configuration/inventories/nordwind.toml")).unwrap()
    }

    pub(crate) fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    /// Another store on the same database.
    pub(crate) fn open_store(&self) -> Store {
        self.block_on(self.database.as_ref().unwrap().store())
    }

    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Publishes the files as they are, whatever is in them, and no dates: those are the test's.
    pub(crate) fn apply(&self) {
        self.apply_file(RevisionKind::Settings, "turnus", "configuration/turnus.toml");
        self.apply_file(RevisionKind::Inventory, "nordwind", "configuration/inventories/nordwind.toml");
        for job in std::fs::read_dir(self.world.path("configuration/jobs")).unwrap().flatten() {
            let name = job.path().file_stem().unwrap().to_str().unwrap().to_owned();
            self.apply_file(RevisionKind::Job, &name, &format!("configuration/jobs/{name}.toml"));
        }
        let nordwind = name("nordwind");
        let contact = |email: &str, receives: &[Receives]| ContactRow {
            name: "IT".to_owned(),
            email: email.to_owned(),
            locale: Locale::De,
            receives: receives.to_vec(),
            calendar: CalendarEntry::Publish,
        };
        self.in_transaction(async |connection| {
            let all = [Receives::Announcement, Receives::Report, Receives::Start];
            let of_customer = contact("it@nordwind.example", &all);
            let of_team = contact("team@provider.example", &[]);
            let contacts = [(Some(&nordwind), vec![of_customer]), (None, vec![of_team])];
            replace_all_contacts(connection, &contacts).await.unwrap();
        });
    }

    fn apply_file(&self, kind: RevisionKind, file: &str, path: &str) {
        self.apply_text(kind, file, &std::fs::read_to_string(self.world.path(path)).unwrap());
    }

    pub(crate) fn apply_text(&self, kind: RevisionKind, file: &str, content: &str) {
        let hash = ContentHash::of(content.as_bytes());
        self.in_transaction(async |connection| {
            publish_all(connection, &[Revision { hash: &hash, kind, name: file, content }], "test").await.unwrap();
            if kind == RevisionKind::Inventory {
                let far = "2100-01-01T00:00:00Z".parse().unwrap();
                set_all_materialised(connection, &[&name(file)], far).await.unwrap();
            }
        });
    }

    pub(crate) fn in_transaction<T>(&self, act: impl AsyncFnOnce(&mut PgConnection) -> T) -> T {
        self.block_on(async {
            let mut transaction = self.store().begin().await.unwrap();
            let result = act(&mut transaction).await;
            transaction.commit().await.unwrap();
            result
        })
    }

    /// Stores an occurrence of a window of nordwind.
    pub(crate) fn plan(&self, window: &str, span: Span) -> OccurrenceId {
        self.plan_with(|new| NewOccurrence { window: name(window), ..new }, span)
    }

    pub(crate) fn plan_with(&self, change: impl FnOnce(NewOccurrence) -> NewOccurrence, span: Span) -> OccurrenceId {
        let at = |seconds: i64| Timestamp::now() + SignedDuration::from_secs(seconds);
        let local = at(span.start).in_tz("Europe/Berlin").unwrap().datetime();
        let new = change(NewOccurrence {
            id: OccurrenceId(Uuid::now_v7()),
            customer: name("nordwind"),
            window: name("all"),
            recurrence_id: local,
            sequence: 0,
            moved_from: None,
            chosen_by: None,
            job: name("quarterly"),
            time_zone: "Europe/Berlin".to_owned(),
            local_start: local,
            start: at(span.start),
            latest_start: at(span.latest_start),
            end: at(span.end),
            reasons: Vec::new(),
            skip: None,
            next_notice: None,
            review: None,
        });
        let stored =
            self.in_transaction(async |connection| insert_occurrences(connection, std::slice::from_ref(&new)).await);
        assert_eq!(stored.unwrap(), 1);
        new.id
    }

    pub(crate) fn occurrence(&self, id: OccurrenceId) -> StoredOccurrence {
        self.in_transaction(async |connection| find_occurrence(connection, id).await.unwrap().unwrap())
    }

    /// Where an occurrence stands, with its cause.
    pub(crate) fn state(&self, id: OccurrenceId) -> String {
        let StoredOccurrence { state, cause, .. } = self.occurrence(id);
        cause.map_or_else(|| state.to_string(), |cause| format!("{state} ({cause})"))
    }

    pub(crate) fn wait_for_state(&self, id: OccurrenceId, wanted: &str) {
        wait_until(&format!("the occurrence is {wanted}"), || self.state(id) == wanted);
    }

    /// The single text that a query gives.
    pub(crate) fn ask(&self, query: &str) -> String {
        self.in_transaction(async |connection| {
            let asked = sqlx::query_scalar::<_, Option<String>>(sqlx::AssertSqlSafe(query.to_owned()));
            asked.fetch_one(connection).await.unwrap().unwrap_or_default()
        })
    }

    pub(crate) fn execute(&self, statement: &str) {
        self.in_transaction(async |connection| super::database::execute(connection, statement.to_owned()).await);
    }

    /// All messages, as `kind recipient`, in order.
    pub(crate) fn messages(&self) -> Vec<String> {
        let all = self.ask("select string_agg(kind || ' ' || recipient, ';' order by number) from notification");
        all.split(';').filter(|message| !message.is_empty()).map(str::to_owned).collect()
    }

    /// The lease of a killed controller lasts 30 s; nobody wants to wait for that in a test.
    pub(crate) fn expire_leases_of(&self, pid: u32) {
        self.execute(&format!(
            "update run set lease_until = clock_timestamp() - interval '1 s' where lease_owner like '%:{pid}'"
        ));
    }

    /// A daemon, once it serves.
    pub(crate) fn serve(&self) -> Running<'_> {
        let daemon = self.world.start(&["serve"]);
        daemon.wait_for_text("serving");
        daemon
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let (store, database) = (self.store.take(), self.database.take());
        self.runtime.block_on(async {
            if let Some(store) = store {
                // A failed test has its own message.
                let _ = store.close().await;
            }
            if let Some(database) = database.filter(|_| !std::thread::panicking()) {
                database.close().await;
            }
        });
    }
}

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn window(name: &str, hosts: &str) -> String {
    format!(
        "\n[[window]]\nname = \"{name}\"\nrule = \"FREQ=YEARLY\"\nstarts = 2027-03-27T14:00:00\nduration = \"2h\"\n\
         job = \"quarterly\"\nhosts = [\"{hosts}\"]\n"
    )
}
