//! Probes against a real HTTP server of the test's own on loopback.

use std::collections::BTreeMap;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{Target, fill_in, http};
use crate::domain::job::HttpProbe;

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

async fn check(answers: Vec<&'static str>, contains: Option<&str>, within_s: u64) -> (bool, String) {
    // Another test may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let vars = BTreeMap::from([("port".to_owned(), serve(answers).await.to_string())]);
    let contains = contains.map(str::to_owned);
    let probe = HttpProbe { url: "http://$ADDRESS:$VAR_PORT/".to_owned(), status: 200, contains, within_s };
    let finding = http(&probe, Target { address: "127.0.0.1", vars: &vars }).await;
    (finding.met, finding.what)
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
    assert!(met, "{what}");
}

#[tokio::test]
async fn nobody_there_is_red() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let probe = HttpProbe { url: format!("http://127.0.0.1:{port}/"), status: 200, contains: None, within_s: 0 };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let finding = http(&probe, Target { address: "127.0.0.1", vars: &BTreeMap::new() }).await;
    assert!(!finding.met && finding.what.contains("refused"), "{}", finding.what);
}

#[test]
fn values_stay_in_their_place_in_the_url() {
    let vars = BTreeMap::from([("site".to_owned(), "a/b?c#d@e".to_owned())]);
    let fill = |template, address| fill_in(template, Target { address, vars: &vars });
    assert_eq!(fill("http://$ADDRESS/x", "web.example").unwrap(), "http://web.example/x");
    assert_eq!(fill("http://$ADDRESS:80/", "2001:db8::1").unwrap(), "http://[2001:db8::1]:80/");
    assert_eq!(fill("http://h/$VAR_SITE/y", "h").unwrap(), "http://h/a%2Fb%3Fc%23d%40e/y");
    assert!(fill("http://h/$VAR_OTHER", "h").unwrap_err().contains("$VAR_OTHER"));
}
