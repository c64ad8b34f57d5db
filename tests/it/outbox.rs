//! Messages leave for a real mail server, whatever it answers and whoever dies: each arrives, and nobody gets another one instead.

#![expect(clippy::expect_used, reason = "a test may fail by panic")]

mod capacity;
mod commands;
mod kills;
mod passes;

use jiff::{SignedDuration, Timestamp};
use sqlx::PgConnection;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use turnus::app::controller::clock::Clock;
use turnus::app::post::{Post, Tally, post_due};
use turnus::domain::notification::Delivery;
use turnus::domain::settings::{self, Settings};
use turnus::edge::store::Store;
use turnus::edge::store::notification::{StoredNotification, find_notification};

use crate::kit::database::execute;
use crate::kit::office::{Office, day, window};
use crate::kit::smtp::SmtpServer;

/// A provider with a mail server, and the customer nordwind, whose window `weekly` opens every week from the third day after today on.
struct Desk {
    office: Office,
    store: Store,
    server: SmtpServer,
}

impl Desk {
    async fn open() -> Self {
        let (office, server) = (Office::open().await, SmtpServer::start());
        office.settle(&mail_settings(&server));
        office.customer("nordwind", &window("weekly", "FREQ=WEEKLY", day(3)));
        office.succeed(&["apply", "--yes"]);
        let store = office.store().await;
        Self { office, store, server }
    }

    async fn close(self) {
        self.store.close().await.expect("closed");
        self.office.close().await;
    }

    async fn execute(&self, sql: &str) {
        let mut connection: PgConnection = self.office.connect().await;
        execute(&mut connection, sql.to_owned()).await;
    }

    /// An announcement of the first date to each of these.
    async fn announce(&self, recipients: &[&str]) {
        for recipient in recipients {
            self.execute(&announcement(&format!("'{recipient}'"), "")).await;
        }
    }

    async fn message(&self, number: i64) -> StoredNotification {
        let mut connection = self.store.pool().acquire().await.expect("a connection");
        find_notification(&mut connection, number).await.expect("found").expect("there")
    }

    async fn states(&self) -> Vec<Delivery> {
        let numbers: Vec<i64> = sqlx::query_scalar("select number from notification order by number")
            .fetch_all(&self.store.pool())
            .await
            .expect("listed");
        let mut states = Vec::new();
        for number in numbers {
            states.push(self.message(number).await.state);
        }
        states
    }

    async fn post(&self, name: &str) -> Post {
        Post::open(&self.settings(), &[], name).await.expect("ready")
    }

    fn settings(&self) -> Settings {
        let text = std::fs::read_to_string(self.office.path("turnus.toml")).expect("readable");
        settings::parse(&text, "turnus.toml").expect("right")
    }

    /// One pass, as if it were so many seconds later.
    async fn pass(&self, later_s: i64) -> Tally {
        let post = self.post("test:1").await;
        let now = Timestamp::now() + SignedDuration::from_secs(later_s + 1);
        let clock = Clock::set(now, Instant::now());
        post_due(&post, &self.store, &clock, &CancellationToken::new()).await.expect("the database answers")
    }

    /// Whom the server got letters for, in order.
    fn recipients(&self) -> Vec<String> {
        self.server.letters().into_iter().map(|letter| letter.recipient).collect()
    }
}

fn mail_settings(server: &SmtpServer) -> String {
    format!(
        "[provider]\nname = \"Systemhaus\"\nemail = \"wartung@systemhaus.example\"\n\n\
         [mail]\nmailer = \"smtp\"\nhost = \"{}\"\nport = {}\nsecurity = \"none\"\ntimeout = \"3s\"\n",
        server.address, server.port
    )
}

/// SQL for announcements of the first date, to `recipient`, an expression.
fn announcement(recipient: &str, from: &str) -> String {
    format!(
        "insert into notification (kind, customer, occurrence, sequence, recipient, recipient_name, locale, dedupe_key)
         select 'announcement', customer, occurrence.id, sequence, {recipient}, 'IT', 'en', 'test-' || {recipient}
         from (select * from occurrence order by start_at limit 1) as occurrence {from}"
    )
}

fn sent(count: u32) -> Tally {
    Tally { sent: count, ..Tally::default() }
}
