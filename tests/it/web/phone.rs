//! Answers told by phone, reports that tell them, and the pages as `turnus serve` shows them.

use std::process::{Command, Stdio};

use turnus::domain::id::ContentHash;

use super::site::good_end;
use crate::kit::database::{execute, wait_until};
use crate::kit::office::Office;
use crate::kit::port::free_port;
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
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], free_port()));
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
    let doctor = office.succeed(&["doctor"]);
    assert!(doctor.contains(&format!("shown on {address}")), "{doctor}");

    let taken = office.fail(3, &["serve"]);
    assert!(taken.contains(&format!("can't listen on `{address}`")), "{taken}");
    // Whoever is connected, and says nothing, does not keep it.
    let _silent = tokio::net::TcpStream::connect(address).await.unwrap();
    kill(daemon.id(), nix::sys::signal::Signal::SIGTERM);
    assert!(daemon.wait().unwrap().success(), "{}", log());
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
    office.close().await;
}

/// What `turnus doctor` says of pages: verdict and finding.
fn findings(office: &Office) -> Vec<String> {
    let output = office.turnus(&["doctor", "--format", "json"]);
    let findings: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let pages = findings.as_array().unwrap().iter().filter(|finding| finding["subject"] == "pages");
    pages
        .map(|finding| format!("{} {}", finding["verdict"].as_str().unwrap(), finding["found"].as_str().unwrap()))
        .collect()
}

#[tokio::test]
async fn the_doctor_says_whether_pages_can_be_shown_and_reached() {
    let office = Office::open().await;
    assert_eq!(findings(&office), [""; 0], "nobody wants any");
    // Held for as long as it is to be taken; whoever asks there is cut off.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let reach = "public_url = \"https://wartung.example\"\n";
    office.settle(&format!("[web]\nlisten = \"{address}\"\n{reach}"));
    std::thread::scope(|scope| {
        scope.spawn(|| drop(taken.accept()));
        let told = findings(&office);
        assert!(told[0].starts_with(&format!("missing `{address}` is taken, and shows no pages: ")), "{told:?}");
        assert_eq!(told[1..], ["ok letters lead to https://wartung.example"]);
        scope.spawn(|| drop(taken.accept()));
        office.fail(3, &["doctor"]);
    });
    drop(taken);
    assert_eq!(findings(&office)[0], format!("ok `turnus serve` can listen on {address}"));
    // An address of documentation, which no machine has (RFC 5737).
    office.settle(&format!("[web]\nlisten = \"192.0.2.1:8080\"\n{reach}"));
    assert!(findings(&office)[0].starts_with("missing can't listen on `192.0.2.1:8080`: "), "{:?}", findings(&office));
    office.settle(&format!("[web]\nlisten = \"{address}\"\n"));
    assert_eq!(findings(&office)[1], "warning nothing says how customers reach them: letters have no links");
    office.settle(&format!("[web]\nlisten = \"{address}\"\npublic_url = \"http://127.0.0.1:8080\"\n"));
    assert_eq!(findings(&office)[1], "warning http://127.0.0.1:8080 can be reached from this machine only");
    office.settle(&format!("[web]\n{reach}"));
    assert_eq!(
        findings(&office),
        ["warning letters lead to https://wartung.example, which this machine does not show"]
    );
    office.settle("[web]\npublic_url = \"http://wartung.example\"\n");
    let told = office.fail(3, &["doctor"]);
    assert!(told.contains("1 mistake"), "{told}");
    office.close().await;
}

#[tokio::test]
async fn what_counts_as_accepted_is_not_refused_afterwards() {
    let office = Office::open().await;
    let store = office.store().await;
    let (run, number) = create(&store, &["web01"]).await;
    let epoch = take(&store, run, "one:1").await.unwrap();
    write(&store, run, epoch, &good_end()).await.unwrap();
    let deemed = "insert into answer (run, decision, entered_by, said_at, via, report_hash)
                  select id, 'deemed', 'one:1', now(), 'deadline', repeat('a', 64) from run";
    execute(&mut office.connect().await, deemed.to_owned()).await;
    let number = number.to_string();
    let told = office.fail(2, &["accept", &number, "--by", "Frau Weber", "--refuse", "--note", "zu spät"]);
    assert!(told.contains("deemed accepted, ") && told.contains("an answer is not changed"), "{told}");
    office.fail(2, &["accept", &number, "--by", "Frau Weber"]);
    office.fail(2, &["accept", "0", "--by", "Frau Weber"]);
    office.fail(2, &["accept", "-1", "--by", "Frau Weber"]);
    assert_eq!(office.json(&["report", &number])["acceptance"]["decision"], "deemed");
    store.close().await.unwrap();
    office.close().await;
}
