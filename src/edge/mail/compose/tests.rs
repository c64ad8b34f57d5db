//! Letters are composed, and read back by another parser.

use mail_parser::{MessageParser, MimeHeaders, PartType};
use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest};

use super::{clean_subject, compose};
use crate::edge::mail::{Attachment, CalendarPart, Image, Letter, Mailbox, Refusal};

fn mailbox(name: &str, address: &str) -> Mailbox {
    Mailbox { name: Some(name.to_owned()), address: address.to_owned() }
}

fn plain() -> Letter {
    Letter {
        message_id: "0199a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b@turnus.provider.example".to_owned(),
        sent_at: "2026-12-01T08:05:09Z".parse().unwrap(),
        from: mailbox("Systemhaus Müller & Söhne GmbH", "wartung@systemhaus.example"),
        reply_to: None,
        to: mailbox("IT-Leitung", "it@nordwind.example"),
        subject: "Wartung am 18. Dezember".to_owned(),
        text: "Guten Tag,\n\nam 18. Dezember warten wir Ihre Server.\n.\nEin Punkt allein.\n".to_owned(),
        html: None,
        logo: None,
        calendar: None,
        attachments: Vec::new(),
    }
}

fn full() -> Letter {
    let calendar = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nSUMMARY:Wartung – Größe\r\nEND:VCALENDAR\r\n";
    Letter {
        reply_to: Some(mailbox("Leitstelle", "leitstelle@systemhaus.example")),
        subject: "Wartung am 18. Dezember: wir prüfen, sichern und aktualisieren Ihre Server im Rechenzentrum"
            .to_owned(),
        html: Some("<p>Guten Tag, <img src=\"cid:logo\"> am 18. Dezember warten wir Ihre Größe.</p>\n".to_owned()),
        logo: Some(Image {
            content_id: "logo".to_owned(),
            media_type: "image/png".to_owned(),
            content: vec![0x89, b'P', b'N', b'G', 0, 1, 2, 3],
        }),
        calendar: Some(CalendarPart { method: "REQUEST".to_owned(), content: calendar.to_owned() }),
        attachments: vec![Attachment {
            file_name: "Bericht für Größe.html".to_owned(),
            media_type: "text/html; charset=utf-8".to_owned(),
            content: b"<p>one\ntwo\r\nthree\rfour</p>".to_vec(),
        }],
        ..plain()
    }
}

fn composed(letter: &Letter) -> String {
    String::from_utf8(compose(letter).unwrap()).unwrap()
}

/// Content types, nested ones in brackets behind their parent's.
fn structure(message: &str) -> String {
    structure_of(&MessageParser::default().parse(message).unwrap(), 0)
}

fn structure_of(message: &mail_parser::Message<'_>, id: u32) -> String {
    let part = message.part(id).unwrap();
    let kind = part.content_type().unwrap();
    let subtype = kind.c_subtype.as_deref().unwrap();
    match &part.body {
        PartType::Multipart(parts) => {
            let parts: Vec<_> = parts.iter().map(|id| structure_of(message, *id)).collect();
            format!("{subtype}({})", parts.join(" "))
        }
        _ => format!("{}/{subtype}", kind.c_type),
    }
}

#[test]
fn levels_that_would_hold_one_part_are_left_out() {
    let check = |change: fn(&mut Letter), expected: &str| {
        let mut letter = full();
        change(&mut letter);
        assert_eq!(structure(&composed(&letter)), expected);
    };
    check(|_| {}, "mixed(alternative(text/plain related(text/html image/png) text/calendar) text/html)");
    check(|letter| letter.logo = None, "mixed(alternative(text/plain text/html text/calendar) text/html)");
    check(|letter| letter.calendar = None, "mixed(alternative(text/plain related(text/html image/png)) text/html)");
    check(|letter| letter.attachments.clear(), "alternative(text/plain related(text/html image/png) text/calendar)");
    // A picture that no HTML shows stays away.
    check(|letter| letter.html = None, "mixed(alternative(text/plain text/calendar) text/html)");
    check(
        |letter| {
            letter.html = None;
            letter.calendar = None;
        },
        "mixed(text/plain text/html)",
    );
    check(
        |letter| {
            letter.html = None;
            letter.calendar = None;
            letter.attachments.clear();
        },
        "text/plain",
    );
}

#[test]
fn a_letter_as_it_goes_over_the_line() {
    let text = composed(&full());
    assert_eq!(text, composed(&full()), "the same letter gives the same bytes");
    insta::assert_snapshot!(text.replace("\r\n", "\n"));
}

#[test]
fn another_parser_reads_what_was_meant() {
    let letter = full();
    let text = composed(&letter);
    let message = MessageParser::default().parse(&text).unwrap();
    assert_eq!(message.subject(), Some(letter.subject.as_str()));
    let from = message.from().unwrap().first().unwrap();
    assert_eq!((from.name(), from.address()), (letter.from.name.as_deref(), Some("wartung@systemhaus.example")));
    assert_eq!(message.reply_to().unwrap().first().unwrap().address(), Some("leitstelle@systemhaus.example"));
    assert_eq!(message.to().unwrap().first().unwrap().address(), Some("it@nordwind.example"));
    assert_eq!(message.message_id(), Some(letter.message_id.as_str()));
    assert_eq!(message.date().unwrap().to_rfc3339(), "2026-12-01T08:05:09Z");
    assert_eq!(message.header("Auto-Submitted").unwrap().as_text(), Some("auto-generated"));
    let attachments: Vec<_> = message.attachments().collect();
    let file = attachments.iter().find(|part| part.attachment_name().is_some()).unwrap();
    assert_eq!(file.attachment_name(), Some("Bericht für Größe.html"));
    // A file keeps its own line ends.
    assert_eq!(file.contents(), letter.attachments[0].content);
    let calendar = message.parts.iter().find(|part| part.is_content_type("text", "calendar")).unwrap();
    assert_eq!(calendar.content_type().unwrap().attribute("method"), Some("REQUEST"));
    assert_eq!(calendar.text_contents(), Some(letter.calendar.unwrap().content.as_str()));
    let logo = message.parts.iter().find(|part| part.is_content_type("image", "png")).unwrap();
    assert_eq!((logo.content_id(), logo.contents()), (Some("logo"), &letter.logo.unwrap().content[..]));
}

/// What holds of every message, whatever is in it.
fn faults(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    if !text.is_ascii() {
        found.push("beyond ASCII".to_owned());
    }
    let bare = text.replace("\r\n", "");
    if bare.contains(|character: char| character.is_control() && character != '\t') {
        found.push("a control character, or half a line end".to_owned());
    }
    found.extend(text.split("\r\n").filter(|line| line.len() > 998).map(|line| format!("{} bytes", line.len())));
    let head = text.split("\r\n\r\n").next().unwrap();
    let headers: Vec<_> = head.split("\r\n").filter(|line| !line.starts_with([' ', '\t'])).collect();
    let known = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"];
    let names: Vec<_> = headers.iter().map(|line| line.split(':').next().unwrap()).collect();
    let mut expected: Vec<_> = known.to_vec();
    if names.contains(&"Content-Transfer-Encoding") {
        expected.push("Content-Transfer-Encoding");
    }
    if names.contains(&"Reply-To") {
        expected.insert(2, "Reply-To");
    }
    let mut sorted = (names.clone(), expected.clone());
    sorted.0.sort_unstable();
    sorted.1.sort_unstable();
    if sorted.0 != sorted.1 {
        found.push(format!("headers {names:?}"));
    }
    found
}

#[test]
fn hostile_words_become_no_headers() {
    let hostile = [
        "Wartung\r\nBcc: everybody@elsewhere.example",
        "Wartung\nContent-Type: text/html\n\n<script>",
        "Wartung\r Bcc: x@elsewhere.example",
        "Nordwind\u{202e}gnutraW\u{2066}\u{200b}",
        "\u{1b}[31mred\u{7}\0",
        "=?utf-8?q?Wartung=0D=0ABcc:_x@elsewhere.example?=",
        "\"Nordwind\" <x@elsewhere.example>, other",
        "a\\\"b\\",
        ",;:<>()[]@",
        &"ü".repeat(5000),
        &"x".repeat(5000),
        "",
        "   ",
    ];
    for words in hostile {
        let mut letter = full();
        letter.subject = words.to_owned();
        letter.to.name = Some(words.to_owned());
        letter.from.name = Some(words.to_owned());
        letter.reply_to = Some(mailbox(words, "leitstelle@systemhaus.example"));
        letter.attachments[0].file_name = words.to_owned();
        let text = composed(&letter);
        assert_eq!(faults(&text), Vec::<String>::new(), "{words:?}");
        let message = MessageParser::default().parse(&text).unwrap();
        assert_eq!(message.to().unwrap().as_list().unwrap().len(), 1, "{words:?}");
        assert_eq!(message.to().unwrap().first().unwrap().address(), Some("it@nordwind.example"), "{words:?}");
        assert_eq!(message.from().unwrap().first().unwrap().address(), Some("wartung@systemhaus.example"), "{words:?}");
        assert_eq!(structure(&text), structure(&composed(&full())), "{words:?}");
        let file = message.attachments().find_map(|part| part.attachment_name()).unwrap();
        let fits = !file.is_empty() && !file.starts_with('.') && !file.contains(['/', '\\', '"', '\r', '\n']);
        assert!(fits, "{words:?} became the file name {file:?}");
        let subject = message.subject().unwrap_or_default();
        assert!(!subject.contains(['\r', '\n', '\u{202e}', '\u{1b}', '\0']), "{words:?} became {subject:?}");
    }
}

#[test]
fn a_line_of_ten_megabytes_becomes_short_ones() {
    let long = "<b>ü \u{202e}\u{1b}[31m".repeat((10 << 20) / 14);
    let mut letter = full();
    letter.subject.clone_from(&long);
    letter.to.name = Some(long.clone());
    letter.attachments[0].file_name.clone_from(&long);
    let head = composed(&letter);
    assert!(faults(&head).is_empty() && head.len() < 10_000, "{} bytes", head.len());
    letter.html = Some(long.clone());
    letter.text = long;
    assert_eq!(faults(&composed(&letter)), Vec::<String>::new());
}

#[test]
fn what_can_be_no_message_is_refused() {
    let check = |change: fn(&mut Letter), expected: &str| {
        let mut letter = full();
        change(&mut letter);
        let refusal = compose(&letter).unwrap_err();
        assert_eq!(refusal.to_string(), expected);
        assert!(refusal.is_permanent(), "{expected}");
    };
    check(|letter| letter.to.address = "nobody".to_owned(), "`nobody` is not a mail address");
    check(
        |letter| letter.to.address = "a@b.example>\r\nRCPT TO:<c@d.example".to_owned(),
        "`a@b.example>  RCPT TO:<c@d.example` is not a mail address",
    );
    check(|letter| letter.to.address = "a b@c.example".to_owned(), "`a b@c.example` is not a mail address");
    check(|letter| letter.message_id = "../x@y".to_owned(), "`../x@y` can't be a Message-ID");
    check(|letter| letter.message_id = "x".to_owned(), "`x` can't be a Message-ID");
    check(|letter| letter.message_id = "x@y>\r\nX: y".to_owned(), "`x@y>  X: y` can't be a Message-ID");
    check(
        |letter| letter.attachments[0].media_type = "text/html\r\nX: y".to_owned(),
        "`text/html  X: y` is not a media type",
    );
    check(
        |letter| letter.calendar.as_mut().unwrap().method = "REQUEST; x=y".to_owned(),
        "`REQUEST; x=y` can't be the method of a calendar entry",
    );
    check(|letter| letter.logo.as_mut().unwrap().content_id = "a>b".to_owned(), "`a>b` can't be the id of a picture");
    check(
        |letter| letter.sent_at = "-000400-01-01T00:00:00Z".parse().unwrap(),
        "`-000400-01-01T00:00:00Z` can't be the date of a message",
    );
}

#[test]
fn a_wrong_sender_is_for_the_settings() {
    let letter = Letter { from: mailbox("", "nobody"), ..plain() };
    let refusal = compose(&letter).unwrap_err();
    assert!(matches!(refusal, Refusal::Misconfigured { .. }), "{refusal:?}");
}

#[test]
fn domains_beyond_ascii_go_in_their_ascii_form() {
    let letter = Letter { to: mailbox("Größe", "it@größe.example"), ..plain() };
    let text = composed(&letter);
    assert!(text.contains("<it@xn--gre-6ka8i.example>\r\n"), "{text}");
    assert_eq!(faults(&text), Vec::<String>::new());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_words_arrive_as_they_were_cleaned(subject in any::<String>(), name in any::<String>(), text in any::<String>()) {
        let mut letter = full();
        letter.subject = subject;
        letter.to.name = Some(name);
        letter.text = text;
        let message = composed(&letter);
        prop_assert_eq!(faults(&message), Vec::<String>::new());
        let parsed = MessageParser::default().parse(&message).unwrap();
        let squeeze = |text: &str| text.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
        prop_assert_eq!(
            squeeze(parsed.subject().unwrap_or_default()),
            squeeze(&clean_subject(&letter.subject))
        );
        prop_assert!(parsed.body_text(0).is_some());
        prop_assert_eq!(parsed.to().unwrap().first().unwrap().address(), Some("it@nordwind.example"));
    }
}
