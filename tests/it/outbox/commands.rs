//! `turnus outbox` and `turnus doctor`, as people call them.

use std::process::Stdio;

use nix::sys::signal::Signal;
use serde_json::Value;
use turnus::domain::notification::Delivery;

use super::Desk;
use crate::kit::database::wait_until;
use crate::kit::office::Office;
use crate::kit::world::{kill, text};

#[tokio::test]
async fn one_pass_says_by_its_exit_status_what_came_of_it() {
    let mut desk = Desk::open().await;
    assert_eq!(desk.office.succeed(&["outbox", "send"]).trim(), "nothing was due");
    desk.announce(&["it@nordwind.example"]).await;
    assert_eq!(desk.office.succeed(&["outbox", "send"]).trim(), "1 sent");
    desk.announce(&["never@nordwind.example"]).await;
    let told = desk.office.fail(1, &["outbox", "send"]);
    assert!(told.contains("1 sent\n1 undeliverable"), "{told}");
    desk.announce(&["busy@nordwind.example"]).await;
    let told = desk.office.fail(3, &["outbox", "send"]);
    assert!(told.contains("1 to be tried again later"), "{told}");
    desk.announce(&["a@nordwind.example"]).await;
    desk.server.stop();
    let output = desk.office.turnus(&["outbox", "send", "--format", "json"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    let tally: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&tally["sent"], &tally["put_off"]), (&Value::from(0), &Value::from(1)));
    desk.close().await;
}

#[tokio::test]
async fn where_nothing_says_how_messages_leave_they_wait_and_the_doctor_says_so() {
    let desk = Desk::open().await;
    desk.office.settle("[provider]\nemail = \"wartung@systemhaus.example\"\n");
    desk.announce(&["it@nordwind.example"]).await;
    let told = desk.office.fail(2, &["outbox", "send"]);
    assert!(told.contains("nothing says where messages go") && told.contains("hint: say so in `[mail]`"), "{told}");
    let doctor = text(&desk.office.turnus(&["doctor"]));
    assert!(doctor.contains("nothing says where they go: 1 wait, the oldest since"), "{doctor}");
    assert_eq!(desk.states().await.len(), 1);
    desk.close().await;
}

#[tokio::test]
async fn what_others_say_is_harmless_on_a_terminal_and_in_json() {
    let desk = Desk::open().await;
    desk.announce(&["it@nordwind.example"]).await;
    let hostile = "update notification set recipient_name = E'IT \\x1b[31m\\u202e<b>', last_error = E'550 \\x1b]0;x\\x07\\r\\nno',
                          detail = json_build_object('remark', repeat(E'\\x1b[2J\\u202e<b>\\r\\n', 800000))";
    desk.execute(hostile).await;
    let size: i64 = sqlx::query_scalar("select sum(octet_length(detail::text)) from notification")
        .fetch_one(&desk.store.pool())
        .await
        .expect("summed");
    assert!(size > 10 << 20, "{size}");
    for arguments in [["outbox", "show", "1"].as_slice(), &["outbox", "list"], &["doctor"]] {
        let told = text(&desk.office.turnus(arguments));
        let dangerous = |character: char| character != '\n' && (character.is_control() || character == '\u{202e}');
        assert!(!told.contains(dangerous) && told.len() < 100_000, "{arguments:?}: {} bytes", told.len());
    }
    let shown = desk.office.json(&["outbox", "show", "1"]);
    assert!(shown["detail"]["remark"].as_str().is_some_and(|remark| remark.len() > 10 << 19), "as it is, for programs");
    desk.close().await;
}

#[tokio::test]
async fn a_password_that_is_not_there_is_told_with_its_place_and_nothing_is_lost() {
    let desk = Desk::open().await;
    let mail = "[mail]\nmailer = \"smtp\"\nhost = \"127.0.0.1\"\nuser = \"turnus\"\npassword = { file = \"/nonexistent/password\" }\n";
    desk.office.settle(&format!("[provider]\nemail = \"wartung@systemhaus.example\"\n{mail}"));
    desk.announce(&["it@nordwind.example"]).await;
    let told = desk.office.fail(2, &["outbox", "send"]);
    for part in ["`password` of `[mail]`", "`/nonexistent/password`", "hint: the file must be readable"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert_eq!(desk.states().await, [Delivery::Due]);
    desk.close().await;
}

#[tokio::test]
async fn a_message_that_is_tried_again_goes_where_its_recipient_reads_now() {
    let desk = Desk::open().await;
    desk.announce(&["never@nordwind.example"]).await;
    desk.office.fail(1, &["outbox", "send"]);
    // The address is put right in the inventory, which has a contact of this name.
    let told = desk.office.succeed(&["outbox", "retry", "1"]);
    assert_eq!(told, "message 1 is due now, to it@nordwind.example\n");
    desk.office.succeed(&["outbox", "send"]);
    // The team had heard of the address that was wrong.
    assert_eq!(desk.recipients(), ["wartung@systemhaus.example", "it@nordwind.example"]);
    assert_eq!(desk.message(1).await.recipient, "it@nordwind.example");
    desk.close().await;
}

#[tokio::test]
async fn what_can_not_be_delivered_shows_and_a_person_has_it_tried_again_or_not() {
    let desk = Desk::open().await;
    desk.announce(&["never@nordwind.example", "busy@nordwind.example"]).await;
    desk.office.fail(3, &["outbox", "send"]);
    let doctor = text(&desk.office.turnus(&["doctor"]));
    assert!(doctor.contains("1 can't be delivered") && doctor.contains("1 of 1 could not be sent"), "{doctor}");

    let listed = desk.office.json(&["outbox", "list", "--state", "undeliverable"]);
    assert_eq!(listed.as_array().expect("a list").len(), 1);
    assert_eq!(listed[0]["number"], 1);
    let shown = desk.office.succeed(&["outbox", "show", "1"]);
    for part in ["attempts", "last error", "550", "Message-ID", "@systemhaus.example", "undeliverable"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let shown = desk.office.succeed(&["outbox", "show", "2"]);
    assert!(shown.contains("next attempt") && shown.contains("450"), "{shown}");

    assert_eq!(
        desk.office.succeed(&["outbox", "retry", "1", "2"]),
        "message 1 is due now, to it@nordwind.example\nmessage 2 is due now\n"
    );
    let told = desk.office.fail(2, &["outbox", "cancel", "1", "99", "3", "--reason", "left the company"]);
    for part in ["message 1 is not sent", "there is no message 99", "message 3 is sent", "2 of 3 not done"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let shown = desk.office.succeed(&["outbox", "show", "1"]);
    assert!(shown.contains("why") && shown.contains(": left the company"), "{shown}");
    let audited: Vec<(String, Option<String>, String)> = sqlx::query_as(
        "select action, reason, detail ->> 'message' from audit where action like '% message' order by number",
    )
    .fetch_all(&desk.store.pool())
    .await
    .expect("listed");
    let entry = |action: &str, reason: Option<&str>, number: &str| {
        (action.to_owned(), reason.map(str::to_owned), number.to_owned())
    };
    let expected = [
        entry("retry message", None, "1"),
        entry("retry message", None, "2"),
        entry("cancel message", Some("left the company"), "1"),
    ];
    assert_eq!(audited, expected);
    desk.close().await;
}

#[tokio::test]
async fn a_dry_run_writes_each_message_into_a_directory() {
    let office = Office::open().await;
    let letters = office.path("letters");
    office.settle(&format!(
        "[provider]\nemail = \"wartung@systemhaus.example\"\n[mail]\nmailer = \"file\"\ndirectory = \"{}\"\n",
        letters.display()
    ));
    office.customer("nordwind", &crate::kit::office::window("weekly", "FREQ=WEEKLY", crate::kit::office::day(3)));
    office.succeed(&["apply", "--yes"]);
    let mut connection = office.connect().await;
    crate::kit::database::execute(&mut connection, super::announcement("'it@nordwind.example'", "")).await;
    assert_eq!(office.succeed(&["outbox", "send"]).trim(), "1 sent");
    let mut files: Vec<_> = std::fs::read_dir(&letters).expect("made").flatten().map(|entry| entry.path()).collect();
    files.sort();
    let [letter, page] = files.as_slice() else { panic!("{files:?}") };
    assert_eq!(letter.extension().and_then(|extension| extension.to_str()), Some("eml"));
    assert_eq!(*page, letter.with_extension("html"), "the same, for a browser");
    drop(connection);
    office.close().await;
}

#[tokio::test]
async fn the_daemon_sends_what_is_made_while_it_serves() {
    let desk = Desk::open().await;
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_turnus"));
    command.arg("--config").arg(desk.office.path("")).arg("serve").env("HOME", desk.office.path(""));
    let mut daemon = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    // It announces the dates in three and ten days by itself.
    wait_until("the letters have arrived", || desk.recipients().len() >= 2).await;
    kill(daemon.id(), Signal::SIGTERM);
    assert!(daemon.wait().expect("ended").success());
    assert_eq!(desk.recipients(), ["it@nordwind.example"; 2]);
    assert_eq!(desk.states().await, [Delivery::Sent; 2]);
    desk.close().await;
}
