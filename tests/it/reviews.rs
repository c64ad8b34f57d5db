//! `turnus review`, and what a run by hand asks: from what is pending to a decision that somebody answers for.

use serde_json::{Value, json};
use turnus::domain::id::{Name, OccurrenceId};
use turnus::domain::packages::{Held, HeldCause, Obstacle, Package};
use turnus::domain::review::{Collection, Finding};
use turnus::edge::store::review::{NewCollection, store_collection};
use uuid::Uuid;

use crate::kit::office::{Office, day, window};
use crate::kit::provider::{DUE, Provider, name};
use crate::kit::updates::{JOB, change, found, security, surveyed};
use crate::kit::world::text;

/// A customer with a date in three days for a job that installs what was approved.
async fn open() -> Office {
    let office = Office::open().await;
    office.write("jobs/updates.toml", JOB);
    let weekly =
        window("weekly", "FREQ=WEEKLY", day(3)).replace("job = \"look\"", "job = \"updates\"\nreview = \"2d\"");
    office.customer("nordwind", &weekly);
    office.succeed(&["apply", "--yes"]);
    office
}

/// Stores what was found for a date of nordwind, as if somebody had collected it.
async fn keep(office: &Office, findings: &Collection) {
    let mut connection = office.connect().await;
    let first = "select id from occurrence order by start_at limit 1";
    let id: Uuid = sqlx::query_scalar(first).fetch_one(&mut connection).await.unwrap();
    let customer: Name = name("nordwind");
    let new = NewCollection { customer: &customer, occurrence: Some(OccurrenceId(id)), by: "one:1", findings };
    store_collection(&mut connection, &new).await.unwrap();
}

fn first() -> Collection {
    let openssl = || security(change("openssl", Some("3.0.15"), Some("3.0.16")));
    let mut web01 = surveyed(vec![openssl(), change("nginx", Some("1.24"), Some("1.26"))]);
    let package = |name: &str| Package { name: name.to_owned(), architecture: "amd64".to_owned() };
    web01.held =
        vec![Held { package: package("linux"), installed: "6.1".to_owned(), candidate: None, cause: HeldCause::Hold }];
    web01.without_way_back = vec![package("nginx")];
    web01.warnings = vec!["odd \u{1b}[31mred\u{1b}[0m\nline".to_owned()];
    let web02 = surveyed(vec![openssl(), change("old", Some("1"), None), change("extra", None, Some("2"))]);
    let half = Obstacle::HalfConfigured { what: "mail".to_owned(), repair: "dpkg --configure -a".to_owned() };
    found([
        ("web01", Finding::Surveyed(web01)),
        ("web02", Finding::Surveyed(web02)),
        ("web03", Finding::Unreachable { what: "no route".to_owned(), hint: Some("look at the cable".to_owned()) }),
        ("web04", Finding::Obstructed(half)),
    ])
}

fn second() -> Collection {
    let mut later = first();
    if let Some(Finding::Surveyed(survey)) = later.hosts.get_mut(&name("web01")) {
        survey.pending.retain(|change| change.package.name != "nginx");
        survey.pending.push(change("zlib", Some("1.2"), Some("1.3")));
    }
    later
}

#[tokio::test]
async fn hosts_that_can_t_be_reached_are_facts_and_where_none_can_the_status_says_so() {
    let office = open().await;
    let told = office.fail(3, &["review", "collect", "nordwind"]);
    assert!(told.contains("nordwind weekly") && told.contains("1 of 1 host could not be looked at"), "{told}");
    let shown = office.succeed(&["review", "show", "nordwind"]);
    assert!(shown.contains("h1: not reached: ") && shown.contains("hint: "), "{shown}");
    assert!(shown.contains("not decided: "), "{shown}");
    let answer = office.json(&["review", "show", "nordwind"]);
    assert_eq!(answer["hosts"]["h1"]["state"], "unreachable");
    assert_eq!((&answer["settled"], &answer["decision"]), (&json!(false), &Value::Null));
    office.close().await;
}

#[tokio::test]
async fn the_list_of_a_customer_is_shown_whole_with_what_stands_out() {
    let office = open().await;
    keep(&office, &first()).await;
    let shown = office.succeed(&["review", "show", "nordwind"]);
    for expected in [
        "4 changes pending, 1 for security; ! 1 removal, 1 new package",
        "2 of 4 hosts could not be looked at",
        "security openssl:amd64 3.0.15 3.0.16 2 hosts: web01, web02",
        "! old:amd64 1 removed 1 host: web02",
        "! extra:amd64 2 (new) 1 host: web02",
        "stays: linux 6.1 (on hold on the host)",
        "no way back once updated: nginx:amd64",
        "warning: odd red line",
        "web03: not reached: no route",
        "hint: look at the cable",
        "web04: the packages are half configured: mail",
        "hint: on the host: dpkg --configure -a",
        "not decided",
    ] {
        let flat = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(expected), "{expected} is not in:\n{shown}");
    }
    let rows: Vec<_> = shown.lines().filter(|line| line.contains(": web0")).collect();
    assert!(rows[0].contains("openssl"), "security comes first: {rows:?}");
    assert!(!shown.contains('\u{1b}'));

    keep(&office, &second()).await;
    let shown = office.succeed(&["review", "show", "nordwind"]);
    assert!(
        shown.contains("web01: new: zlib 1.2 → 1.3") && shown.contains("web01: gone: nginx 1.24 → 1.26"),
        "{shown}"
    );
    let marked = shown.lines().find(|line| line.contains("zlib:amd64")).unwrap();
    assert!(marked.trim_start().starts_with('*'), "{marked}");
    let answer = office.json(&["review", "show", "nordwind", "--occurrence", &format!("weekly@{}", day(3).date())]);
    assert_eq!(answer["list"], second().hash().as_str());
    assert_eq!(answer["before"]["list"], first().hash().as_str());
    assert_eq!(answer["differences"]["web01"]["gone"][0]["name"], "nginx");
    let new: Vec<_> =
        answer["union"].as_array().unwrap().iter().filter(|row| row["new_since_before"] == true).collect();
    assert_eq!(new.len(), 1);
    office.close().await;
}

#[tokio::test]
async fn who_approves_what_is_kept_and_a_second_word_needs_replace() {
    let office = open().await;
    let told = office.fail(2, &["review", "approve", "nordwind", "--by", "anna"]);
    assert!(told.contains("nothing has been collected") && told.contains("`turnus review collect nordwind`"), "{told}");
    keep(&office, &first()).await;
    let approve = ["review", "approve", "nordwind", "--by", "anna"];
    let and = |more: &[&'static str]| [&approve[..], more].concat();
    let told = office.fail(2, &and(&["--only", "opensssl", "--hosts", "web09"]));
    assert!(told.contains("nothing of that name is in the list: opensssl, web09"), "{told}");
    assert!(told.contains("did you mean `openssl`, `web0"), "{told}");
    assert!(office.json(&["review", "show", "nordwind"])["decision"].is_null(), "a slip of the pen decides nothing");
    let told = office.fail(2, &and(&["--security", "--only", "nginx"]));
    assert!(told.contains("nothing of the list is chosen by that"), "{told}");
    assert_eq!(
        office.turnus(&["review", "approve", "nordwind"]).status.code(),
        Some(2),
        "somebody has to answer for it"
    );
    assert_eq!(office.turnus(&["review", "approve", "nordwind", "--by", " "]).status.code(), Some(2));

    let told = office.succeed(&and(&["--except", "old", "--hosts", "web01,web02", "--note", "after the fair"]));
    let flat = told.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("approved: 4 changes on 2 hosts (without old; hosts web01, web02), by anna at"), "{told}");
    assert!(flat.contains("(after the fair)") && flat.contains("openssl 3.0.15 → 3.0.16"), "{told}");
    let shown = office.json(&["review", "show", "nordwind"]);
    let decision = &shown["decision"];
    assert_eq!((&decision["by"], &decision["list"]), (&json!("anna"), &json!(first().hash().as_str())));
    let of_web02: Vec<_> = decision["changes"]["web02"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| change["name"].as_str().unwrap())
        .collect();
    assert_eq!(of_web02, ["extra", "openssl"]);
    assert_eq!(decision["changes"].get("web03"), None, "for a host that nobody saw nothing is approved");

    let told = office.fail(2, &["review", "reject", "nordwind", "--by", "bert"]);
    assert!(told.contains("decided already") && told.contains("anna") && told.contains("--replace"), "{told}");
    office.succeed(&["review", "reject", "nordwind", "--by", "bert", "--replace"]);
    let shown = office.json(&["review", "show", "nordwind"]);
    assert_eq!((&shown["decision"]["verdict"], &shown["decision"]["changes"]), (&json!("reject"), &json!({})));
    assert_eq!(shown["history"].as_array().unwrap().len(), 2);
    let shown = office.succeed(&["review", "show", "nordwind"]);
    let flat = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("rejected, by bert at "), "{shown}");
    let before = flat.split_once(" replaced at ").expect("what was replaced is kept, and shown").1;
    assert!(before.contains("(without old; hosts web01, web02), by anna at "), "{shown}");
    assert!(before.contains("(after the fair)"), "{shown}");
    let history = office.succeed(&["calendar", "history", "nordwind"]);
    assert!(history.contains("approve updates") && history.contains("reject updates"), "{history}");
    office.close().await;
}

#[tokio::test]
async fn whoever_names_the_list_decides_on_no_other() {
    let office = open().await;
    keep(&office, &first()).await;
    let seen = first().hash();
    let shown = office.succeed(&["review", "show", "nordwind"]);
    let command = format!("`turnus review approve nordwind --list {} --by NAME`", seen.short());
    assert!(shown.contains(&command), "what is copied names the list that was seen: {shown}");
    keep(&office, &second()).await;
    let approve = |list: &str| office.turnus(&["review", "approve", "nordwind", "--by", "anna", "--list", list]);
    let stale = approve(seen.short());
    assert_eq!(stale.status.code(), Some(2));
    assert!(text(&stale).contains(&format!("the newest list is {}", second().hash().short())), "{}", text(&stale));
    assert_eq!(approve("").status.code(), Some(2));
    assert!(approve(&second().hash().as_str()[..8]).status.success());
    keep(&office, &first()).await;
    let shown = office.succeed(&["review", "show", "nordwind"]);
    assert!(shown.contains("on another list"), "{shown}");
    office.close().await;
}

#[tokio::test]
async fn where_nothing_is_pending_there_is_nothing_to_decide() {
    let office = open().await;
    keep(&office, &found([("h1", Finding::Surveyed(surveyed(Vec::new())))])).await;
    let told = office.fail(2, &["review", "approve", "nordwind", "--by", "anna"]);
    assert!(told.contains("nothing is pending"), "{told}");
    assert!(office.succeed(&["review", "show", "nordwind"]).contains("nothing is to be decided"));
    office.close().await;
}

#[tokio::test]
async fn without_a_date_the_customer_is_looked_at_and_without_such_a_job_nobody() {
    let office = open().await;
    office.customer("empty", &window("weekly", "FREQ=WEEKLY", day(3)));
    let told = office.fail(2, &["review", "collect", "empty"]);
    assert!(told.contains("no window of empty has a job that installs approved packages"), "{told}");
    let told = office.fail(2, &["review", "approve", "empty", "--by", "anna"]);
    assert!(told.contains("has no date ahead"), "{told}");
    // Not applied, so there is no date.
    let weekly =
        window("weekly", "FREQ=WEEKLY", day(3)).replace("job = \"look\"", "job = \"updates\"\nreview = \"2d\"");
    office.customer("fresh", &weekly);
    office.fail(3, &["review", "collect", "fresh"]);
    assert_eq!(office.json(&["review", "show", "fresh"])["occurrence"], Value::Null);
    let unknown = office.fail(2, &["review", "collect", "nordwind", "--occurrence", "weekly@2001-01-01"]);
    assert!(unknown.contains("has no date `weekly@2001-01-01`"), "{unknown}");
    office.close().await;
}

#[tokio::test]
async fn a_plan_tells_what_is_known_of_packages_and_where_there_is_no_way_back() {
    let office = open().await;
    let told = office.fail(2, &["plan", "nordwind", "updates", "--packages"]);
    assert!(told.contains("`turnus review collect nordwind`"), "{told}");
    let mut survey = surveyed(vec![change("nginx", Some("1.24"), Some("1.26"))]);
    survey.without_way_back = vec![Package { name: "nginx".to_owned(), architecture: "amd64".to_owned() }];
    keep(&office, &found([("h1", Finding::Surveyed(survey))])).await;
    let shown = office.succeed(&["plan", "nordwind", "updates", "--packages"]);
    assert!(shown.contains("not approved, list ") && shown.contains("h1: nginx 1.24 → 1.26"), "{shown}");
    assert!(shown.contains("h1: point of no return: the old version can't be had again of nginx"), "{shown}");
    office.succeed(&["review", "approve", "nordwind", "--by", "anna"]);
    let answer = office.json(&["plan", "nordwind", "updates", "--packages"]);
    assert_eq!(answer["packages"]["approved_by"], "anna");
    assert_eq!(answer["packages"]["hosts"]["h1"]["without_way_back"][0]["name"], "nginx");
    assert!(
        office.fail(2, &["plan", "nordwind", "look", "--host", "h1", "--packages"]).contains("installs no approved")
    );
    office.close().await;
}

const BY_HAND: [&str; 8] = ["run", "nordwind", "quarterly", "--host", "h1", "--yes", "--reason", "x"];

/// Its windows ask for a review.
fn provider() -> Provider {
    let provider = Provider::new(1);
    provider.world.job("quarterly", JOB);
    let reviewed = provider.inventory().replace("job = \"quarterly\"", "job = \"quarterly\"\nreview = \"3d\"");
    provider.world.write("configuration/inventories/nordwind.toml", &reviewed);
    provider
}

#[test]
fn a_run_by_hand_needs_somebody_who_answers_for_what_it_installs() {
    let provider = provider();
    let run = |more: &[&str]| provider.world.run(&[&BY_HAND[..], more].concat());
    assert_eq!(run(&["--approve", "all"]).status.code(), Some(2), "by whom?");
    // The step that comes before the packages fails: nothing is installed on the machine that runs the tests.
    let done = run(&["--approve", "security", "--by", "anna"]);
    assert_eq!(done.status.code(), Some(1), "{}", text(&done));
    let decided = "select decided_by || ' ' || verdict || ' ' || (run is not null)::text from decision";
    assert_eq!(provider.ask(decided), "anna approve true");
    assert_eq!(provider.ask("select plan->'approval'->>'by' from run"), "anna");
    let same = "select (plan->'approval'->>'list' = decision.list_hash and decision.list_hash = collection.list_hash)::text
                from run join decision on decision.run = run.id join collection on collection.number = decision.collection";
    assert_eq!(provider.ask(same), "true");
    let plan: turnus::domain::plan::Plan = serde_json::from_str(&provider.ask("select plan::text from run")).unwrap();
    assert_eq!(plan.hash().as_str(), provider.ask("select plan_hash from run"));
    assert!(provider.ask("select string_agg(action, ';' order by number) from audit").contains("approve updates"));
}

#[test]
fn a_run_by_hand_of_hosts_that_can_t_be_reached_approves_nothing() {
    let provider = provider();
    let listens = format!("port = {}", provider.world.ssh_port);
    provider
        .world
        .write("configuration/inventories/nordwind.toml", &provider.inventory().replace(&listens, "port = 1"));
    let run = provider.world.run(&[&BY_HAND[..], &["--approve", "all", "--by", "anna"]].concat());
    assert_eq!(run.status.code(), Some(3), "{}", text(&run));
    assert_eq!(provider.ask("select count(*)::text from run"), "0");
    assert_eq!(provider.ask("select count(*)::text from decision"), "0");
}

#[test]
fn inside_a_window_what_was_decided_for_it_counts() {
    let provider = provider();
    provider.apply();
    let id = provider.plan("h1", DUE);
    let openssl = security(change("openssl", Some("0.0.1"), Some("0.0.2")));
    let findings = found([("h1", Finding::Surveyed(surveyed(vec![openssl])))]);
    let customer = name("nordwind");
    let new = NewCollection { customer: &customer, occurrence: Some(id), by: "one:1", findings: &findings };
    provider.in_transaction(async |connection| store_collection(connection, &new).await).unwrap();
    let decide = |word: &str| {
        let today = jiff::Timestamp::now().in_tz("Europe/Berlin").unwrap().date();
        let date = format!("h1@{today}");
        let said =
            provider.world.run(&["review", word, "nordwind", "--occurrence", &date, "--by", "bert", "--replace"]);
        assert!(said.status.success(), "{}", text(&said));
    };
    decide("reject");
    let refused = provider.world.run(&BY_HAND[..6]);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
    assert!(text(&refused).contains("rejected by bert"), "{}", text(&refused));
    decide("approve");
    let done = provider.world.run(&BY_HAND[..6]);
    assert_eq!(done.status.code(), Some(1), "the job ends before it installs anything: {}", text(&done));
    assert_eq!(provider.ask("select plan->'approval'->>'by' from run"), "bert");
    assert_eq!(provider.ask("select plan->'approval'->'changes'->'h1'->0->>'name' from run"), "openssl");
    assert_eq!(provider.ask("select count(*)::text from decision where run is not null"), "0");
}
