//! Letters to real mail servers: with and without TLS and login, and with everything that goes wrong on the way.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use turnus::domain::settings::delivery::{self, Security, Smtp};
use turnus::edge::mail::{Attachment, CalendarPart, Image, Letter, Mailbox, Mailer, Refusal, compose};

use crate::kit::smtp::{Authority, Noted, SmtpOptions, SmtpServer};

const PASSWORD: &str = "correct horse";
const LOGIN: Option<(&str, &str)> = Some(("turnus", PASSWORD));

fn letter(number: usize, to: &str) -> Letter {
    Letter {
        message_id: format!("{number}@turnus.provider.example"),
        sent_at: "2026-12-01T08:05:09Z".parse().unwrap(),
        from: Mailbox { name: Some("Systemhaus Müller".to_owned()), address: "wartung@systemhaus.example".to_owned() },
        reply_to: None,
        to: Mailbox { name: Some("IT-Leitung".to_owned()), address: to.to_owned() },
        subject: "Wartung am 18. Dezember: Größe".to_owned(),
        text: "Guten Tag,\n.\n..\n.eine Zeile mit einem Punkt am Anfang\n".to_owned(),
        html: Some("<p>Guten Tag</p>".to_owned()),
        logo: None,
        calendar: None,
        attachments: Vec::new(),
    }
}

fn open(settings: Smtp) -> Mailer {
    Mailer::open(&delivery::Mailer::Smtp(settings), Some(PASSWORD)).unwrap()
}

fn mailer(server: &SmtpServer) -> Mailer {
    open(server.settings())
}

/// What sending comes to, and that it comes to it within the time that the settings give.
async fn refusal(settings: Smtp, letter: &Letter) -> Refusal {
    let (began, limit) = (Instant::now(), Duration::from_secs(settings.timeout_s));
    let refusal = open(settings).send(letter).await.unwrap_err();
    assert!(began.elapsed() < limit + Duration::from_secs(15), "{refusal} took {:?}", began.elapsed());
    refusal
}

#[track_caller]
fn assert_transient(refusal: &Refusal, words: &str) {
    assert!(matches!(refusal, Refusal::Transient { .. }), "{refusal:?}");
    assert!(refusal.to_string().contains(words), "{refusal}");
}

#[track_caller]
fn assert_unreachable(refusal: &Refusal, words: &str) {
    assert!(matches!(refusal, Refusal::Unreachable { .. }), "{refusal:?}");
    assert!(refusal.to_string().contains(words), "{refusal}");
}

#[track_caller]
fn assert_permanent(refusal: &Refusal, words: &str) {
    assert!(matches!(refusal, Refusal::Permanent { .. }), "{refusal:?}");
    assert!(refusal.to_string().contains(words), "{refusal}");
}

#[track_caller]
fn assert_misconfigured(refusal: &Refusal, words: &str, hint: &str) {
    assert!(matches!(refusal, Refusal::Misconfigured { .. }), "{refusal:?}");
    assert!(refusal.to_string().contains(words), "{refusal}");
    assert!(refusal.hint().unwrap().contains(hint), "{refusal:?}");
}

#[tokio::test]
async fn letters_arrive_byte_by_byte_over_one_connection() {
    for (security, without_logins) in [
        (Security::StartTls, vec![]),
        (Security::StartTls, vec!["PLAIN"]),
        (Security::Tls, vec!["LOGIN"]),
        (Security::None, vec![]),
    ] {
        let login = LOGIN.filter(|_| security != Security::None);
        let mechanism = if without_logins.contains(&"PLAIN") { "LOGIN" } else { "PLAIN" };
        let server = SmtpServer::start_with(SmtpOptions { security, login, without_logins, ..SmtpOptions::default() });
        let mailer = mailer(&server);
        for number in 0..3 {
            mailer.send(&letter(number, "it@nordwind.example")).await.unwrap();
        }
        let taken = server.letters();
        assert_eq!(taken.len(), 3, "{security:?}");
        for (number, taken) in taken.iter().enumerate() {
            let sent = compose(&letter(number, "it@nordwind.example")).unwrap();
            assert_eq!(taken.raw, String::from_utf8(sent).unwrap(), "{security:?}");
            assert_eq!(
                (taken.sender.as_str(), taken.recipient.as_str()),
                ("wartung@systemhaus.example", "it@nordwind.example")
            );
            let is_protected = security != Security::None;
            assert_eq!((taken.tls, taken.user.as_deref()), (is_protected, is_protected.then_some("turnus")));
            assert_eq!(taken.session, 1, "one connection for all");
        }
        let logins = server.record().into_iter().filter_map(|noted| match noted {
            Noted::Login { mechanism, accepted } => Some((mechanism, accepted)),
            _ => None,
        });
        let expected: Vec<_> = login.map(|_| (mechanism.to_owned(), true)).into_iter().collect();
        assert_eq!(logins.collect::<Vec<_>>(), expected, "{security:?}");
    }
}

#[tokio::test]
async fn certificates_are_looked_at() {
    for security in [Security::StartTls, Security::Tls] {
        let server = SmtpServer::start_with(SmtpOptions { security, login: LOGIN, ..SmtpOptions::default() });
        let unknown = Smtp { ca_file: None, ..server.settings() };
        let refused = refusal(unknown, &letter(1, "it@nordwind.example")).await;
        assert_misconfigured(&refused, "the certificate of the mail server", "`ca_file`");

        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::make(directory.path());
        let ca_file = Some(authority.certificate.display().to_string());
        let other = Smtp { ca_file: ca_file.clone(), ..server.settings() };
        let refused = refusal(other, &letter(1, "it@nordwind.example")).await;
        assert_misconfigured(&refused, "UnknownIssuer", "`ca_file`");
        assert_nothing_was_told(&server);

        for (names, age_h, words, hint) in [
            ("DNS:mail.elsewhere.example", 0, "not valid for name", "`host` in `[mail]`"),
            ("DNS:localhost,IP:{address}", 31 * 24, "expired", "new certificate"),
            ("DNS:localhost,IP:{address}", -24, "not valid yet", "clock"),
        ] {
            let address = crate::kit::sshd::next_address();
            let certificate = Some(authority.issue(&names.replace("{address}", &address), age_h));
            let server = SmtpServer::start_at(
                address,
                SmtpOptions { security, login: LOGIN, certificate, ..SmtpOptions::default() },
            );
            let settings = Smtp { ca_file: ca_file.clone(), ..server.settings() };
            let refused = refusal(settings, &letter(1, "it@nordwind.example")).await;
            assert_misconfigured(&refused, words, hint);
            assert_nothing_was_told(&server);
        }
    }
}

#[track_caller]
fn assert_nothing_was_told(server: &SmtpServer) {
    let record = server.record();
    assert!(record.is_empty(), "{record:?}");
}

#[tokio::test]
async fn no_password_and_no_letter_goes_over_a_line_in_clear() {
    let server = SmtpServer::start_with(SmtpOptions::default());
    let settings = Smtp { security: Security::StartTls, user: Some("turnus".to_owned()), ..server.settings() };
    let refused = refusal(settings.clone(), &letter(1, "it@nordwind.example")).await;
    assert_misconfigured(&refused, "does not offer STARTTLS", "`security`");
    let refused =
        refusal(Smtp { security: Security::Tls, ..settings.clone() }, &letter(1, "it@nordwind.example")).await;
    assert_misconfigured(&refused, "could not speak TLS", "`security`");
    assert_nothing_was_told(&server);
    let in_clear = delivery::Mailer::Smtp(Smtp { security: Security::None, ..settings });
    let error = Mailer::open(&in_clear, Some(PASSWORD)).unwrap_err();
    assert_eq!(error.to_string(), "the password of the mail server would go over the line in clear");
}

#[tokio::test]
async fn a_refused_login_does_not_tell_the_password() {
    for without_logins in [vec![], vec!["PLAIN"]] {
        let server = SmtpServer::start_with(SmtpOptions {
            security: Security::StartTls,
            login: Some(("turnus", "another")),
            without_logins,
            ..SmtpOptions::default()
        });
        let mailer = mailer(&server);
        let refused = mailer.send(&letter(1, "it@nordwind.example")).await.unwrap_err();
        // The server repeats the password in its answer.
        assert_misconfigured(&refused, "refused the login: 535 5.7.8 wrong password '***' of turnus", "`password`");
        for text in [format!("{refused:?}"), format!("{mailer:?}")] {
            assert!(!text.contains(PASSWORD), "{text}");
        }
        assert_eq!(server.letters().len(), 0);
        assert!(matches!(&server.record()[..], [Noted::Login { accepted: false, .. }]), "{:?}", server.record());
    }
}

#[tokio::test]
async fn a_login_that_is_not_there_is_for_the_settings() {
    let server =
        SmtpServer::start_with(SmtpOptions { security: Security::StartTls, login: LOGIN, ..SmtpOptions::default() });
    let nobody = Smtp { user: None, password: None, ..server.settings() };
    let refused = refusal(nobody, &letter(1, "it@nordwind.example")).await;
    assert_misconfigured(&refused, ": 530 ", "`user`");

    let without = SmtpServer::start_with(SmtpOptions {
        security: Security::StartTls,
        login: LOGIN,
        without_logins: vec!["PLAIN", "LOGIN"],
        ..SmtpOptions::default()
    });
    let refused = refusal(without.settings(), &letter(1, "it@nordwind.example")).await;
    assert_misconfigured(&refused, "neither of the logins", "`user`");

    let error = Mailer::open(&delivery::Mailer::Smtp(server.settings()), None).unwrap_err();
    assert_eq!(error.to_string(), "there is no password for the user `turnus` of the mail server");
    assert_eq!(server.letters().len() + without.letters().len(), 0);
}

#[tokio::test]
async fn certificates_that_are_not_there_are_for_the_settings() {
    let server = SmtpServer::start_with(SmtpOptions { security: Security::Tls, ..SmtpOptions::default() });
    let directory = tempfile::tempdir().unwrap();
    let empty = directory.path().join("empty.pem");
    std::fs::write(&empty, "no certificate\n").unwrap();
    for (path, words) in [(directory.path().join("nothing.pem"), "No such file"), (empty, "no items found")] {
        let settings = Smtp { ca_file: Some(path.display().to_string()), ..server.settings() };
        let error = Mailer::open(&delivery::Mailer::Smtp(settings), None).unwrap_err();
        let refused = Refusal::from(error);
        assert_misconfigured(&refused, words, "`ca_file`");
        assert!(refused.to_string().contains(&path.display().to_string()), "{refused}");
    }
}

#[tokio::test]
async fn answers_are_sorted() {
    let server = SmtpServer::start();
    let mailer = mailer(&server);
    let send = async |number: usize, to: &str| mailer.send(&letter(number, to)).await;
    let refused = send(1, "later@nordwind.example").await.unwrap_err();
    assert_transient(&refused, "put off the recipient `later@nordwind.example`: 450 4.7.1 greylisted");
    send(1, "later@nordwind.example").await.unwrap();
    let refused = send(2, "never@nordwind.example").await.unwrap_err();
    assert_permanent(&refused, "refused the recipient `never@nordwind.example`: 550 5.1.1 no such mailbox");
    assert_transient(&send(3, "busy@nordwind.example").await.unwrap_err(), ": 450 4.2.1 mailbox busy");
    assert_permanent(&send(4, "spam@nordwind.example").await.unwrap_err(), "refused the letter: 554 5.7.1");
    send(5, "it@nordwind.example").await.unwrap();
    let sessions: Vec<_> = server.letters().iter().map(|letter| letter.session).collect();
    assert_eq!(sessions, [1, 1, 1], "a refused recipient does not cost the connection");
    assert_transient(&send(6, "bye@nordwind.example").await.unwrap_err(), ": 421 4.3.2 shutting down");
    send(7, "it@nordwind.example").await.unwrap();

    // Not about this letter: no other of this sender would be taken.
    let mut forbidden = letter(8, "it@nordwind.example");
    forbidden.from.address = "forbidden@systemhaus.example".to_owned();
    let refused = mailer.send(&forbidden).await.unwrap_err();
    assert_misconfigured(&refused, "refused the sender `forbidden@systemhaus.example`: 553", "`[provider]`");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_left() {
    let server = SmtpServer::start();
    let mailer = open(Smtp { timeout_s: 2, ..server.settings() });
    mailer.send(&letter(1, "it@nordwind.example")).await.unwrap();
    let began = Instant::now();
    let refused = mailer.send(&letter(2, "hang@nordwind.example")).await.unwrap_err();
    assert_transient(&refused, "did not answer within 2 s: the recipient `hang@nordwind.example`");
    assert!(!refused.to_string().contains("may have arrived"), "{refused}");
    let refused = mailer.send(&letter(3, "mute@nordwind.example")).await.unwrap_err();
    assert_transient(&refused, "did not answer within 2 s: the letter; it may have arrived");
    assert!(began.elapsed() < Duration::from_secs(25), "{:?}", began.elapsed());
    let asked = |noted: &Noted| matches!(noted, Noted::Recipient { to } if to == "hang@nordwind.example");
    assert_eq!(server.record().iter().filter(|noted| asked(noted)).count(), 1);
    // What was silent is not asked again.
    mailer.send(&letter(4, "it@nordwind.example")).await.unwrap();
    let taken: Vec<_> = server.letters().into_iter().map(|letter| (letter.recipient, letter.session)).collect();
    let of = |to: &str, session| (format!("{to}@nordwind.example"), session);
    assert_eq!(taken, [of("it", 1), of("mute", 2), of("it", 3)]);

    // One that waits for TLS from the first byte says nothing either.
    let server = SmtpServer::start_with(SmtpOptions { security: Security::Tls, ..SmtpOptions::default() });
    let settings = Smtp { security: Security::StartTls, timeout_s: 1, ..server.settings() };
    let refused = refusal(settings, &letter(1, "it@nordwind.example")).await;
    assert_unreachable(&refused, "did not answer within 1 s: the connection");
}

#[tokio::test]
async fn a_letter_whose_answer_was_lost_comes_again_as_the_same() {
    let server = SmtpServer::start();
    let mailer = mailer(&server);
    let sent = letter(1, "drop@nordwind.example");
    let refused = mailer.send(&sent).await.unwrap_err();
    assert_transient(&refused, "broke at the letter: the server closed the connection; it may have arrived");
    mailer.send(&sent).await.unwrap();
    let taken = server.letters();
    assert_eq!(taken.len(), 2, "it is not tried again before somebody says so");
    assert_eq!(taken[0].message_id(), "<1@turnus.provider.example>");
    assert_eq!(taken[0].raw, taken[1].raw);
}

#[tokio::test]
async fn connections_that_the_server_ended_are_made_anew() {
    let mut server = SmtpServer::start_with(SmtpOptions { letters_per_connection: 2, ..SmtpOptions::default() });
    let mailer = mailer(&server);
    for number in 0..5 {
        mailer.send(&letter(number, "it@nordwind.example")).await.unwrap();
    }
    let sessions: Vec<_> = server.letters().iter().map(|letter| letter.session).collect();
    assert_eq!(sessions, [1, 1, 2, 2, 3]);

    server.stop();
    let refused = mailer.send(&letter(5, "it@nordwind.example")).await.unwrap_err();
    assert_unreachable(&refused, "could not connect to the mail server");
    assert!(refused.to_string().contains("Connection refused"), "{refused}");
    server.start_again();
    mailer.send(&letter(5, "it@nordwind.example")).await.unwrap();
    server.start_again();
    mailer.send(&letter(6, "it@nordwind.example")).await.unwrap();
    assert_eq!(server.letters().len(), 7);
}

#[tokio::test]
async fn addresses_beyond_ascii_need_a_server_that_takes_them() {
    let server = SmtpServer::start();
    let refused = mailer(&server).send(&letter(1, "größe@nordwind.example")).await.unwrap_err();
    assert_permanent(&refused, "(SMTPUTF8), as in the recipient `größe@nordwind.example`");
    // A domain goes in its ASCII form.
    mailer(&server).send(&letter(2, "it@größe.example")).await.unwrap();
    assert_eq!(server.letters()[0].recipient, "it@xn--gre-6ka8i.example");

    let server = SmtpServer::start_with(SmtpOptions { unicode_addresses: true, ..SmtpOptions::default() });
    mailer(&server).send(&letter(1, "größe@nordwind.example")).await.unwrap();
    let taken = &server.letters()[0];
    assert_eq!(taken.recipient, "größe@nordwind.example");
    assert!(taken.options.contains(&"SMTPUTF8".to_owned()), "{:?}", taken.options);
}

#[tokio::test]
async fn what_is_no_mail_server_is_for_the_settings() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let answering = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    });
    let settings = Smtp {
        host: "127.0.0.1".to_owned(),
        port,
        security: Security::None,
        user: None,
        password: None,
        ca_file: None,
        timeout_s: 20,
    };
    let refused = refusal(settings, &letter(1, "it@nordwind.example")).await;
    assert_misconfigured(&refused, "does not speak SMTP", "`host`");
    answering.await.unwrap();
}

/// What the server has taken and what was told must agree, even if sendings are broken off anywhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sendings_that_are_broken_off_confuse_no_other() {
    let server = SmtpServer::start_with(SmtpOptions { delay_ms: 3, ..SmtpOptions::default() });
    let mailer = mailer(&server);
    let mut sendings = tokio::task::JoinSet::new();
    for task in 0..8 {
        let mailer = mailer.clone();
        sendings.spawn(async move {
            let mut taken = Vec::new();
            for number in 0..25 {
                let letter = letter(task * 100 + number, "it@nordwind.example");
                // Every other is broken off, later each time.
                let patience = if number % 2 == 0 { Duration::from_micros(500 * number as u64) } else { Duration::MAX };
                match tokio::time::timeout(patience, mailer.send(&letter)).await {
                    Ok(sent) => {
                        sent.unwrap();
                        taken.push(format!("<{}>", letter.message_id));
                    }
                    Err(_) => assert_eq!(number % 2, 0),
                }
            }
            taken
        });
    }
    let told: Vec<_> = sendings.join_all().await.into_iter().flatten().collect();
    let letters = server.letters();
    for id in &told {
        let count = letters.iter().filter(|letter| letter.message_id() == id).count();
        assert_eq!(count, 1, "{id} was told to be taken");
    }
    assert!(told.len() >= 8 * 12, "{} letters", told.len());
    for letter in letters {
        assert!(letter.raw.ends_with("--\r\n"), "half a letter: {}", letter.raw);
    }
}

/// Python's `email`, as the mail programs of recipients do.
const READER: &str = r#"
import email, email.policy, json, sys
message = email.message_from_binary_file(sys.stdin.buffer, policy=email.policy.default)
def parts(part):
    kind = part.get_content_type()
    if part.is_multipart():
        return [kind, [parts(inner) for inner in part.iter_parts()]]
    content = part.get_content()
    return [kind, content if isinstance(content, str) else content.hex(), part.get_filename(), part["Content-ID"],
            part.get_content_disposition(), part.get_param("method")]
defects = [str(defect) for part in message.walk() for defect in part.defects]
defects += [str(defect) for name in message.keys() for defect in message[name].defects]
json.dump({
    "headers": {name: str(message[name]) for name in message.keys() if name != "Content-Type"},
    "to": [[address.display_name, address.addr_spec] for address in message["To"].addresses],
    "parts": parts(message), "defects": defects,
}, sys.stdout)
"#;

#[test]
fn a_foreign_reader_understands_a_letter() {
    let letter = Letter {
        reply_to: Some(Mailbox { name: None, address: "leitstelle@systemhaus.example".to_owned() }),
        to: Mailbox { name: Some("Müller, \"IT\" <Leitung>".to_owned()), address: "it@nordwind.example".to_owned() },
        logo: Some(Image {
            content_id: "logo@turnus".to_owned(),
            media_type: "image/png".to_owned(),
            content: vec![0x89, 0x50, 0x4e, 0x47],
        }),
        calendar: Some(CalendarPart {
            method: "CANCEL".to_owned(),
            content: "BEGIN:VCALENDAR\r\nMETHOD:CANCEL\r\nSUMMARY:Größe\r\nEND:VCALENDAR\r\n".to_owned(),
        }),
        attachments: vec![Attachment {
            file_name: "Отчёт за четвёртый квартал.pdf".to_owned(),
            media_type: "application/pdf".to_owned(),
            content: b"%PDF-1.7\r\n\xff".to_vec(),
        }],
        ..letter(1, "it@nordwind.example")
    };
    let mut reader = Command::new("/usr/bin/python3");
    reader.args(["-c", READER]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut reader = reader.spawn().unwrap();
    std::io::Write::write_all(&mut reader.stdin.take().unwrap(), &compose(&letter).unwrap()).unwrap();
    let output = reader.wait_with_output().unwrap();
    assert!(output.status.success());
    let read: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let plain = "Guten Tag,\n.\n..\n.eine Zeile mit einem Punkt am Anfang\n";
    let calendar = "BEGIN:VCALENDAR\nMETHOD:CANCEL\nSUMMARY:Größe\nEND:VCALENDAR\n";
    let expected = serde_json::json!({
        "headers": {
            "From": "Systemhaus Müller <wartung@systemhaus.example>",
            "To": "\"Müller, \\\"IT\\\" <Leitung>\" <it@nordwind.example>",
            "Reply-To": "leitstelle@systemhaus.example",
            "Subject": "Wartung am 18. Dezember: Größe",
            "Date": "Tue, 01 Dec 2026 08:05:09 +0000",
            "Message-ID": "<1@turnus.provider.example>",
            "Auto-Submitted": "auto-generated",
            "MIME-Version": "1.0",
        },
        "to": [["Müller, \"IT\" <Leitung>", "it@nordwind.example"]],
        "parts": ["multipart/mixed", [
            ["multipart/alternative", [
                ["text/plain", plain, null, null, null, null],
                ["multipart/related", [
                    ["text/html", "<p>Guten Tag</p>", null, null, null, null],
                    ["image/png", "89504e47", null, "<logo@turnus>", "inline", null],
                ]],
                ["text/calendar", calendar, null, null, null, "CANCEL"],
            ]],
            ["application/pdf", "255044462d312e370d0aff", "Отчёт за четвёртый квартал.pdf", null, "attachment", null],
        ]],
        "defects": [],
    });
    let normal = read.to_string().replace("\\r\\n", "\\n");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&normal).unwrap(), expected);
}
