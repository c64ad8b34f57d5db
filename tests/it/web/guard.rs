//! What comes with every answer, and what is not let in: floods, forms of other sites, bodies without end, clients that never finish.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use turnus::app::web::Patience;
use turnus::app::web::rate::{Rate, Rates};
use turnus::domain::settings::Settings;
use turnus::domain::settings::delivery::Web;

use super::site::{Answer, FREE, IT, Site, fields};

const CONFIRM: &[(&str, &str)] = &[("decision", "confirmed")];

/// What no answer may lack.
#[track_caller]
fn check_headers(answer: &Answer) {
    let policy = answer.header("content-security-policy").unwrap();
    for part in ["default-src 'none'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("script-src"), "{policy}");
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(answer.header("x-robots-tag"), Some("noindex, nofollow"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("set-cookie"), None);
}

#[tokio::test]
async fn every_answer_has_its_headers() {
    let site = Site::open().await;
    let letter = site.announce().await.remove(IT);
    let path = format!("/l/{}", letter.link.token);
    for (method, path) in
        [("GET", &*path), ("HEAD", &path), ("PUT", &path), ("GET", "/l/x"), ("GET", "/"), ("GET", "/healthz")]
    {
        check_headers(&site.ask(method, path, &[]).await);
    }
    check_headers(&site.post(&letter, CONFIRM).await);
    check_headers(&site.decide(&letter, CONFIRM).await);
    assert_eq!(site.ask("PUT", &path, &[]).await.status, 405);
    let robots = site.ask("GET", "/robots.txt", &[]).await;
    assert_eq!(robots.body, "User-agent: *\nDisallow: /\n");
    site.close().await;
}

#[tokio::test]
async fn forms_of_other_sites_are_not_taken() {
    let web = Web { public_url: Some("https://wartung.example/turnus".to_owned()), ..Web::default() };
    let site = Site::open_with(FREE, Patience::default(), &Settings { web, ..Settings::default() }).await;
    let letter = site.announce().await.remove(IT);
    let (path, form) = (format!("/l/{}", letter.link.token), fields(&[CONFIRM, &[("code", "0")]].concat()));
    let before = site.rows().await;
    let foreign: [&[(&str, &str)]; 5] = [
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("origin", "https://elsewhere.example")],
        &[("origin", "https://wartung.example.elsewhere.example")],
        &[("origin", "https://wartung.exampl")],
    ];
    for headers in foreign {
        let answer = site.ask_with_body("POST", &path, headers, form.clone()).await;
        assert_eq!(answer.status, 403, "{headers:?}");
        assert!(answer.body.contains("This could not be read"), "{}", answer.body);
    }
    assert_eq!(site.rows().await, before, "no code was counted");
    let own: [&[(&str, &str)]; 4] = [
        &[("sec-fetch-site", "same-origin"), ("origin", "null")],
        &[("origin", "null")],
        &[("origin", "https://wartung.example")],
        &[],
    ];
    for headers in own {
        let answer = site.ask_with_body("POST", &path, headers, form.clone()).await;
        assert!(answer.body.contains("nicht der Code"), "{headers:?}: {}", answer.body);
    }
    // Who only follows a link comes from a mail reader, which is another site.
    assert_eq!(site.ask("GET", &path, &[("sec-fetch-site", "cross-site")]).await.status, 200);
    site.close().await;
}

#[tokio::test]
async fn bodies_that_are_no_answer_are_refused() {
    let site = Site::open().await;
    let letter = site.announce().await.remove(IT);
    let path = format!("/l/{}", letter.link.token);
    let before = site.rows().await;
    let huge = format!("decision=confirmed&remark={}", "x".repeat(5 << 20));
    let mut stream = TcpStream::connect(site.address).await.unwrap();
    let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\n");
    stream
        .write_all(format!("{head}content-length: {}\r\n\r\n{}", huge.len(), &huge[..60_000]).as_bytes())
        .await
        .unwrap();
    let mut answer = Vec::new();
    // Cut while it still writes, or told so.
    let _ = stream.read_to_end(&mut answer).await;
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 413 "), "{}", String::from_utf8_lossy(&answer));

    let json = [("content-type", "application/json")];
    let url = format!("http://{}{path}", site.address);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.post(url).header(json[0].0, json[0].1).body("{}").send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 415);
    let odd = site.post_raw(&letter, "decision=confirmed&decision=refused&%ff=%00&&&=").await;
    assert_eq!(odd.status, 422, "{}", odd.body);
    assert_eq!(site.rows().await, before);
    site.close().await;
}

#[tokio::test]
async fn who_does_not_finish_is_not_waited_for() {
    let patience = Patience {
        head: Duration::from_secs(1),
        request: Duration::from_secs(4),
        connection: Duration::from_secs(8),
        leave: Duration::from_millis(300),
    };
    let site = Site::open_with(FREE, patience, &Settings::default()).await;
    let letter = site.announce().await.remove(IT);
    let before = site.rows().await;
    let head = format!("POST /l/{} HTTP/1.1\r\nhost: x\r\n", letter.link.token);
    let body = format!("{head}content-type: application/x-www-form-urlencoded\r\ncontent-length: 30\r\n\r\ndecision=");
    let unfinished =
        [("", ""), ("GET /l", ""), (&*head, ""), (&*body, "HTTP/1.1 408 ")].map(async |(sent, expected)| {
            let mut stream = TcpStream::connect(site.address).await.unwrap();
            stream.write_all(sent.as_bytes()).await.unwrap();
            let mut answer = String::new();
            let over = tokio::time::timeout(Duration::from_secs(20), stream.read_to_string(&mut answer)).await;
            over.expect("the connection ends").unwrap();
            assert!(answer.starts_with(expected), "{sent:?}: {answer}");
        });
    futures_util::future::join_all(unfinished).await;
    assert_eq!(site.rows().await, before);
    // Those who wait don't keep others out.
    let _waiting = TcpStream::connect(site.address).await.unwrap();
    assert_eq!(site.get(&letter).await.status, 200);
    site.close().await;
}

#[tokio::test]
async fn floods_are_told_to_wait() {
    let rates = Rates { client: Rate { burst: 3.0, per_second: 0.001 }, ..FREE };
    let web = Web { trusted_proxies: vec!["127.0.0.1".parse().unwrap()], ..Web::default() };
    let site = Site::open_with(rates, Patience::default(), &Settings { web, ..Settings::default() }).await;
    let letter = site.announce().await.remove(IT);
    let path = format!("/l/{}", letter.link.token);
    let from = |address: &'static str| [("x-forwarded-for", address)];
    for _ in 0..3 {
        assert_eq!(site.ask("GET", &path, &from("192.0.2.1")).await.status, 200);
    }
    let before = site.rows().await;
    let refused = site.ask_with_body("POST", &path, &from("192.0.2.1"), fields(CONFIRM)).await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("60")));
    assert_eq!(site.rows().await, before);
    assert_eq!(site.ask("GET", &path, &from("192.0.2.2")).await.status, 200, "another client");
    assert_eq!(site.ask("GET", "/healthz", &from("192.0.2.1")).await.body, "ok\n");
    site.close().await;
}
