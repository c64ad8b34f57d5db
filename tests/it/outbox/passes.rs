//! One pass after the other, with the time that the test gives.

use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use turnus::app::post::Tally;
use turnus::domain::notification::Delivery;

use super::{Desk, sent};

const DAY_S: i64 = 86_400;

#[tokio::test]
async fn a_message_arrives_as_a_letter_with_its_entry_for_the_calendar() {
    let desk = Desk::open().await;
    desk.announce(&["it@nordwind.example"]).await;
    assert_eq!(desk.pass(0).await, sent(1));
    let letters = desk.server.letters();
    let [letter] = letters.as_slice() else { panic!("{letters:?}") };
    let message = desk.message(1).await;
    assert_eq!(letter.message_id(), format!("<{}@systemhaus.example>", message.id));
    assert_eq!(message.sending.message_id, Some(format!("{}@systemhaus.example", message.id)));
    assert_eq!(
        (letter.sender.as_str(), letter.recipient.as_str()),
        ("wartung@systemhaus.example", "it@nordwind.example")
    );
    assert!(letter.header("Subject").is_some_and(|subject| !subject.is_empty()), "{}", letter.raw);
    assert!(letter.raw.contains("text/calendar") && letter.raw.contains("method=PUBLISH"), "{}", letter.raw);
    assert_eq!((message.state, message.sending.attempts), (Delivery::Sent, 1));
    assert_eq!(desk.pass(0).await, Tally::default(), "it is sent");
    assert_eq!(desk.recipients().len(), 1);
    desk.close().await;
}

#[tokio::test]
async fn what_is_not_taken_for_now_is_sent_again_later_as_the_same_letter() {
    let desk = Desk::open().await;
    desk.announce(&["later@nordwind.example", "it@nordwind.example"]).await;
    assert_eq!(desk.pass(0).await, Tally { sent: 1, put_off: 1, ..Tally::default() });
    let waits = desk.message(1).await;
    assert_eq!((waits.state, waits.sending.refusals), (Delivery::Due, 1));
    assert!(waits.sending.last_error.as_deref().is_some_and(|error| error.contains("450")), "{waits:?}");
    let wait_s = waits.sending.not_before.duration_since(Timestamp::now()).as_secs();
    assert!((50..=80).contains(&wait_s), "{wait_s}");
    assert_eq!(desk.pass(40).await, Tally::default(), "too early");
    assert_eq!(desk.pass(80).await, sent(1));
    let arrived = desk.message(1).await;
    assert_eq!((arrived.state, arrived.sending.last_error), (Delivery::Sent, None));
    assert_eq!(arrived.sending.message_id, waits.sending.message_id);
    assert_eq!(desk.recipients(), ["it@nordwind.example", "later@nordwind.example"]);
    desk.close().await;
}

#[tokio::test]
async fn what_will_never_be_taken_is_told_to_the_team_at_once() {
    let desk = Desk::open().await;
    desk.announce(&["never@nordwind.example"]).await;
    let tally = desk.pass(0).await;
    assert_eq!((tally.undeliverable, tally.sent), (1, 1), "the team's message goes with the same pass");
    let given_up = desk.message(1).await;
    assert_eq!(given_up.state, Delivery::Undeliverable);
    assert!(given_up.sending.last_error.as_deref().is_some_and(|error| error.contains("550")), "{given_up:?}");
    assert_eq!(desk.recipients(), ["wartung@systemhaus.example"]);
    assert_eq!(desk.pass(DAY_S).await, Tally::default(), "nothing more becomes of it by itself");
    desk.close().await;
}

#[tokio::test]
async fn a_server_that_hangs_over_one_letter_holds_up_no_other_for_long() {
    let desk = Desk::open().await;
    desk.announce(&["hang@nordwind.example", "a@nordwind.example", "b@nordwind.example"]).await;
    let began = Instant::now();
    assert_eq!(desk.pass(0).await, Tally { sent: 2, put_off: 1, ..Tally::default() });
    assert!(began.elapsed().as_secs() < 15, "{:?}", began.elapsed());
    assert_eq!(desk.states().await, [Delivery::Due, Delivery::Sent, Delivery::Sent]);
    desk.close().await;
}

#[tokio::test]
async fn a_line_that_breaks_after_the_letter_makes_the_same_letter_come_twice() {
    let desk = Desk::open().await;
    desk.announce(&["drop@nordwind.example"]).await;
    assert_eq!(desk.pass(0).await, Tally { put_off: 1, ..Tally::default() });
    assert_eq!(desk.pass(80).await, sent(1));
    let letters = desk.server.letters();
    let [first, second] = letters.as_slice() else { panic!("{letters:?}") };
    assert_eq!(first.message_id(), second.message_id());
    desk.close().await;
}

#[tokio::test]
async fn a_server_that_is_away_is_left_alone_and_gets_all_when_it_is_back() {
    let mut desk = Desk::open().await;
    let recipients: Vec<String> = (0..12).map(|number| format!("it-{number}@nordwind.example")).collect();
    desk.announce(&recipients.iter().map(String::as_str).collect::<Vec<_>>()).await;
    desk.server.stop();
    let tally = desk.pass(0).await;
    assert!(tally.outage.is_some() && tally.sent == 0, "{tally:?}");
    assert_eq!(tally.put_off, 1, "the others were not tried");
    let tried: i64 = sqlx::query_scalar("select count(*) from notification where last_error is not null")
        .fetch_one(&desk.store.pool())
        .await
        .expect("counted");
    assert_eq!(tried, i64::from(tally.put_off));
    desk.server.start_again();
    assert_eq!(desk.pass(80).await, sent(12));
    let mut arrived = desk.recipients();
    arrived.sort_unstable();
    let mut expected = recipients;
    expected.sort_unstable();
    assert_eq!(arrived, expected);
    desk.close().await;
}

#[tokio::test]
async fn a_message_is_not_to_blame_for_a_server_that_is_away_however_long() {
    let mut desk = Desk::open().await;
    desk.announce(&["it@nordwind.example"]).await;
    desk.execute("update notification set refusals = 125").await;
    desk.server.stop();
    for pass in 0..3 {
        assert_eq!(desk.pass(pass * 80).await.put_off, 1, "{pass}");
    }
    let waiting = desk.message(1).await;
    assert_eq!((waiting.state, waiting.sending.refusals), (Delivery::Due, 125));
    desk.server.start_again();
    assert_eq!(desk.pass(3 * 80).await, sent(1));
    desk.close().await;
}

#[tokio::test]
async fn after_days_of_refusals_a_message_is_given_up() {
    let desk = Desk::open().await;
    desk.announce(&["busy@nordwind.example"]).await;
    desk.execute("update notification set refusals = 124, kind = 'missed', detail = '{\"cause\": \"not approved\"}'")
        .await;
    assert_eq!(desk.pass(0).await, Tally { put_off: 1, ..Tally::default() });
    let tally = desk.pass(2 * 3600).await;
    assert_eq!((tally.undeliverable, tally.sent), (1, 1), "{tally:?}");
    let error = desk.message(1).await.sending.last_error.unwrap_or_default();
    assert!(error.starts_with("given up after days; at last: ") && error.contains("450"), "{error}");
    desk.close().await;
}

#[tokio::test]
async fn what_was_to_be_told_ahead_is_not_told_late() {
    let desk = Desk::open().await;
    desk.announce(&["it@nordwind.example"]).await;
    assert_eq!(desk.pass(3 * DAY_S + DAY_S).await, Tally { overtaken: 1, ..Tally::default() });
    let message = desk.message(1).await;
    assert_eq!(message.state, Delivery::Cancelled);
    assert_eq!(message.sending.last_error.as_deref(), Some("the window has opened meanwhile"));
    assert_eq!(desk.recipients(), [""; 0]);
    desk.close().await;
}

#[tokio::test]
async fn a_date_that_was_called_off_while_its_announcement_waited_is_not_announced() {
    let desk = Desk::open().await;
    desk.announce(&["later@nordwind.example"]).await;
    assert_eq!(desk.pass(0).await.put_off, 1);
    // As if the withdrawal had met it while it was being sent.
    let called_off =
        "update occurrence set state = 'cancelled', cause = 'x', sequence = sequence + 1, finished_at = now(),
                             next_notice_at = null, review_at = null";
    desk.execute(called_off).await;
    assert_eq!(desk.pass(80).await, Tally { overtaken: 1, ..Tally::default() });
    assert_eq!(desk.recipients(), [""; 0]);
    desk.close().await;
}

#[tokio::test]
async fn what_no_letter_can_be_made_of_waits_with_its_error_and_holds_up_no_other() {
    let desk = Desk::open().await;
    desk.announce(&["a@nordwind.example", "b@nordwind.example", "c@nordwind.example"]).await;
    desk.execute("update notification set kind = 'finished', occurrence = null where number = 1").await;
    desk.execute("update notification set locale = 'xx' where number = 2").await;
    assert_eq!(desk.pass(0).await, Tally { sent: 1, put_off: 1, ..Tally::default() });
    assert_eq!(desk.recipients(), ["c@nordwind.example"]);
    let error = desk.message(1).await.sending.last_error;
    assert_eq!(error.as_deref(), Some("no letter can be made of it: its run is not there"));
    desk.close().await;
}

#[tokio::test]
async fn two_that_send_share_the_work() {
    let desk = Desk::open().await;
    let recipients: Vec<String> = (0..40).map(|number| format!("it-{number}@nordwind.example")).collect();
    desk.announce(&recipients.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let (one, two) = tokio::join!(desk.pass(0), desk.pass(0));
    assert_eq!(one.sent + two.sent, 40);
    assert!(one.sent > 0 && two.sent > 0, "{one:?} {two:?}");
    let mut arrived = desk.recipients();
    arrived.sort_unstable();
    arrived.dedup();
    assert_eq!((arrived.len(), desk.recipients().len()), (40, 40), "each once");
    desk.close().await;
}

#[tokio::test]
async fn a_lease_of_one_who_died_is_taken_when_it_has_lapsed() {
    let desk = Desk::open().await;
    desk.announce(&["it@nordwind.example"]).await;
    let leased = "update notification set state = 'leased', leased_by = 'gone:1', attempts = 1, message_id = id || '@systemhaus.example',
                         leased_until = clock_timestamp() + interval '1 hour'";
    desk.execute(leased).await;
    assert_eq!(desk.pass(0).await, Tally::default());
    desk.execute("update notification set leased_until = clock_timestamp() - interval '1 ms'").await;
    assert_eq!(desk.pass(0).await, sent(1));
    let message = desk.message(1).await;
    assert_eq!(message.sending.attempts, 2);
    assert_eq!(desk.server.letters()[0].message_id(), format!("<{}@systemhaus.example>", message.id));
    desk.close().await;
}

#[tokio::test]
async fn whoever_is_told_to_stop_gives_back_what_is_not_on_its_way() {
    let desk = Desk::open().await;
    desk.announce(&["a@nordwind.example", "b@nordwind.example"]).await;
    let post = desk.post("test:1").await;
    let stop = tokio_util::sync::CancellationToken::new();
    stop.cancel();
    let now = Timestamp::now() + SignedDuration::from_secs(1);
    let clock = turnus::app::controller::clock::Clock::set(now, tokio::time::Instant::now());
    let tally = turnus::app::post::post_due(&post, &desk.store, &clock, &stop).await.expect("the database answers");
    assert_eq!(tally, Tally::default());
    assert_eq!(desk.states().await, [Delivery::Due, Delivery::Due]);
    desk.close().await;
}
