//! What mail servers answer, at which point, and what that means for a letter.

use super::{Stage, Trouble};
use crate::domain::settings::delivery::Security;
use crate::edge::mail::{Letter, Mailbox, Refusal};

fn letter() -> Letter {
    let mailbox = |address: &str| Mailbox { name: None, address: address.to_owned() };
    Letter {
        message_id: "1@turnus.example".to_owned(),
        sent_at: "2026-12-01T08:05:09Z".parse().unwrap(),
        from: mailbox("wartung@systemhaus.example"),
        reply_to: None,
        to: mailbox("it@nordwind.example"),
        subject: String::new(),
        text: String::new(),
        html: None,
        logo: None,
        calendar: None,
        attachments: Vec::new(),
    }
}

fn sort(trouble: Trouble, stage: Stage) -> Refusal {
    trouble.sort(stage, "mail.example:587", &letter(), Security::StartTls)
}

fn word(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Permanent { .. } => "permanent",
        Refusal::Unreachable { .. } => "unreachable",
        Refusal::Transient { .. } => "transient",
        Refusal::Misconfigured { .. } => "misconfigured",
    }
}

#[test]
fn answers_mean_something_by_where_they_come() {
    let rows = [
        (450, Stage::Recipient, "transient"),
        (451, Stage::Content, "transient"),
        (451, Stage::Sender, "transient"),
        // The server has not heard of the letter.
        (421, Stage::Connect, "unreachable"),
        (454, Stage::StartTls, "unreachable"),
        (454, Stage::Login, "unreachable"),
        (550, Stage::Recipient, "permanent"),
        (551, Stage::Recipient, "permanent"),
        (554, Stage::Data, "permanent"),
        (552, Stage::Content, "permanent"),
        // About this machine, this account or this sender, not about the letter: it would hit every letter.
        (554, Stage::Connect, "misconfigured"),
        (501, Stage::StartTls, "misconfigured"),
        (535, Stage::Login, "misconfigured"),
        (530, Stage::Sender, "misconfigured"),
        (553, Stage::Sender, "misconfigured"),
        (530, Stage::Recipient, "misconfigured"),
    ];
    for (code, stage, expected) in rows {
        let refusal = sort(Trouble::Answer { code, text: "words".to_owned() }, stage);
        assert_eq!(word(&refusal), expected, "{code} at {stage:?}: {refusal}");
        assert!(refusal.to_string().contains(&format!(": {code} words")), "{refusal}");
    }
}

#[test]
fn what_breaks_after_the_content_may_have_arrived() {
    for stage in [Stage::Connect, Stage::Login, Stage::Sender, Stage::Recipient, Stage::Data, Stage::Content] {
        for trouble in [Trouble::Silence { limit_s: 60 }, Trouble::Line("broken pipe".to_owned())] {
            let refusal = sort(trouble, stage);
            let is_about_letter = !matches!(stage, Stage::Connect | Stage::Login);
            assert_eq!(word(&refusal), if is_about_letter { "transient" } else { "unreachable" }, "{stage:?}");
            assert_eq!(refusal.to_string().ends_with("it may have arrived"), stage == Stage::Content, "{refusal}");
        }
    }
}

#[test]
fn a_silent_port_for_tls_is_for_the_settings() {
    let silence = || Trouble::Silence { limit_s: 60 };
    let refusal = silence().sort(Stage::Connect, "mail.example:465", &letter(), Security::StartTls);
    assert_eq!(word(&refusal), "misconfigured");
    let refusal = silence().sort(Stage::Connect, "mail.example:465", &letter(), Security::Tls);
    assert_eq!(word(&refusal), "unreachable");
}

#[test]
fn a_refusal_is_one_clean_line() {
    let text = "no\r\nsuch\u{1b}[31m \u{202e}mailbox ".repeat(1000);
    let refusal = sort(Trouble::Answer { code: 550, text }, Stage::Recipient).to_string();
    assert!(refusal.starts_with(
        "the mail server mail.example:587 refused the recipient `it@nordwind.example`: 550 no  such mailbox no  such"
    ));
    assert!(refusal.chars().count() <= 400 && !refusal.contains(char::is_control));
}
