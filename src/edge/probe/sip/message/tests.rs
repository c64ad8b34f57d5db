//! Answers that belong to a request, and others. Forms of messages as in RFC 3261 and the torture tests of RFC 4475.

use super::{Answer, Request, whole_length};
use crate::domain::probe::Transport;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn request() -> Request {
    let own = "192.0.2.7:40000".to_owned();
    Request { transport: Transport::Udp, own, uri: "sip:pbx.example:5060".to_owned(), token: TOKEN.to_owned() }
}

fn answer(status_line: &str, headers: &str) -> String {
    format!("{status_line}\r\n{headers}Content-Length: 0\r\n\r\n")
}

fn usual_headers() -> String {
    format!(
        "Via: SIP/2.0/UDP 192.0.2.7:40000;rport=40000;branch=z9hG4bK{TOKEN};received=192.0.2.7\r\n\
         From: <sip:turnus@192.0.2.7:40000>;tag=0123456789abcdef\r\nTo: <sip:pbx.example:5060>;tag=x\r\n\
         Call-ID: {TOKEN}@192.0.2.7\r\nCSeq: 1 OPTIONS\r\n"
    )
}

#[test]
fn a_request_has_what_every_request_must_have() {
    let text = request().text();
    assert!(text.starts_with("OPTIONS sip:pbx.example:5060 SIP/2.0\r\n") && text.ends_with("\r\n\r\n"), "{text}");
    // Section 8.1.1: these six, and `Contact` for OPTIONS that want to be answered in full (section 11.1).
    for header in [
        "Via: SIP/2.0/UDP 192.0.2.7:40000;rport;branch=z9hG4bK",
        "Max-Forwards: 70\r\n",
        "From: <sip:turnus@192.0.2.7:40000>;tag=",
        "To: <sip:pbx.example:5060>\r\n",
        "Call-ID: ",
        "CSeq: 1 OPTIONS\r\n",
    ] {
        assert!(text.contains(&format!("\r\n{header}")), "{header}: {text}");
    }
    let own = || "192.0.2.7:40000".to_owned();
    let another = || Request::new(Transport::Udp, own(), "sip:a".to_owned()).unwrap().token;
    assert_ne!(another(), another());
}

#[test]
fn an_answer_is_read_in_all_its_forms() {
    let read = |text: &str| request().read_answer(text.as_bytes());
    let ok = || Ok(Answer { status: 200, reason: "OK".to_owned() });
    assert_eq!(read(&answer("SIP/2.0 200 OK", &usual_headers())), ok());
    let short = usual_headers().replace("Via:", "v :").replace("Call-ID:", "i:").replace("CSeq:", "cSEQ\t:");
    assert_eq!(read(&answer("sip/2.0 200 OK", &short)), ok());
    let folded = usual_headers().replace(";branch", "\r\n ;Branch").replace("1 OPTIONS", "1\r\n\tOPTIONS");
    assert_eq!(read(&answer("SIP/2.0 200 OK", &folded)), ok());
    let bare = read(&answer("\r\n\r\nSIP/2.0 503 ", &usual_headers()));
    assert_eq!(bare, Ok(Answer { status: 503, reason: String::new() }));
    let trying = read(&answer("SIP/2.0 100 Trying", &usual_headers())).unwrap();
    assert!(!trying.is_final());
}

#[test]
fn what_is_no_answer_to_this_request_is_refused() {
    let check = |text: &str, why: &str| {
        let told = request().read_answer(text.as_bytes()).unwrap_err();
        assert!(told.contains(why), "{why}: {told}");
    };
    let usual = usual_headers();
    for line in ["HTTP/1.1 200 OK", "SIP/2.0 20 OK", "SIP/2.0 700 OK", "SIP/2.0 +20 OK", "OPTIONS sip:a SIP/2.0", ""] {
        check(&answer(line, &usual), "does not begin with a status");
    }
    let ok = |headers: &str| answer("SIP/2.0 200 OK", headers);
    check(&ok(&usual.replace("bK0", "bK1")), "`Via` is of another request");
    check(&ok(&usual.replace(";branch=", ";brunch=")), "`Via` is of another request");
    check(&ok(&usual.replace("Via", "Fia")), "no `Via`, or more");
    check(&ok(&format!("Via: SIP/2.0/UDP proxy.example;branch=z9hG4bKx\r\n{usual}")), "no `Via`, or more");
    check(&ok(&usual.replace("Call-ID: 0", "Call-ID: 1")), "`Call-ID` is of another request");
    check(&ok(&format!("{usual}Call-ID: {TOKEN}@192.0.2.7\r\n")), "`Call-ID` is of another request");
    check(&ok(&usual.replace("1 OPTIONS", "2 OPTIONS")), "`CSeq` is of another request");
    check(&ok(&usual.replace("1 OPTIONS", "1 INVITE")), "`CSeq` is of another request");
    check("\u{0}\u{1}\u{2}", "does not begin with a status");
}

#[test]
fn messages_of_a_stream_end_where_they_say() {
    let body = |length: &str| format!("\r\n\r\nSIP/2.0 183 x\r\nl : {length}\r\n\r\nhello");
    let whole = body("5");
    assert_eq!(whole_length(format!("{whole}SIP/2.0 200 OK").as_bytes()), Some(whole.len()));
    for end in 0..whole.len() {
        assert_eq!(whole_length(&whole.as_bytes()[..end]), None, "{end}");
    }
    assert_eq!(whole_length(body("6").as_bytes()), None);
    let odd = body("99999999999999999999");
    assert_eq!(whole_length(odd.as_bytes()), Some(odd.len() - "hello".len()), "no number is no body");
    assert_eq!(whole_length(body("18446744073709551615").as_bytes()), None);
}
