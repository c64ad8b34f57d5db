//! The probe `http` as it stands in files.

use serde_json::json;

use super::{Header, HeaderValue, HttpCheck, JsonCheck, Method};
use crate::domain::job::SecretReference;
use crate::domain::probe::parse::tests::read;
use crate::domain::probe::{Check, Probe};

fn read_http(inside: &str) -> Result<HttpCheck, String> {
    read(&format!("[probe.http]\n{inside}")).map(|probe| match probe.check {
        Check::Http(check) => check,
        other => panic!("{other:?}"),
    })
}

#[test]
fn all_keys() {
    let text = r#"
        url = "https://$ADDRESS/api"
        method = "POST"
        headers = { Host = "$VAR_HOST", Authorization = { env = "TOKEN" }, Cookie = { file = "/run/cookie" } }
        status = 201
        contains = "made"
        json = { pointer = "/checks/0/~1", equals = 1.5 }
        ca_file = "/etc/ca.pem"
        at_most_ms = 800"#;
    let header = |name: &str, value| Header { name: name.to_owned(), value };
    let token = SecretReference::Env("TOKEN".to_owned());
    let cookie = SecretReference::File("/run/cookie".to_owned());
    let expected = HttpCheck {
        method: Method::Post,
        headers: vec![
            header("Authorization", HeaderValue::Secret(token.clone())),
            header("Cookie", HeaderValue::Secret(cookie.clone())),
            header("Host", HeaderValue::Text("$VAR_HOST".to_owned())),
        ],
        status: Some(201),
        contains: Some("made".to_owned()),
        json: Some(JsonCheck { pointer: "/checks/0/~1".to_owned(), equals: json!(1.5) }),
        ca_file: Some("/etc/ca.pem".to_owned()),
        at_most_ms: Some(800),
        ..HttpCheck::get("https://$ADDRESS/api")
    };
    let found = read_http(text).unwrap();
    assert_eq!(found, expected);
    let secrets = Check::Http(found).secrets().into_iter().map(|(name, at)| (name, at.clone())).collect::<Vec<_>>();
    assert_eq!(secrets, [("headers: secret 1", token), ("headers: secret 2", cookie)]);
}

#[test]
fn the_usual_status_is_that_of_an_answer_or_of_a_redirect() {
    assert_eq!(read_http("url = \"http://h\"").unwrap(), HttpCheck::get("http://h"));
    let redirect = read_http("url = \"http://h\"\nredirect = \"/login\"").unwrap();
    assert_eq!((redirect.status, redirect.redirect.as_deref()), (None, Some("/login")));
    let told = read_http("url = \"http://h\"\nredirect = \"/login\"\nstatus = 200").unwrap_err();
    assert!(told.contains("a status from 300 to 399"), "{told}");
    let any = read_http("url = \"https://h\"\ntls_verify = false").unwrap();
    assert!(!any.tls_verify);
}

#[test]
fn all_mistakes_are_told_at_once() {
    let text = r#"
        url = "http://h"
        method = "HEAD"
        headers = { "a b" = "x", Content-Length = "3", X = "$y", Authorization = 5 }
        contains = "x"
        json = { pointer = "status", equals = [] }
        ca_file = "ca.pem"
        tls_verify = false
        at_most_ms = 0"#;
    let told = read_http(text).unwrap_err();
    for expected in [
        "`a b` is no name of a header",
        "the header `Content-Length` is turnus's own",
        "text of one line",
        "the answer to a HEAD request has no body",
        "a JSON pointer such as `/status`",
        "a string, a number, `true` or `false`",
        "`ca_file` has no effect without TLS",
        "`tls_verify` has no effect without TLS",
        "the absolute path of a PEM file",
        "a whole number from 1 to 3600000",
    ] {
        assert!(told.contains(expected), "{expected}\n{told}");
    }
    let secrets: String = (0..5).map(|n| format!("X{n} = {{ env = \"X{n}\" }}\n")).collect();
    let told = read_http(&format!("url = \"http://h\"\n[probe.http.headers]\n{secrets}")).unwrap_err();
    assert!(told.contains("`headers` has 5 secrets"), "{told}");
    for pointer in ["/~2", "/~", "a"] {
        let told = read_http(&format!("url = \"http://h\"\njson = {{ pointer = \"{pointer}\", equals = 1 }}"));
        assert!(told.is_err_and(|told| told.contains("JSON pointer")), "{pointer}");
    }
}

#[test]
fn a_plan_keeps_what_was_asked() {
    let text =
        "url = \"https://h\"\nmethod = \"HEAD\"\nheaders = { A = { env = \"A\" }, B = \"b\" }\ntls_verify = false";
    let probe = read(&format!("[probe.http]\n{text}")).unwrap();
    let written = serde_json::to_string(&probe).unwrap();
    assert_eq!(serde_json::from_str::<Probe>(&written).unwrap(), probe);
}
