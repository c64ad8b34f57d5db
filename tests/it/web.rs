//! The pages on which customers answer, over real HTTP, on a real Postgres: who only looks changes nothing, who has no code decides
//! nothing, and of two who answer one does.

mod guard;
mod phone;
mod silence;
pub(crate) mod site;

use turnus::app::daemon::Daemon;
use turnus::app::daemon::tick::{Tick, run_at};
use turnus::app::web::Patience;
use turnus::domain::id::ContentHash;
use turnus::domain::settings::Settings;
use turnus::domain::wording::WordingFile;
use turnus::edge::store::answer::find_answer_to_report;
use turnus::edge::store::applied::publish::publish_all;
use turnus::edge::store::link::MadeLink;
use turnus::edge::store::revision::{Revision, RevisionKind};

use crate::kit::database::make_state_dir;
use site::{BOSS, FREE, IT, Letter, Site, fields};

const CONFIRM: &[(&str, &str)] = &[("decision", "confirmed")];
const ACCEPT: &[(&str, &str)] = &[("decision", "accepted")];

#[tokio::test]
async fn looking_changes_nothing() {
    let site = Site::open().await;
    let letters = [site.announce().await, site.finish().await];
    let before = site.rows().await;
    for Letter { link, .. } in letters.iter().flatten() {
        for path in ["", "/report", "/", "?decision=confirmed&code=1", "/nonsense"] {
            for method in ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"] {
                let answer = site.ask(method, &format!("/l/{}{path}", link.token), &[]).await;
                assert!(answer.status < 500, "{method} {path}: {}", answer.status);
                assert!(method != "HEAD" || answer.body.is_empty(), "{path}");
            }
        }
    }
    assert_eq!(site.rows().await, before);
    site.close().await;
}

#[tokio::test]
async fn the_page_shows_the_date_and_what_can_be_said() {
    let site = Site::open().await;
    let letters = site.announce().await;
    let german = site.get(&letters[IT]).await;
    assert_eq!(german.status, 200);
    assert!(german.body.contains("<html lang=\"de\">") && german.body.contains("Passt Ihnen dieser Termin?"));
    let opens = site.occurrence().await.start.in_tz("Europe/Berlin").unwrap();
    let when = opens.strftime("%d.%m.%Y").to_string();
    assert!(german.body.contains(&when), "{when}: {}", german.body);
    assert!(german.body.contains(&opens.strftime("%:z").to_string()), "{}", german.body);
    let russian = site.get(&letters[BOSS]).await;
    assert!(russian.body.contains("<html lang=\"ru\">") && russian.body.contains("Вам подходит эта дата?"));
    site.close().await;
}

#[tokio::test]
async fn the_page_of_a_date_names_the_hosts_of_its_window() {
    let site = Site::open().await;
    let letters = site.announce().await;
    assert!(!site.get(&letters[IT]).await.body.contains("<dt>Server</dt>"), "the files do not say");
    let host = |name: &str| format!("[[host]]\nname = \"{name}\"\naddress = \"127.0.0.1\"\n");
    let inventory = format!(
        "[customer]\nname = \"Nordwind\"\nlocale = \"de\"\ntime_zone = \"Europe/Berlin\"\n{}{}{}\
         [[window]]\nname = \"quarterly\"\nrule = \"FREQ=YEARLY\"\nstarts = 2027-03-27T14:00:00\nduration = \"4h\"\n\
         job = \"debian-quarterly\"\nhosts = [\"web01\", \"db01\"]\n",
        host("db01"),
        host("mail01"),
        host("web01")
    );
    let (hash, kind) = (ContentHash::of(inventory.as_bytes()), RevisionKind::Inventory);
    let mut transaction = site.store.begin().await.unwrap();
    let revision = Revision { hash: &hash, kind, name: "nordwind", content: &inventory };
    publish_all(&mut transaction, &[revision], "test").await.unwrap();
    transaction.commit().await.unwrap();
    let page = site.get(&letters[IT]).await.body;
    assert!(page.contains("<dt>Server</dt><dd>web01, db01</dd>"), "{page}");
    site.close().await;
}

#[tokio::test]
async fn links_that_have_expired_are_removed_and_what_was_answered_stays() {
    let site = Site::open().await;
    let (dates, reports) = (site.announce().await, site.finish().await);
    assert_eq!(site.decide(&dates[IT], CONFIRM).await.status, 303);
    let expired =
        "update link set expires_at = '2027-01-01T00:00:00Z' where purpose = 'confirm' or recipient like 'it@%'";
    site.execute(expired).await;
    let state_dir = make_state_dir();
    let daemon = Daemon::new(site.other_store().await, &Settings::default(), &[], state_dir.path()).unwrap();
    let left = async |now: &str| {
        run_at(&daemon, Tick::Housekeeping, now.parse().unwrap()).await.unwrap();
        let rows = "select string_agg(purpose || ' ' || recipient, '; ' order by purpose, recipient) from link";
        site.ask_database(rows).await
    };
    let all = "confirm chefin@nordwind.example; confirm it@nordwind.example; report chefin@nordwind.example; report it@nordwind.example";
    assert_eq!(left("2026-12-31T23:59:59Z").await, all);
    let kept = "confirm it@nordwind.example; report chefin@nordwind.example";
    assert_eq!(left("2027-01-01T00:00:00Z").await, kept, "one was answered by, and the other is good");
    assert_eq!(
        site.ask_database("select decision || ' ' || said_by from answer").await,
        "confirmed IT-Leitung <it@nordwind.example>"
    );
    assert_eq!(site.get(&reports[BOSS]).await.status, 200);
    assert_eq!(site.get(&reports[IT]).await.status, 404);
    Daemon::close(daemon).await.unwrap();
    site.close().await;
}

#[tokio::test]
async fn pages_are_in_the_providers_own_words_and_a_slip_in_them_keeps_nobody_from_answering() {
    for (own, expected) in [("Sind Sie einverstanden?", "Sind Sie einverstanden?"), ("{nobody}?", "Passt Ihnen dieser")]
    {
        let text = format!("[page.question]\ndate = \"{own}\"\n");
        let wording = [WordingFile { file: "locales/de.toml".to_owned(), text: Ok(text) }];
        let site = Site::open_worded(&wording, FREE, Patience::default(), &Settings::default()).await;
        let letters = site.announce().await;
        let page = site.get(&letters[IT]).await;
        assert!(page.status == 200 && page.body.contains(expected), "{own}: {}", page.body);
        site.close().await;
    }
}

#[tokio::test]
async fn the_report_is_read_in_the_language_of_the_recipient() {
    let site = Site::open().await;
    let letters = site.finish().await;
    let page = site.get(&letters[BOSS]).await;
    assert!(page.body.contains("Вы принимаете этот отчёт?"), "{}", page.body);
    let link = format!("{}/report", letters[BOSS].link.token);
    assert!(page.body.contains(&format!("href=\"{link}\"")), "{}", page.body);
    let report = site.ask("GET", &format!("/l/{link}"), &[]).await;
    assert_eq!(report.status, 200);
    assert!(report.body.contains("<html lang=\"ru\">") && report.body.contains("Nordwind Logistik GmbH"));
    let day = site.occurrence().await.start.in_tz("Europe/Berlin").unwrap().strftime("%d.%m.%Y").to_string();
    let next = format!("<dt>Следующий срок</dt><dd>quarterly, {day} с 14:00 до 18:00 ");
    assert!(report.body.contains(&next), "the next date, as in the letter: {}", report.body);
    site.close().await;
}

#[tokio::test]
async fn a_form_without_the_code_decides_nothing() {
    let site = Site::open().await;
    let letters = [site.announce().await.remove(IT), site.finish().await.remove(IT)];
    for (letter, form) in letters.iter().zip([CONFIRM, ACCEPT]) {
        let answer = site.post(letter, form).await;
        assert_eq!(answer.status, 403);
        assert!(answer.body.contains("noch 4 Versuche"), "{}", answer.body);
    }
    assert_eq!(site.ask_database("select count(*)::text from answer").await, "0");
    assert_eq!(
        site.ask_database("select string_agg(attempts_left::text, ' ') from link where attempts_left < 5").await,
        "4 4"
    );
    assert_eq!(site.occurrence().await.state.to_string(), "announced");
    site.close().await;
}

#[tokio::test]
async fn wrong_codes_lock_the_link_and_no_other() {
    let site = Site::open().await;
    let letters = site.announce().await;
    let wrong = wrong_code(&letters[IT].link);
    for left in ["noch 4 Versuche", "noch 3 Versuche", "noch 2 Versuche", "noch 1 Versuch", "keine Antwort mehr"] {
        let answer = site.post(&letters[IT], &[CONFIRM, &[("code", &wrong)]].concat()).await;
        assert_eq!(answer.status, 403);
        assert!(answer.body.contains(left), "{left}: {}", answer.body);
    }
    let locked = site.decide(&letters[IT], CONFIRM).await;
    assert_eq!(locked.status, 403);
    assert!(locked.body.contains("keine Antwort mehr") && !locked.body.contains("<form"), "{}", locked.body);
    assert!(!site.get(&letters[IT]).await.body.contains("<form"));
    assert_eq!(site.occurrence().await.state.to_string(), "announced");
    // The other letter is as good as before.
    assert_eq!(site.decide(&letters[BOSS], CONFIRM).await.status, 303);
    assert_eq!(site.occurrence().await.state.to_string(), "confirmed");
    site.close().await;
}

/// A code that is not the link's.
fn wrong_code(link: &MadeLink) -> String {
    let first = if link.code.starts_with('0') { '1' } else { '0' };
    format!("{first}{}", &link.code[1..])
}

#[tokio::test]
async fn wrong_codes_at_the_same_time_are_counted_each() {
    let site = Site::open().await;
    let letters = site.announce().await;
    let form = fields(&[CONFIRM, &[("code", &wrong_code(&letters[IT].link))]].concat());
    let answers = site.post_at_once(&vec![(letters[IT].link.token.clone(), form); 8]).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 403).count(), 8);
    let asking = answers.iter().filter(|answer| answer.body.contains("<form")).count();
    assert_eq!(asking, 4, "four left one attempt or more");
    assert_eq!(
        site.ask_database("select string_agg(attempts_left::text, ' ' order by attempts_left) from link").await,
        "0 5"
    );
    site.close().await;
}

#[tokio::test]
async fn the_code_confirms_the_date_once_and_for_all() {
    let site = Site::open().await;
    let letters = site.announce().await;
    let kept = site.decide(&letters[IT], &[CONFIRM, &[("remark", "Bitte klingeln.\r\nZweiter Stock")]].concat()).await;
    assert_eq!((kept.status, kept.header("location")), (303, Some(letters[IT].link.token.as_str())));
    let confirmed = site.occurrence().await;
    assert_eq!(confirmed.state.to_string(), "confirmed");
    assert_eq!(confirmed.confirmed_by.as_deref(), Some("IT-Leitung <it@nordwind.example>"));
    let told = "select recipient || ' ' || (detail->>'decision') || ' ' || (detail->>'by') from notification where kind = 'answer'";
    assert_eq!(site.ask_database(told).await, "team@provider.example confirmed IT-Leitung <it@nordwind.example>");
    let noted = "select actor || ': ' || action || ': ' || reason from audit where action like 'confirm%'";
    let expected = "IT-Leitung <it@nordwind.example>: confirm occurrence: Bitte klingeln.\nZweiter Stock";
    assert_eq!(site.ask_database(noted).await, expected);

    let before = site.rows().await;
    for letter in &letters {
        assert_eq!(site.decide(letter, &[("decision", "move_asked")]).await.status, 303);
        let page = site.get(letter).await;
        assert!(!page.body.contains("<form") && page.body.contains("IT-Leitung"), "{}", page.body);
    }
    assert_eq!(site.rows().await, before, "nothing more was decided, nor any code counted");
    site.close().await;
}

#[tokio::test]
async fn another_date_can_be_asked_for_within_the_limits() {
    let site = Site::open().await;
    let letters = site.announce().await;
    let opens = site.occurrence().await.local_start;
    let wish = |days: i64| opens.checked_add(jiff::ToSpan::days(days)).unwrap().date().to_string();
    let ask = |day: &str, time: &str| fields(&[("decision", "move_asked"), ("day", day), ("time", time)]);
    let before = site.rows().await;
    let refused =
        [(wish(15), "16:00"), (wish(-18), "10:00"), (wish(0), "14:00"), (String::new(), "16:00"), (wish(1), "?")];
    for (day, time) in refused {
        let form = format!("{}&code={}", ask(&day, time), letters[IT].link.code.replace(' ', "+"));
        let answer = site.post_raw(&letters[IT], &form).await;
        assert_eq!(answer.status, 422, "{day} {time}");
        assert!(answer.body.contains("role=\"alert\"") && answer.body.contains(&format!("value=\"{day}\"")));
    }
    assert_eq!(site.rows().await, before, "what can't be asked for costs no attempt");

    let day = wish(7);
    let asked = site.decide(&letters[IT], &[("decision", "move_asked"), ("day", &day), ("time", "16:30")]).await;
    assert_eq!(asked.status, 303);
    assert_eq!(site.ask_database("select wish::text from answer").await, format!("{day} 16:30:00"));
    assert_eq!(site.occurrence().await.state.to_string(), "announced", "until somebody moves it");
    let told = "select detail->>'wish' from notification where kind = 'answer'";
    assert_eq!(site.ask_database(told).await, format!("{day}T16:30:00"));
    let page = site.get(&letters[BOSS]).await;
    assert!(page.body.contains("Запрошена другая дата") && page.body.contains("16:30"), "{}", page.body);
    site.close().await;
}

#[tokio::test]
async fn a_report_is_answered_with_its_hash() {
    let site = Site::open().await;
    let letters = site.finish().await;
    let wanting = site.decide(&letters[IT], &[("decision", "refused"), ("remark", " \u{202e} ")]).await;
    assert_eq!(wanting.status, 422);
    let foreign = site.decide(&letters[IT], CONFIRM).await;
    assert_eq!(foreign.status, 422, "a date is confirmed, and no report");
    let long = "ü".repeat(2001);
    assert_eq!(site.decide(&letters[IT], &[ACCEPT, &[("remark", &long)]].concat()).await.status, 422);

    let report = serde_json::to_string(&site.report().await).unwrap();
    let remark = [("decision", "accepted_with_remarks"), ("remark", "Drucker geht nicht")];
    assert_eq!(site.decide(&letters[IT], &remark).await.status, 303);
    let mut connection = site.store.pool().acquire().await.unwrap();
    let answer = find_answer_to_report(&mut connection, site.run().await).await.unwrap().unwrap();
    assert_eq!(answer.decision.as_str(), "accepted_with_remarks");
    assert_eq!(answer.report, Some(ContentHash::of(report.as_bytes())));
    drop(connection);
    let page = site.get(&letters[BOSS]).await;
    assert!(page.body.contains("принят с замечаниями") && page.body.contains("Drucker geht nicht"), "{}", page.body);
    let told =
        "select recipient || ' ' || (detail->>'remark') from notification where kind = 'answer' and run is not null";
    assert_eq!(site.ask_database(told).await, "team@provider.example Drucker geht nicht");
    let document = site.ask("GET", &format!("/l/{}/report", letters[IT].link.token), &[]).await;
    assert!(document.body.contains("mit Anmerkungen abgenommen von IT-Leitung"), "the report tells it");
    site.close().await;
}

#[tokio::test]
async fn of_two_who_answer_at_the_same_time_one_does() {
    let site = Site::open().await;
    for round in 0..5 {
        let letters = site.finish_once_more(round).await;
        let decide = |letter: &Letter, decision: &str| {
            let form = fields(&[("decision", decision), ("remark", "so"), ("code", &letter.link.code)]);
            (letter.link.token.clone(), form)
        };
        let answers = site.post_at_once(&[decide(&letters[IT], "accepted"), decide(&letters[BOSS], "refused")]).await;
        assert!(answers.iter().all(|answer| answer.status == 303));
        let told = site.ask_database("select count(*)::text from notification where kind = 'answer'").await;
        assert_eq!(told, (round + 1).to_string());
        let pages = [site.get(&letters[IT]).await.body, site.get(&letters[BOSS]).await.body];
        assert!(pages.iter().all(|page| !page.contains("<form")), "both see the decision");
    }
    let letters = site.announce().await;
    let confirm =
        |letter: &Letter| (letter.link.token.clone(), fields(&[CONFIRM, &[("code", &letter.link.code)]].concat()));
    let answers = site.post_at_once(&[confirm(&letters[IT]), confirm(&letters[BOSS])]).await;
    assert!(answers.iter().all(|answer| answer.status == 303));
    assert_eq!(site.ask_database("select count(*)::text from audit where action = 'confirm occurrence'").await, "1");
    site.close().await;
}

#[tokio::test]
async fn what_is_not_there_looks_alike_whatever_it_is() {
    let site = Site::open().await;
    let letters = site.announce().await;
    site.execute("update link set expires_at = now() - interval '1 s' where recipient like 'it@%'").await;
    let expired = letters[IT].link.token.clone();
    let unknown = "0".repeat(64);
    let shouted = letters[BOSS].link.token.to_uppercase();
    let cut = letters[BOSS].link.token[..63].to_owned();
    let before = site.rows().await;
    let mut bodies = Vec::new();
    for token in [&*expired, &unknown, &shouted, &cut, "x", "%ff%fe", "%00", "..%2f..%2fetc%2fpasswd", "'%20or%201=1--"]
    {
        let shown = site.ask("GET", &format!("/l/{token}"), &[]).await;
        let form = fields(&[CONFIRM, &[("code", &letters[IT].link.code)]].concat());
        let posted = site.ask_with_body("POST", &format!("/l/{token}"), &[], form).await;
        let report = site.ask("GET", &format!("/l/{token}/report"), &[]).await;
        for answer in [shown, posted, report] {
            assert_eq!(answer.status, 404, "{token}");
            bodies.push(answer.body);
        }
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    assert!(bodies[0].contains("<html lang=\"en\">"), "the provider's language");
    let hungarian = site.ask("GET", "/l/x", &[("accept-language", "hu")]).await.body;
    assert!(hungarian.contains("Ez az oldal nem létezik"), "{hungarian}");
    // A link to a date leads to no report.
    assert_eq!(site.ask("GET", &format!("/l/{}/report", letters[BOSS].link.token), &[]).await.status, 404);
    assert_eq!(site.rows().await, before);
    site.close().await;
}

#[tokio::test]
async fn what_people_write_and_are_called_is_harmless() {
    let site = Site::open().await;
    site.rename("\"><script>alert(1)</script> \u{202e}GmbH").await;
    let letters = site.finish().await;
    let remark = "</p><script>alert(2)</script>\u{1b}[31m\u{0}\r\n{{t \"page.send\"}}";
    assert_eq!(site.decide(&letters[IT], &[("decision", "refused"), ("remark", remark)]).await.status, 303);
    let document = site.ask("GET", &format!("/l/{}/report", letters[IT].link.token), &[]).await;
    for page in [site.get(&letters[IT]).await, document] {
        assert_eq!(page.status, 200);
        assert!(
            !page.body.contains("<script") && !page.body.contains(['\u{202e}', '\u{1b}', '\u{0}']),
            "{}",
            page.body
        );
        assert!(page.body.contains("&lt;script&gt;alert(2)&lt;/script&gt;"), "{}", page.body);
    }
    site.close().await;
}

#[tokio::test]
async fn a_date_that_went_on_takes_no_answer() {
    let site = Site::open().await;
    let letters = site.announce().await;
    site.cancel().await;
    let before = site.rows().await;
    assert_eq!(site.decide(&letters[IT], CONFIRM).await.status, 303);
    let page = site.get(&letters[IT]).await;
    assert!(page.body.contains("ist abgesagt") && !page.body.contains("<form"), "{}", page.body);
    assert_eq!(site.rows().await, before);
    site.close().await;
}

#[tokio::test]
async fn a_letter_that_is_written_again_has_another_link_and_both_are_good() {
    let site = Site::open().await;
    let letters = site.announce().await;
    let again = site.link(letters[IT].number).await.unwrap();
    assert_ne!(again.token, letters[IT].link.token);
    let kept = site.rows().await;
    let code = again.code.replace(' ', "");
    assert!(!kept.contains(&again.token) && !kept.contains(&code) && !kept.contains(&again.code), "{kept}");
    assert!(!format!("{again:?}").contains(&again.token), "nor does it get into a log");
    let letter = Letter { number: letters[IT].number, link: again };
    assert_eq!(site.get(&letters[IT]).await.status, 200);
    assert_eq!(site.decide(&letter, CONFIRM).await.status, 303);
    assert!(!site.get(&letters[IT]).await.body.contains("<form"));
    // What is told to the team has nothing to answer, and what is not there has no link.
    let team = site.ask_database("select number::text from notification where kind = 'answer'").await;
    assert_eq!(site.link(team.parse().unwrap()).await, None);
    assert_eq!(site.link(4711).await, None);
    site.close().await;
}
