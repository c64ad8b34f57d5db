//! Carries out one step on one host, wherever it runs, and says how it ended.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::fleet::{Fleet, Station, Taken};
use super::packages::{Wanted, environment_of, look_at, look_back};
use super::probes::{ask_after, ask_before, ask_one};
use crate::domain::id::RunId;
use crate::domain::line::clean_line;
use crate::domain::packages::choose::Look;
use crate::domain::plan::{HostIndex, PlannedHost, PlannedStep, StepIndex, Task};
use crate::domain::probe::ProbeResult;
use crate::domain::run::event::{Event, Facts, Fault, StepEnd, StepResult};
use crate::edge::config::{self, Secret};
use crate::edge::remote::Error;
use crate::edge::remote::capsule::{End, Ended, Order, Piece, Record, StepKey};

/// So much of the beginning of a step's output is kept.
const HEAD_BYTES: u64 = 512 * 1024;
/// So much of the end of a step's output is kept, when it is longer than that.
const TAIL_BYTES: u64 = 512 * 1024;
/// A step that is picked up after its time is looked for at least so long.
const LEAST_LOOK: Duration = Duration::from_secs(60);
/// Pause between two tries to fence a machine that is picked up.
const TAKE_AGAIN_AFTER: Duration = Duration::from_secs(2);
/// Of the last line of output, so many bytes are looked at and so many characters are kept.
const LINE_BYTES: usize = 1024;
const LINE_CHARS: usize = 200;
/// So much of facts goes into the environment of a step; the kernel takes 128 KiB for one variable and little more than 1 MiB for all.
const FACT_BYTES: usize = 96 * 1024;

/// Something that comes back from the world.
#[derive(Debug)]
pub(in crate::app) enum Input {
    /// Something happened to the run.
    Event(Event),
    /// A step printed something.
    Output { host: HostIndex, step: StepIndex, at_offset: u64, bytes: Vec<u8> },
    /// A watched probe has another answer than before.
    Seen { host: HostIndex, probe: String, met: bool, since: Instant, what: String },
    /// A host refused: a newer controller has the run.
    Fenced,
}

/// One step to carry out.
#[derive(Debug, Clone)]
pub(in crate::app) struct Assignment {
    pub(in crate::app) run: RunId,
    pub(in crate::app) host: HostIndex,
    pub(in crate::app) step: StepIndex,
    /// How long ago it was recorded as started.
    pub(in crate::app) begun_ago: Duration,
    /// What it gets as `$FACT_…`.
    pub(in crate::app) facts: Facts,
    /// What it installs, keeps, takes back or accounts for.
    pub(in crate::app) choice: Option<Look>,
    /// What the host's probes found before anything was done, if it asks them again.
    pub(in crate::app) probes_before: Vec<ProbeResult>,
    /// Whether it was recorded as started before this controller had the lease.
    pub(in crate::app) resumed: bool,
    /// Whether it would come too late, should it not have been begun ([`crate::domain::run::state::Run::is_overtaken`]).
    pub(in crate::app) overtaken: bool,
    /// Bytes of its output that are stored already.
    pub(in crate::app) stored_bytes: u64,
    /// How long past its time limit a step with a package manager is waited for.
    pub(in crate::app) overdue: Duration,
}

impl Assignment {
    fn finished(&self, result: StepResult) -> Input {
        Input::Event(Event::StepFinished { host: self.host, step: self.step, result })
    }

    fn unknown(&self, fault: Fault) -> Input {
        Input::Event(Event::StepUnknown { host: self.host, step: self.step, fault })
    }
}

/// Carries it out. Output goes to `inputs` while it comes; the last input is the answer.
pub(in crate::app) async fn carry_out(assignment: Assignment, fleet: &Fleet, inputs: mpsc::Sender<Input>) {
    let plan = fleet.plan();
    let host = plan.hosts.get(assignment.host.0);
    let step = plan.steps.get(assignment.step.0);
    let station = fleet.station(assignment.host, assignment.step);
    let (Some(host), Some(step), Some(station)) = (host, step, station) else { return };
    let answer = match &step.task {
        Task::Probe(wanted) => assignment.finished(ask_one(wanted, fleet, host, &step.place).await),
        Task::HostProbes { before: None } => assignment.finished(ask_before(fleet, host, step.timeout_s).await),
        Task::HostProbes { before: Some(_) } => {
            assignment.finished(ask_after(fleet, host, step.timeout_s, &assignment.probes_before).await)
        }
        Task::Look { .. } if assignment.overtaken => assignment.finished(never_begun()),
        Task::Look { which, drift, lock_wait_s } => {
            let approved = plan.approval.as_ref().map(|approval| approval.of(&host.name)).unwrap_or_default();
            let wanted = Wanted { which: *which, approved, drift: *drift, lock_wait_s: *lock_wait_s };
            assignment.finished(look_at(&station.remote, &wanted).await)
        }
        Task::Account { .. } => match look_back(&station.remote, assignment.choice.as_ref()).await {
            Ok(result) => assignment.finished(result),
            // What is installed there is not known; whoever resumes the run looks again.
            Err(error) => assignment.unknown(error.into_fault()),
        },
        Task::Script(_) | Task::Reboot { .. } => {
            let scene = Scene { assignment: &assignment, fleet, host, step, station };
            scene.answer(&inputs).await
        }
    };
    // The driver is gone only when it has stopped caring.
    let _ = inputs.send(answer).await;
}

/// A machine knows of a step that the record does not have: the database was restored from an older state, or could not be written.
/// What was really done is for a person to find out; nothing more goes forward.
pub(in crate::app) fn stop_for_unrecorded(key: &StepKey) -> Input {
    let by = format!("turnus: step {key} was started, but the database does not know of it");
    Input::Event(Event::CancelRequested { by })
}

/// A step in a capsule, with all that it needs.
struct Scene<'a> {
    assignment: &'a Assignment,
    fleet: &'a Fleet,
    host: &'a PlannedHost,
    step: &'a PlannedStep,
    station: &'a Station,
}

impl Scene<'_> {
    async fn answer(&self, inputs: &mpsc::Sender<Input>) -> Input {
        let secrets = match self.resolve_secrets().await {
            Ok(secrets) => secrets,
            Err(error) if self.assignment.resumed => return self.assignment.unknown(plain_fault(&error)),
            Err(error) => return self.assignment.finished(not_started(&error)),
        };
        let deadline = self.deadline();
        let ended = match self.take(deadline).await {
            Ok(taken) => {
                if let Some(key) = &taken.unrecorded {
                    let _ = inputs.send(stop_for_unrecorded(key)).await;
                }
                if self.comes_too_late(taken) {
                    return self.assignment.finished(never_begun());
                }
                self.run_capsule(taken, &secrets, deadline, inputs).await
            }
            Err(error) => Err(error),
        };
        match ended {
            Ok(result) => self.assignment.finished(result),
            Err(Error::Fenced { .. }) => Input::Fenced,
            Err(error @ Error::NotStarted { .. }) => self.assignment.finished(not_started(&error)),
            Err(error) => self.assignment.unknown(error.into_fault()),
        }
    }

    /// A step that was recorded as started by a controller before, but never reached its machine (which is fenced now, so that it
    /// never will), must not be begun when all around it has gone on: when turnus had given it up, or when the machine knows of
    /// later steps than the record does.
    fn comes_too_late(&self, taken: &Taken) -> bool {
        let goes_forward_blindly = self.step.is_forward() && taken.unrecorded.is_some();
        self.assignment.resumed
            && (self.assignment.overtaken || goes_forward_blindly)
            && !taken.capsules.started().contains(&self.key())
    }

    fn key(&self) -> StepKey {
        StepKey::new(&self.host.name, self.assignment.step.0)
    }

    /// The moment after which it is not waited for any longer.
    fn deadline(&self) -> Instant {
        let reboot_s = if let Task::Reboot { within_s } = self.step.task { within_s } else { 0 };
        let allowed = Duration::from_secs(self.step.timeout_s.max(reboot_s)) + self.assignment.overdue;
        Instant::now() + allowed.saturating_sub(self.assignment.begun_ago).max(LEAST_LOOK)
    }

    /// A machine that this controller has not used yet (after a take-over) is fenced first; what it knows of the run must be there.
    async fn take(&self, deadline: Instant) -> Result<&Taken, Error> {
        loop {
            match self.fleet.take(self.station, Record::MustExist).await {
                Ok(taken) => return Ok(taken),
                Err(error) if error.is_transient() && Instant::now() + TAKE_AGAIN_AFTER < deadline => {
                    tracing::debug!(host = %self.host.name, %error, "not reached, trying again");
                    tokio::time::sleep(TAKE_AGAIN_AFTER).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn run_capsule(
        &self,
        taken: &Taken,
        secrets: &[(String, Secret)],
        deadline: Instant,
        inputs: &mpsc::Sender<Input>,
    ) -> Result<StepResult, Error> {
        let order = self.order(secrets);
        let (pieces, mut received) = mpsc::channel(16);
        let from = self.assignment.stored_bytes;
        let run = async {
            // Dropped at the end, so that the forwarding below ends as well.
            let pieces = pieces;
            match self.step.task {
                Task::Reboot { .. } => taken.capsules.reboot(&order, &pieces, deadline).await,
                _ => taken.capsules.run_step(&order, from, &pieces, deadline).await,
            }
        };
        let (host, step) = (self.assignment.host, self.assignment.step);
        let mut tail = Vec::new();
        let forward = async {
            while let Some(piece) = received.recv().await {
                let input = match piece {
                    Piece::Attached => continue,
                    Piece::Output { at_offset, bytes } => {
                        keep_tail(&mut tail, &bytes);
                        Input::Output { host, step, at_offset, bytes }
                    }
                    Piece::Overdue => Input::Event(Event::StepOverdue { host, step }),
                };
                if inputs.send(input).await.is_err() {
                    break;
                }
            }
        };
        let (ended, ()) = tokio::join!(run, forward);
        ended.map(|ended| result_of(ended, &tail))
    }

    fn order(&self, secrets: &[(String, Secret)]) -> Order {
        Order {
            key: self.key(),
            timeout_s: self.step.timeout_s,
            head_bytes: HEAD_BYTES,
            tail_bytes: TAIL_BYTES,
            environment: self.environment(secrets),
            secrets: secrets.iter().map(|(_, secret)| secret.expose().to_owned()).collect(),
            script: if let Task::Script(text) = &self.step.task { text.clone() } else { String::new() },
        }
    }

    /// Values reach a step by its environment alone (G9).
    fn environment(&self, secrets: &[(String, Secret)]) -> Vec<(String, String)> {
        let plan = self.fleet.plan();
        let own = [
            ("RUN", self.assignment.run.to_string()),
            ("CUSTOMER", plan.customer.to_string()),
            ("JOB", plan.job.to_string()),
            ("HOST", self.host.name.to_string()),
            ("ADDRESS", self.host.connection.address.clone()),
            ("PHASE", self.step.phase.to_string()),
            ("STEP", self.step.label()),
        ];
        let mut environment: BTreeMap<String, String> = self.step.parameters.clone();
        environment.extend(self.assignment.choice.iter().flat_map(environment_of));
        environment.extend(own.map(|(name, value)| (format!("TURNUS_{name}"), value)));
        environment.extend(prefixed("VAR_", &self.host.vars));
        environment.extend(fact_variables(&self.assignment.facts));
        environment.extend(secrets.iter().map(|(name, secret)| (upper("SECRET_", name), secret.expose().to_owned())));
        environment.into_iter().collect()
    }

    async fn resolve_secrets(&self) -> Result<Vec<(String, Secret)>, config::Error> {
        let mut secrets = Vec::new();
        for (name, reference) in &self.step.secrets {
            secrets.push((name.clone(), config::resolve_secret(reference).await?));
        }
        Ok(secrets)
    }
}

fn result_of(ended: Ended, tail: &[u8]) -> StepResult {
    let end = match ended.end {
        End::Exit(0) => StepEnd::Succeeded,
        End::Exit(exit_status) => StepEnd::Failed { exit_status },
        End::TimedOut => StepEnd::TimedOut,
        End::Rebooted => StepEnd::Interrupted,
        End::Lost => StepEnd::Lost,
    };
    let Ended { facts, output_bytes, omitted_bytes, .. } = ended;
    StepResult { facts, output_bytes, omitted_bytes, last_line: last_line(tail), ..StepResult::of(end) }
}

fn not_started(error: &(dyn std::error::Error + 'static)) -> StepResult {
    ended_unbegun(clean_line(plain_fault(error).what.as_bytes(), LINE_CHARS))
}

fn never_begun() -> StepResult {
    ended_unbegun("its command never reached the machine, and now it comes too late".to_owned())
}

fn ended_unbegun(why: String) -> StepResult {
    StepResult::of(StepEnd::NotStarted { why })
}

/// The whole chain of an error in one line.
fn plain_fault(error: &(dyn std::error::Error + 'static)) -> Fault {
    let chain = std::iter::successors(Some(error), |error| error.source());
    Fault { what: chain.map(ToString::to_string).collect::<Vec<_>>().join(": "), hint: None }
}

fn prefixed<'a>(prefix: &'a str, values: &'a BTreeMap<String, String>) -> impl Iterator<Item = (String, String)> + 'a {
    values.iter().map(move |(name, value)| (upper(prefix, name), value.clone()))
}

/// Hosts write as facts what they like. What can't be a variable, or would leave no room for others, stays a fact only: a step,
/// and be it the one that releases the host, must not be refused for it.
fn fact_variables(facts: &Facts) -> impl Iterator<Item = (String, String)> {
    let mut room = FACT_BYTES;
    let good = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    prefixed("FACT_", facts).filter(move |(name, value)| {
        let bytes = name.len() + value.len();
        let fits = name.bytes().all(good) && !value.contains('\0') && bytes <= room;
        room -= if fits { bytes } else { 0 };
        fits
    })
}

fn upper(prefix: &str, name: &str) -> String {
    format!("{prefix}{}", name.to_ascii_uppercase())
}

fn keep_tail(tail: &mut Vec<u8>, bytes: &[u8]) {
    tail.extend_from_slice(bytes);
    let surplus = tail.len().saturating_sub(LINE_BYTES);
    tail.drain(..surplus);
}

fn last_line(tail: &[u8]) -> String {
    let lines = tail.split(|byte| matches!(byte, b'\n' | b'\r')).rev();
    lines.map(|line| clean_line(line, LINE_CHARS)).find(|line| !line.trim().is_empty()).unwrap_or_default()
}
