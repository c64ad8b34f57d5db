//! The probe `sip` against SIPp, and against servers that do what SIPp would not.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::{Ipv4Addr, UdpSocket};
use std::process::{Command, Stdio};

use tempfile::TempDir;
use turnus::domain::probe::{Check, SipCheck, Transport};
use turnus::edge::probe::Finding;

use super::{Server, ask, ask_for, assert_green, assert_red, babbling_server, silent_server};
use crate::kit::machine::until;
use crate::kit::port::free_port;
use crate::kit::sshd::next_address;

/// The headers of an answer that belongs to the question.
pub(super) const OUR_HEADERS: &str =
    "[last_Via:]\n[last_From:]\n[last_To:];tag=[call_number]\n[last_Call-ID:]\n[last_CSeq:]\n";

/// SIPp as a server.
pub(super) struct Sipp {
    pub(super) address: String,
    pub(super) port: u16,
    transport: Transport,
    _process: Server,
    _directory: TempDir,
}

impl Sipp {
    /// It answers OPTIONS with these messages, one after the other.
    pub(super) async fn start(transport: Transport, answers: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let (address, file) = (next_address(), directory.path().join("scenario.xml"));
        let port = free_port();
        let send = |(status, headers): &(&str, &str)| {
            format!("<send><![CDATA[\nSIP/2.0 {status}\n{headers}Content-Length: 0\n\n]]></send>\n")
        };
        let sends: String = answers.iter().map(send).collect();
        let scenario = format!(
            "<?xml version=\"1.0\"?>\n<scenario name=\"answers\">\n<recv request=\"OPTIONS\"/>\n{sends}</scenario>\n"
        );
        fs::write(&file, scenario).expect("written");
        let log = directory.path().join("log");
        let word = if transport == Transport::Udp { "u1" } else { "t1" };
        let mut command = Command::new("sipp");
        command.arg("-sf").arg(&file).args(["-i", &address, "-p", &port.to_string(), "-t", word, "-nostdin"]);
        command.stdin(Stdio::null()).stdout(File::create(&log).expect("a log")).stderr(Stdio::null());
        let process = Server(command.current_dir(directory.path()).spawn().expect("sipp"));
        let process = match transport {
            Transport::Tcp => process.ready(&address, port, &log).await,
            Transport::Udp => {
                until("sipp", || is_bound_by_udp(&address, port)).await;
                process
            }
        };
        Self { address, port, transport, _process: process, _directory: directory }
    }

    async fn ask(&self) -> Finding {
        ask(check(self.port, self.transport), &self.address).await
    }
}

/// As the kernel lists it: both in hexadecimal digits, the address with its last byte first.
fn is_bound_by_udp(address: &str, port: u16) -> bool {
    let number = u32::from(address.parse::<Ipv4Addr>().expect("an address")).swap_bytes();
    fs::read_to_string("/proc/net/udp").expect("a list").contains(&format!(" {number:08X}:{port:04X} "))
}

pub(super) fn check(port: u16, transport: Transport) -> Check {
    Check::Sip(SipCheck { address: format!("$ADDRESS:{port}"), transport, uri: None, status: 200 })
}

#[tokio::test]
async fn a_server_that_answers_is_green_by_udp_and_by_tcp() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let sipp = Sipp::start(transport, &[("200 OK", OUR_HEADERS)]).await;
        assert_green(&sipp.ask().await, &format!("sip {}:{}: status 200 OK", sipp.address, sipp.port));
        assert_green(&sipp.ask().await, "status 200 OK");
        let sipp = Sipp::start(transport, &[("100 Trying", OUR_HEADERS), ("200 Fine", OUR_HEADERS)]).await;
        assert_green(&sipp.ask().await, "status 200 Fine");
    }
}

#[tokio::test]
async fn another_status_is_red_unless_it_is_the_expected_one() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let sipp = Sipp::start(transport, &[("503 Service Unavailable", OUR_HEADERS)]).await;
        assert_red(&sipp.ask().await, "expected status 200, found 503 Service Unavailable");
        let (address, uri) = (format!("$ADDRESS:{}", sipp.port), Some("sip:100@$ADDRESS".to_owned()));
        let expected = Check::Sip(SipCheck { address, transport, uri, status: 503 });
        assert_green(&ask(expected, &sipp.address).await, "status 503 Service Unavailable");
    }
}

#[tokio::test]
async fn an_answer_to_somebody_else_is_red() {
    let cases = [
        ("[last_Call-ID:]", "Call-ID: 1@elsewhere.example", "`Call-ID` is of another request"),
        ("[last_Via:]", "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1", "`Via` is of another request"),
        ("[last_CSeq:]", "CSeq: 2 OPTIONS", "`CSeq` is of another request"),
    ];
    let check = async |(from, to, why): (&str, &str, &str)| {
        let headers = OUR_HEADERS.replace(from, to);
        for transport in [Transport::Udp, Transport::Tcp] {
            let sipp = Sipp::start(transport, &[("200 OK", &headers)]).await;
            assert_red(&sipp.ask().await, why);
        }
    };
    let [first, second, third] = cases;
    // By UDP the right answer is waited for.
    tokio::join!(check(first), check(second), check(third));
}

#[tokio::test]
async fn what_is_no_answer_by_udp_is_passed_over() {
    let address = next_address();
    let server = UdpSocket::bind((address.as_str(), 0)).unwrap();
    let port = server.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || {
        let mut buffer = [0; 2000];
        let (length, from) = server.recv_from(&mut buffer).unwrap();
        let head = String::from_utf8(buffer[..length].to_vec()).unwrap().split_once("\r\n").unwrap().1.to_owned();
        // An answer to a question of before, a question of the server's own, and nothing of SIP at all.
        let late = head.replace("Call-ID: ", "Call-ID: 1");
        for stray in [format!("SIP/2.0 503 Busy\r\n{late}"), format!("NOTIFY sip:x SIP/2.0\r\n{head}"), "?".to_owned()]
        {
            server.send_to(stray.as_bytes(), from).unwrap();
        }
        server.send_to(format!("SIP/2.0 200 OK\r\n{head}").as_bytes(), from).unwrap();
    });
    assert_green(&ask(check(port, Transport::Udp), &address).await, "status 200 OK");
    thread.join().unwrap();
}

#[tokio::test]
async fn a_question_that_was_lost_is_asked_again() {
    let address = next_address();
    let server = UdpSocket::bind((address.as_str(), 0)).unwrap();
    let port = server.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || {
        let mut buffer = [0; 2000];
        let mut receive = || {
            let (length, from) = server.recv_from(&mut buffer).unwrap();
            (String::from_utf8(buffer[..length].to_vec()).unwrap(), from)
        };
        let (lost, from) = (receive().0, receive());
        let (second, from) = from;
        assert_eq!(lost, second, "the same request");
        let head = second.split_once("\r\n").unwrap().1.replace("\r\nContact:", "\r\nX-Contact:");
        server.send_to(format!("SIP/2.0 200 OK\r\n{head}").as_bytes(), from).unwrap();
    });
    assert_green(&ask(check(port, Transport::Udp), &address).await, "status 200 OK");
    thread.join().unwrap();
}

#[tokio::test]
async fn a_server_that_works_on_it_is_not_pressed() {
    let address = next_address();
    let server = UdpSocket::bind((address.as_str(), 0)).unwrap();
    let port = server.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || {
        let mut buffer = [0; 2000];
        let (length, from) = server.recv_from(&mut buffer).unwrap();
        let head = String::from_utf8(buffer[..length].to_vec()).unwrap().split_once("\r\n").unwrap().1.to_owned();
        server.send_to(format!("SIP/2.0 100 Trying\r\n{head}").as_bytes(), from).unwrap();
        // One more is already due; then none for four seconds, longer than this try takes.
        server.set_read_timeout(Some(std::time::Duration::from_secs(4))).unwrap();
        let mut more = 0;
        while server.recv_from(&mut buffer).is_ok() {
            more += 1;
        }
        more
    });
    assert_red(&ask(check(port, Transport::Udp), &address).await, "no answer within 3 s");
    assert!(thread.join().unwrap() <= 1);
}

#[tokio::test]
async fn nobody_silence_and_nonsense_are_red() {
    let address = next_address();
    let (listener, port) = silent_server(&address);
    let quiet = UdpSocket::bind((address.as_str(), port)).unwrap();
    for transport in [Transport::Udp, Transport::Tcp] {
        let silence = ask_for(check(port, transport), &address, &BTreeMap::new(), 1).await;
        assert_red(&silence, &format!("sip {address}:{port}: no answer within 1 s"));
    }
    drop((listener, quiet));
    for transport in [Transport::Udp, Transport::Tcp] {
        assert_red(&ask(check(port, transport), &address).await, "refused");
    }
    let by_tcp = |text| ask(check(babbling_server(&address, text), Transport::Tcp), &address);
    assert_red(&by_tcp(b"220 mail ready\r\n\r\n").await, "it does not begin with a status");
    let endless: &'static [u8] = Box::leak(vec![b'x'; 100_000].into_boxed_slice());
    assert_red(&by_tcp(endless).await, "the answer does not end");
}
