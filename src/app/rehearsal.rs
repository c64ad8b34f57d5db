//! A run on a model fleet: the real plan, machine and capsule protocol, and nothing behind them. Changes nothing anywhere.

#![expect(clippy::disallowed_methods, reason = "a role that a process plays has the clock")]

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use jiff::Timestamp;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::controller::fleet::{Fleet, Location};
use super::controller::step::{Assignment, Input, carry_out};
use super::progress::Progress;
use crate::domain::id::{Epoch, RunId};
use crate::domain::job::Place;
use crate::domain::plan::{HostIndex, Plan, StepIndex, Task};
use crate::domain::run::event::{Event, RunResult, StepEnd, StepResult};
use crate::domain::run::machine::{Effect, Machine};
use crate::domain::run::state::{Run, RunStage};
use crate::edge::remote::Remote;
use crate::edge::remote::capsule::StepKey;
use crate::edge::remote::scripted::{Behaviour, Fleet as ModelFleet};

/// What the model calls the machine that runs turnus.
const CONTROLLER: &str = "controller";

/// Steps that are to fail: on every host, or on one.
struct Failing(Vec<(HostIndex, StepIndex)>);

/// Shows what would happen in which order. `failing` are step names, as `STEP` or `HOST:STEP`. Returns whether all went well.
///
/// # Errors
/// If a step or host in `failing` does not exist.
pub async fn rehearse(plan: &Plan, failing: &[String], progress: &mut Progress) -> anyhow::Result<bool> {
    let failing = Failing::parse(plan, failing)?;
    let fleet = model_fleet(plan, &failing);
    let mut machine = Machine::new(Run::new(plan.clone()));
    let mut events = VecDeque::from([Event::LeaseTaken { epoch: Epoch(1), controller: "rehearsal".to_owned() }]);
    while let Some(event) = events.pop_front() {
        let decision = machine.handle(event, Timestamp::now())?;
        progress.events(machine.run(), &decision.record);
        for effect in decision.effects {
            events.extend(carry_out_in_model(&effect, &machine, &fleet, &failing).await);
        }
    }
    progress.close();
    Ok(machine.run().stage() == RunStage::Finished(RunResult::Succeeded))
}

impl Failing {
    fn parse(plan: &Plan, failing: &[String]) -> anyhow::Result<Self> {
        let mut found = Vec::new();
        for text in failing {
            let before = found.len();
            for (host, planned) in plan.hosts.iter().enumerate() {
                let of_host = text.strip_prefix(&format!("{}:", planned.name)).unwrap_or(text);
                // A label is the name for the step itself, and the name with its part for verify, rollback, ….
                let wanted = plan.steps().filter(|(_, step)| step.label() == of_host);
                found.extend(wanted.map(|(index, _)| (HostIndex(host), index)));
            }
            if found.len() == before {
                let names: Vec<_> = plan.steps().map(|(_, step)| step.label()).collect();
                bail!("there is no step `{text}`; the steps are: {}", names.join(", "));
            }
        }
        Ok(Self(found))
    }

    fn contains(&self, host: HostIndex, step: StepIndex) -> bool {
        self.0.contains(&(host, step))
    }
}

fn model_fleet(plan: &Plan, failing: &Failing) -> Fleet {
    let model = ModelFleet::default();
    // A rehearsal has no use for secrets, and runs no commands to get them.
    let mut harmless = plan.clone();
    harmless.steps.iter_mut().for_each(|step| step.secrets.clear());
    for (host, step) in &failing.0 {
        let (Some(planned), Some(planned_step)) = (plan.hosts.get(host.0), plan.steps.get(step.0)) else { continue };
        let machine = match &planned_step.place {
            Place::Host => planned.name.as_str(),
            Place::Delegate(name) => name.as_str(),
            Place::Controller => CONTROLLER,
        };
        let behaviour = Behaviour { status: 1, output: b"fails, as asked for\n".to_vec(), ..Behaviour::default() };
        model.set_behaviour(machine, &StepKey::new(&planned.name, step.0), behaviour);
    }
    let connect = |location: &Location| {
        let name = match location {
            Location::Host(name) => name.as_str(),
            Location::Controller => CONTROLLER,
        };
        Arc::new(Remote::Scripted(model.host(name)))
    };
    Fleet::new(RunId(Uuid::now_v7()), Epoch(1), Arc::new(harmless), connect)
}

async fn carry_out_in_model(effect: &Effect, machine: &Machine, fleet: &Fleet, failing: &Failing) -> Option<Event> {
    match *effect {
        Effect::Prepare { host } => Some(match fleet.prepare(host).await {
            Ok(prepared) => Event::HostReady { host, facts: prepared.facts },
            Err((location, error)) => Event::HostUnreachable { host, fault: location.fault(error.into_fault()) },
        }),
        Effect::Run { host, step, .. } => Some(run_in_model(host, step, machine, fleet, failing).await),
        Effect::Leave { .. } | Effect::Stop => None,
    }
}

async fn run_in_model(host: HostIndex, step: StepIndex, machine: &Machine, fleet: &Fleet, failing: &Failing) -> Event {
    let task = fleet.plan().steps.get(step.0).map(|step| &step.task);
    // What looks at the world from the controller must not do so here.
    if !matches!(task, Some(Task::Script(_))) {
        return Event::StepFinished { host, step, result: canned(failing.contains(host, step)) };
    }
    let assignment = Assignment {
        run: RunId(Uuid::nil()),
        host,
        step,
        begun_ago: Duration::ZERO,
        facts: machine.run().facts_for(host, step),
        choice: machine.run().choice_for(host, step).cloned(),
        probes_before: Vec::new(),
        resumed: false,
        overtaken: false,
        stored_bytes: 0,
        overdue: Duration::ZERO,
    };
    let (sender, mut inputs) = mpsc::channel(16);
    let carried_out = carry_out(assignment, fleet, sender);
    let answer = async {
        while let Some(input) = inputs.recv().await {
            if let Input::Event(event @ (Event::StepFinished { .. } | Event::StepUnknown { .. })) = input {
                return Some(event);
            }
        }
        None
    };
    let ((), answer) = tokio::join!(carried_out, answer);
    answer.unwrap_or(Event::StepFinished { host, step, result: canned(true) })
}

fn canned(fails: bool) -> StepResult {
    let end = if fails { StepEnd::NotMet { why: "fails, as asked for".to_owned() } } else { StepEnd::Succeeded };
    StepResult::of(end)
}
