//! A database that answers.

use serde::{Deserialize, Serialize};

use super::Check;
use super::address::{CA_FILE_RULE, HOST_PORT_RULE, parse_ca_file, parse_host_port};
use super::login::{Login, read_login};
use crate::domain::document::{Table, Value, Wrong};

#[cfg(test)]
mod tests;

/// The password, among the secrets of a check.
pub const SQL_PASSWORD: &str = "sql_password";

/// Longest value that is compared, in characters.
pub const ANSWER_LIMIT: usize = 1000;

const DATABASE_RULE: &str = "the name of a database: 1 to 64 characters without control characters";
const QUERY_RULE: &str = "one SELECT with one column, of at most 4000 bytes";
const ENGINES: [(&str, Engine); 3] =
    [("postgres", Engine::Postgres), ("mysql", Engine::Mysql), ("mariadb", Engine::Mysql)];
const SECURITIES: [(&str, bool); 2] = [("tls", true), ("none", false)];

/// A database that must let somebody in, and answer a query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SqlCheck {
    /// Which protocol it speaks.
    pub engine: Engine,
    /// `host:port`.
    pub address: String,
    /// Its name there.
    pub database: String,
    /// Who logs in.
    pub login: Login,
    /// Absent: in clear.
    pub tls: Option<SqlTls>,
    /// One SELECT with one column. It is asked as a part of another query, so that it can be nothing else.
    pub query: String,
    /// What the one value must be, as text; absent: any but null.
    pub equals: Option<String>,
}

/// How a connection is protected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SqlTls {
    /// Whether the certificate must be right.
    pub verify: bool,
    /// PEM file of certificates that are trusted beside those of the machine.
    pub ca_file: Option<String>,
}

/// What a database speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// PostgreSQL.
    Postgres,
    /// MySQL and MariaDB.
    Mysql,
}

impl Engine {
    /// The word in files.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Mysql => "mysql",
        }
    }
}

/// Reads `sql`.
pub(super) fn read_sql(table: &mut Table<'_>) -> Option<Check> {
    let engine = table.required("engine").and_then(|value| value.word(&ENGINES));
    let address = table.required("address").and_then(|value| value.parsed(HOST_PORT_RULE, parse_host_port));
    let database = table.required("database").and_then(|value| value.parsed(DATABASE_RULE, parse_database));
    let login = read_login(table);
    if !table.has("user") && !table.has("password") {
        table.report(Wrong::new("nobody logs in").expected("`user` and `password`"));
    }
    let tls = read_tls(table);
    let (query, equals) = read_question(table);
    Some(Check::Sql(SqlCheck {
        engine: engine?,
        address: address?,
        database: database?,
        login: login?,
        tls: tls?,
        query: query?,
        equals,
    }))
}

fn read_tls(table: &mut Table<'_>) -> Option<Option<SqlTls>> {
    let is_protected = table.optional("security").map_or(Some(true), |value| value.word(&SECURITIES));
    if is_protected == Some(false) {
        for key in ["tls_verify", "ca_file"] {
            table.forbid(key, || Wrong::new(format!("`{key}` is of no use without TLS")));
        }
        return Some(None);
    }
    let verify = table.optional("tls_verify").map_or(Some(true), |value| value.boolean());
    let ca_file = table.optional("ca_file").and_then(|value| value.parsed(CA_FILE_RULE, parse_ca_file));
    is_protected?;
    Some(Some(SqlTls { verify: verify?, ca_file }))
}

/// Without a query it is enough that the server can reckon.
fn read_question(table: &mut Table<'_>) -> (Option<String>, Option<String>) {
    let (query, equals) = (table.optional("query"), table.optional("equals"));
    if let Some(value) = equals.filter(|_| query.is_none()) {
        value.report(Wrong::new("nothing is asked that could equal this").expected("a `query` beside it"));
    }
    let equals = equals.and_then(|value| {
        let text = value.scalar()?;
        if text.chars().count() > ANSWER_LIMIT {
            value.report(Wrong::new("`equals` is too long").expected(format!("at most {ANSWER_LIMIT} characters")));
        }
        Some(text)
    });
    (query.map_or(Some("select 1".to_owned()), |value| read_query(&value)), equals)
}

fn read_query(value: &Value<'_>) -> Option<String> {
    value.parsed(QUERY_RULE, |text| {
        let query = text.trim().trim_end_matches(';').trim_end();
        let begins_with =
            |word: &str| query.get(..word.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(word));
        let is_select = begins_with("select") || begins_with("with");
        (is_select && query.len() <= 4000 && !query.contains('\0')).then(|| query.to_owned())
    })
}

fn parse_database(text: &str) -> Option<String> {
    ((1..=64).contains(&text.chars().count()) && !text.contains(char::is_control)).then(|| text.to_owned())
}
