//! Measures the store against what Postgres does without turnus, by turns, and prints the ratios:
//!
//! - `claim`: due occurrences are claimed and ended one by one, each in a transaction of its own, by turnus and by pgbench, which
//!   runs the same statements; once with the disk waited for at each COMMIT, once without.
//! - `empty tick`: everything that a daemon asks with each tick, nothing being due, over 400 and over 40,000 windows.
//! - `materialise`: 40,000 windows × 400 days of dates are stored by turnus, and by psql, which runs the bare inserts of the same rows.
//!
//! Only ratios within one call mean anything. Needs Postgres with pgbench on this machine. Usage:
//!
//!     cargo bench --bench store [-- --rounds 3]

#![expect(clippy::disallowed_methods, reason = "measures time, starts programs")]

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use sqlx::PgPool;
use turnus::domain::calendar::Reason;
use turnus::domain::id::{Name, OccurrenceId};
use turnus::domain::occurrence::OccurrenceEvent;
use turnus::edge::store::applied::list_to_extend;
use turnus::edge::store::occurrence::change::{Change, change_occurrence};
use turnus::edge::store::occurrence::claim::{claim_notices, claim_occurrence, claim_reviews, list_due};
use turnus::edge::store::occurrence::insert::{NewOccurrence, insert_occurrences};
use turnus::edge::store::run::list_lapsed_runs;
use turnus::edge::store::{Store, Target};
use uuid::Uuid;

#[path = "store/bare.rs"]
mod bare;

use bare::Bare;

const CUSTOMERS: usize = 10_000;
const WINDOWS_EACH: usize = 4;
/// A quarterly window within 400 days.
const DATES_EACH: usize = 5;
const CLAIMS: usize = 2_000;
const TICKS: u32 = 500;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let rounds = match arguments.iter().position(|argument| argument == "--rounds") {
        Some(position) => arguments.get(position + 1).context("--rounds NUMBER")?.parse()?,
        None => 3,
    };
    let scratch = tempfile::Builder::new().prefix("turnus-bench-").tempdir_in("/var/tmp")?;
    make_passable(scratch.path())?;
    let store = Store::open(Target::Private { state_dir: scratch.path().to_owned() }).await?;
    let bare = Bare::beside(&store, scratch.path())?;
    println!("{:<32} {:>12} {:>12} {:>7}   (medians of {rounds})", "", "bare", "turnus", "ratio");
    for (disk, setting) in [("the disk waited for", "on"), ("the disk not waited for", "off")] {
        let set = format!("alter database turnus set synchronous_commit = {setting}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(set)).execute(&store.pool()).await?;
        store.reconnect().await?;
        compare_claims(&store, &bare, rounds, disk).await?;
    }
    sqlx::raw_sql("alter database turnus reset synchronous_commit").execute(&store.pool()).await?;
    store.reconnect().await?;
    compare_materialising(&store, &bare, rounds).await?;
    compare_ticks(&store, rounds).await?;
    drop(bare);
    store.close().await?;
    Ok(())
}

/// Postgres may run as another user.
fn make_passable(directory: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o755))?;
    Ok(())
}

async fn compare_claims(store: &Store, bare: &Bare, rounds: usize, disk: &str) -> Result<()> {
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        fill_due(&store.pool()).await?;
        theirs.push(bare.claim(CLAIMS)?);
        count_missed(&store.pool()).await?;
        fill_due(&store.pool()).await?;
        ours.push(claim_all(store).await?);
        count_missed(&store.pool()).await?;
    }
    let (theirs, ours) = (median(theirs), median(ours));
    println!("{:<32} {theirs:>10.0}/s {ours:>10.0}/s {:>7.2}", format!("claim, {disk}"), ours / theirs);
    Ok(())
}

/// As if there had never been a row. (What refers to occurrences refuses a `truncate`.)
async fn empty(pool: &PgPool) -> Result<()> {
    for sql in ["delete from occurrence", "vacuum full occurrence", "checkpoint"] {
        sqlx::raw_sql(sql).execute(pool).await?;
    }
    Ok(())
}

async fn fill_due(pool: &PgPool) -> Result<()> {
    empty(pool).await?;
    let fill = format!(
        "insert into occurrence (id, customer, window_name, recurrence_id, job, time_zone, local_start, start_at, latest_start_at, end_at,
                                 reasons)
         select ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid, 'customer-' || n, 'quarterly', at at time zone 'UTC', 'job',
                'UTC', at at time zone 'UTC', at, at + interval '3 h', at + interval '4 h', '[{{\"why\":\"by_rule\"}}]'
         from (select n, timestamptz '2026-01-01' + n * interval '1 s' as at from generate_series(1, {CLAIMS}) n) as dated;
         analyze occurrence"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(fill)).execute(pool).await?;
    Ok(())
}

async fn count_missed(pool: &PgPool) -> Result<()> {
    let missed: i64 =
        sqlx::query_scalar("select count(*) from occurrence where state = 'missed'").fetch_one(pool).await?;
    ensure!(missed == CLAIMS as i64, "{missed} of {CLAIMS} were claimed");
    Ok(())
}

/// As a daemon that finds all of them late. Returns how many a second.
async fn claim_all(store: &Store) -> Result<f64> {
    let now = Timestamp::now();
    let began = Instant::now();
    loop {
        let due = list_due(&mut *store.pool().acquire().await?, now, 50).await?;
        if due.is_empty() {
            return Ok(CLAIMS as f64 / began.elapsed().as_secs_f64());
        }
        for id in due {
            let mut transaction = store.begin().await?;
            let claimed = claim_occurrence(&mut transaction, id).await?.context("nobody else claims")?;
            let change = Change {
                id,
                from: claimed.state,
                event: OccurrenceEvent::Miss,
                cause: Some("controller not running"),
                by: None,
                now,
            };
            ensure!(change_occurrence(&mut transaction, &change).await?, "nobody else changes it");
            transaction.commit().await?;
        }
    }
}

async fn compare_materialising(store: &Store, bare: &Bare, rounds: usize) -> Result<()> {
    let dates = dates(CUSTOMERS);
    let script = bare.write_inserts(&dates)?;
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        empty(&store.pool()).await?;
        let began = Instant::now();
        bare.insert(&script)?;
        theirs.push(began.elapsed().as_secs_f64());

        empty(&store.pool()).await?;
        let began = Instant::now();
        let mut transaction = store.begin().await?;
        let stored = insert_occurrences(&mut transaction, &dates).await?;
        transaction.commit().await?;
        ours.push(began.elapsed().as_secs_f64());
        ensure!(stored == dates.len() as u64, "{stored} of {} were stored", dates.len());
    }
    let (theirs, ours) = (median(theirs), median(ours));
    let what = format!("materialise {} dates", dates.len());
    println!("{what:<32} {theirs:>10.2} s {ours:>10.2} s {:>7.2}", ours / theirs);
    Ok(())
}

/// All dates of so many customers, none of them due.
fn dates(customers: usize) -> Vec<NewOccurrence> {
    let first: Timestamp = Timestamp::now() + SignedDuration::from_hours(24 * 30);
    let job: Name = "debian-quarterly".parse().unwrap_or_else(|_| unreachable!("a valid name"));
    let mut dates = Vec::with_capacity(customers * WINDOWS_EACH * DATES_EACH);
    for number in 0..customers * WINDOWS_EACH * DATES_EACH {
        let (window, date) = (number / DATES_EACH, number % DATES_EACH);
        let hours = 24 * 91 * date + window % (24 * 5);
        let start = first + SignedDuration::from_hours(i64::try_from(hours).unwrap_or_default());
        let local = start.to_zoned(jiff::tz::TimeZone::UTC).datetime();
        let name = |text: String| text.parse().unwrap_or_else(|_| unreachable!("a valid name"));
        dates.push(NewOccurrence {
            id: OccurrenceId(Uuid::now_v7()),
            customer: name(format!("customer-{}", window / WINDOWS_EACH)),
            window: name(format!("window-{}", window % WINDOWS_EACH)),
            recurrence_id: local,
            sequence: 0,
            moved_from: None,
            chosen_by: None,
            job: job.clone(),
            time_zone: "UTC".to_owned(),
            local_start: local,
            start,
            latest_start: start + SignedDuration::from_hours(3),
            end: start + SignedDuration::from_hours(4),
            reasons: vec![Reason::ByRule],
            skip: None,
            next_notice: Some(start - SignedDuration::from_hours(24 * 14)),
            review: Some(start - SignedDuration::from_hours(24 * 3)),
        });
    }
    dates
}

/// Turnus against itself: what is not due costs nothing.
async fn compare_ticks(store: &Store, rounds: usize) -> Result<()> {
    let (mut few, mut many) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        for (customers, times) in [(CUSTOMERS / 100, &mut few), (CUSTOMERS, &mut many)] {
            empty(&store.pool()).await?;
            insert_occurrences(&mut *store.pool().acquire().await?, &dates(customers)).await?;
            sqlx::raw_sql("vacuum analyze occurrence").execute(&store.pool()).await?;
            times.push(time_tick(store).await?);
        }
    }
    let (few, many) = (median(few), median(many));
    println!("an empty tick takes {few:.2} ms over 400 windows, {many:.2} ms over 40,000: {:.2}", many / few);
    Ok(())
}

/// In milliseconds.
async fn time_tick(store: &Store) -> Result<f64> {
    let mut connection = store.pool().acquire().await?;
    let now = Timestamp::now();
    let began = Instant::now();
    for _ in 0..TICKS {
        ensure!(list_due(&mut connection, now, 50).await?.is_empty(), "nothing is due");
        ensure!(claim_notices(&mut connection, now, 50).await?.is_empty(), "nothing is due");
        ensure!(claim_reviews(&mut connection, now, 50).await?.is_empty(), "nothing is due");
        ensure!(list_to_extend(&mut connection, now, 50).await?.is_empty(), "nothing is due");
        ensure!(list_lapsed_runs(&mut connection).await?.is_empty(), "nothing is due");
    }
    Ok(began.elapsed().as_secs_f64() * 1000.0 / f64::from(TICKS))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
