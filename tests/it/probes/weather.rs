//! All kinds against real servers that answer late, or that are there only now and then.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::Instant;
use turnus::domain::probe::mail::{IMAP_PASSWORD, SMTP_PASSWORD};
use turnus::domain::probe::sql::SQL_PASSWORD;
use turnus::domain::probe::template::Target;
use turnus::domain::probe::{
    Check, CommandCheck, DnsCheck, Engine, HttpCheck, ImapCheck, Patience, PortClosedCheck, Probe, RecordKind,
    RoundTripCheck, Security, SmtpCheck, SqlCheck, TcpCheck, TlsCheck, Transport,
};
use turnus::edge::probe::{Finding, Scene, look};

use super::dns::Nsd;
use super::http::Nginx;
use super::mail::mail_server;
use super::sip::{self, OUR_HEADERS, Sipp};
use super::sql;
use super::sql::server::{Database, PASSWORD};
use super::tls::TlsServer;
use super::{assert_green, assert_red};
use crate::kit::dovecot::{self, Dovecot, USER};
use crate::kit::smtp::{SmtpOptions, SmtpServer};

/// What is between the probe and the server.
#[derive(Debug, Clone, Copy)]
struct Weather {
    /// The first word of the server comes so much later, on each connection.
    delay: Duration,
    /// So many are turned away first.
    turned_away: usize,
}

const SLOW: Weather = Weather { delay: Duration::from_millis(1100), turned_away: 0 };
const TOO_SLOW: Weather = Weather { delay: Duration::from_secs(20), turned_away: 0 };
const CLEARING: Weather = Weather { delay: Duration::ZERO, turned_away: 1 };
const FOUL: Weather = Weather { delay: Duration::ZERO, turned_away: usize::MAX };

/// A port on `address` that leads to `port` there, by both protocols.
async fn relay(address: &str, port: u16, weather: Weather) -> u16 {
    let listener = TcpListener::bind((address, 0)).await.unwrap();
    let own = listener.local_addr().unwrap().port();
    let target = (address.to_owned(), port);
    tokio::spawn(pass_datagrams(UdpSocket::bind((address, own)).await.unwrap(), target.clone(), weather));
    tokio::spawn(async move {
        for number in 0.. {
            let Ok((near, _)) = listener.accept().await else { return };
            if number >= weather.turned_away {
                tokio::spawn(pass(near, target.clone(), weather.delay));
            }
        }
    });
    own
}

async fn pass(mut near: TcpStream, target: (String, u16), delay: Duration) {
    let Ok(mut far) = TcpStream::connect(target).await else { return };
    let (mut near_in, mut near_out) = near.split();
    let (mut far_in, mut far_out) = far.split();
    let back = async {
        let mut first = vec![0; 16 * 1024];
        let length = far_in.read(&mut first).await?;
        tokio::time::sleep(delay).await;
        near_out.write_all(&first[..length]).await?;
        tokio::io::copy(&mut far_in, &mut near_out).await?;
        near_out.shutdown().await
    };
    let there = async {
        tokio::io::copy(&mut near_in, &mut far_out).await?;
        far_out.shutdown().await
    };
    let _ = tokio::join!(there, back);
}

/// Whoever is turned away here does not know: nothing is passed on for a while.
async fn pass_datagrams(near: UdpSocket, target: (String, u16), weather: Weather) {
    let near = Arc::new(near);
    let (mut buffer, mut opens_at) = (vec![0; 4096], None);
    while let Ok((length, from)) = near.recv_from(&mut buffer).await {
        let closed_for = if weather.turned_away == 0 { Duration::ZERO } else { Duration::from_millis(1200) };
        let opens_at = *opens_at.get_or_insert(Instant::now() + closed_for);
        if weather.turned_away == usize::MAX || Instant::now() < opens_at {
            continue;
        }
        let (near, target, question) = (near.clone(), target.clone(), buffer[..length].to_vec());
        tokio::spawn(async move {
            let far = UdpSocket::bind((target.0.as_str(), 0)).await.unwrap();
            let mut answer = vec![0; 4096];
            far.send_to(&question, target).await.unwrap();
            let length = far.recv(&mut answer).await.unwrap();
            tokio::time::sleep(weather.delay).await;
            let _ = near.send_to(&answer[..length], from).await;
        });
    }
}

async fn look_patiently(check: Check, address: &str, patience: Patience) -> Finding {
    let (vars, secrets) = (BTreeMap::new(), secrets());
    look(&Probe { check, patience }, &Scene::new(Target { address, vars: &vars }, &secrets)).await
}

fn secrets() -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        (SQL_PASSWORD, PASSWORD.to_owned()),
        (IMAP_PASSWORD, dovecot::PASSWORD.to_owned()),
        (SMTP_PASSWORD, "unused".to_owned()),
    ])
}

const ONCE: Patience = Patience { timeout_s: 5, within_s: 0, interval_s: 1 };
const BRIEFLY: Patience = Patience { timeout_s: 1, within_s: 0, interval_s: 1 };
/// The second try comes after one second, or after two where the first one is not answered.
const PATIENTLY: Patience = Patience { timeout_s: 1, within_s: 20, interval_s: 1 };
const TWICE: Patience = Patience { timeout_s: 1, within_s: 2, interval_s: 1 };
/// Long enough for a second try on a machine that is busy.
const AGAIN: Patience = Patience { timeout_s: 1, within_s: 5, interval_s: 1 };

/// A server, and the check that goes to a port in its place.
struct Service<'a> {
    name: &'a str,
    address: &'a str,
    port: u16,
    check: Box<dyn Fn(u16) -> Check + 'a>,
}

/// The four kinds of weather at the same time.
async fn stand(service: &Service<'_>) {
    let ask = |weather, patience: Patience| async move {
        let port = relay(service.address, service.port, weather).await;
        let check = (service.check)(port);
        look_patiently(check, service.address, patience).await
    };
    let slow = Patience { timeout_s: 20, ..ONCE };
    let by_udp = service.name == "dns" || service.name == "sip by UDP";
    let clearing = Patience { timeout_s: if by_udp { 1 } else { 5 }, ..PATIENTLY };
    let (slow, too_slow, clearing, foul) =
        tokio::join!(ask(SLOW, slow), ask(TOO_SLOW, BRIEFLY), ask(CLEARING, clearing), ask(FOUL, AGAIN));
    let name = service.name;
    assert!(slow.met && tells_a_time(&slow.what), "{name}, slow: {slow:?}");
    assert!(!too_slow.met && too_slow.what.contains("no answer within 1 s"), "{name}, too slow: {too_slow:?}");
    assert!(clearing.met && clearing.what.contains(" (try 2, after "), "{name}, clearing: {clearing:?}");
    assert!(!foul.met && foul.what.contains(" tries, ") || foul.what.contains("no answer"), "{name}, foul: {foul:?}");
}

/// Of more than a second: `1234 ms`, or `1.2 s` and more.
fn tells_a_time(what: &str) -> bool {
    let words: Vec<_> = what.split([' ', '(', ')', ',']).collect();
    words.windows(2).any(|pair| {
        let number: f64 = pair[0].parse().unwrap_or_default();
        (pair[1] == "ms" && number >= 1000.0) || (pair[1] == "s" && number >= 1.0)
    })
}

fn https(nginx: &Nginx, port: u16) -> Check {
    Check::Http(HttpCheck {
        contains: Some("hello".to_owned()),
        ..HttpCheck::get(&format!("http://{}:{port}/", nginx.address))
    })
}

#[tokio::test]
async fn web_names_and_telephones_are_seen_through_all_weathers() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (nginx, nsd, tls) = tokio::join!(Nginx::start(), Nsd::start(), TlsServer::start("DNS:shop.example", 0));
    let answers = [("200 OK", OUR_HEADERS)];
    let (by_udp, by_tcp) = tokio::join!(Sipp::start(Transport::Udp, &answers), Sipp::start(Transport::Tcp, &answers));
    let at = |port: u16| format!("$ADDRESS:{port}");
    let greeting = |port: u16| Check::Tcp(TcpCheck { address: at(port), greeting: Some("HTTP".to_owned()) });
    // nginx says nothing of itself: a server that greets.
    let mail = SmtpServer::start();
    let services = [
        service("http", &nginx.address, nginx.clear, |port| https(&nginx, port)),
        service("tls", &tls.address, tls.port, |port| Check::Tls(TlsCheck { address: at(port), ..tls.check() })),
        service("tcp", &mail.address, mail.port, |port| match greeting(port) {
            Check::Tcp(check) => Check::Tcp(TcpCheck { greeting: Some("220".to_owned()), ..check }),
            other => other,
        }),
        service("dns", &nsd.address, nsd.port, |port| {
            Check::Dns(DnsCheck { server: Some(at(port)), ..nsd.check(RecordKind::A, "shop.turnus.example") })
        }),
        service("sip by UDP", &by_udp.address, by_udp.port, |port| sip::check(port, Transport::Udp)),
        service("sip by TCP", &by_tcp.address, by_tcp.port, |port| sip::check(port, Transport::Tcp)),
    ];
    join_all(services.iter().map(stand)).await;
}

fn service<'a>(name: &'a str, address: &'a str, port: u16, check: impl Fn(u16) -> Check + 'a) -> Service<'a> {
    Service { name, address, port, check: Box::new(check) }
}

#[tokio::test]
async fn mail_and_databases_are_seen_through_all_weathers() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let dovecot = Dovecot::start(None);
    let hands_over_to = Some(dovecot.lmtp);
    let smtp = SmtpServer::start_at(dovecot.address.clone(), SmtpOptions { hands_over_to, ..SmtpOptions::default() });
    let (postgres, mariadb) = tokio::join!(Database::start(Engine::Postgres), Database::start(Engine::Mysql));
    let imap_at = |port| mail_server(&dovecot.address, port, Security::Tls, Some(&dovecot.ca_file), Some(USER));
    let smtp_at = |port| mail_server(&smtp.address, port, Security::None, None, None);
    let imap = |port| ImapCheck { server: imap_at(port), mailbox: "INBOX".to_owned() };
    let round_trip = |port| RoundTripCheck {
        smtp: smtp_at(port),
        imap: imap(dovecot.imaps),
        from: "turnus@provider.example".to_owned(),
        to: USER.to_owned(),
        arrives_within_s: 10,
    };
    let address_of = |port: u16| format!("$ADDRESS:{port}");
    let sql = |server: &Database, port| Check::Sql(SqlCheck { address: address_of(port), ..sql::check(server) });
    let services = [
        service("imap", &dovecot.address, dovecot.imaps, |port| Check::Imap(imap(port))),
        service("smtp", &smtp.address, smtp.port, |port| {
            Check::Smtp(SmtpCheck { server: smtp_at(port), from: None, rcpt: None })
        }),
        service("mail_round_trip", &smtp.address, smtp.port, |port| Check::MailRoundTrip(Box::new(round_trip(port)))),
        service("postgres", &postgres.address, postgres.port, |port| sql(&postgres, port)),
        service("mariadb", &mariadb.address, mariadb.port, |port| sql(&mariadb, port)),
    ];
    join_all(services.iter().map(stand)).await;
}

#[tokio::test]
async fn programs_and_ports_that_come_round_are_green_with_the_number_of_tries() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tried").display().to_string();
    let script = directory.path().join("check").display().to_string();
    // Green from the third time on.
    std::fs::write(&script, "echo >>$1; [ $(wc -l <$1) -ge 3 ]\n").unwrap();
    let command = |argv: &[&str]| {
        let argv = argv.iter().map(|&word| word.to_owned()).collect();
        Check::Command(CommandCheck { argv, status: 0, contains: None })
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("127.0.0.1:{}", listener.local_addr().unwrap().port());
    let close = async {
        let first = listener.accept().await.unwrap();
        drop((first, listener));
    };
    let closed = Check::PortClosed(PortClosedCheck { address });
    let looks: [BoxFuture<'_, Finding>; 4] = [
        look_patiently(command(&["sh", &script, &file]), "h", PATIENTLY).boxed(),
        look_patiently(command(&["false"]), "h", TWICE).boxed(),
        look_patiently(command(&["sleep", "1.1"]), "h", ONCE).boxed(),
        look_patiently(closed, "h", PATIENTLY).boxed(),
    ];
    let (looks, ()) = tokio::join!(join_all(looks), close);
    assert_green(&looks[0], "command `sh`: status 0 (try 3, after 2.");
    assert_red(&looks[1], "command `false`: expected status 0, found 1, said `` (2 tries, 1.");
    assert_green(&looks[2], "command `sleep`: status 0 (after 1.");
    assert_green(&looks[3], " (try 2, after 1.");
}
