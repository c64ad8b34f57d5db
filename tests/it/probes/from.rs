//! Probes that look from another host, over a real sshd, at real servers: each green and red.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::time::Duration;

use turnus::domain::inventory::Connection;
use turnus::domain::probe::sql::SQL_PASSWORD;
use turnus::domain::probe::template::Target;
use turnus::domain::probe::{
    Check, CommandCheck, DnsCheck, Engine, Patience, PortClosedCheck, Probe, RecordKind, SqlCheck, SqlTls, Transport,
};
use turnus::edge::probe::{Finding, Scene, look};
use turnus::edge::remote::Remote;

use super::dns::Nsd;
use super::sip::{OUR_HEADERS, Sipp};
use super::sql::server::{Database, PASSWORD};
use super::{assert_green, assert_red, silent_server, sip, sql};
use crate::kit::machine::until;
use crate::kit::port::free_port;
use crate::kit::sshd::{Controller, Line, Sshd, next_address};

/// A host from which is looked; connected when it is first asked.
struct Lookout {
    host: Remote,
    _controller: Controller,
}

impl Lookout {
    async fn over(sshd: &Sshd, port: Option<u16>) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let controller = Controller::new();
        let connection = Connection { port, ..sshd.connection() };
        controller.trust(&connection).await;
        Self { host: controller.remote(&connection), _controller: controller }
    }

    async fn of(sshd: &Sshd) -> Self {
        Self::over(sshd, Some(sshd.port)).await
    }

    /// One try about the host of `address`.
    async fn ask(&self, check: Check, address: &str, timeout_s: u64) -> Finding {
        let (vars, secrets) = (BTreeMap::new(), BTreeMap::from([(SQL_PASSWORD, PASSWORD.to_owned())]));
        let scene = Scene { from: Some(&self.host), ..Scene::new(Target { address, vars: &vars }, &secrets) };
        let probe = Probe { check, patience: Patience { timeout_s, within_s: 0, interval_s: 1 } };
        let finding = look(&probe, &scene).await;
        assert!(!finding.what.contains(PASSWORD), "{}", finding.what);
        finding
    }
}

fn command(argv: &[&str], status: u8, contains: Option<&str>) -> Check {
    let argv = argv.iter().map(|&word| word.to_owned()).collect();
    Check::Command(CommandCheck { argv, status, contains: contains.map(str::to_owned) })
}

#[tokio::test]
async fn a_program_runs_on_the_host() {
    let sshd = Sshd::start_with("SetEnv PLACE=there", &[]);
    let lookout = Lookout::of(&sshd).await;
    let ask = |check| lookout.ask(check, "h; echo `id`", 10);
    assert_green(
        &ask(command(&["env"], 0, Some("PLACE=there"))).await,
        "command `env` on web1: status 0, contains `PLACE=there`",
    );
    let quoted = command(&["printf", "%s %s", "$ADDRESS", "a  'b'\n\\"], 0, Some("h; echo `id` a  'b'\n\\"));
    assert_green(&ask(quoted).await, "status 0");
    assert_green(&ask(command(&["false"], 1, None)).await, "status 1");
    assert_red(&ask(command(&["echo", "down"], 0, Some("up"))).await, "expected text `up`, found `down`");
    let failing = command(&["sh", "-c", "echo so what; echo no database >&2; exit 3"], 0, None);
    assert_red(&ask(failing).await, "command `sh` on web1: expected status 0, found 3, said `no database`");
    assert_red(&ask(command(&["/nowhere/check"], 0, None)).await, "found 127");
    assert_red(&lookout.ask(command(&["sh", "-c", "kill -9 $ADDRESS"], 0, None), "$$", 10).await, "found a signal");
    let long = |bytes: u32| command(&["sh", "-c", &format!("head -c {bytes} /dev/zero; echo end")], 0, Some("end"));
    assert_green(&ask(long(60_000)).await, "contains `end`");
    assert_red(&ask(long(10_000_000)).await, "expected text `end`");
    lookout.host.close().await;
}

#[tokio::test]
async fn a_program_that_hangs_on_the_host_is_ended_there_and_one_whose_line_is_lost_is_red() {
    let (sshd, directory) = (Sshd::start(), tempfile::tempdir().unwrap());
    let lookout = Lookout::of(&sshd).await;
    let file = directory.path().join("pid");
    let script = directory.path().join("hang");
    fs::write(&script, "sleep 600 & echo $$ $! >$1; wait\n").unwrap();
    let hanging = || command(&["sh", script.to_str().unwrap(), file.to_str().unwrap()], 0, None);
    // The connection to the host is made before.
    assert_green(&lookout.ask(command(&["true"], 0, None), "h", 10).await, "status 0");
    assert_red(&lookout.ask(hanging(), "h", 2).await, "no answer within 2 s");
    let ended = |pid: &str| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        status.is_empty() || status.contains("State:\tZ")
    };
    until("it to have begun", || fs::read_to_string(&file).is_ok_and(|pids| pids.ends_with('\n'))).await;
    let pids = fs::read_to_string(&file).unwrap();
    until("its processes to end", || pids.split_whitespace().all(ended)).await;
    fs::remove_file(&file).unwrap();
    let lost = async {
        until("it to begin", || fs::read_to_string(&file).is_ok_and(|pids| pids.ends_with('\n'))).await;
        sshd.kill_sessions();
    };
    let (finding, ()) = tokio::join!(lookout.ask(hanging(), "h", 10), lost);
    assert_red(&finding, "the line to `web1` was lost");
    for pid in fs::read_to_string(&file).unwrap().split_whitespace() {
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid.parse().unwrap()), nix::sys::signal::SIGKILL);
    }
    lookout.host.close().await;
}

fn closed(port: u16) -> Check {
    Check::PortClosed(PortClosedCheck { address: format!("$ADDRESS:{port}") })
}

#[tokio::test]
async fn a_port_is_closed_to_the_host() {
    let address = next_address();
    let listener = TcpListener::bind((address.as_str(), 0)).unwrap();
    let (open, refusing, forbidden) = (listener.local_addr().unwrap().port(), free_port(), free_port());
    let permitted = format!("PermitOpen {address}:{open} {address}:{refusing} nowhere.invalid:1");
    let sshd = Sshd::start_with(&permitted, &[]);
    let lookout = Lookout::of(&sshd).await;
    let ask = |check| lookout.ask(check, &address, 5);
    assert_red(&ask(closed(open)).await, "from web1: expected a closed port, it takes connections");
    let refused = format!(
        "port_closed {address}:{refusing}: from web1: web1 can't connect to {address}:{refusing}: connect failed: Connection refused"
    );
    assert_green(&ask(closed(refusing)).await, &refused);
    // Not tried at all: nothing is known of the port.
    assert_red(&ask(closed(forbidden)).await, "administratively prohibited");
    let nowhere = Check::PortClosed(PortClosedCheck { address: "nowhere.invalid:1".to_owned() });
    assert_red(&ask(nowhere).await, "can't connect to nowhere.invalid:1");
    lookout.host.close().await;
}

#[tokio::test]
async fn a_port_that_is_silent_is_closed_but_a_host_that_is_silent_says_nothing_of_it() {
    let address = next_address();
    // A queue that is full takes no more connections, as behind a firewall that drops.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(format!("{address}:0").parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap();
    let place = listener.local_addr().unwrap();
    let mut queue = Vec::new();
    for _ in 0..4 {
        let soon = Duration::from_millis(100);
        queue.push(tokio::time::timeout(soon, tokio::net::TcpStream::connect(place)).await);
    }
    let sshd = Sshd::start();
    let line = Line::to(&sshd.address, sshd.port).await;
    let lookout = Lookout::over(&sshd, Some(line.port)).await;
    // The connection to the host is made before.
    assert_green(&lookout.ask(command(&["true"], 0, None), &address, 10).await, "status 0");
    let silent = lookout.ask(closed(place.port()), &address, 4).await;
    let words = format!("port_closed {place}: from web1: nobody answers within 4 s");
    assert_green(&silent, &words);
    line.freeze();
    assert_red(&lookout.ask(closed(free_port()), &address, 2).await, "the host does not answer");
    // Longer than it takes ssh to give the line up.
    assert_red(&lookout.ask(closed(place.port()), &address, 10).await, "the line to `web1` was lost");
    lookout.host.close().await;
}

/// The same server at another address, which its certificate does not have.
async fn move_away(server: &Database) -> String {
    let listener = tokio::net::TcpListener::bind((next_address(), 0)).await.unwrap();
    let place = listener.local_addr().unwrap().to_string();
    let target = (server.address.clone(), server.port);
    tokio::spawn(async move {
        let (mut near, _) = listener.accept().await.unwrap();
        let mut far = tokio::net::TcpStream::connect(target).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
    });
    place
}

#[tokio::test]
async fn databases_answer_the_host() {
    for engine in [Engine::Postgres, Engine::Mysql] {
        let server = Database::start(engine).await;
        let sshd = Sshd::start();
        let lookout = Lookout::of(&sshd).await;
        let question = SqlCheck {
            query: "select count(*) from orders".to_owned(),
            equals: Some("2".to_owned()),
            ..sql::check(&server)
        };
        let ask = |check: SqlCheck| lookout.ask(Check::Sql(check), &server.address, 20);
        let green = format!("{} {}:{}: answered `2`", engine.word(), server.address, server.port);
        assert_green(&ask(question.clone()).await, &green);
        assert_green(&ask(SqlCheck { tls: None, ..question.clone() }).await, "answered `2`");
        assert_red(
            &ask(SqlCheck { equals: Some("3".to_owned()), ..question.clone() }).await,
            "expected `3`, found `2`",
        );
        assert_red(&ask(SqlCheck { database: "nowhere".to_owned(), ..question.clone() }).await, "nowhere");
        // Certificates are for the server, not for the way there.
        let untrusted = SqlCheck { tls: Some(SqlTls { verify: true, ca_file: None }), ..question.clone() };
        assert_red(&ask(untrusted).await, "UnknownIssuer");
        let misnamed = SqlCheck { address: move_away(&server).await, ..question.clone() };
        assert_red(&ask(misnamed).await, "not valid for name");
        let nobody = SqlCheck { address: "$ADDRESS:1".to_owned(), ..question };
        assert_red(&ask(nobody).await, "from web1: web1 can't connect to");
        lookout.host.close().await;
    }
}

#[tokio::test]
async fn a_database_that_hangs_is_given_up() {
    let sshd = Sshd::start();
    let lookout = Lookout::of(&sshd).await;
    let (listener, port) = silent_server(&sshd.address);
    for engine in [Engine::Postgres, Engine::Mysql] {
        let check = Check::Sql(sql::check_in_clear(engine, port));
        assert_red(&lookout.ask(check, &sshd.address, 1).await, "no answer within 1 s");
    }
    drop(listener);
    lookout.host.close().await;
}

#[tokio::test]
async fn name_servers_answer_the_host_by_tcp() {
    let nsd = Nsd::start().await;
    let sshd = Sshd::start();
    let lookout = Lookout::of(&sshd).await;
    let ask = |check: DnsCheck| lookout.ask(Check::Dns(check), &nsd.address, 3);
    let equals = |records: &[&str]| Some(records.iter().map(|&record| record.to_owned()).collect());
    let shop = || nsd.check(RecordKind::A, "shop.turnus.example");
    let right = DnsCheck { equals: equals(&["192.0.2.10", "192.0.2.11"]), ..shop() };
    let green = format!("dns A shop.turnus.example at {}:{}: `192.0.2.10`", nsd.address, nsd.port);
    assert_green(&ask(right.clone()).await, &green);
    assert_red(&ask(DnsCheck { equals: equals(&["192.0.2.10"]), ..shop() }).await, "expected `192.0.2.10`, found");
    assert_red(&ask(nsd.check(RecordKind::A, "nowhere.turnus.example")).await, "there is no such name");
    let long = DnsCheck { contains: Some("59 xxx".to_owned()), ..nsd.check(RecordKind::Txt, "many.turnus.example") };
    assert_green(&ask(long).await, "`00 xxx");
    let at = |port: u16| DnsCheck { server: Some(format!("$ADDRESS:{port}")), ..right.clone() };
    assert_red(&ask(at(free_port())).await, "from web1: web1 can't connect to");
    let (_listener, silent) = silent_server(&nsd.address);
    assert_red(&lookout.ask(Check::Dns(at(silent)), &nsd.address, 1).await, "no answer within 1 s");
    assert_red(
        &ask(DnsCheck { server: None, ..right.clone() }).await,
        "another host is told whom to ask with `server`",
    );
    lookout.host.close().await;
}

#[tokio::test]
async fn telephone_systems_answer_the_host_by_tcp() {
    let sshd = Sshd::start();
    let lookout = Lookout::of(&sshd).await;
    for (status, green) in [("200 OK", true), ("503 Service Unavailable", false)] {
        let sipp = Sipp::start(Transport::Tcp, &[(status, OUR_HEADERS)]).await;
        let finding = lookout.ask(sip::check(sipp.port, Transport::Tcp), &sipp.address, 3).await;
        if green {
            assert_green(&finding, &format!("sip {}:{}: status 200 OK", sipp.address, sipp.port));
        } else {
            assert_red(&finding, "expected status 200, found 503 Service Unavailable");
        }
    }
    let nobody = sip::check(free_port(), Transport::Tcp);
    assert_red(&lookout.ask(nobody, &sshd.address, 3).await, "from web1: web1 can't connect to");
    let by_udp = sip::check(5060, Transport::Udp);
    assert_red(&lookout.ask(by_udp, &sshd.address, 3).await, "another host connects by TCP alone");
    lookout.host.close().await;
}
