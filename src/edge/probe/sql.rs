//! A database that answers a query.
//!
//! Invariants: nothing can be changed by accident. The question is a part of a query of ours, so that it can be nothing but one
//! SELECT; it is prepared, which no server does with more than one statement; it is asked in a transaction that only reads. The
//! server gives up when the try does, and sends at most one more than [`ANSWER_LIMIT`] characters. Of one that does not keep to that
//! no more is read than comes through a doorway: sqlx reads as much as the server says it will send.

use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlSslMode};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};
use tokio::time::timeout;

use super::certificates::read_certificates;
use super::dial::{Doorway, open_doorway, port_of};
use super::{Scene, chain, excerpt, host_of};
use crate::domain::probe::sql::{ANSWER_LIMIT, SQL_PASSWORD};
use crate::domain::probe::template::fill_in;
use crate::domain::probe::{Engine, SqlCheck};

/// So long a server may take for its goodbye.
const GOODBYE: Duration = Duration::from_millis(500);

/// Logs in, asks, and compares.
pub(super) async fn ask(check: &SqlCheck, scene: &Scene<'_>, limit: Duration) -> Result<String, String> {
    let address = fill_in(&check.address, scene.target)?;
    let told = |what: String| format!("{} {address}: {what}", check.engine.word());
    let doorway = open_doorway(&address, scene).await.map_err(told)?;
    let place = Place::of(check, (&address, &doorway), scene).map_err(told)?;
    // 0 would be no limit at all.
    let limit = limit.max(Duration::from_millis(1));
    let answer = match check.engine {
        Engine::Postgres => ask_postgres(&place, limit).await,
        Engine::Mysql => ask_mysql(&place, limit).await,
    };
    let answer = answer
        .map_err(|error| told(explain(&error)))
        .and_then(|answer| answer.ok_or_else(|| told("expected a value, found none (no row, or null)".to_owned())))?;
    judge(check, &answer, |text| excerpt(scene.conceal(text).as_bytes())).map(told).map_err(told)
}

/// Where to ask what, filled in.
struct Place<'a> {
    check: &'a SqlCheck,
    host: &'a str,
    port: u16,
    /// The way there. Certificates are for `host` all the same.
    doorway: &'a Doorway,
    password: &'a str,
}

impl<'a> Place<'a> {
    fn of(check: &'a SqlCheck, (address, doorway): (&'a str, &'a Doorway), scene: &Scene<'a>) -> Result<Self, String> {
        let port = port_of(address).ok_or_else(|| "there is no port in the address".to_owned())?;
        if let Some(ca_file) = check.tls.as_ref().and_then(|tls| tls.ca_file.as_ref()) {
            // sqlx would not say which file it can't read.
            read_certificates(ca_file)?;
        }
        let password = scene.secrets.get(SQL_PASSWORD).ok_or_else(|| format!("there is no `{SQL_PASSWORD}`"))?;
        Ok(Self { check, host: host_of(address), port, doorway, password })
    }

    /// The question in a place where a statement of any other kind is a mistake. A comment at its end does not reach beyond it.
    fn query(&self, text_type: &str) -> AssertSqlSafe<String> {
        let question = &self.check.query;
        // What the technician asks is not ours to doubt; what it may do is limited here.
        AssertSqlSafe(format!("select left(cast(({question}\n) as {text_type}), {})", ANSWER_LIMIT + 1))
    }
}

async fn ask_postgres(place: &Place<'_>, limit: Duration) -> sqlx::Result<Option<String>> {
    let mut connection: PgConnection = postgres_options(place).connect().await?;
    let limit_ms = limit.as_millis();
    connection.execute("begin transaction read only").await?;
    connection.execute(AssertSqlSafe(format!("set local statement_timeout = {limit_ms}"))).await?;
    let answer = sqlx::query_scalar(place.query("text")).fetch_one(&mut connection).await?;
    say_goodbye(connection).await;
    Ok(answer)
}

/// What comes now, or does not come, changes nothing.
async fn say_goodbye(connection: impl Connection) {
    let _ = timeout(GOODBYE, connection.close()).await;
}

fn postgres_options(place: &Place<'_>) -> PgConnectOptions {
    let check = place.check;
    let mode = match &check.tls {
        None => PgSslMode::Disable,
        Some(tls) if tls.verify => PgSslMode::VerifyFull,
        Some(_) => PgSslMode::Require,
    };
    let options = PgConnectOptions::new_without_pgpass()
        .host(place.host)
        .port(place.port)
        .socket(place.doorway.directory())
        .database(&check.database)
        .username(&check.login.user)
        .password(place.password)
        .application_name("turnus probe")
        // Poolers refuse what they don't know.
        .extra_float_digits(None)
        .ssl_mode(mode)
        .disable_statement_logging();
    match check.tls.as_ref().and_then(|tls| tls.ca_file.as_ref()) {
        Some(ca_file) => options.ssl_root_cert(ca_file),
        None => options,
    }
}

async fn ask_mysql(place: &Place<'_>, limit: Duration) -> sqlx::Result<Option<String>> {
    let mut connection: MySqlConnection = mysql_options(place).connect().await?;
    let version: String = sqlx::query_scalar("select version()").fetch_one(&mut connection).await?;
    // The two count in units of their own, and do not know the other's word.
    let limit = if version.contains("MariaDB") {
        format!("set session max_statement_time = {:.3}", limit.as_secs_f64())
    } else {
        format!("set session max_execution_time = {}", limit.as_millis())
    };
    connection.execute(AssertSqlSafe(limit)).await?;
    connection.execute("start transaction read only").await?;
    let answer = sqlx::query_scalar(place.query("char")).fetch_one(&mut connection).await?;
    say_goodbye(connection).await;
    Ok(answer)
}

fn mysql_options(place: &Place<'_>) -> MySqlConnectOptions {
    let check = place.check;
    let mode = match &check.tls {
        None => MySqlSslMode::Disabled,
        Some(tls) if tls.verify => MySqlSslMode::VerifyIdentity,
        Some(_) => MySqlSslMode::Required,
    };
    let options = MySqlConnectOptions::new()
        .host(place.host)
        .port(place.port)
        .socket(&place.doorway.path)
        .database(&check.database)
        .username(&check.login.user)
        .password(place.password)
        .ssl_mode(mode)
        // The technician's own SQL is meant as the server reads it.
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .disable_statement_logging();
    match check.tls.as_ref().and_then(|tls| tls.ca_file.as_ref()) {
        Some(ca_file) => options.ssl_ca(ca_file),
        None => options,
    }
}

/// What the server or the line says, without the way by which it came here.
fn explain(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        error => chain(error),
    }
}

fn judge(check: &SqlCheck, found: &str, shown: impl Fn(&str) -> String) -> Result<String, String> {
    match &check.equals {
        Some(wanted) if wanted != found => Err(format!("expected `{}`, found `{}`", shown(wanted), shown(found))),
        Some(_) | None => Ok(format!("answered `{}`", shown(found))),
    }
}
