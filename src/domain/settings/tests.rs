//! Every value of `turnus.toml`, its default, and what it refuses.

use jiff::civil::date;

use super::delivery::{Acceptance, Mailer, Security, Smtp, Web};
use super::{Database, Limits, Pdf, Provider, ReportSettings, Settings, Ssh, parse};
use crate::domain::calendar::{CalendarFreeze, Freeze};
use crate::domain::document::tests::told;
use crate::domain::inventory::{Locale, Transport};
use crate::domain::job::SecretReference;

#[track_caller]
fn check(text: &str, expected: &str) {
    let told = parse(text, "turnus.toml").map_or_else(|problems| told(&problems), |_| String::new());
    assert_eq!(told, expected, "{text}");
}

#[test]
fn an_empty_file_means_the_defaults() {
    let settings = parse("", "turnus.toml").expect("an empty file is fine");
    assert_eq!(settings, Settings::default());
    assert_eq!(settings.database, Database::Private);
    assert_eq!((settings.ssh.connect_timeout_s, settings.ssh.keep_alive_s), (15, 7));
    assert_eq!((settings.ssh.connect_parallel, settings.ssh.sessions_per_host), (16, 8));
    assert_eq!((settings.limits.parallel_hosts, settings.limits.overdue_s), (20, 600));
    assert_eq!((settings.limits.parallel_runs, settings.limits.parallel_runs_per_customer), (20, 2));
}

#[test]
fn everything_that_the_settings_say_is_kept() {
    let text = r#"
        state_dir = "/srv/turnus"
        [provider]
        name = "Systemhaus"
        email = "wartung@systemhaus.example"
        reply_to = "buero@systemhaus.example"
        locale = "de"
        signature = """
Systemhaus
Tel. 030 123"""
        logo = "/etc/turnus/logo.png"
        [database]
        url = "postgres://turnus@db/turnus?sslmode=verify-full"
        [mail]
        mailer = "smtp"
        host = "mail.systemhaus.example"
        port = 2525
        security = "tls"
        user = "turnus@systemhaus.example"
        password = { file = "/etc/turnus/mail-password" }
        ca_file = "/etc/turnus/ca.pem"
        timeout = "30s"
        [web]
        listen = "127.0.0.1:8080"
        public_url = "https://wartung.systemhaus.example/"
        trusted_proxies = ["127.0.0.1", "2001:db8::1"]
        move_within_days = 7
        move_notice = "2d"
        [acceptance]
        remind_after_workdays = 3
        deemed_after_workdays = 10
        [report]
        pdf = "chromium"
        [ssh]
        user = "turnus"
        port = 2222
        identity_file = "~/.ssh/key"
        identity_passphrase = { file = "/etc/turnus/passphrase" }
        config_file = "/etc/turnus/ssh_config"
        connect_timeout = "20s"
        keep_alive = "5s"
        transport = "openssh"
        connect_parallel = 4
        sessions_per_host = 2
        [limits]
        parallel_hosts = 3
        parallel_runs = 50
        parallel_runs_per_customer = 4
        overdue = "1h"
        [[freeze]]
        from = 2026-12-24
        to = 2026-12-26
        reason = "Weihnachten"
        [[freeze]]
        calendar = "betriebsferien"
    "#;
    let expected = Settings {
        state_dir: Some("/srv/turnus".to_owned()),
        provider: Provider {
            name: Some("Systemhaus".to_owned()),
            email: Some("wartung@systemhaus.example".to_owned()),
            reply_to: Some("buero@systemhaus.example".to_owned()),
            locale: Locale::De,
            signature: Some("Systemhaus\nTel. 030 123".to_owned()),
            logo: Some("/etc/turnus/logo.png".to_owned()),
        },
        mail: Some(Mailer::Smtp(Smtp {
            host: "mail.systemhaus.example".to_owned(),
            port: 2525,
            security: Security::Tls,
            user: Some("turnus@systemhaus.example".to_owned()),
            password: Some(SecretReference::File("/etc/turnus/mail-password".to_owned())),
            ca_file: Some("/etc/turnus/ca.pem".to_owned()),
            timeout_s: 30,
        })),
        web: Web {
            listen: Some("127.0.0.1:8080".to_owned()),
            public_url: Some("https://wartung.systemhaus.example".to_owned()),
            trusted_proxies: vec!["127.0.0.1".parse().unwrap(), "2001:db8::1".parse().unwrap()],
            move_within_days: 7,
            move_notice_s: 2 * 86_400,
        },
        acceptance: Acceptance { remind_after_workdays: 3, deemed_after_workdays: Some(10) },
        report: ReportSettings { pdf: Pdf::Chromium },
        database: Database::Url("postgres://turnus@db/turnus?sslmode=verify-full".to_owned()),
        ssh: Ssh {
            user: Some("turnus".to_owned()),
            port: Some(2222),
            identity_file: Some("~/.ssh/key".to_owned()),
            identity_passphrase: Some(SecretReference::File("/etc/turnus/passphrase".to_owned())),
            config_file: Some("/etc/turnus/ssh_config".to_owned()),
            connect_timeout_s: 20,
            keep_alive_s: 5,
            transport: Transport::OpenSsh,
            connect_parallel: 4,
            sessions_per_host: 2,
        },
        limits: Limits { parallel_hosts: 3, parallel_runs: 50, parallel_runs_per_customer: 4, overdue_s: 3600 },
        freezes: vec![Freeze { from: date(2026, 12, 24), to: date(2026, 12, 26), reason: "Weihnachten".to_owned() }],
        calendars: vec![CalendarFreeze { name: "betriebsferien".parse().expect("a name"), reason: None }],
    };
    assert_eq!(parse(text, "turnus.toml"), Ok(expected));
}

#[test]
fn unknown_keys_are_refused_in_every_table() {
    check(
        "zzz = 1",
        "1:1 unknown key `zzz` in the file (expected: `mail`, `provider`, `database`, `state_dir`, `ssh`, `limits`, `web`, `acceptance`, `report`, `freeze`)",
    );
    check("[provider]\nmail = \"x\"", "2:1 unknown key `mail` in `provider` (hint: did you mean `email`?)");
    check("[database]\nurl = \"postgres://x\"\nzzz = 1", "3:1 unknown key `zzz` in `database` (expected: `url`)");
    check("[ssh]\nusr = \"x\"", "2:1 unknown key `usr` in `ssh` (hint: did you mean `user`?)");
    check(
        "[limits]\nparallel_host = 1",
        "2:1 unknown key `parallel_host` in `limits` (hint: did you mean `parallel_hosts`?)",
    );
}

#[test]
fn values() {
    let duration = "(expected: a duration from 1s to 366d, such as \"45m\" or \"1h 30m\")";
    let count = "(expected: a whole number from 1 to 1000)";
    let path = "(expected: an absolute path or one that begins with `~/`, without quotes and control characters)";
    check("state_dir = \"turnus\"", &format!("1:13 `state_dir` is `turnus` {path}"));
    check("[provider]\nemail = \"x\"", "2:9 `email` is `x` (expected: a mail address such as `it@nordwind.example`)");
    check(
        "[ssh]\nuser = \"-l\"",
        "2:8 `user` is `-l` (expected: 1 to 64 letters, digits, `.`, `-`, `_` and `+`, beginning with a letter, digit or `_`)",
    );
    check("[ssh]\nport = 70000", "2:8 `port` is the number `70000` (expected: a whole number from 1 to 65535)");
    check("[ssh]\nconnect_timeout = \"0s\"", &format!("2:19 `connect_timeout` is `0s` {duration}"));
    check("[ssh]\nkeep_alive = 7", &format!("2:14 `keep_alive` is the number `7` {duration}"));
    check("[ssh]\nconnect_parallel = 0", &format!("2:20 `connect_parallel` is the number `0` {count}"));
    check("[limits]\nparallel_hosts = 0", &format!("2:18 `parallel_hosts` is the number `0` {count}"));
    check("[limits]\nparallel_runs = 1001", &format!("2:17 `parallel_runs` is the number `1001` {count}"));
    check("[[freeze]]\nfrom = 2026-12-24\nreason = \"x\"", "1:1 `to` is missing in `freeze`");
    check("[limits]\noverdue = \"-1m\"", &format!("2:11 `overdue` is `-1m` {duration}"));
    check("[database]", "1:1 `url` is missing in `database`");
}

#[test]
fn a_database_with_a_secret_is_named_by_reference() {
    let database = |text: &str| parse(&format!("[database]\nurl = {text}"), "turnus.toml").expect("right").database;
    assert_eq!(database("{ env = \"URL\" }"), Database::Reference(SecretReference::Env("URL".to_owned())));
    assert_eq!(database("{ file = \"/x\" }"), Database::Reference(SecretReference::File("/x".to_owned())));
    let command = SecretReference::Command(vec!["pass".to_owned(), "x".to_owned()]);
    assert_eq!(database("{ command = [\"pass\", \"x\"] }"), Database::Reference(command));
    for plain in
        ["postgres://db/turnus", "postgresql://turnus@db:5432/turnus", "postgres:///turnus?host=/run/postgresql"]
    {
        assert_eq!(database(&format!("\"{plain}\"")), Database::Url(plain.to_owned()));
    }
}

#[test]
fn a_password_is_refused_and_never_repeated() {
    let problem = |url: &str| {
        let problems = parse(&format!("[database]\nurl = {url}"), "turnus.toml").expect_err("a password in clear");
        let [problem] = problems.0.as_slice() else { panic!("{problems}") };
        assert!(!problem.to_string().contains("hunter2"), "{problem}");
        assert!(problem.conceal, "{problem}");
        assert_eq!((problem.line, problem.column), (2, 7));
        problem.what.clone()
    };
    for url in [
        "postgres://u:hunter2@db/x",
        "postgresql://u:@db/x",
        "postgres://u:hunter2@h@db",
        "postgres://db/x?password=hunter2",
        "postgres://db/x?PASSWORD=hunter2",
    ] {
        assert_eq!(problem(&format!("\"{url}\"")), "`url` holds a password in clear");
    }
    for url in ["mysql://u:hunter2@db", "hunter2", "", "postgres://db/a b"] {
        assert_eq!(problem(&format!("\"{url}\"")), "`url` is no URL of a Postgres database");
    }
    assert_eq!(problem("[\"hunter2\"]"), "`url` holds a secret in clear");
}

#[test]
fn a_line_with_an_unknown_password_is_not_to_be_shown() {
    let text = "[database]\nurl = \"postgres://db\"\nDB_Password = \"hunter2\"\nuser = \"x\"";
    let problems = parse(text, "turnus.toml").expect_err("two unknown keys");
    let concealed: Vec<(usize, bool)> = problems.0.iter().map(|problem| (problem.line, problem.conceal)).collect();
    assert_eq!(concealed, [(3, true), (4, false)]);
}

#[test]
fn mail_needs_a_sender_a_place_and_a_safe_line() {
    let mail = |rest: &str| format!("[provider]\nemail = \"w@s.example\"\n[mail]\n{rest}");
    check(&mail("mailer = \"file\"\ndirectory = \"/srv/letters\""), "");
    check(&mail("mailer = \"smtp\"\nhost = \"mail.example\""), "");
    check(&mail("mailer = \"smtp\""), "3:1 `host` is missing in `mail`");
    check(&mail("mailer = \"file\""), "3:1 `directory` is missing in `mail`");
    check(&mail("host = \"mail.example\""), "3:1 `mailer` is missing in `mail`");
    check(
        "[mail]\nmailer = \"file\"\ndirectory = \"/srv/letters\"",
        "1:1 messages need a sender (expected: `email` in `[provider]`)",
    );
    check(
        &mail("mailer = \"smtp\"\nhost = \"mail.example\"\nuser = \"u\""),
        "3:1 `password` is missing in `mail` (expected: `user` and `password`, or neither)",
    );
    check(
        &mail("mailer = \"smtp\"\nhost = \"m\"\nsecurity = \"none\"\nuser = \"u\"\npassword = { env = \"P\" }"),
        "3:1 a password would go over the line in clear (expected: `security = \"starttls\"` or `\"tls\"` where there is a \
         `user`)",
    );
    let clear = mail("mailer = \"smtp\"\nhost = \"m\"\nuser = \"u\"\npassword = \"hunter2\"");
    let problems = parse(&clear, "turnus.toml").expect_err("a password in clear");
    assert!(!told(&problems).contains("hunter2"), "{}", told(&problems));
}

#[test]
fn ports_follow_the_protection_of_the_line() {
    let port = |security: &str| {
        let text = format!(
            "provider = {{ email = \"w@s.example\" }}\nmail = {{ mailer = \"smtp\", host = \"m\", security = \"{security}\" }}"
        );
        match parse(&text, "turnus.toml").expect("right").mail {
            Some(Mailer::Smtp(smtp)) => smtp.port,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((port("starttls"), port("tls"), port("none")), (587, 465, 25));
}

#[test]
fn links_do_not_go_over_the_net_in_clear() {
    let public = |url: &str| format!("web = {{ public_url = \"{url}\" }}");
    let rule = "(expected: `https://…` (or `http://…` on this machine), without user, query and fragment)";
    for right in ["https://w.example", "https://w.example:8443/turnus", "http://localhost:8080", "http://127.0.0.1:1"] {
        check(&public(right), "");
    }
    for wrong in [
        "http://w.example",
        "http://localhost.evil.example",
        "https://",
        "https://u@w.example",
        "https://w.example/?a",
        "ftp://x",
    ] {
        check(&public(wrong), &format!("1:22 `public_url` is `{wrong}` {rule}"));
    }
    let listen = "(expected: an IP address with a port, such as `127.0.0.1:8080`)";
    check("web = { listen = \"localhost:80\" }", &format!("1:18 `listen` is `localhost:80` {listen}"));
    let proxy = "(expected: the IP address of a reverse proxy, such as `127.0.0.1`)";
    let text = "web = { trusted_proxies = [\"127.0.0.1\", \"10.0.0.0/8\"] }";
    check(text, &format!("1:41 an entry of `trusted_proxies` is `10.0.0.0/8` {proxy}"));
}

#[test]
fn nobody_accepts_without_having_been_reminded() {
    check(
        "acceptance = { remind_after_workdays = 5, deemed_after_workdays = 5 }",
        "1:67 `deemed_after_workdays` is the number `5` (expected: more than `remind_after_workdays` (5): nobody accepts \
         without having been reminded)",
    );
    check("acceptance = { deemed_after_workdays = 6 }", "");
}

#[test]
fn a_signature_has_a_few_plain_lines() {
    let rule = "(expected: at most 20 lines with 2000 characters, without control characters)";
    check("provider = { signature = \"a\\nb\" }", "");
    check("provider = { signature = \"a\\u001bb\" }", &format!("1:26 `signature` is `a\\u{{1b}}b` {rule}"));
}
