//! The probe `http` against nginx, with and without TLS.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};

use serde_json::json;
use tempfile::TempDir;
use turnus::domain::job::SecretReference;
use turnus::domain::probe::{Check, Header, HeaderValue, HttpCheck, JsonCheck, Method};

use super::{Server, ask, ask_with, assert_green, assert_red};
use crate::kit::port::free_port;
use crate::kit::smtp::Authority;
use crate::kit::sshd::next_address;

/// nginx in clear and with a certificate for its address.
pub(super) struct Nginx {
    pub(super) address: String,
    pub(super) clear: u16,
    tls: u16,
    ca_file: String,
    _process: Server,
    _directory: TempDir,
}

/// What it answers to whom.
const LOCATIONS: &str = r#"
    location = / { default_type text/plain; return 200 "hello world"; }
    location = /health { default_type application/json; return 200 '{"status":"ok","load":0.5,"checks":[{"up":true,"n":3}]}'; }
    location = /old { return 302 /new; }
    location = /gone { return 301 https://elsewhere.example/; }
    location = /method { return 200 "$request_method $http_host $http_x_probe"; }
    location = /locked { if ($http_authorization != "Bearer hunter2-hunter2") { return 401 "no: $http_authorization"; } return 200 "in: $http_authorization"; }
"#;

impl Nginx {
    pub(super) async fn start() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().display().to_string();
        let address = next_address();
        let authority = Authority::make(directory.path());
        let certificate = authority.issue(&format!("IP:{address}"), 0);
        let (clear, tls) = (free_port(), free_port());
        let (chain, key) = (certificate.chain.display(), certificate.key.display());
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {path}/{kind};\n"))
            .concat();
        let text = format!(
            "pid {path}/pid;\nerror_log {path}/log;\ndaemon off;\nmaster_process off;\nevents {{}}\nhttp {{\naccess_log off;\n\
             {temporary}server {{\nlisten {address}:{clear};\nlisten {address}:{tls} ssl http2;\n\
             ssl_certificate {chain};\nssl_certificate_key {key};\n{LOCATIONS}}}\n}}\n"
        );
        let file = directory.path().join("nginx.conf");
        fs::write(&file, text).expect("written");
        let mut command = Command::new("/usr/sbin/nginx");
        command.arg("-c").arg(&file).args(["-p", &path, "-e", &format!("{path}/log")]).stderr(Stdio::null());
        let process = Server(command.spawn().expect("nginx")).ready(&address, tls, &directory.path().join("log")).await;
        let ca_file = authority.certificate.display().to_string();
        Self { address, clear, tls, ca_file, _process: process, _directory: directory }
    }

    /// In clear.
    fn get(&self, path: &str) -> HttpCheck {
        HttpCheck::get(&format!("http://$ADDRESS:{}{path}", self.clear))
    }

    fn get_by_tls(&self) -> HttpCheck {
        HttpCheck::get(&format!("https://$ADDRESS:{}/", self.tls))
    }

    async fn ask(&self, check: HttpCheck) -> turnus::edge::probe::Finding {
        ask(Check::Http(check), &self.address).await
    }
}

fn json_is(pointer: &str, equals: serde_json::Value) -> Option<JsonCheck> {
    Some(JsonCheck { pointer: pointer.to_owned(), equals })
}

#[tokio::test]
async fn methods_and_headers_reach_the_server() {
    let nginx = Nginx::start().await;
    let header = |name: &str, text: &str| Header { name: name.to_owned(), value: HeaderValue::Text(text.to_owned()) };
    let headers = vec![header("Host", "shop.example"), header("X-Probe", "at $ADDRESS")];
    let contains = format!("OPTIONS shop.example at {}", nginx.address);
    let check = HttpCheck { method: Method::Options, headers, contains: Some(contains), ..nginx.get("/method") };
    assert_green(&nginx.ask(check).await, "OPTIONS http://");
    let headers = vec![header("Host", "shop.example")];
    let url = format!("https://$ADDRESS:{}/method", nginx.tls);
    let contains = Some("GET shop.example".to_owned());
    let by_tls = HttpCheck { headers, contains, tls_verify: false, ..HttpCheck::get(&url) };
    assert_green(&nginx.ask(by_tls).await, "status 200, contains `GET shop.example`");
    let post = HttpCheck { method: Method::Post, contains: Some("POST ".to_owned()), ..nginx.get("/method") };
    assert_green(&nginx.ask(post).await, "status 200, contains `POST `");
    assert_green(&nginx.ask(HttpCheck { method: Method::Head, ..nginx.get("/") }).await, "HEAD http://");
}

#[tokio::test]
async fn json_is_looked_into() {
    let nginx = Nginx::start().await;
    let health = |json| HttpCheck { json, ..nginx.get("/health") };
    assert_green(&nginx.ask(health(json_is("/status", json!("ok")))).await, "`/status` is \"ok\"");
    for (pointer, equals) in
        [("/checks/0/up", json!(true)), ("/checks/0/n", json!(3)), ("/checks/0/n", json!(3.0)), ("/load", json!(0.5))]
    {
        assert_green(&nginx.ask(health(json_is(pointer, equals))).await, "status 200");
    }
    let down = nginx.ask(health(json_is("/status", json!("down")))).await;
    assert_red(&down, "expected `/status` to be \"down\", found \"ok\"");
    assert_red(&nginx.ask(health(json_is("/checks/0/n", json!("3")))).await, "to be \"3\", found 3");
    assert_red(&nginx.ask(health(json_is("/checks/1", json!(1)))).await, "found nothing there");
    let text = HttpCheck { json: json_is("/status", json!("ok")), ..nginx.get("/") };
    assert_red(&nginx.ask(text).await, "expected JSON, found `hello world`");
}

#[tokio::test]
async fn a_redirect_is_seen_and_not_followed() {
    let nginx = Nginx::start().await;
    let to = |path: &str, place: &str| HttpCheck { status: None, redirect: Some(place.to_owned()), ..nginx.get(path) };
    let whole = format!("http://$ADDRESS:{}/new", nginx.clear);
    assert_green(&nginx.ask(to("/old", &whole)).await, "status 302, redirect to");
    assert_green(&nginx.ask(to("/old", "/new")).await, "status 302, redirect to `/new`");
    assert_green(&nginx.ask(to("/gone", "https://elsewhere.example/")).await, "status 301");
    assert_red(&nginx.ask(to("/gone", "https://shop.example/")).await, "found `https://elsewhere.example/`");
    assert_red(&nginx.ask(to("/", "/new")).await, "expected status 300 to 399, found 200");
    let exact = HttpCheck { status: Some(301), ..to("/old", "/new") };
    assert_red(&nginx.ask(exact).await, "expected status 301, found 302");
}

#[tokio::test]
async fn a_certificate_must_be_trusted_and_for_the_name_unless_any_will_do() {
    let nginx = Nginx::start().await;
    assert_red(&nginx.ask(nginx.get_by_tls()).await, "certificate");
    let trusted = HttpCheck { ca_file: Some(nginx.ca_file.clone()), ..nginx.get_by_tls() };
    assert_green(&nginx.ask(trusted).await, "status 200");
    assert_green(&nginx.ask(HttpCheck { tls_verify: false, ..nginx.get_by_tls() }).await, "status 200");
    let other = Nginx::start().await;
    let stranger = HttpCheck { ca_file: Some(nginx.ca_file.clone()), ..other.get_by_tls() };
    assert_red(&other.ask(stranger).await, "certificate");
    let missing = HttpCheck { ca_file: Some("/nowhere/ca.pem".to_owned()), ..nginx.get_by_tls() };
    assert_red(&nginx.ask(missing).await, "can't read certificates from `/nowhere/ca.pem`");
    let no_tls = HttpCheck::get(&format!("https://$ADDRESS:{}/", nginx.clear));
    assert!(!nginx.ask(no_tls).await.met, "no TLS there");
}

#[tokio::test]
async fn secrets_of_headers_are_sent_and_never_shown() {
    let nginx = Nginx::start().await;
    let value = HeaderValue::Secret(SecretReference::Env("TOKEN".to_owned()));
    let headers = vec![Header { name: "Authorization".to_owned(), value }];
    let locked = HttpCheck { headers, ..nginx.get("/locked") };
    let names: Vec<_> = Check::Http(locked.clone()).secrets().into_iter().map(|(name, _)| name).collect();
    let ask = async |check: &HttpCheck, secret: &str| {
        let secrets = BTreeMap::from([(names[0], secret.to_owned())]);
        ask_with(Check::Http(check.clone()), &nginx.address, &secrets).await
    };
    let (right, wrong) = ("Bearer hunter2-hunter2", "Bearer hunter3-hunter3");
    assert_green(&ask(&locked, right).await, "status 200");
    assert_red(&ask(&locked, wrong).await, "expected status 200, found 401");
    // The server sends it back: what is shown of the answer is cut after 80 characters, within the secret or not.
    let echo = HttpCheck { contains: Some("welcome".to_owned()), ..locked };
    assert_red(&ask(&echo, right).await, "found `in: ***`");
    let long = format!("Bearer {}", "hunter3-".repeat(40));
    let echo = HttpCheck { status: Some(401), ..echo };
    let found = ask(&echo, &long).await;
    assert!(found.what.contains("found `no: ***`") && !found.what.contains("hunter"), "{found:?}");
    let broken = ask(&echo, "hunter\nX: y").await;
    assert!(!broken.met && !broken.what.contains("hunter"), "a value can't make a header of its own: {broken:?}");
}

#[tokio::test]
async fn an_answer_that_comes_late_is_red() {
    let nginx = Nginx::start().await;
    let quick = HttpCheck { at_most_ms: Some(2_900), ..nginx.get("/") };
    assert_green(&nginx.ask(quick).await, " ms");
    // A server that thinks for a while before it answers.
    let listener = tokio::net::TcpListener::bind((nginx.address.as_str(), 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 1024]).await;
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
        }
    });
    let slow = HttpCheck { at_most_ms: Some(200), ..HttpCheck::get(&format!("http://$ADDRESS:{port}/")) };
    assert_red(&nginx.ask(slow.clone()).await, "expected an answer within 200 ms, found one after ");
    assert_green(&nginx.ask(HttpCheck { at_most_ms: None, ..slow }).await, "status 200, ");
}
