//! The driver's side of the capsule against the model: every line fault at every place, and what may never happen.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use uuid::Uuid;

use super::{Behaviour, Course, Fleet, LineFault};
use crate::domain::id::{Epoch, RunId};
use crate::edge::remote::capsule::{Capsules, End, Ended, Order, Piece, Record, StepKey};
use crate::edge::remote::{Error, Remote};

const RUN: RunId = RunId(Uuid::from_u128(7));

fn key(step: usize) -> StepKey {
    StepKey::new(&"web1".parse().expect("a name"), step)
}

fn order(step: usize) -> Order {
    Order {
        key: key(step),
        timeout_s: 60,
        head_bytes: 1000,
        tail_bytes: 100,
        environment: Vec::new(),
        script: "true".to_owned(),
        secrets: vec!["hunter2".to_owned()],
    }
}

async fn prepare(fleet: &Fleet, epoch: i64, record: Record) -> Result<Capsules, Error> {
    let remote = Arc::new(Remote::Scripted(fleet.host("web1")));
    Capsules::prepare(remote, RUN, Epoch(epoch), record).await.map(|(capsules, _)| capsules)
}

/// Runs the step; gives back its end and its output put together by offset.
async fn run(capsules: &Capsules, order: &Order) -> (Result<Ended, Error>, Vec<u8>) {
    let (sender, mut receiver) = mpsc::channel(1000);
    let ended = capsules.run_step(order, 0, &sender, Instant::now() + Duration::from_secs(3600)).await;
    drop(sender);
    let mut output = Vec::new();
    while let Some(piece) = receiver.recv().await {
        if let Piece::Output { at_offset, bytes } = piece {
            let from = usize::try_from(at_offset).expect("small");
            output.resize(output.len().max(from + bytes.len()), b'?');
            output[from..from + bytes.len()].copy_from_slice(&bytes);
        }
    }
    (ended, output)
}

#[tokio::test(start_paused = true)]
async fn wherever_the_line_breaks_the_step_runs_once_and_nothing_of_it_is_lost() {
    let output = [b"a ".repeat(300), b"the password is hunter2, ".repeat(8), b"\0\xff end".repeat(60)].concat();
    let expected: Vec<u8> = String::from_utf8(output[..1000].to_vec().iter().map(|b| b & 0x7f).collect())
        .expect("ascii")
        .replace("hunter2", "*******")
        .into_bytes();
    for broken in 0..1400 {
        let fleet = Fleet::default();
        let behaviour = Behaviour { status: 3, output: output.clone(), ..Behaviour::default() };
        fleet.set_behaviour("web1", &key(0), behaviour);
        fleet.add_fault("web1", Some(&key(0)), LineFault::Refused);
        fleet.add_fault("web1", Some(&key(0)), LineFault::LostBeforeLaunch);
        fleet.add_fault("web1", Some(&key(0)), LineFault::LostAfter(broken));
        fleet.add_fault("web1", Some(&key(0)), LineFault::LostAfter(broken / 2));
        let capsules = prepare(&fleet, 1, Record::MayBegin).await.expect("prepared");
        let (ended, seen) = run(&capsules, &order(0)).await;
        let ended = ended.expect("an end");
        assert_eq!((ended.end, ended.output_bytes), (End::Exit(3), output.len() as u64), "broken after {broken}");
        assert_eq!(ended.omitted_bytes, output.len() as u64 - 1100);
        let head: Vec<u8> = seen[..1000].iter().map(|byte| byte & 0x7f).collect();
        assert_eq!(head, expected, "broken after {broken}");
        assert_eq!(seen[seen.len() - 100..], output[output.len() - 100..]);
        assert_eq!(fleet.starts().len(), 1, "broken after {broken}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_older_controller_starts_nothing() {
    let fleet = Fleet::default();
    let old = prepare(&fleet, 1, Record::MayBegin).await.expect("prepared");
    let new = prepare(&fleet, 2, Record::MustExist).await.expect("taken over");
    assert!(matches!(run(&old, &order(0)).await.0, Err(Error::Fenced { newer: 2, .. })));
    assert!(matches!(prepare(&fleet, 1, Record::MustExist).await, Err(Error::Fenced { newer: 2, .. })));
    assert_eq!(fleet.starts(), []);
    assert_eq!(run(&new, &order(0)).await.0.expect("an end").end, End::Exit(0));
}

#[tokio::test(start_paused = true)]
async fn without_a_record_nothing_is_started() {
    let fleet = Fleet::default();
    assert!(matches!(prepare(&fleet, 2, Record::MustExist).await, Err(Error::Vanished { .. })));
    assert_eq!(fleet.starts(), []);
}

#[tokio::test(start_paused = true)]
async fn a_step_without_an_end_is_unknown_at_the_deadline() {
    let fleet = Fleet::default();
    fleet.set_behaviour("web1", &key(0), Behaviour { course: Course::NeverEnds, ..Behaviour::default() });
    let capsules = prepare(&fleet, 1, Record::MayBegin).await.expect("prepared");
    assert!(matches!(run(&capsules, &order(0)).await.0, Err(Error::Unknown { .. })));
}

#[tokio::test(start_paused = true)]
async fn every_course_has_its_end() {
    let courses = [
        (Course::EndsOverdue, End::Exit(0)),
        (Course::TimesOut, End::TimedOut),
        (Course::Vanishes, End::Lost),
        (Course::Reboots, End::Rebooted),
    ];
    for (course, end) in courses {
        let fleet = Fleet::default();
        fleet.set_behaviour("web1", &key(0), Behaviour { course, ..Behaviour::default() });
        let capsules = prepare(&fleet, 1, Record::MayBegin).await.expect("prepared");
        assert_eq!(run(&capsules, &order(0)).await.0.expect("an end").end, end);
        assert_eq!(run(&capsules, &order(0)).await.0.expect("the same end").end, end);
        assert_eq!(fleet.starts().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_machine_is_restarted_once_and_waited_for_even_by_the_next_controller() {
    let fleet = Fleet::default();
    for epoch in 1..4 {
        let record = if epoch == 1 { Record::MayBegin } else { Record::MustExist };
        let capsules = prepare(&fleet, epoch, record).await.expect("prepared");
        let (sender, _receiver) = mpsc::channel(10);
        let ended =
            capsules.reboot(&order(5), &sender, Instant::now() + Duration::from_secs(60)).await.expect("an end");
        assert_eq!(ended.end, End::Exit(0));
        assert_eq!(ended.facts["boot_id"], "web1-boot-1");
    }
    assert_eq!(fleet.starts().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_cleaned_step_is_not_started_again() {
    let fleet = Fleet::default();
    let capsules = prepare(&fleet, 1, Record::MayBegin).await.expect("prepared");
    run(&capsules, &order(0)).await.0.expect("an end");
    capsules.clean(&"web1".parse().expect("a name")).await.expect("cleaned");
    assert_eq!(run(&capsules, &order(0)).await.0.expect("an end").end, End::Lost);
    assert_eq!(fleet.starts().len(), 1);
}
