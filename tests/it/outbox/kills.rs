//! A thousand messages, and senders that are killed in the midst of it.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{Desk, announcement};

const MESSAGES: usize = 1000;
/// So often a sender is killed while it is at work.
const KILLS: usize = 12;

fn start(desk: &Desk) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_turnus"));
    command.arg("--config").arg(desk.office.path("")).args(["outbox", "send"]).env("HOME", desk.office.path(""));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts")
}

/// The next of a row of numbers that look like chance, and are the same each time (xorshift).
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

async fn count_left(desk: &Desk) -> i64 {
    sqlx::query_scalar("select count(*) from notification where state <> 'sent'")
        .fetch_one(&desk.store.pool())
        .await
        .expect("counted")
}

/// Nobody wants to wait for the lease of a dead one in a test.
async fn let_lapse(desk: &Desk, pid: u32) {
    desk.execute(&format!(
        "update notification set leased_until = clock_timestamp() - interval '1 ms' where state = 'leased' and leased_by like '%:{pid}'"
    ))
    .await;
}

/// Waits until fewer are left than `before`, so that the kill meets a sender at work.
async fn wait_for_fewer(desk: &Desk, before: i64, sender: &mut Child) {
    while count_left(desk).await >= before {
        if sender.try_wait().expect("asked").is_some() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn of_a_thousand_messages_each_arrives_whenever_a_sender_is_killed() {
    let desk = Desk::open().await;
    let recipient = "'it-' || n || '@nordwind.example'";
    desk.execute(&announcement(recipient, &format!("cross join generate_series(1, {MESSAGES}) n"))).await;

    let (mut chance, mut kills) = (0x9e37_79b9_7f4a_7c15_u64, 0);
    while kills < KILLS && count_left(&desk).await > 0 {
        let before = count_left(&desk).await;
        let (mut victim, mut other) = (start(&desk), start(&desk));
        wait_for_fewer(&desk, before, &mut victim).await;
        tokio::time::sleep(Duration::from_micros(next(&mut chance) % 300_000)).await;
        for sender in [&mut victim, &mut other] {
            if sender.try_wait().expect("asked").is_none() {
                sender.kill().expect("killed");
                kills += 1;
            }
            let _ = sender.wait();
            let_lapse(&desk, sender.id()).await;
        }
    }
    assert!(kills >= KILLS, "killed {kills} times only: it was too fast");
    let mut last = [start(&desk), start(&desk)];
    for sender in &mut last {
        assert!(sender.wait().expect("ended").success());
    }
    assert_eq!(count_left(&desk).await, 0);

    let mut arrived: BTreeMap<String, usize> = BTreeMap::new();
    let mut names: BTreeSet<String> = BTreeSet::new();
    let letters = desk.server.letters();
    for letter in &letters {
        *arrived.entry(letter.recipient.clone()).or_default() += 1;
        names.insert(letter.message_id().to_owned());
    }
    assert_eq!((arrived.len(), names.len()), (MESSAGES, MESSAGES), "each message, each under one name");
    let duplicates = letters.len() - MESSAGES;
    assert!(duplicates <= kills, "{duplicates} duplicates of {kills} kills");
    desk.close().await;
}
