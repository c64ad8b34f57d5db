//! The probe `sql` against PostgreSQL and MariaDB.

pub(super) mod server;

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use turnus::domain::job::SecretReference;
use turnus::domain::probe::sql::SQL_PASSWORD;
use turnus::domain::probe::{Check, Engine, Login, SqlCheck, SqlTls};
use turnus::edge::probe::Finding;

use self::server::{Database, PASSWORD};
use super::{ask_for, ask_with, assert_green, assert_red, babbling_server, silent_server};
use crate::kit::sshd::next_address;

/// By TLS, with the certificates that are right.
pub(super) fn check(server: &Database) -> SqlCheck {
    SqlCheck {
        tls: Some(SqlTls { verify: true, ca_file: Some(server.ca_file.display().to_string()) }),
        ..check_in_clear(server.engine, server.port)
    }
}

pub(super) fn check_in_clear(engine: Engine, port: u16) -> SqlCheck {
    SqlCheck {
        engine,
        address: format!("$ADDRESS:{port}"),
        database: "shop".to_owned(),
        login: Login { user: "probe".to_owned(), password: SecretReference::Env("UNUSED".to_owned()) },
        tls: None,
        query: "select 1".to_owned(),
        equals: None,
    }
}

async fn ask_as(check: SqlCheck, address: &str, password: &str) -> Finding {
    let secrets = BTreeMap::from([(SQL_PASSWORD, password.to_owned())]);
    ask_for(Check::Sql(check), address, &secrets, 20).await
}

async fn ask(server: &Database, check: SqlCheck) -> Finding {
    ask_as(check, &server.address, PASSWORD).await
}

/// What the server answers to `query`, and whether that is `equals`. In clear, which is quicker.
async fn query(server: &Database, query: &str, equals: Option<&str>) -> Finding {
    let check = check_in_clear(server.engine, server.port);
    ask(server, SqlCheck { query: query.to_owned(), equals: equals.map(str::to_owned), ..check }).await
}

#[tokio::test]
async fn postgres_answers() {
    let server = Database::start(Engine::Postgres).await;
    answers(&server).await;
    assert_red(&query(&server, "select id from nowhere", None).await, "relation \"nowhere\" does not exist");
    assert_green(&query(&server, "select 1 = 1", Some("true")).await, "answered `true`");
    is_changed_by_nothing(&server, "cannot execute nextval() in a read-only transaction").await;
    let changing = "with gone as (delete from orders returning id) select count(*) from gone";
    assert_red(&query(&server, changing, None).await, "WITH clause containing a data-modifying statement");
    assert_green(&query(&server, "select count(*) from orders", Some("2")).await, "answered `2`");
}

#[tokio::test]
async fn mariadb_answers() {
    let server = Database::start(Engine::Mysql).await;
    answers(&server).await;
    assert_red(&query(&server, "select id from nowhere", None).await, "Table 'shop.nowhere' doesn't exist");
    assert_green(&query(&server, "select true", Some("1")).await, "answered `1`");
    is_changed_by_nothing(&server, "READ ONLY transaction").await;
}

async fn answers(server: &Database) {
    for (question, answer) in [
        ("select 1", "1"),
        ("SELECT count(*) from orders", "2"),
        ("select name from orders where id = 1", "ä"),
        ("select cast('2026-03-27' as date)", "2026-03-27"),
        ("select 1.50 -- as money is written", "1.50"),
        ("with more as (select id + 1 as id from orders) select max(id) from more", "3"),
    ] {
        let finding = query(server, question, Some(answer)).await;
        assert_green(&finding, &format!("{} {}:{}: answered `{answer}`", word(server), server.address, server.port));
    }
    assert_green(&query(server, "select name from orders where id = 1", None).await, "answered `ä`");
    assert_red(&query(server, "select count(*) from orders", Some("3")).await, "expected `3`, found `2`");
    for nothing in ["select id from orders where id = 9", "select name from orders where id = 2"] {
        assert_red(&query(server, nothing, None).await, "expected a value, found none (no row, or null)");
        assert_red(&query(server, nothing, Some("")).await, "expected a value, found none (no row, or null)");
    }
    assert_red(&query(server, "select id from orders", Some("1")).await, "more than");
    assert_red(&query(server, "select id, name from orders where id = 1", Some("1")).await, "column");
    let long = query(server, "select repeat('x', 3000000)", None).await;
    assert_green(&long, "answered `xxx");
    assert!(long.what.len() < 200, "{}", long.what.len());
    let nearly = "x".repeat(1000);
    assert_green(&query(server, "select repeat('x', 1000)", Some(&nearly)).await, "answered");
    assert_red(&query(server, "select repeat('x', 1001)", Some(&nearly)).await, "expected");
}

fn word(server: &Database) -> &'static str {
    server.engine.word()
}

/// The account may; the probe may not.
async fn is_changed_by_nothing(server: &Database, words: &str) {
    let number = if server.engine == Engine::Postgres { "nextval('numbers')" } else { "next value for numbers" };
    assert_red(&query(server, &format!("select {number}"), None).await, words);
    for several in ["select 1); delete from orders; select (1", "select 1); commit; delete from orders; select (1"] {
        assert!(!query(server, several, None).await.met, "{several}");
    }
    assert_green(&query(server, "select count(*) from orders", Some("2")).await, "answered `2`");
}

#[tokio::test]
async fn postgres_lets_in() {
    let server = Database::start(Engine::Postgres).await;
    lets_in(&server, "password authentication failed for user \"probe\"", "database \"nowhere\" does not exist").await;
    let is_protected = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
    is_protected_as_asked(&server, is_protected, ["true", "false"]).await;
    gives_up_slow_queries(
        &server,
        "select 1 from pg_sleep(60)",
        "select count(*) from pg_stat_activity where query like '%pg_sleep(60)%' and pid <> pg_backend_pid() and state = 'active'",
    )
    .await;
}

#[tokio::test]
async fn mariadb_lets_in() {
    let server = Database::start(Engine::Mysql).await;
    lets_in(&server, "Access denied for user 'probe'", "Access denied for user 'probe'@'%' to database 'nowhere'")
        .await;
    let patient = SqlCheck { address: format!("$ADDRESS:{}", never_ending(&server).await), ..check(&server) };
    assert_green(&ask(&server, patient).await, "answered `1`");
    let is_protected =
        "select variable_value <> '' from information_schema.session_status where variable_name = 'Ssl_cipher'";
    is_protected_as_asked(&server, is_protected, ["1", "0"]).await;
    gives_up_slow_queries(
        &server,
        "select sleep(60)",
        "select count(*) from information_schema.processlist where info like '%sleep(60)%' and id <> connection_id()",
    )
    .await;
}

/// A port that leads to the server, and goes on when the server has gone.
async fn never_ending(server: &Database) -> u16 {
    let listener = tokio::net::TcpListener::bind((server.address.as_str(), 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let target = (server.address.clone(), server.port);
    tokio::spawn(async move {
        let (mut near, _) = listener.accept().await.unwrap();
        let mut far = tokio::net::TcpStream::connect(target).await.unwrap();
        let ((mut near_in, mut near_out), (mut far_in, mut far_out)) = (near.split(), far.split());
        let _ = tokio::join!(
            tokio::io::copy(&mut near_in, &mut far_out),
            tokio::io::copy(&mut far_in, &mut near_out),
            std::future::pending::<()>()
        );
    });
    port
}

async fn lets_in(server: &Database, refusal: &str, no_database: &str) {
    assert_red(&ask_as(check(server), &server.address, "wrong-horse").await, refusal);
    let elsewhere = SqlCheck { database: "nowhere".to_owned(), ..check(server) };
    assert_red(&ask(server, elsewhere).await, no_database);
    let trusts = |verify, ca_file| SqlCheck { tls: Some(SqlTls { verify, ca_file }), ..check(server) };
    assert_red(&ask(server, trusts(true, None)).await, "UnknownIssuer");
    assert_green(&ask(server, trusts(false, None)).await, "answered `1`");
    assert_red(&ask(server, trusts(true, Some("/nowhere.pem".to_owned()))).await, "/nowhere.pem");
    assert_green(&ask(server, SqlCheck { tls: None, ..check(server) }).await, "answered `1`");
}

async fn is_protected_as_asked(server: &Database, question: &str, [yes, no]: [&str; 2]) {
    let by_tls = SqlCheck { query: question.to_owned(), equals: Some(yes.to_owned()), ..check(server) };
    assert_green(&ask(server, by_tls).await, "answered");
    assert_green(&query(server, question, Some(no)).await, "answered");
}

/// The server as well: nothing of a probe is left to work there.
async fn gives_up_slow_queries(server: &Database, slow: &str, count: &str) {
    let secrets = BTreeMap::from([(SQL_PASSWORD, PASSWORD.to_owned())]);
    let slow = Check::Sql(SqlCheck { query: slow.to_owned(), ..check(server) });
    let finding = ask_with(slow, &server.address, &secrets).await;
    assert!(!finding.met, "{}", finding.what);
    let mut looks = 0;
    while !query(server, count, Some("0")).await.met {
        looks += 1;
        assert!(looks < 100, "it is still at work");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_and_none_at_all_are_red() {
    for engine in [Engine::Postgres, Engine::Mysql] {
        let other = Database::start_for(engine, Some("DNS:db.example")).await;
        assert_red(&ask(&other, check(&other)).await, "not valid for name");
        let bare = Database::start_for(engine, None).await;
        assert_red(&ask(&bare, check(&bare)).await, "TLS");
        let unverified = Some(SqlTls { verify: false, ca_file: None });
        assert_red(&ask(&bare, SqlCheck { tls: unverified, ..check(&bare) }).await, "TLS");
        assert_green(&ask(&bare, check_in_clear(engine, bare.port)).await, "answered `1`");
    }
}

#[tokio::test]
async fn nobody_silence_and_nonsense_are_red() {
    let secrets = BTreeMap::from([(SQL_PASSWORD, PASSWORD.to_owned())]);
    let address = next_address();
    for engine in [Engine::Postgres, Engine::Mysql] {
        let ask = |port| ask_for(Check::Sql(check_in_clear(engine, port)), &address, &secrets, 1);
        let (listener, port) = silent_server(&address);
        assert_red(&ask(port).await, "no answer within 1 s");
        drop(listener);
        assert_red(&ask(port).await, "refused");
        // Both protocols say first how much follows: here more than ever comes.
        let finding = ask(babbling_server(&address, b"SSH-2.0-OpenSSH_9.2\r\n")).await;
        assert_red(&finding, "no answer within 1 s");
    }
}

/// A server that says `beginning` to everybody, and then zeros for ever; its port.
fn endless_server(address: &str, beginning: &'static [u8]) -> u16 {
    let (listener, port) = silent_server(address);
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let mut said = stream.write_all(beginning);
            while said.is_ok() {
                said = stream.write_all(&[0; 64 * 1024]);
            }
        }
    });
    port
}

#[tokio::test]
async fn a_server_that_does_not_stop_talking_is_red_before_the_time_is_over() {
    let address = next_address();
    // As long as their protocols let one message be: 1 GiB, and 16 MiB.
    for (engine, beginning) in
        [(Engine::Postgres, b"R\x40\0\0\0".as_slice()), (Engine::Mysql, b"\xff\xff\xff\0".as_slice())]
    {
        let check = check_in_clear(engine, endless_server(&address, beginning));
        let finding = ask_as(check, &address, PASSWORD).await;
        assert!(!finding.met && !finding.what.contains("no answer"), "{finding:?}");
    }
}
