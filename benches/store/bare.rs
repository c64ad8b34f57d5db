//! The same statements without turnus: through pgbench and psql, which come with Postgres.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use turnus::edge::store::Store;
use turnus::edge::store::occurrence::insert::NewOccurrence;

use super::Command;

/// Rows of one statement: as many as turnus puts into one.
const ROWS_AT_ONCE: usize = 5_000;

const CLAIM: &str = r"\set n :n + 1
begin;
select id, customer, window_name, recurrence_id, sequence, moved_from, chosen_by, job, time_zone, local_start, start_at, latest_start_at, end_at, reasons::text, state, cause, next_notice_at, review_at, announced_at, confirmed_at, confirmed_by, opened_at, finished_at, (select run.number from run where run.occurrence = occurrence.id) from occurrence where id = ('00000000-0000-0000-0000-' || lpad(:n::bigint::text, 12, '0'))::uuid and state in ('planned', 'announced', 'confirmed') for update of occurrence skip locked;
update occurrence set state = 'missed', cause = 'controller not running', sequence = sequence + case when state = 'skipped' then 1 else 0 end, opened_at = null, finished_at = now(), next_notice_at = null, review_at = null where id = ('00000000-0000-0000-0000-' || lpad(:n::bigint::text, 12, '0'))::uuid and state = 'planned';
commit;
";

const COLUMNS: [(&str, &str); 13] = [
    ("id", "uuid"),
    ("customer", "text"),
    ("window_name", "text"),
    ("recurrence_id", "timestamp"),
    ("job", "text"),
    ("time_zone", "text"),
    ("local_start", "timestamp"),
    ("start_at", "timestamptz"),
    ("latest_start_at", "timestamptz"),
    ("end_at", "timestamptz"),
    ("reasons", "json"),
    ("next_notice_at", "timestamptz"),
    ("review_at", "timestamptz"),
];

/// The programs of Postgres beside a store, on the same server.
pub(super) struct Bare {
    binaries: PathBuf,
    scratch: PathBuf,
    /// Where the server is, for any of its programs.
    place: Vec<String>,
}

impl Bare {
    pub(super) fn beside(store: &Store, scratch: &Path) -> Result<Self> {
        let options = store.cluster().context("a private cluster")?.connect_options();
        let socket = options.get_socket().context("reached by its socket")?.display().to_string();
        let place = [("-h", socket), ("-p", options.get_port().to_string()), ("-U", options.get_username().to_owned())];
        let mut binaries: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")?
            .filter_map(|version| Some(version.ok()?.path().join("bin")))
            .filter(|bin| bin.join("pgbench").is_file())
            .collect();
        binaries.sort();
        let place = place.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect();
        Ok(Self { binaries: binaries.pop().context("there is no pgbench")?, scratch: scratch.to_owned(), place })
    }

    /// Claims all one by one. Returns how many a second.
    pub(super) fn claim(&self, claims: usize) -> Result<f64> {
        let script = self.scratch.join("claim.sql");
        std::fs::write(&script, CLAIM)?;
        let transactions = claims.to_string();
        let said = self.run("pgbench", |command| {
            command.args(["-n", "-M", "prepared", "-c", "1", "-D", "n=0", "-t", &transactions, "-f"]);
            command.arg(&script).arg("turnus");
        })?;
        let rate = said.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
        rate.with_context(|| format!("pgbench says no rate: {said}"))
    }

    /// Writes a script that inserts `dates`, in one transaction.
    pub(super) fn write_inserts(&self, dates: &[NewOccurrence]) -> Result<PathBuf> {
        let names = COLUMNS.map(|(name, _)| name).join(", ");
        let mut sql = "begin;\n".to_owned();
        for rows in dates.chunks(ROWS_AT_ONCE) {
            let rows: Vec<[String; 13]> = rows.iter().map(values).collect();
            let arrays = COLUMNS.iter().enumerate().map(|(column, (_, kind))| {
                let values: Vec<String> = rows.iter().map(|row| quote(&row[column])).collect();
                format!("'{{{}}}'::{kind}[]", values.join(","))
            });
            let arrays = arrays.collect::<Vec<_>>().join(",\n");
            writeln!(sql, "insert into occurrence ({names}) select {names} from unnest({arrays}) as new ({names});")?;
        }
        sql.push_str("commit;\n");
        let script = self.scratch.join("insert.sql");
        std::fs::write(&script, sql)?;
        Ok(script)
    }

    pub(super) fn insert(&self, script: &Path) -> Result<()> {
        self.run("psql", |command| {
            command.args(["-qX", "-v", "ON_ERROR_STOP=1", "-d", "turnus", "-f"]).arg(script);
        })?;
        Ok(())
    }

    fn run(&self, program: &str, arguments: impl FnOnce(&mut Command)) -> Result<String> {
        let mut command = Command::new(self.binaries.join(program));
        command.args(&self.place);
        arguments(&mut command);
        let output = command.output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(output.status.success(), "{program} failed: {said}{}", String::from_utf8_lossy(&output.stderr));
        Ok(said)
    }
}

fn values(date: &NewOccurrence) -> [String; 13] {
    let instant = |at: Option<jiff::Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
    [
        date.id.to_string(),
        date.customer.to_string(),
        date.window.to_string(),
        date.recurrence_id.to_string(),
        date.job.to_string(),
        date.time_zone.clone(),
        date.local_start.to_string(),
        date.start.to_string(),
        date.latest_start.to_string(),
        date.end.to_string(),
        serde_json::to_string(&date.reasons).unwrap_or_default(),
        instant(date.next_notice),
        instant(date.review),
    ]
}

/// An element of an array in the notation of Postgres, within a literal.
fn quote(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}
