//! Dates that stand between what persons chose and what the files say.

use jiff::SignedDuration;
use turnus::app::calendar::horizon;
use turnus::app::calendar::proposal::propose;
use turnus::app::calendar::publish::{Act, PublishError, publish};
use turnus::edge::store::database_now;

use crate::apply::{catalog, texts};
use crate::kit::office::{Office, day, window};

#[tokio::test]
async fn a_chosen_date_comes_back_with_its_window_and_keeps_nobody_from_applying() {
    let office = Office::open().await;
    let monthly = window("monthly", "FREQ=DAILY;INTERVAL=30", day(20)).replace("announce", "review = \"3d\"\nannounce");
    office.customer("nordwind", &monthly);
    office.succeed(&["apply", "--yes"]);
    let (date, to) = (format!("monthly@{}", day(20).date()), day(22).date().to_string());
    office.succeed(&["calendar", "move", "nordwind", &date, "--to", &to, "--reason", "fair"]);
    office.customer("nordwind", "");
    office.succeed(&["apply", "--yes"]);
    office.customer("nordwind", &monthly);
    office.succeed(&["apply", "--yes"]);
    let mut connection = office.connect().await;
    let chosen = "select state || ' ' || local_start::date from occurrence where chosen_by is not null";
    assert_eq!(texts(&mut connection, chosen).await, [format!("planned {to}")]);
    assert!(office.succeed(&["apply", "--yes"]).contains("nothing to change"));
    office.close().await;
}

#[tokio::test]
async fn a_date_that_began_while_a_person_was_thinking_does_not_appear() {
    let office = Office::open().await;
    office.customer("nordwind", &window("monthly", "FREQ=DAILY;INTERVAL=30", day(1)));
    let store = office.store().await;
    let files = catalog(&office);
    let mut transaction = store.begin().await.unwrap();
    let now = database_now(&mut transaction).await.unwrap();
    let proposal = propose(&mut transaction, &files, &[], horizon(now)).await.unwrap();
    let later = Act { by: "anna", now: now + SignedDuration::from_hours(48) };
    let refused = publish(&mut transaction, &proposal, &files, &[], later).await;
    assert!(matches!(refused, Err(PublishError::Changed)), "{refused:?}");
    transaction.rollback().await.unwrap();
    store.close().await.unwrap();
    office.close().await;
}
