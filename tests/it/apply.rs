//! `turnus apply` through the real binary, on a real Postgres: what is stored, who is told, and what is never done without a yes.

mod standing;

use sqlx::PgConnection;
use turnus::app::calendar::proposal::propose;
use turnus::app::calendar::publish::{Act, PublishError, extend, publish};
use turnus::app::calendar::{Almanac, horizon};
use turnus::domain::catalog::{Catalog, build};
use turnus::edge::config;
use turnus::edge::store::database_now;

use crate::kit::database::execute;
use crate::kit::office::{Office, day, window};
use crate::kit::terminal::Terminal;
use crate::kit::world::text;

/// Rows of a query with one text column.
async fn texts(connection: &mut PgConnection, sql: &str) -> Vec<String> {
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned())).fetch_all(connection).await.unwrap()
}

async fn number(connection: &mut PgConnection, sql: &str) -> i64 {
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned())).fetch_one(connection).await.unwrap()
}

/// Every row of every table that apply may write, with the transaction that wrote it.
async fn versions(connection: &mut PgConnection) -> Vec<String> {
    let mut all = Vec::new();
    for table in ["revision", "applied", "contact", "occurrence", "notification", "audit"] {
        all.extend(
            texts(connection, &format!("select '{table} ' || xmin || ' ' || ctid from {table} order by ctid")).await,
        );
    }
    all
}

/// As the daemon would have: the first date of each window is announced.
async fn announce_first(connection: &mut PgConnection) {
    execute(
        connection,
        "update occurrence set state = 'announced', announced_at = now(), next_notice_at = start_at - interval '2 days'
         where id in (select distinct on (customer, window_name) id from occurrence
                      where state = 'planned' order by customer, window_name, start_at)"
            .to_owned(),
    )
    .await;
}

/// The dates of [`monthly`] within 400 days: on day 10, 40, … 370.
const DATES: i64 = 13;

/// A rule of one date a month, from the tenth day after today on.
fn monthly() -> String {
    window("monthly", "FREQ=DAILY;INTERVAL=30", day(10))
}

#[tokio::test]
async fn the_first_apply_stores_files_contacts_and_dates() {
    let office = Office::open().await;
    office.customer("nordwind", &monthly());
    let shown = office.succeed(&["apply", "--yes"]);
    assert!(shown.contains("customer nordwind: new") && shown.contains("13 dates appear"), "{shown}");
    let mut connection = office.connect().await;
    let applied = texts(&mut connection, "select kind || ' ' || name from applied order by 1").await;
    assert_eq!(applied, ["inventory nordwind", "job look", "settings turnus"]);
    assert_eq!(number(&mut connection, "select count(*) from occurrence where state = 'planned'").await, DATES);
    let last =
        texts(&mut connection, "select ((max(start_at) - now()) < interval '400 days')::text from occurrence").await;
    assert_eq!(last, ["true"]);
    let first = texts(&mut connection, "select local_start::text from occurrence order by start_at limit 1").await;
    assert_eq!(first, [day(10).to_string().replace('T', " ")]);
    assert_eq!(texts(&mut connection, "select email from contact").await, ["it@nordwind.example"]);
    assert_eq!(number(&mut connection, "select count(*) from notification").await, 0, "nobody is told by an apply");
    let audit =
        texts(&mut connection, "select action || ' ' || coalesce(customer, '-') from audit order by number").await;
    assert_eq!(audit, ["apply files nordwind", "apply files -"]);
    office.close().await;
}

#[tokio::test]
async fn a_second_apply_writes_no_row() {
    let office = Office::open().await;
    office.customer("nordwind", &monthly());
    office.succeed(&["apply", "--yes"]);
    let mut connection = office.connect().await;
    announce_first(&mut connection).await;
    let before = versions(&mut connection).await;
    assert_eq!(office.succeed(&["apply", "--yes"]).trim(), "nothing to change");
    let answer = office.json(&["apply"]);
    assert_eq!((&answer["applied"], &answer["customers"]), (&false.into(), &serde_json::json!([])));
    assert_eq!(versions(&mut connection).await, before);
    office.close().await;
}

#[tokio::test]
async fn one_row_that_can_not_be_read_keeps_nobody_from_applying_and_faults_are_forgotten() {
    let office = Office::open().await;
    office.customer("nordwind", &monthly());
    office.succeed(&["apply", "--yes"]);
    let mut connection = office.connect().await;
    let odd = "update occurrence set reasons = '[{\"why\":\"of a newer version\"}]' where recurrence_id =
               (select min(recurrence_id) from occurrence); update applied set fault = 'odd' where kind = 'inventory'";
    execute(&mut connection, odd.to_owned()).await;
    office.succeed(&["apply", "--yes"]);
    assert_eq!(number(&mut connection, "select count(*) from applied where fault is not null").await, 0);
    office.customer("acme", &monthly());
    office.succeed(&["apply", "--yes"]);
    assert_eq!(number(&mut connection, "select count(*) from occurrence where customer = 'acme'").await, DATES);
    office.close().await;
}

#[tokio::test]
async fn without_a_terminal_or_a_yes_nothing_is_applied() {
    let office = Office::open().await;
    office.customer("nordwind", &monthly());
    let told = office.fail(2, &["apply"]);
    assert!(told.contains("customer nordwind: new") && told.contains("hint: --yes"), "{told}");
    let mut connection = office.connect().await;
    assert_eq!(number(&mut connection, "select count(*) from applied").await, 0);
    office.close().await;
}

#[tokio::test]
async fn planned_dates_follow_the_files() {
    let office = Office::open().await;
    office.customer("nordwind", &monthly());
    office.succeed(&["apply", "--yes"]);
    // Half an hour later each time, and a freeze over the second date.
    let later = day(10).with().minute(30).build().unwrap();
    let frozen = day(40).date();
    let freeze = format!("[[freeze]]\nfrom = {frozen}\nto = {frozen}\nreason = \"stocktaking\"\n");
    office.customer("nordwind", &(window("monthly", "FREQ=DAILY;INTERVAL=30", later) + &freeze));
    let shown = office.succeed(&["apply", "--yes"]);
    assert!(shown.contains("customer nordwind: changed"), "{shown}");
    let mut connection = office.connect().await;
    // The rule's dates are others now: all went, as many came.
    let states =
        texts(&mut connection, "select state || ' ' || count(*) from occurrence group by state order by 1").await;
    assert_eq!(states, ["planned 12", "skipped 1"]);
    let cause = texts(&mut connection, "select cause from occurrence where state = 'skipped'").await;
    assert_eq!(cause, ["frozen: stocktaking"]);
    // The freeze goes: the date is held again, as the same row.
    office.customer("nordwind", &window("monthly", "FREQ=DAILY;INTERVAL=30", later));
    let shown = office.succeed(&["apply", "--yes"]);
    assert!(shown.contains("is held again"), "{shown}");
    assert_eq!(number(&mut connection, "select count(*) from occurrence where state = 'planned'").await, DATES);
    assert_eq!(number(&mut connection, "select count(*) from notification").await, 0);
    office.close().await;
}

#[tokio::test]
async fn an_announced_date_moves_only_by_an_explicit_yes_and_the_customer_is_told() {
    let office = Office::open().await;
    office.customer("nordwind", &monthly());
    office.succeed(&["apply", "--yes"]);
    let mut connection = office.connect().await;
    announce_first(&mut connection).await;
    office.customer("nordwind", &window("monthly", "FREQ=DAILY;INTERVAL=30", day(12)));
    let before = versions(&mut connection).await;
    office.fail(2, &["apply"]);
    let told = office.fail(2, &["apply", "--yes", "--keep-announced"]);
    assert!(told.contains("! announced") && told.contains("it@nordwind.example would be told"), "{told}");
    assert!(told.contains("1 announced date would move or go; nothing was applied"), "{told}");
    assert_eq!(versions(&mut connection).await, before, "a refusal writes nothing");

    office.succeed(&["apply", "--yes"]);
    let rows = texts(
        &mut connection,
        "select state || ' ' || sequence || ' ' || local_start from occurrence where state in ('moved', 'announced') order by sequence",
    )
    .await;
    let at = |days: i64| day(days).to_string().replace('T', " ");
    assert_eq!(rows, [format!("moved 0 {}", at(10)), format!("announced 1 {}", at(12))]);
    let linked =
        number(&mut connection, "select count(*) from occurrence new join occurrence old on new.moved_from = old.id")
            .await;
    assert_eq!(linked, 1);
    let messages = texts(
        &mut connection,
        "select kind || ' ' || recipient || ' ' || (detail->>'from') from notification where state = 'due'",
    )
    .await;
    assert_eq!(messages, [format!("moved it@nordwind.example {}", day(10))]);
    let audit = texts(&mut connection, "select action from audit where occurrence is not null").await;
    assert_eq!(audit, ["move occurrence"]);
    assert_eq!(office.succeed(&["apply", "--yes"]).trim(), "nothing to change");
    office.close().await;
}

#[tokio::test]
async fn a_removed_customer_loses_planned_dates_and_hears_of_announced_ones() {
    let office = Office::open().await;
    office.customer("nordwind", &monthly());
    office.customer("acme", &monthly());
    office.succeed(&["apply", "--yes"]);
    let mut connection = office.connect().await;
    announce_first(&mut connection).await;
    office.remove("inventories/nordwind.toml");
    let told = office.fail(2, &["apply", "--yes", "--keep-announced"]);
    assert!(told.contains("customer nordwind: removed") && told.contains("is called off"), "{told}");
    office.succeed(&["apply", "--yes"]);
    let rows = texts(&mut connection, "select state from occurrence where customer = 'nordwind'").await;
    assert_eq!(rows, ["cancelled"], "what was announced stays as history, the rest is gone");
    let messages = texts(&mut connection, "select kind || ' ' || recipient from notification").await;
    assert_eq!(messages, ["cancelled it@nordwind.example"]);
    assert_eq!(texts(&mut connection, "select distinct customer from contact").await, ["acme"]);
    assert_eq!(number(&mut connection, "select count(*) from applied where name = 'nordwind'").await, 0);
    assert_eq!(number(&mut connection, "select count(*) from occurrence where customer = 'acme'").await, DATES);
    assert_eq!(office.succeed(&["apply", "--yes"]).trim(), "nothing to change");
    // The file was missed by mistake: with it the date comes back, and is announced anew.
    office.customer("nordwind", &monthly());
    let told = office.succeed(&["apply", "--yes"]);
    assert!(told.contains("is held again"), "{told}");
    let first = "select state || ' ' || sequence || ' ' || (announced_at is null) from occurrence
                 where customer = 'nordwind' order by start_at limit 1";
    assert_eq!(texts(&mut connection, first).await, ["planned 2 true"]);
    assert_eq!(number(&mut connection, "select count(*) from occurrence where customer = 'nordwind'").await, DATES);
    assert_eq!(office.succeed(&["apply", "--yes"]).trim(), "nothing to change");
    office.close().await;
}

#[tokio::test]
async fn a_freeze_over_an_announced_date_leaves_it_out_and_the_end_of_the_freeze_announces_it_anew() {
    let office = Office::open().await;
    office.customer("nordwind", &monthly());
    office.succeed(&["apply", "--yes"]);
    let mut connection = office.connect().await;
    announce_first(&mut connection).await;
    let frozen = day(10).date();
    let freeze = format!("\n[[freeze]]\nfrom = {frozen}\nto = {frozen}\nreason = \"the provider's own holidays\"\n");
    office.settle(&freeze);
    office.fail(2, &["apply", "--yes", "--keep-announced"]);
    office.succeed(&["apply", "--yes"]);
    let cause = texts(&mut connection, "select cause from occurrence where state = 'skipped'").await;
    assert_eq!(cause, ["frozen: the provider's own holidays"]);
    assert_eq!(texts(&mut connection, "select kind from notification").await, ["cancelled"]);
    assert_eq!(office.succeed(&["apply", "--yes"]).trim(), "nothing to change");
    office.settle("");
    office.succeed(&["apply", "--yes"]);
    let back = "select state || ' ' || sequence || ' ' || (announced_at is null) || ' ' || (next_notice_at is not null)
                from occurrence order by start_at limit 1";
    assert_eq!(texts(&mut connection, back).await, ["planned 2 true true"]);
    office.close().await;
}

#[tokio::test]
async fn a_date_that_a_person_chose_stays_through_changes_of_the_files() {
    let office = Office::open().await;
    office.customer("nordwind", &monthly());
    office.succeed(&["apply", "--yes"]);
    let from = format!("monthly@{}", day(10).date());
    let to = day(11).to_string();
    office.succeed(&["calendar", "move", "nordwind", &from, "--to", &to, "--reason", "fair"]);
    office.customer("nordwind", &window("monthly", "FREQ=DAILY;INTERVAL=30", day(10).with().hour(12).build().unwrap()));
    office.succeed(&["apply", "--yes"]);
    let mut connection = office.connect().await;
    let chosen = "select local_start::text from occurrence where chosen_by is not null";
    assert_eq!(texts(&mut connection, chosen).await, [to.replace('T', " ")]);
    office.close().await;
}

#[tokio::test]
async fn a_calendar_file_freezes_and_its_mistakes_are_told_with_their_line() {
    let office = Office::open().await;
    let frozen = day(40).date();
    office.customer("nordwind", &(monthly() + "[[freeze]]\ncalendar = \"fairs\"\n"));
    let event = |start: &str| {
        format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART;VALUE=DATE:{start}\r\nSUMMARY:Fair\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        )
    };
    office.write("calendars/fairs.ics", &event("2027-13-45"));
    for command in [["check"].as_slice(), &["apply", "--yes"]] {
        let told = office.fail(2, command);
        assert!(told.contains("calendars/fairs.ics:3:1: the event can't be read"), "{told}");
    }
    office.write("calendars/fairs.ics", &event(&frozen.strftime("%Y%m%d").to_string()));
    office.succeed(&["apply", "--yes"]);
    let mut connection = office.connect().await;
    let skipped =
        texts(&mut connection, "select cause || ' ' || local_start::date from occurrence where state = 'skipped'")
            .await;
    assert_eq!(skipped, [format!("frozen: Fair {frozen}")]);
    let kinds = texts(&mut connection, "select name from applied where kind = 'calendar'").await;
    assert_eq!(kinds, ["fairs"]);
    office.close().await;
}

#[tokio::test]
async fn two_applies_at_once_store_every_date_once() {
    let office = Office::open().await;
    for customer in ["acme", "globex", "nordwind"] {
        office.customer(customer, &monthly());
    }
    // The schema is there before both look.
    office.succeed(&["calendar"]);
    let (first, second) = std::thread::scope(|scope| {
        let one = scope.spawn(|| office.turnus(&["apply", "--yes"]));
        let two = scope.spawn(|| office.turnus(&["apply", "--yes"]));
        (one.join().unwrap(), two.join().unwrap())
    });
    let told = [text(&first), text(&second)];
    assert!(first.status.success() && second.status.success(), "{told:?}");
    assert!(told.iter().any(|told| told.contains("nothing to change")), "one waits for the other: {told:?}");
    let mut connection = office.connect().await;
    assert_eq!(number(&mut connection, "select count(*) from occurrence").await, 3 * DATES);
    assert_eq!(office.succeed(&["apply", "--yes"]).trim(), "nothing to change");
    office.close().await;
}

fn at_terminal(office: &Office) -> Terminal {
    Terminal::open(&office.command(&["apply"]), office.path("terminal"))
}

#[tokio::test]
async fn at_a_terminal_announced_dates_are_asked_for_by_themselves() {
    let office = Office::open().await;
    office.customer("nordwind", &monthly());
    let mut terminal = at_terminal(&office);
    terminal.answer("Apply this?", "y");
    let (status, printed) = terminal.finish();
    assert!(status == Some(0) && printed.contains("applied"), "{printed}");
    let mut connection = office.connect().await;
    announce_first(&mut connection).await;
    office.customer("nordwind", &window("monthly", "FREQ=DAILY;INTERVAL=30", day(12)));
    let before = versions(&mut connection).await;
    let mut terminal = at_terminal(&office);
    terminal.answer("Apply this?", "y");
    terminal.answer("1 announced date would move or go, and their customers would be told. Really?", "n");
    let (status, printed) = terminal.finish();
    assert!(status == Some(130) && printed.contains("nothing was done"), "{printed}");
    assert_eq!(versions(&mut connection).await, before);
    let mut terminal = at_terminal(&office);
    terminal.answer("Apply this?", "y");
    terminal.answer("Really?", "y");
    assert_eq!(terminal.finish().0, Some(0));
    assert_eq!(texts(&mut connection, "select kind from notification").await, ["moved"]);
    office.close().await;
}

#[tokio::test]
async fn ctrl_c_at_the_question_applies_nothing() {
    let office = Office::open().await;
    office.customer("nordwind", &monthly());
    let mut terminal = at_terminal(&office);
    // What the key sends.
    terminal.answer("Apply this?", "\u{3}");
    assert_eq!(terminal.finish().0, Some(130));
    let mut connection = office.connect().await;
    assert_eq!(number(&mut connection, "select count(*) from applied").await, 0);
    office.close().await;
}

#[tokio::test]
async fn what_changed_while_a_person_was_thinking_is_not_applied() {
    let office = Office::open().await;
    office.customer("nordwind", &monthly());
    office.succeed(&["apply", "--yes"]);
    office.customer("nordwind", &window("monthly", "FREQ=DAILY;INTERVAL=30", day(12)));
    let mut terminal = at_terminal(&office);
    terminal.wait_for("Apply this?");
    // The daemon tells the customer of the date that is about to change silently.
    let mut connection = office.connect().await;
    announce_first(&mut connection).await;
    let before = versions(&mut connection).await;
    terminal.answer("Apply this?", "y");
    let (status, printed) = terminal.finish();
    assert!(
        status == Some(2) && printed.contains("the calendar has changed meanwhile; nothing was applied"),
        "{printed}"
    );
    assert_eq!(versions(&mut connection).await, before);
    office.close().await;
}

/// The files of an office, as `turnus` reads them.
fn catalog(office: &Office) -> Catalog {
    build(&config::read_sources(&office.path("")).unwrap()).unwrap()
}

#[tokio::test]
async fn a_proposal_that_others_have_overtaken_is_refused_as_a_whole() {
    let office = Office::open().await;
    office.customer("nordwind", &monthly());
    office.succeed(&["apply", "--yes"]);
    office.customer("nordwind", &window("monthly", "FREQ=DAILY;INTERVAL=30", day(12)));
    let store = office.store().await;
    let mut connection = office.connect().await;
    let files = catalog(&office);
    let mut transaction = store.begin().await.unwrap();
    let now = database_now(&mut transaction).await.unwrap();
    let proposal = propose(&mut transaction, &files, &[], horizon(now)).await.unwrap();
    announce_first(&mut connection).await;
    let refused = publish(&mut transaction, &proposal, &files, &[], Act { by: "anna", now }).await;
    assert!(matches!(refused, Err(PublishError::Changed)), "{refused:?}");
    transaction.rollback().await.unwrap();
    store.close().await.unwrap();
    office.close().await;
}

#[tokio::test]
async fn the_daemon_extends_and_changes_only_what_nobody_was_told_of() {
    let office = Office::open().await;
    office.customer("nordwind", &monthly());
    office.succeed(&["apply", "--yes"]);
    let mut connection = office.connect().await;
    announce_first(&mut connection).await;
    execute(&mut connection, "delete from occurrence where start_at > now() + interval '200 days'".to_owned()).await;
    let later = day(10).with().hour(12).build().unwrap();
    office.customer("nordwind", &window("monthly", "FREQ=DAILY;INTERVAL=30", later));
    let store = office.store().await;
    let mut transaction = store.begin().await.unwrap();
    let now = database_now(&mut transaction).await.unwrap();
    let files = catalog(&office);
    let mut almanac = Almanac::read(&files, &(now..horizon(now).dated_until())).unwrap();
    let nordwind = files.customers.values().next().unwrap();
    let act = Act { by: "office:1", now };
    let extension = extend(&mut transaction, &mut almanac, nordwind, act).await.unwrap();
    let held: Vec<_> = extension.held.iter().map(|(_, change)| change.as_str()).collect();
    assert_eq!(held, ["move"]);
    let again = extend(&mut transaction, &mut almanac, nordwind, act).await.unwrap();
    assert_eq!((again.changed, again.held.len()), (0, 1));
    transaction.commit().await.unwrap();
    let rows = "select state || ' ' || count(*) || ' ' || count(*) filter (where local_start::time = '12:00')
                from occurrence group by state order by state";
    assert_eq!(texts(&mut connection, rows).await, ["announced 1 0", "planned 12 12"]);
    assert_eq!(number(&mut connection, "select count(*) from notification").await, 0);
    store.close().await.unwrap();
    office.close().await;
}
