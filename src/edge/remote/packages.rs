//! Looks at the packages of a machine: what is pending there, and what a given list would really do. Installs nothing.
//!
//! Knows how the scripts are sent and their answers collected; what the answers mean, [`crate::domain::packages`] knows.
//! Both looks may be repeated at any time, so they need no capsule.

use std::time::Duration;

use tokio::time::timeout;

use super::Remote;
use super::answer::Question;
use super::error::Error;
use super::frame::Frame;
use crate::domain::packages::{
    Change, Obstacle, PackageManager, Sections, Survey, Transaction, parse_survey, parse_transactions, script,
};

/// Evaluates the first `$3` bytes of standard input; the rest is for the script to read.
const BOOTSTRAP: &str = r#"script=$(head -c "$3") && eval "$script""#;
/// How long a look may take besides waiting for others: lists come from mirrors that may be far away.
const LOOK_LIMIT: Duration = Duration::from_secs(15 * 60);
/// How often a look is made when the line is lost.
const ATTEMPTS: u32 = 3;

/// Refreshes the machine's lists of packages and tells what is pending.
///
/// # Errors
/// The outer when the machine can't be reached; the inner when its packages can't be looked at, or must not be touched.
pub async fn survey(remote: &Remote, lock_wait_s: u64) -> Result<Result<Survey, Obstacle>, Error> {
    let arguments = vec![lock_wait_s.to_string()];
    let limit = LOOK_LIMIT.saturating_add(Duration::from_secs(lock_wait_s));
    let sections = ask(remote, "survey", &script::survey(), &arguments, "", limit).await?;
    Ok(parse_survey(&sections))
}

/// Tells for each of the lists what installing exactly that would do.
///
/// # Errors
/// As for [`survey`].
pub async fn simulate(
    remote: &Remote,
    manager: PackageManager,
    lists: &[Vec<Change>],
) -> Result<Result<Vec<Transaction>, Obstacle>, Error> {
    let arguments = vec![manager.as_str().to_owned()];
    let line = |list: &Vec<Change>| list.iter().map(|change| change.pin(manager)).collect::<Vec<_>>().join(" ");
    let input: String = lists.iter().map(|list| line(list) + "\n").collect();
    let sections = ask(remote, "simulate", &script::simulate(), &arguments, &input, LOOK_LIMIT).await?;
    Ok(parse_transactions(manager, &sections, lists.len()))
}

/// Sends a script, and collects the sections of its answer. Asked again when the line is lost: for looks only.
pub(super) async fn ask(
    remote: &Remote,
    verb: &'static str,
    script: &str,
    arguments: &[String],
    input: &str,
    limit: Duration,
) -> Result<Sections, Error> {
    let mut attempt = 1;
    loop {
        let program = ["sh", "-c", BOOTSTRAP, "turnus"].map(str::to_owned).to_vec();
        let all = [&[script.len().to_string()], arguments].concat();
        let stdin = [script.as_bytes(), input.as_bytes()].concat();
        let asked = collect(remote, Question { stdin, ..Question::new(program, verb, all) });
        let late = || Error::LineLost { host: remote.name().to_owned(), detail: "no answer in time".to_owned() };
        match timeout(limit, asked).await.unwrap_or_else(|_| Err(late())) {
            Err(Error::LineLost { .. }) if attempt < ATTEMPTS => attempt += 1,
            other => return other,
        }
    }
}

async fn collect(remote: &Remote, question: Question) -> Result<Sections, Error> {
    let mut answer = question.ask(remote).await?;
    let mut sections = Sections::default();
    loop {
        match answer.next().await? {
            Frame::Section { name, bytes } => sections.add(name, &bytes),
            Frame::End => return Ok(sections),
            Frame::Refused(why) => return Err(Error::NotStarted { host: remote.name().to_owned(), why }),
            other => {
                let detail = format!("unexpected answer `{other:?}`");
                return Err(Error::LineLost { host: remote.name().to_owned(), detail });
            }
        }
    }
}
