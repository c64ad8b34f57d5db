//! The provider's own templates and texts: taken over, or refused with the place of every mistake.

use crate::domain::inventory::Locale;
use crate::domain::mail::samples::Scene;
use crate::domain::notification::Kind;
use crate::domain::wording::WordingFile;
use crate::edge::text::{Error, Texts};

fn file(file: &str, text: &str) -> WordingFile {
    WordingFile { file: file.to_owned(), text: Ok(text.to_owned()) }
}

/// What is wrong, one line for each mistake: `place what (expected: …) (hint: …)`.
fn faults(files: &[WordingFile]) -> Vec<String> {
    let problems = match Texts::check_wording(files) {
        Ok(()) => return Vec::new(),
        Err(Error::Wording(problems)) => problems,
        Err(error) => panic!("{error:?}"),
    };
    let line = |problem: &crate::domain::problem::Problem| {
        let with = |name: &str, text: &Option<String>| text.as_ref().map(|text| format!(" ({name}: {text})"));
        let (expected, hint) = (with("expected", &problem.expected), with("hint", &problem.hint));
        let (line, column, what) = (problem.line, problem.column, &problem.what);
        format!("{line}:{column} {what}{}{}", expected.unwrap_or_default(), hint.unwrap_or_default())
    };
    problems.0.iter().map(line).collect()
}

#[test]
fn own_words_stand_in_the_place_of_the_embedded_ones() {
    let files = [
        file("templates/mail/announcement/subject.hbs", "[{{provider}}] {{subject}} "),
        file("templates/mail/announcement/text.hbs", "{{wrap lead}} {{#each rows}}{{value}};{{/each}}"),
        file("templates/mail/html/link.hbs", "<a href=\"{{link.url}}\">{{t \"mail.link.code\"}} {{link.code}}</a>"),
        file("locales/de.toml", "[mail.announcement]\nlead = \"Es ist wieder soweit, {customer}: {when}.\"\n"),
    ];
    assert_eq!(faults(&files), [""; 0]);
    let texts = Texts::with_wording(&files).unwrap();
    let mail = texts.render_mail(&Scene::example(Locale::De).mail(Kind::Announcement)).unwrap();
    assert_eq!(mail.subject, "[Systemhaus Beispiel] Wartung am 27.03.2026: Quartalswartung der Anwendungsserver");
    let lead = mail.text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        lead.starts_with("Es ist wieder soweit, Nordwind Logistik GmbH: Freitag, 27.03.2026 14:00 bis 18:00 +01:00."),
        "{lead}"
    );
    assert!(mail.html.contains("\">Ihr Code 4821 7730</a>"), "{}", mail.html);
    let english = texts.render_mail(&Scene::example(Locale::En).mail(Kind::Announcement)).unwrap();
    assert!(english.text.starts_with("We would like to announce"), "{}", english.text);
}

#[test]
fn files_that_nobody_knows_are_refused() {
    let check = |name: &str, expected: &str| assert_eq!(faults(&[file(name, "")]), [expected], "{name}");
    check(
        "templates/mail/anouncement/text.hbs",
        "1:1 there is no text that `templates/mail/anouncement/text.hbs` stands for (hint: did you mean `templates/mail/announcement/text.hbs`?)",
    );
    check(
        "locales/deu.toml",
        "1:1 there is no text that `locales/deu.toml` stands for (hint: did you mean `locales/de.toml`?)",
    );
    check(
        "templates/README",
        "1:1 there is no text that `templates/README` stands for (hint: docs/messages.md has the files that there may be)",
    );
}

#[test]
fn mistakes_in_texts_are_told_with_their_place() {
    let text = "[mail]\ngreting = \"Hallo {name}\"\nclosing = \"Bis {day}\"\n\n[mail.announcement]\nlead = \"{custmer} {\"\n\
                [mail.more_hosts]\none = \"{count}\"\n[mail.more]\none = \"{count}\"\nother = 3\nmany = \"x\"\n";
    let found = faults(&[file("locales/de.toml", text)]);
    let expected = [
        "2:1 there is no text `mail.greting` (hint: did you mean `mail.greeting`?)",
        "3:16 there is no value `day` for this text (expected: no placeholder)",
        "6:9 there is no value `custmer` for this text (expected: `{customer}`, `{day}`, `{description}`, `{until}`, `{when}`) (hint: did you mean `customer`?)",
    ];
    assert_eq!(found[..2], expected[..2], "{found:#?}");
    assert!(found.iter().any(|line| line.starts_with("7:1 not every number has its form (expected: `one`, `other`)")));
    let forms = faults(&[file("locales/ru.toml", "[mail.more]\none = \"{cout}\"\nfew = 3\n")]);
    let places = ["1:1 not every number has its form", "2:8 there is no value `cout`", "3:7 `few` is the number `3`"];
    assert!(forms.iter().zip(places).all(|(found, place)| found.starts_with(place)) && forms.len() == 3, "{forms:#?}");
    assert!(found.iter().any(|line| line.starts_with("11:9 `other` is the number `3`")), "{found:#?}");
    assert!(found.iter().any(|line| line.starts_with("12:1 there is no form `many`")), "{found:#?}");
}

#[test]
fn mistakes_in_templates_are_told_with_their_place() {
    let check = |text: &str, expected: &[&str]| {
        assert_eq!(faults(&[file("templates/mail/finished/html.hbs", text)]), expected, "{text}");
    };
    check(
        "a\n {{{lead}}} {{&lead}}",
        &[
            "2:2 what stands in `{{{…}}}` or `{{&…}}` is not escaped (hint: write `{{…}}`)",
            "2:13 what stands in `{{{…}}}` or `{{&…}}` is not escaped (hint: write `{{…}}`)",
        ],
    );
    check(
        "{{#if link}}\n{{t \"mail.closng\"}}{{/if}}",
        &["2:1 there is no text `mail.closng` (hint: did you mean `mail.closing`?)"],
    );
    check(
        "{{wrap lead}}{{frobnicate (t \"x\") 1}}",
        &[
            "1:1 there is no `wrap` that takes values",
            "1:14 there is no `frobnicate` that takes values",
            "1:14 there is no text `x`",
        ],
    );
    check(
        "{{> mail/html/rows}}{{> mail/html/row}}{{> mail/finished/html}}{{> mail/text/rows}}",
        &[
            "1:21 `mail/html/row` can't be included here (hint: did you mean `mail/html/rows`?)",
            "1:40 `mail/finished/html` can't be included here",
            "1:64 `mail/text/rows` can't be included here (hint: did you mean `mail/html/rows`?)",
        ],
    );
    check("{{#if lead}}{{/each}}", &["1:13 `if` is opened, and `each` closed"]);
    check("{{#*inline \"x\"}}{{/inline}}", &["1:1 templates of mails have no decorators (`{{*…}}`)"]);
    assert_eq!(faults(&[file("templates/mail/finished/html.hbs", "{{lead")]).len(), 1);
}

/// Each is told, though filling ends at the first.
#[test]
fn values_that_are_missing_are_told_all_at_once() {
    let files = [
        file(
            "templates/mail/finished/text.hbs",
            "{{lead}}\nä {{led}} {{tally}}\n{{#each rows}}{{lable}}{{/each}} {{when}}",
        ),
        file("templates/mail/html/rows.hbs", "{{#each rows}}<p>{{labl}}</p>{{/each}}"),
        file("templates/mail/started/subject.hbs", "{{#if nothing}}x{{/if}}"),
    ];
    let expected = [
        "2:3 there is no value `led` here",
        "3:15 there is no value `lable` here",
        "3:34 there is no value `when` here",
        "1:18 there is no value `labl` here",
        "1:1 there is no value `nothing` here",
    ];
    assert_eq!(faults(&files), expected);
}

#[test]
fn a_shared_part_includes_nothing_that_includes_it() {
    let found = faults(&[
        file("templates/mail/html/rows.hbs", "{{> mail/html/link}}{{> mail/html/rows}}"),
        file("templates/mail/html/link.hbs", "{{> mail/html/rows}}"),
    ]);
    let hint = " (hint: did you mean `mail/html/link`?)";
    let place = |place: &str| format!("{place} `mail/html/rows` can't be included here");
    assert_eq!(found, [place("1:1"), place("1:21") + hint]);
}

#[test]
fn a_pattern_that_writes_no_time_is_told() {
    let found = faults(&[file("locales/en.toml", "[format]\nday = \"%Q\"\n")]);
    assert_eq!(found, ["2:7 writing a time by `format.day` (`%Q`)"]);
}

#[test]
fn words_with_mistakes_are_not_used() {
    let files = [file("locales/en.toml", "[mail]\nx = \"y\"\n")];
    assert!(matches!(Texts::with_wording(&files), Err(Error::Wording(problems)) if problems.0.len() == 1));
}

#[test]
fn every_value_that_is_offered_is_there() {
    let mut text = String::new();
    for kind in Kind::ALL {
        for part in ["subject", "lead"] {
            let key = format!("mail.{kind}.{part}");
            let known = super::embedded().unwrap()[0].messages().contains_key(&key);
            let names = crate::edge::text::mail::offered_values(&key);
            assert!(names.len() >= 2, "{key}");
            if known {
                let places = names.iter().map(|name| format!("{{{name}}}")).collect::<Vec<_>>().join(" ");
                text += &format!("{key} = \"{places}\"\n");
            }
        }
    }
    assert_eq!(faults(&[file("locales/en.toml", &text)]), [""; 0]);
}
