//! The probe `sql` as it stands in files.

use super::{Engine, SqlCheck, SqlTls};
use crate::domain::job::SecretReference;
use crate::domain::probe::parse::tests::read;
use crate::domain::probe::{Check, Login, Probe};

const PLACE: &str = "address = \"$ADDRESS:5432\"\ndatabase = \"shop\"\n";
const LOGIN: &str = "user = \"probe\"\npassword = { env = \"P\" }\n";

fn read_sql(inside: &str) -> Result<Probe, String> {
    read(&format!("[probe.sql]\n{inside}"))
}

fn usual() -> SqlCheck {
    SqlCheck {
        engine: Engine::Postgres,
        address: "$ADDRESS:5432".to_owned(),
        database: "shop".to_owned(),
        login: Login { user: "probe".to_owned(), password: SecretReference::Env("P".to_owned()) },
        tls: Some(SqlTls { verify: true, ca_file: None }),
        query: "select 1".to_owned(),
        equals: None,
    }
}

#[test]
fn keys_and_their_defaults() {
    let probe = read_sql(&format!("engine = \"postgres\"\n{PLACE}{LOGIN}")).unwrap();
    assert_eq!(probe.check, Check::Sql(usual()));
    assert_eq!(probe.check.secrets(), [("sql_password", &SecretReference::Env("P".to_owned()))]);
    for engine in ["mysql", "mariadb"] {
        let more = "query = \"SELECT count(*) from orders ; \"\nequals = 7\ntls_verify = false\nca_file = \"/ca.pem\"";
        let probe = read_sql(&format!("engine = \"{engine}\"\n{PLACE}{LOGIN}{more}")).unwrap();
        let wanted = SqlCheck {
            engine: Engine::Mysql,
            tls: Some(SqlTls { verify: false, ca_file: Some("/ca.pem".to_owned()) }),
            query: "SELECT count(*) from orders".to_owned(),
            equals: Some("7".to_owned()),
            ..usual()
        };
        assert_eq!(probe.check, Check::Sql(wanted));
    }
    let clear = read_sql(&format!("engine = \"postgres\"\n{PLACE}{LOGIN}security = \"none\"")).unwrap();
    assert_eq!(clear.check, Check::Sql(SqlCheck { tls: None, ..usual() }));
}

#[test]
fn all_mistakes_are_told_at_once() {
    let told = read_sql(
        "engine = \"oracle\"\naddress = \"h\"\nsecurity = \"none\"\ntls_verify = true\nca_file = \"/ca.pem\"\nequals = \"7\"",
    )
    .unwrap_err();
    for wanted in [
        "`postgres`, `mysql`, `mariadb`",
        "`host:port`",
        "`database` is missing",
        "nobody logs in",
        "`tls_verify` is of no use without TLS",
        "`ca_file` is of no use without TLS",
        "a `query` beside it",
    ] {
        assert!(told.contains(wanted), "{wanted}: {told}");
    }
    for query in ["", "delete from orders", "commit", ";"] {
        let told = read_sql(&format!("engine = \"mysql\"\n{PLACE}{LOGIN}query = \"{query}\"")).unwrap_err();
        assert!(told.contains("one SELECT"), "{query}: {told}");
    }
    let told = read_sql(&format!("engine = \"mysql\"\n{PLACE}user = \"u\"\npassword = \"hunter2\"")).unwrap_err();
    assert!(told.contains("holds a secret in clear") && !told.contains("hunter2"), "{told}");
}

#[test]
fn a_plan_keeps_what_was_asked() {
    let probe = read_sql(&format!("engine = \"mysql\"\n{PLACE}{LOGIN}query = \"select 1\"")).unwrap();
    let written = serde_json::to_value(&probe).unwrap();
    assert_eq!(written["sql"]["engine"], "mysql");
    assert_eq!(serde_json::from_value::<Probe>(written).unwrap(), probe);
}
