//! Answers told by phone, reports that tell them, and the pages as `turnus serve` shows them.

use std::process::{Command, Stdio};

use turnus::domain::id::ContentHash;

use super::site::good_end;
use crate::kit::database::wait_until;
use crate::kit::office::Office;
use crate::kit::world::kill;
use crate::store::{create, take, write};

#[tokio::test]
async fn an_answer_told_by_phone_is_kept_once() {
    let office = Office::open().await;
    let store = office.store().await;
    let (run, number) = create(&store, &["web01"]).await;
    let number = number.to_string();
    let accept = |more: &[&'static str]| [&["accept", &number, "--by", "Frau Weber"], more].concat();
    let refusal = office.fail(2, &accept(&[]));
    assert!(refusal.contains("has not ended"), "{refusal}");
    let epoch = take(&store, run, "one:1").await.unwrap();
    write(&store, run, epoch, &good_end()).await.unwrap();
    let bare = office.succeed(&["report", &number, "--format", "json"]);

    for lacking in
        [&["--refuse"][..], &["--with-remarks"], &["--refuse", "--with-remarks", "--note", "x"], &["--note", " "]]
    {
        office.fail(2, &accept(lacking));
    }
    office.fail(2, &["accept", "4711", "--by", "Frau Weber"]);
    let said = office.succeed(&accept(&["--with-remarks", "--note", "Scanner \u{1b}[31mlangsam"]));
    assert_eq!(said, format!("the report of run {number} is accepted with remarks by Frau Weber\n"));
    let again = office.succeed(&accept(&["--with-remarks", "--note", "anders"]));
    assert!(again.contains("has its answer: accepted with remarks by Frau Weber, "), "{again}");
    let other = office.fail(2, &accept(&["--refuse", "--note", "doch nicht"]));
    assert!(other.contains("accepted with remarks by Frau Weber") && other.contains("is not changed"), "{other}");

    let acceptance = office.json(&["show", &number])["acceptance"].clone();
    assert_eq!(acceptance["decision"], "accepted_with_remarks");
    assert_eq!((&acceptance["by"], &acceptance["via"]), (&"Frau Weber".into(), &"phone".into()));
    assert_eq!(acceptance["remark"], "Scanner langsam");
    assert_eq!(acceptance["report"], ContentHash::of(bare.trim_end().as_bytes()).as_str());
    let report = office.json(&["report", &number]);
    assert_eq!(report["acceptance"], acceptance);
    let text = office.succeed(&["report", &number, "--locale", "en"]);
    assert!(text.contains("accepted with remarks by Frau Weber"), "{text}");
    let shown = office.succeed(&["show", &number]);
    assert!(shown.contains("\nanswer     accepted with remarks by Frau Weber, "), "{shown}");
    store.close().await.unwrap();
    office.close().await;
}

#[tokio::test]
async fn the_daemon_shows_pages_until_it_is_told_to_stop() {
    let office = Office::open().await;
    // Somebody else may take it in between; then the daemon says so, and this fails.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    office.settle(&format!("[web]\nlisten = \"{address}\"\n"));
    let mut daemon = Command::new(env!("CARGO_BIN_EXE_turnus"))
        .arg("--config")
        .arg(office.path("."))
        .arg("serve")
        .env("HOME", office.path("."))
        .env_remove("SSH_AUTH_SOCK")
        .stdin(Stdio::null())
        .stderr(std::fs::File::create(office.path("log")).unwrap())
        .spawn()
        .unwrap();
    let log = || std::fs::read_to_string(office.path("log")).unwrap();
    wait_until("it serves", || log().contains("serving")).await;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let ask = async |path: &str| client.get(format!("http://{address}{path}")).send().await.unwrap();
    assert_eq!(ask("/healthz").await.text().await.unwrap(), "ok\n");
    assert_eq!(ask("/l/x").await.status().as_u16(), 404);

    let taken = office.fail(3, &["serve"]);
    assert!(taken.contains(&format!("can't listen on `{address}`")), "{taken}");
    // Whoever is connected, and says nothing, does not keep it.
    let _silent = tokio::net::TcpStream::connect(address).await.unwrap();
    kill(daemon.id(), nix::sys::signal::Signal::SIGTERM);
    assert!(daemon.wait().unwrap().success(), "{}", log());
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
    office.close().await;
}
