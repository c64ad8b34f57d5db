//! The probe `dns` against NSD.

use std::fs;
use std::process::{Command, Stdio};

use tempfile::TempDir;
use turnus::domain::probe::{Check, DnsCheck, RecordKind};

use super::{Server, ask, assert_green, assert_red};
use crate::kit::port::free_port;
use crate::kit::sshd::next_address;

const ZONE: &str = r#"$ORIGIN turnus.example.
$TTL 60
@ SOA ns1 admin 1 3600 600 86400 60
@ NS ns1
@ NS ns2
@ MX 10 mail
@ MX 20 mail.backup.example.
@ TXT "v=spf1 mx" " -all"
ns1 A 192.0.2.1
ns2 A 192.0.2.2
shop A 192.0.2.10
shop A 192.0.2.11
shop AAAA 2001:db8::10
www CNAME shop
_sip._udp SRV 0 5 5060 sip
"#;

/// Its two zones: `turnus.example`, and the names of 192.0.2.0/24.
pub(super) struct Nsd {
    pub(super) address: String,
    pub(super) port: u16,
    _process: Server,
    _directory: TempDir,
}

impl Nsd {
    pub(super) async fn start() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().display().to_string();
        let address = next_address();
        let port = free_port();
        // More than a datagram holds.
        let many: String = (0..60).map(|n| format!("many TXT \"{n:02} {}\"\n", "x".repeat(80))).collect();
        fs::write(directory.path().join("zone"), format!("{ZONE}{many}")).expect("written");
        let reverse = "$ORIGIN 2.0.192.in-addr.arpa.\n$TTL 60\n@ SOA ns1.turnus.example. a.b. 1 2 3 4 5\n@ NS ns1.turnus.example.\n\
                       10 PTR Shop.turnus.example.\n";
        fs::write(directory.path().join("reverse"), reverse).expect("written");
        let text = format!(
            "server:\n ip-address: {address}@{port}\n port: {port}\n username: \"\"\n chroot: \"\"\n server-count: 1\n\
             pidfile: \"{path}/pid\"\n xfrdfile: \"{path}/xfrd\"\n xfrdir: \"{path}\"\n zonelistfile: \"{path}/list\"\n\
             database: \"\"\n logfile: \"{path}/log\"\n zonesdir: \"{path}\"\n\
             remote-control:\n control-enable: no\n\
             zone:\n name: turnus.example\n zonefile: zone\nzone:\n name: 2.0.192.in-addr.arpa\n zonefile: reverse\n"
        );
        let file = directory.path().join("nsd.conf");
        fs::write(&file, text).expect("written");
        let mut command = Command::new("/usr/sbin/nsd");
        command.arg("-d").arg("-c").arg(&file).stdout(Stdio::null()).stderr(Stdio::null());
        let process = Server(command.spawn().expect("nsd")).ready(&address, port, &directory.path().join("log")).await;
        Self { address, port, _process: process, _directory: directory }
    }

    pub(super) fn check(&self, kind: RecordKind, name: &str) -> DnsCheck {
        let server = Some(format!("$ADDRESS:{}", self.port));
        DnsCheck { name: name.to_owned(), kind, equals: None, contains: None, server }
    }

    async fn ask(&self, check: DnsCheck) -> turnus::edge::probe::Finding {
        ask(Check::Dns(check), &self.address).await
    }
}

#[tokio::test]
async fn every_kind_of_record_is_compared_as_a_set() {
    let nsd = Nsd::start().await;
    let cases = [
        (RecordKind::A, "shop.turnus.example", vec!["192.0.2.11", "192.0.2.10"]),
        (RecordKind::A, "SHOP.turnus.example.", vec!["192.0.2.10", "192.0.2.11"]),
        (RecordKind::A, "www.turnus.example", vec!["192.0.2.10", "192.0.2.11"]),
        (RecordKind::Aaaa, "shop.turnus.example", vec!["2001:0db8:0:0::10"]),
        (RecordKind::Mx, "turnus.example", vec!["20 mail.backup.example", "10 mail.turnus.example."]),
        (RecordKind::Txt, "turnus.example", vec!["v=spf1 mx -all"]),
        (RecordKind::Cname, "www.turnus.example", vec!["shop.turnus.example"]),
        (RecordKind::Ns, "turnus.example", vec!["ns2.turnus.example", "NS1.turnus.example"]),
        (RecordKind::Srv, "_sip._udp.turnus.example", vec!["0 5 5060 sip.turnus.example"]),
        (RecordKind::Ptr, "192.0.2.10", vec!["shop.turnus.example"]),
        (RecordKind::Ptr, "10.2.0.192.in-addr.arpa", vec!["shop.turnus.example"]),
    ];
    for (kind, name, records) in cases {
        let equals = Some(records.iter().map(|&record| record.to_owned()).collect());
        let found = nsd.ask(DnsCheck { equals, ..nsd.check(kind, name) }).await;
        assert_green(&found, &format!("dns {} {name} at {}:{}: `", kind.word(), nsd.address, nsd.port));
    }
}

#[tokio::test]
async fn another_answer_is_red_and_shown() {
    let nsd = Nsd::start().await;
    let shop = |records: &[&str]| {
        let equals = Some(records.iter().map(|&record| record.to_owned()).collect());
        DnsCheck { equals, ..nsd.check(RecordKind::A, "shop.turnus.example") }
    };
    let found = nsd.ask(shop(&["192.0.2.10"])).await;
    assert_red(&found, "expected `192.0.2.10`, found `192.0.2.10`, `192.0.2.11`");
    let found = nsd.ask(shop(&["192.0.2.10", "192.0.2.11", "$ADDRESS"])).await;
    assert_red(&found, &format!("expected `{}`, `192.0.2.10`", nsd.address));
    assert_red(&nsd.ask(nsd.check(RecordKind::A, "nowhere.turnus.example")).await, "there is no such name");
    assert_red(&nsd.ask(nsd.check(RecordKind::Mx, "shop.turnus.example")).await, "expected a record, found none");
    assert_red(&nsd.ask(nsd.check(RecordKind::A, "foreign.example")).await, "Refused");
}

#[tokio::test]
async fn an_answer_that_is_too_long_for_udp_comes_by_tcp() {
    let nsd = Nsd::start().await;
    let many =
        |text: &str| DnsCheck { contains: Some(text.to_owned()), ..nsd.check(RecordKind::Txt, "many.turnus.example") };
    assert_green(&nsd.ask(many("59 xxx")).await, "`00 xxx");
    assert_red(&nsd.ask(many("60 xxx")).await, "expected a record with `60 xxx`");
}

#[tokio::test]
async fn nobody_there_and_nobody_who_answers_are_red() {
    let address = next_address();
    let port = free_port();
    let server = Some(format!("$ADDRESS:{port}"));
    let check = DnsCheck { name: "x.example".to_owned(), kind: RecordKind::A, equals: None, contains: None, server };
    // Who asks by UDP is not told that nobody is there.
    assert_red(&ask(Check::Dns(check.clone()), &address).await, "dns A x.example: no answer within 3 s");
    let socket = tokio::net::UdpSocket::bind((address.as_str(), port)).await.unwrap();
    assert_red(&ask(Check::Dns(check), &address).await, "no answer within 3 s");
    drop(socket);
}
