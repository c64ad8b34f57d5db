//! What can go wrong with the database, sorted by what helps against it.
//!
//! Knows the error codes of Postgres; does not retry anything itself.

use std::io::ErrorKind;
use std::path::PathBuf;

use sqlx::error::DatabaseError;

use super::run::RunNumber;
use crate::domain::id::Name;
use crate::domain::{notification, occurrence};

/// What helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// No answer now: waiting, and [`super::Store::reconnect`], may help.
    Unreachable,
    /// It answers, and others are in the way (a lock, a deadlock, its own time limit): nothing was done, another attempt may succeed.
    Busy,
    /// It answers and can't store anything (disk full, read-only, no permission): waiting alone does not help.
    NotWritable,
    /// Somebody else was there first.
    Conflict,
    /// Another controller drives the run now, or it has ended.
    Fenced,
    /// The machine or the configuration must be put right by a person.
    Setup,
    /// A bug, or a database that was not written by this version of turnus.
    Invalid,
}

/// A failed use of the database.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No connection, or it was lost. A COMMIT may have happened nevertheless.
    #[error("cannot reach the database")]
    Unreachable(#[source] sqlx::Error),
    /// See [`Kind::Busy`].
    #[error("the database is busy")]
    Busy(#[source] sqlx::Error),
    /// See [`Kind::NotWritable`].
    #[error("cannot write to the database")]
    NotWritable(#[source] sqlx::Error),
    /// The server refuses this user, or there is no such database.
    #[error("the database refuses the connection")]
    Refused(#[source] sqlx::Error),
    /// A unique or foreign key stands against it.
    #[error("the database already holds something else for `{constraint}`")]
    Conflict {
        /// Name of the constraint.
        constraint: String,
    },
    /// A host can be in one unfinished run only.
    #[error("host `{host}` of `{customer}` is in run {number}, which has not ended")]
    HostBusy {
        /// Whose host.
        customer: Name,
        /// Which host; the first by name if there are several.
        host: Name,
        /// The unfinished run.
        number: RunNumber,
    },
    /// The write named an epoch that is not the run's, or the run has ended. Nothing was written.
    #[error("the run is driven by another controller, or has ended")]
    Fenced,
    /// A query failed in a way that no user can cause.
    #[error("cannot use the database")]
    Invalid(#[source] sqlx::Error),
    /// A stored value is not one that this version writes, or a value can't be stored.
    #[error("cannot make sense of `{what}` in the database")]
    Unreadable {
        /// Table and column.
        what: &'static str,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A caller asked for a step in the life of an occurrence that there is not.
    #[error(transparent)]
    IllegalStep(#[from] occurrence::IllegalStep),
    /// The same for a message.
    #[error(transparent)]
    IllegalDelivery(#[from] notification::IllegalStep),
    /// A finished run would leave hosts open that no other run could ever take.
    #[error("the run would end with {open} hosts open")]
    HostsLeftOpen {
        /// How many.
        open: i64,
    },
    /// The schema is ahead of this version.
    #[error(
        "the database was written by a newer turnus: it has migration `{version}`, which this version does not know"
    )]
    NewerSchema {
        /// Number of the unknown migration.
        version: i64,
    },
    /// The tables are not those of turnus.
    #[error("the database does not have the schema of turnus")]
    ForeignSchema {
        /// What stands against it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The configured URL can't be read. It may hold a password, so it is not shown.
    #[error("cannot read the URL of the database")]
    BadUrl {
        /// What is wrong with it.
        #[source]
        source: sqlx::Error,
    },
    /// This machine has no random numbers, which no link can be made without.
    #[error("cannot get random numbers")]
    NoRandomNumbers {
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// No Postgres on this machine.
    #[error("cannot find the programs `postgres` and `initdb`")]
    PostgresMissing,
    /// The account that must own the cluster when turnus runs as root does not exist.
    #[error("Postgres refuses to run as root, and there is neither an account `postgres` nor `nobody`")]
    NoAccount,
    /// Postgres refuses to run as root, and its account can't get to the directory.
    #[error("the account `{account}`, under which turnus as root runs Postgres, cannot reach `{}`", directory.display())]
    DirectoryOutOfReach {
        /// The account's name.
        account: String,
        /// The cluster's directory.
        directory: PathBuf,
    },
    /// The cluster was made by another user.
    #[error("`{}` belongs to the user with id {owner}, and turnus runs as the user with id {user}", directory.display())]
    DirectoryOfAnother {
        /// The cluster's directory.
        directory: PathBuf,
        /// Its owner.
        owner: u32,
        /// Who we are.
        user: u32,
    },
    /// A file or directory of the cluster can't be used.
    #[error("cannot use `{}`", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Postgres reads the data of its own major version only.
    #[error("`{}` was written by Postgres {found}, and the newest on this machine is Postgres {installed}", directory.display())]
    OtherMajorVersion {
        /// The cluster's data.
        directory: PathBuf,
        /// What wrote it.
        found: u32,
        /// What is installed.
        installed: u32,
    },
    /// A program of Postgres could not be run, or it failed.
    #[error("`{program}` failed: {said}")]
    ProgramFailed {
        /// `postgres` or `initdb`.
        program: &'static str,
        /// The end of what it said.
        said: String,
    },
    /// The private cluster does not come up, or does not go down, in time.
    #[error("the private Postgres in `{}` is still {what} after {seconds} s", directory.display())]
    ServerSlow {
        /// The cluster's directory.
        directory: PathBuf,
        /// What it is doing.
        what: &'static str,
        /// How long we waited.
        seconds: u64,
    },
}

impl Error {
    /// What helps.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Unreachable(_) | Self::ServerSlow { .. } => Kind::Unreachable,
            Self::Busy(_) => Kind::Busy,
            Self::NotWritable(_) => Kind::NotWritable,
            Self::ProgramFailed { said, .. } if said.contains("No space left on device") => Kind::NotWritable,
            Self::Conflict { .. } | Self::HostBusy { .. } => Kind::Conflict,
            Self::Fenced => Kind::Fenced,
            Self::Invalid(_)
            | Self::Unreadable { .. }
            | Self::IllegalStep(_)
            | Self::IllegalDelivery(_)
            | Self::HostsLeftOpen { .. }
            | Self::NewerSchema { .. }
            | Self::ForeignSchema { .. } => Kind::Invalid,
            Self::Refused(_)
            | Self::BadUrl { .. }
            | Self::NoRandomNumbers { .. }
            | Self::PostgresMissing
            | Self::NoAccount
            | Self::DirectoryOutOfReach { .. }
            | Self::DirectoryOfAnother { .. }
            | Self::Directory { .. }
            | Self::OtherMajorVersion { .. }
            | Self::ProgramFailed { .. } => Kind::Setup,
        }
    }

    /// What to do about it, if that can be said.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::PostgresMissing => "apt install postgresql".to_owned(),
            Self::NewerSchema { .. } => {
                "use that version of turnus; there is no way back to an older schema".to_owned()
            }
            Self::ForeignSchema { .. } => "give turnus a database of its own".to_owned(),
            Self::BadUrl { .. } => "expected postgres://user:password@host:5432/database".to_owned(),
            Self::HostBusy { number, .. } => {
                format!("see `turnus show {number}`; end it with `turnus cancel {number}` or `turnus resume {number}`")
            }
            Self::DirectoryOutOfReach { account, directory } => format!(
                "put the state directory where `{account}` can get to it, such as /var/lib/turnus, or allow others to pass \
                 (`chmod o+x`) through every directory above `{}`, or run turnus as another user than root",
                directory.display()
            ),
            Self::DirectoryOfAnother { owner, .. } => {
                format!("run turnus as the user with id {owner}, or use another state directory")
            }
            Self::OtherMajorVersion { directory, found, .. } => hint_to_move_data(directory, *found),
            Self::ServerSlow { directory, .. } => {
                format!("look into `{}`", directory.join(super::cluster::SERVER_LOG).display())
            }
            _ => return None,
        })
    }

    /// A failed migration: tables that are there already are somebody else's.
    pub(super) fn from_migration(source: sqlx::Error) -> Self {
        match source.as_database_error().and_then(DatabaseError::code).as_deref() {
            // duplicate table, column, object, function
            Some("42P07" | "42701" | "42710" | "42723") => Self::ForeignSchema { source: Box::new(source) },
            _ => Self::from(source),
        }
    }

    /// A stored value that can't be turned into its domain type.
    pub(super) fn unreadable(what: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unreadable { what, source: source.into() }
    }
}

fn hint_to_move_data(directory: &std::path::Path, found: u32) -> String {
    let data = directory.display();
    format!(
        "apt install postgresql-{found}, which turnus then uses; or move the data: with Postgres {found} serving `{data}`, \
         `pg_dump -h <socket directory> -U turnus -Fc -f turnus.dump turnus`; move `{data}` away; start turnus once; \
         `pg_restore -h <socket directory> -U turnus -d turnus --clean turnus.dump`"
    )
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(said) => {
                let code = said.code().unwrap_or_default().into_owned();
                let constraint = said.constraint().map(str::to_owned);
                sort_by_code(&code, constraint, error)
            }
            sqlx::Error::Io(cause) if cause.kind() == ErrorKind::PermissionDenied => Self::Refused(error),
            sqlx::Error::Io(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Self::Unreachable(error),
            sqlx::Error::Configuration(_) | sqlx::Error::Tls(_) => Self::Refused(error),
            _ => Self::Invalid(error),
        }
    }
}

/// The classes are those of the manual's appendix A.
fn sort_by_code(code: &str, constraint: Option<String>, error: sqlx::Error) -> Error {
    match (code, code.get(..2).unwrap_or_default()) {
        // connection lost; shutting down or starting up; too many connections; idle in transaction
        (_, "08") | ("57P01" | "57P02" | "57P03" | "57P05" | "53300" | "25P03", _) => Error::Unreachable(error),
        // time limits, deadlock, serialization: nothing was done, another attempt may succeed
        ("57014" | "55P03" | "40P01" | "40001", _) => Error::Busy(error),
        // read-only; no permission; disk full, out of memory; input/output error
        ("25006" | "42501", _) | (_, "53" | "58") => Error::NotWritable(error),
        ("3D000", _) | (_, "28") => Error::Refused(error),
        ("23505" | "23P01" | "23503", _) => Error::Conflict { constraint: constraint.unwrap_or_default() },
        _ => Error::Invalid(error),
    }
}
