//! How full hosts were: each look with what it measured; who looks when, and who was told, is in the modules below.
//!
//! Knows rows; what they foretell, [`crate::domain::capacity`] knows. Invariant: of one host there is one daily look a day, however
//! many controllers look.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff_sqlx::ToSqlx;
use sqlx::PgConnection;

use super::error::Error;
use super::run::{read_name, write_json};
use crate::domain::capacity::{Disk, Fill, LatestLook, Level, Measurement, Memory, PathHistory};
use crate::domain::id::{Name, RunId};

pub mod alarm;
pub mod backup;
pub mod round;

/// A look at a host.
#[derive(Debug, Clone, Copy)]
pub struct NewLook<'a> {
    /// Whose host.
    pub customer: &'a Name,
    /// Which.
    pub host: &'a Name,
    /// When.
    pub at: Timestamp,
    /// In which run.
    pub run: Option<RunId>,
    /// Of the daily collection: which day, in UTC.
    pub day: Option<Date>,
    /// What was measured, or why nothing was.
    pub found: Result<&'a Measurement, &'a str>,
}

/// Stores a look. `false`: it was there already, or another had looked that day; nothing was stored.
///
/// # Errors
/// If the database can't be used.
pub async fn store_look(connection: &mut PgConnection, look: &NewLook<'_>) -> Result<bool, Error> {
    let none = Measurement::default();
    let measured = look.found.unwrap_or(&none);
    let memory = measured.memory;
    let unmeasured = write_json("capacity_look.unmeasured", &measured.unmeasured)?;
    let stored = sqlx::query!(
        "insert into capacity_look (customer, host, looked_at, run, day, memory_total_bytes, memory_available_bytes, unmeasured, fault)
         values ($1, $2, $3, $4, $5, $6, $7, $8::text::json, $9)
         on conflict do nothing",
        look.customer.as_str(),
        look.host.as_str(),
        look.at.to_sqlx() as _,
        look.run.map(|run| run.0),
        look.day.map(ToSqlx::to_sqlx) as _,
        memory.map(|memory| column(memory.total_bytes)),
        memory.map(|memory| column(memory.available_bytes)),
        unmeasured,
        look.found.err(),
    );
    if stored.execute(&mut *connection).await?.rows_affected() == 0 {
        return Ok(false);
    }
    store_disks(connection, look, &measured.disks).await?;
    Ok(true)
}

async fn store_disks(connection: &mut PgConnection, look: &NewLook<'_>, disks: &[Disk]) -> Result<(), Error> {
    let text = |of: fn(&Disk) -> &str| disks.iter().map(of).collect::<Vec<_>>();
    let bytes = |of: fn(&Fill) -> u64| disks.iter().map(|disk| column(of(&disk.space))).collect::<Vec<_>>();
    let inodes = |of: fn(&Fill) -> u64| {
        disks.iter().map(|disk| disk.inodes.as_ref().map(|fill| column(of(fill)))).collect::<Vec<_>>()
    };
    sqlx::query!(
        "insert into measurement (customer, host, measured_at, run, path, mount, total_bytes, free_bytes, total_inodes, free_inodes)
         select $1, $2, $3, $4, path, mount, total_bytes, free_bytes, total_inodes, free_inodes
         from unnest($5::text[], $6::text[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[])
              as disk (path, mount, total_bytes, free_bytes, total_inodes, free_inodes)",
        look.customer.as_str(),
        look.host.as_str(),
        look.at.to_sqlx() as _,
        look.run.map(|run| run.0),
        &text(|disk| &disk.path) as &[&str],
        &text(|disk| &disk.mount) as &[&str],
        &bytes(|fill| fill.total),
        &bytes(|fill| fill.free),
        &inodes(|fill| fill.total) as &[Option<i64>],
        &inodes(|fill| fill.free) as &[Option<i64>],
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Which measurements are asked for.
#[derive(Debug, Clone, Copy)]
pub struct LevelFilter<'a> {
    /// Whose hosts.
    pub customer: &'a Name,
    /// Of this host only.
    pub host: Option<&'a Name>,
    /// From then on.
    pub from: Timestamp,
    /// And until then.
    pub until: Timestamp,
}

/// All that was measured, by host and path.
///
/// # Errors
/// If the database can't be used.
pub async fn list_levels(
    connection: &mut PgConnection,
    filter: &LevelFilter<'_>,
) -> Result<BTreeMap<Name, BTreeMap<String, PathHistory>>, Error> {
    let rows = sqlx::query!(
        r#"select host, path, measured_at as "measured_at: jiff_sqlx::Timestamp", mount, total_bytes, free_bytes, total_inodes, free_inodes
           from measurement
           where customer = $1 and ($2::text is null or host = $2) and measured_at between $3 and $4
           order by measured_at"#,
        filter.customer.as_str(),
        filter.host.map(Name::as_str),
        filter.from.to_sqlx() as _,
        filter.until.to_sqlx() as _,
    )
    .fetch_all(connection)
    .await?;
    let mut hosts: BTreeMap<Name, BTreeMap<String, Vec<(String, Level)>>> = BTreeMap::new();
    for row in rows {
        let level = Level {
            at: row.measured_at.to_jiff(),
            space: fill(row.total_bytes, row.free_bytes),
            inodes: row.total_inodes.zip(row.free_inodes).map(|(total, free)| fill(total, free)),
        };
        let paths = hosts.entry(read_name("measurement.host", &row.host)?).or_default();
        paths.entry(row.path).or_default().push((row.mount, level));
    }
    let of_host = |paths: BTreeMap<_, _>| paths.into_iter().map(|(path, levels)| (path, history(levels))).collect();
    Ok(hosts.into_iter().map(|(host, paths)| (host, of_host(paths))).collect())
}

/// What was measured while the path was on the file system that it is on now: of a disk that was not mounted, the one below says
/// nothing.
fn history(levels: Vec<(String, Level)>) -> PathHistory {
    let mount = levels.last().map(|(mount, _)| mount.clone()).unwrap_or_default();
    let levels = levels.into_iter().filter(|(on, _)| *on == mount).map(|(_, level)| level).collect();
    PathHistory { mount, levels }
}

/// The latest look at each host of a customer, no later than `until`.
///
/// # Errors
/// If the database can't be used.
pub async fn list_latest_looks(
    connection: &mut PgConnection,
    customer: &Name,
    until: Timestamp,
) -> Result<BTreeMap<Name, LatestLook>, Error> {
    let rows = sqlx::query!(
        r#"select distinct on (host) host, looked_at as "looked_at: jiff_sqlx::Timestamp", memory_total_bytes, memory_available_bytes,
                  unmeasured::text as "unmeasured!", fault
           from capacity_look where customer = $1 and looked_at <= $2
           order by host, looked_at desc"#,
        customer.as_str(),
        until.to_sqlx() as _,
    )
    .fetch_all(connection)
    .await?;
    let looks = rows.into_iter().map(|row| {
        let unmeasured = serde_json::from_str(&row.unmeasured);
        let memory = row.memory_total_bytes.zip(row.memory_available_bytes);
        let memory = memory.map(|(total, available)| fill(total, available));
        let look = LatestLook {
            at: row.looked_at.to_jiff(),
            memory: memory.map(|memory| Memory { total_bytes: memory.total, available_bytes: memory.free }),
            unmeasured: unmeasured.map_err(|source| Error::unreadable("capacity_look.unmeasured", source))?,
            fault: row.fault,
        };
        Ok((read_name("capacity_look.host", &row.host)?, look))
    });
    looks.collect()
}

/// Forgets what was measured before `before`. Returns how many looks.
///
/// # Errors
/// If the database can't be used.
pub async fn forget_looks(connection: &mut PgConnection, before: Timestamp) -> Result<u64, Error> {
    sqlx::query!("delete from measurement where measured_at < $1", before.to_sqlx() as _)
        .execute(&mut *connection)
        .await?;
    let looks = sqlx::query!("delete from capacity_look where looked_at < $1", before.to_sqlx() as _);
    Ok(looks.execute(connection).await?.rows_affected())
}

/// What is beyond the column is as good as its end: nobody has so many bytes.
fn column(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn fill(total: i64, free: i64) -> Fill {
    let count = |column: i64| u64::try_from(column).unwrap_or_default();
    Fill { total: count(total), free: count(free) }
}
