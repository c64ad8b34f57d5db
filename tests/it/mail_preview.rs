//! `turnus mail preview`, and the provider's own words in `turnus check`, as a user meets them.

use std::fs;
use std::path::Path;
use std::process::Output;

use assert_cmd::cargo::cargo_bin_cmd;

const INVENTORY: &str = "[customer]\nname = \"Nord <b>&\"\nlocale = \"hu\"\ntime_zone = \"Asia/Kolkata\"\n\
    [[contact]]\nname = \"Head of IT\"\nemail = \"it@nord.example\"\nreceives = [\"announcement\"]\n\
    [[window]]\nname = \"yearly\"\nrule = \"FREQ=YEARLY;BYMONTH=7;BYMONTHDAY=4\"\nstarts = 2026-07-04T09:30:00\nduration = \"2h\"\n\
    job = \"update\"\nhosts = [\"web01\"]\n[[host]]\nname = \"web01\"\naddress = \"192.0.2.1\"\n";
const JOB: &str = "description = \"Yearly update\"\n[[step]]\nphase = \"preflight\"\nname = \"look\"\nrun = \"true\"\n";
const SETTINGS: &str = "[provider]\nname = \"House\"\nemail = \"team@house.example\"\nlocale = \"de\"\n\
    [web]\nlisten = \"127.0.0.1:8080\"\npublic_url = \"https://house.example\"\n";

fn configuration(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let given = [("inventories/nord.toml", INVENTORY), ("jobs/update.toml", JOB), ("turnus.toml", SETTINGS)];
    for (file, text) in given.iter().chain(files) {
        let path = directory.path().join(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        fs::write(path, text).expect("a file");
    }
    directory
}

fn turnus(directory: &Path, arguments: &[&str]) -> Output {
    cargo_bin_cmd!("turnus").arg("--config").arg(directory).args(arguments).output().expect("turnus can be run")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("output is text")
}

#[test]
fn a_preview_is_the_customers_own() {
    let directory = configuration(&[("templates/mail/announcement/subject.hbs", "[House] {{subject}}")]);
    let output = turnus(directory.path(), &["mail", "preview", "announcement", "--customer", "nord"]);
    let told = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(told.starts_with("[House] Karbantartás") && told.contains("Tisztelt Head of IT!"), "{told}");
    assert!(told.contains("07. 04. 09:30 – 11:30 +05:30") && told.contains("Yearly update"), "{told}");
    assert!(told.contains("\nhttps://house.example/"), "{told}");
    let english =
        turnus(directory.path(), &["mail", "preview", "announcement", "--customer", "nord", "--locale", "en"]);
    assert!(text(&english.stdout).contains("Dear Head of IT,"), "{}", text(&english.stdout));
    let team = turnus(directory.path(), &["mail", "preview", "answer", "--customer", "nord"]);
    assert!(text(&team.stdout).contains("Guten Tag House!"), "the team reads its own language");
}

#[test]
fn the_providers_own_words_hold_for_what_is_not_mailed_and_a_slip_in_them_is_told() {
    let explained = |words: &str| {
        let directory = configuration(&[("locales/hu.toml", words)]);
        turnus(directory.path(), &["calendar", "explain", "nord", "yearly"])
    };
    let key = "[rule]\nfrom = ";
    let own = explained(&format!("{key}\"indul: {{day}}\""));
    assert!(text(&own.stdout).contains("indul: 2026"), "{}", text(&own.stdout));
    let slip = explained(&format!("{key}\"indul: {{dya}}\""));
    let (printed, told) = (text(&slip.stdout), text(&slip.stderr));
    assert!(slip.status.success() && !printed.is_empty() && !printed.contains("indul"), "{printed}{told}");
    assert!(told.contains("locales/hu.toml:2:") && told.contains("the texts are turnus's own"), "{told}");
}

#[test]
fn a_preview_has_the_entry_for_the_calendar_that_its_text_tells_of() {
    let asked =
        INVENTORY.replace("receives = [\"announcement\"]", "receives = [\"announcement\"]\ncalendar = \"request\"");
    let directory = configuration(&[("inventories/nord.toml", &asked)]);
    let out = directory.path().join("out");
    for (kind, method) in
        [("announcement", "REQUEST"), ("reminder", "REQUEST"), ("moved", "REQUEST"), ("cancelled", "CANCEL")]
    {
        let arguments = ["mail", "preview", kind, "--customer", "nord", "--out", out.to_str().expect("a path")];
        let output = turnus(directory.path(), &arguments);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let mail = fs::read_to_string(out.join(format!("{kind}.eml"))).expect("a file");
        let message = mail_parser::MessageParser::default().parse(&mail).expect("a message");
        let part =
            message.parts.iter().find(|part| mail_parser::MimeHeaders::is_content_type(*part, "text", "calendar"));
        let entry = part.and_then(|part| part.text_contents()).unwrap_or_default().replace("\r\n ", "");
        for line in [format!("METHOD:{method}"), "0704T093000".to_owned()] {
            assert!(entry.contains(&line), "{kind}: {line}\n{entry}");
        }
        assert!(entry.contains("mailto:it@nord.example"), "{entry}");
    }
}

#[test]
fn a_preview_is_written_as_files() {
    let directory = configuration(&[]);
    let out = directory.path().join("deep/out");
    let arguments = ["mail", "preview", "failed", "--customer", "nord", "--out", out.to_str().expect("a path")];
    let output = turnus(directory.path(), &arguments);
    assert!(output.status.success() && output.stdout.is_empty(), "{}", text(&output.stderr));
    let read = |file: &str| fs::read_to_string(out.join(file)).expect("a file");
    let mail = read("failed.eml");
    assert!(mail.contains("multipart/alternative") && mail.contains("From: House <team@house.example>\r\n"), "{mail}");
    assert!(mail.contains("multipart/mixed") && mail.contains("filename=\"turnus-nord-"), "{mail}");
    assert!(read("failed.html").contains("</html>") && read("failed.txt").contains("web01"));
}

#[test]
fn what_does_not_exist_is_told_with_what_might_be_meant() {
    let directory = configuration(&[]);
    let output = turnus(directory.path(), &["mail", "preview", "anouncement", "--customer", "nord"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("'announcement'"), "{}", text(&output.stderr));
    let output = turnus(directory.path(), &["mail", "preview", "moved", "--customer", "nrod"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("did you mean `nord`?"), "{}", text(&output.stderr));
}

#[test]
fn mistakes_in_own_words_are_told_with_those_of_other_files() {
    let directory = configuration(&[
        ("jobs/other.toml", "descripton = 1"),
        ("locales/hu.toml", "[mail]\nclosing = \"{nobody}\""),
        ("templates/mail/moved/html.hbs", "\n{{{lead}}}"),
    ]);
    let output = turnus(directory.path(), &["check"]);
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    for place in ["jobs/other.toml:1:1:", "locales/hu.toml:2:12:", "templates/mail/moved/html.hbs:2:1:"] {
        assert!(told.contains(place), "{told}");
    }
    assert!(told.contains("  2 | {{{lead}}}\n    | ^"), "{told}");
    let output = turnus(directory.path(), &["mail", "preview", "moved", "--customer", "nord"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_value_that_is_missing_is_told_by_the_check() {
    let directory = configuration(&[("templates/mail/moved/text.hbs", "{{lead}}\n{{led}}")]);
    let output = turnus(directory.path(), &["check"]);
    assert_eq!(output.status.code(), Some(2));
    let told = text(&output.stderr);
    assert!(told.starts_with("templates/mail/moved/text.hbs:2:1: there is no value `led` here\n"), "{told}");
}
