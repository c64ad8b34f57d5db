//! Probes against a real HTTP server of the test's own on loopback.

use std::collections::BTreeMap;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{Scene, look};
use crate::domain::probe::template::Target;
use crate::domain::probe::{Check, HttpCheck, Patience, Probe, TcpCheck};

/// Answers each connection with the next of `answers`, the last one for ever; returns the port.
async fn serve(answers: Vec<&'static str>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut next = 0;
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answers[next.min(answers.len() - 1)];
            next += 1;
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    port
}

/// Looks at this machine; whether it is right, and what was found.
async fn ask(check: Check, within_s: u64, vars: &BTreeMap<String, String>) -> (bool, String) {
    let probe = Probe { check, patience: Patience { timeout_s: 2, within_s, interval_s: 1 } };
    let secrets = BTreeMap::new();
    let scene = Scene::new(Target { address: "127.0.0.1", vars }, &secrets);
    let finding = look(&probe, &scene).await;
    (finding.met, finding.what)
}

async fn check(answers: Vec<&'static str>, contains: Option<&str>, within_s: u64) -> (bool, String) {
    // Another test may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let vars = BTreeMap::from([("port".to_owned(), serve(answers).await.to_string())]);
    let contains = contains.map(str::to_owned);
    let check = HttpCheck { contains, ..HttpCheck::get("http://$ADDRESS:$VAR_PORT/") };
    ask(Check::Http(check), within_s, &vars).await
}

const HELLO: &str = "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world";
const BROKEN: &str = "HTTP/1.1 503 Down\r\nContent-Length: 0\r\n\r\n";
const REDIRECT: &str = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";

#[tokio::test]
async fn green_when_status_and_text_are_as_asked() {
    assert!(check(vec![HELLO], None, 1).await.0);
    assert!(check(vec![HELLO], Some("o w"), 1).await.0);
}

#[tokio::test]
async fn red_says_what_was_expected_and_what_was_found() {
    let (met, what) = check(vec![BROKEN], None, 0).await;
    assert!(!met && what.contains("expected status 200, found 503"), "{what}");
    let (met, what) = check(vec![HELLO], Some("goodbye"), 0).await;
    assert!(!met && what.contains("expected text `goodbye`, found `hello world`"), "{what}");
    let (met, what) = check(vec![REDIRECT], None, 0).await;
    assert!(!met && what.contains("found 302"), "a redirect is not followed: {what}");
}

#[tokio::test]
async fn asks_again_until_green() {
    let (met, what) = check(vec![BROKEN, BROKEN, HELLO], Some("hello"), 30).await;
    assert!(met && what.contains("contains `hello`") && what.contains(" (try 3, after 2."), "{what}");
    let (met, what) = check(vec![BROKEN], None, 2).await;
    assert!(!met && what.contains("found 503 (2 tries, 1."), "{what}");
}

#[tokio::test]
async fn nobody_there_is_red() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = Check::Http(HttpCheck::get(&format!("http://127.0.0.1:{port}/")));
    let tcp = Check::Tcp(TcpCheck { address: format!("$ADDRESS:{port}"), greeting: None });
    for check in [http, tcp] {
        let (met, what) = ask(check, 0, &BTreeMap::new()).await;
        assert!(!met && what.contains("refused"), "{what}");
    }
}

#[tokio::test]
async fn a_port_is_green_when_it_takes_connections_and_greets_as_asked() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("$ADDRESS:{}", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"220 mail ready\r\n").await;
        }
    });
    let tcp = |greeting: Option<&str>| {
        Check::Tcp(TcpCheck { address: address.clone(), greeting: greeting.map(str::to_owned) })
    };
    assert!(ask(tcp(None), 0, &BTreeMap::new()).await.0);
    assert!(ask(tcp(Some("220 ")), 0, &BTreeMap::new()).await.0);
    let (met, what) = ask(tcp(Some("SSH-2.0")), 0, &BTreeMap::new()).await;
    assert!(!met && what.contains("expected the greeting `SSH-2.0`, found `220 mail ready`"), "{what}");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("127.0.0.1:{}", listener.local_addr().unwrap().port());
    let check = Check::Tcp(TcpCheck { address: address.clone(), greeting: Some("220".to_owned()) });
    let (met, what) = ask(check, 0, &BTreeMap::new()).await;
    assert_eq!((met, what), (false, format!("tcp {address}: no answer within 2 s")));
}
