//! A model fleet in memory: machines that answer the capsule's verbs with the capsule's frames, and lines that break
//! when told to. For `turnus plan --rehearse`, and for tests that let every step and every line fail.
//!
//! Knows the capsule's verbs and what they keep on a machine; runs nothing and needs no clock. Invariant: like real
//! machines, the fleet remembers what was started, whatever becomes of lines and controllers.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt, DuplexStream};

use super::capsule::{REBOOT, StepKey};
use super::error::Error;
use super::running::{Command, Ending, Exit, Running};
use crate::domain::id::ContentHash;
use crate::domain::run::event::Facts;

/// What a step does when it is started. By default it succeeds; a step with `TURNUS_PHASE=backup` in its environment
/// then tells of a backup that nobody made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behaviour {
    /// Exit status, if it comes to that.
    pub status: i32,
    /// What it prints.
    pub output: Vec<u8>,
    /// What it writes to `$TURNUS_OUTPUT`; none: what is plausible.
    pub facts: Option<Facts>,
    /// What becomes of it.
    pub course: Course,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self { status: 0, output: Vec::new(), facts: None, course: Course::Ends }
    }
}

/// What becomes of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// It ends at once.
    Ends,
    /// It ends, but only after its time was up and a package manager was waited for.
    EndsOverdue,
    /// It is ended when its time is up.
    TimesOut,
    /// Nothing more is heard of it.
    NeverEnds,
    /// Its processes vanish.
    Vanishes,
    /// The machine restarts: the line is lost, the boot id is another.
    Reboots,
}

/// What becomes of a line when a step is to be started or followed. Each is good for one command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineFault {
    /// No connection.
    Refused,
    /// The line is lost before the machine has heard of the command.
    LostBeforeLaunch,
    /// The machine did what it was told, and not a word comes back.
    LostAfterLaunch,
    /// So many bytes of the answer come back.
    LostAfter(usize),
}

/// All machines of the model.
#[derive(Debug, Clone, Default)]
pub struct Fleet(Arc<Mutex<Model>>);

/// Names and texts of sections.
type Sections = Vec<(String, String)>;

#[derive(Debug, Default)]
struct Model {
    machines: BTreeMap<String, Machine>,
    behaviours: BTreeMap<(String, String), Behaviour>,
    faults: BTreeMap<(String, Option<String>), VecDeque<LineFault>>,
    answers: BTreeMap<(String, String), Sections>,
    looks: Vec<(String, String)>,
    starts: Vec<(String, String)>,
}

#[derive(Debug, Default)]
struct Machine {
    boots: u32,
    runs: BTreeMap<String, Run>,
}

#[derive(Debug, Default)]
struct Run {
    epoch: i64,
    steps: BTreeMap<String, Step>,
}

#[derive(Debug, Clone)]
struct Step {
    behaviour: Behaviour,
    boots: u32,
    head: usize,
    tail: usize,
    cleaned: bool,
}

impl Fleet {
    /// Every name is a machine that can be reached.
    #[must_use]
    pub fn host(&self, name: &str) -> ScriptedHost {
        ScriptedHost { fleet: self.clone(), name: name.to_owned() }
    }

    /// From now on the step behaves so on that machine, when it is started.
    pub fn set_behaviour(&self, machine: &str, key: &StepKey, behaviour: Behaviour) {
        self.model().behaviours.insert((machine.to_owned(), key.as_str().to_owned()), behaviour);
    }

    /// Adds a fault: to the commands for that step, or, without a step, to any command.
    pub fn add_fault(&self, machine: &str, key: Option<&StepKey>, fault: LineFault) {
        let key = key.map(|key| key.as_str().to_owned());
        self.model().faults.entry((machine.to_owned(), key)).or_default().push_back(fault);
    }

    /// Adds a fault to the looks at the packages of that machine: `survey` or `simulate`.
    pub fn add_fault_of_look(&self, machine: &str, verb: &str, fault: LineFault) {
        let key = (machine.to_owned(), Some(verb.to_owned()));
        self.model().faults.entry(key).or_default().push_back(fault);
    }

    /// What the machine says from now on when its packages are looked at with this verb (`survey` or `simulate`): a text for each
    /// section. Without that it is an apt host on which nothing is pending.
    pub fn set_sections(&self, machine: &str, verb: &str, sections: &[(&str, &str)]) {
        let sections = sections.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        self.model().answers.insert((machine.to_owned(), verb.to_owned()), sections);
    }

    /// Machine and verb of every look at packages that reached the machine, in order.
    #[must_use]
    pub fn looks(&self) -> Vec<(String, String)> {
        self.model().looks.clone()
    }

    /// Machine and step of every start, in order.
    #[must_use]
    pub fn starts(&self) -> Vec<(String, String)> {
        self.model().starts.clone()
    }

    fn model(&self) -> MutexGuard<'_, Model> {
        // A panic while it was held can only be a failing test's.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One machine of the model.
#[derive(Debug, Clone)]
pub struct ScriptedHost {
    fleet: Fleet,
    name: String,
}

/// The answer to one command.
#[derive(Debug)]
pub(super) struct ScriptedProcess {
    result: Result<Exit, Error>,
    /// Keeps the output open, for an answer that never ends.
    _open: Option<DuplexStream>,
}

impl ScriptedProcess {
    pub(super) fn wait(self) -> Result<Exit, Error> {
        self.result
    }
}

impl ScriptedHost {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn exec(&self, command: &Command) -> Result<Running, Error> {
        let mut model = self.fleet.model();
        let call = Call::read(command);
        let fault = model.next_fault(&self.name, call.key());
        let lost = || Error::LineLost { host: self.name.clone(), detail: "broken by the model".to_owned() };
        if fault == Some(LineFault::Refused) {
            let detail = "refused by the model".to_owned();
            return Err(Error::CannotConnect { host: self.name.clone(), detail });
        }
        if fault == Some(LineFault::LostBeforeLaunch) {
            return Ok(answer(Vec::new(), Err(lost()), Close::Broken));
        }
        let (mut bytes, mut close) = model.answer(&self.name, &call);
        match fault {
            Some(LineFault::LostAfter(count)) => bytes.truncate(count),
            Some(_) => bytes.clear(),
            None => {}
        }
        if fault.is_some() {
            close = Close::Broken;
        }
        let result = if close == Close::Broken { Err(lost()) } else { Ok(Exit::Status(0)) };
        Ok(answer(bytes, result, close))
    }
}

/// How an answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Close {
    AtEnd,
    Never,
    Broken,
}

fn answer(bytes: Vec<u8>, result: Result<Exit, Error>, close: Close) -> Running {
    let said = std::io::Cursor::new(bytes);
    let (open, stdout): (_, Box<dyn AsyncRead + Send + Unpin>) = match close {
        Close::AtEnd | Close::Broken => (None, Box::new(said)),
        Close::Never => {
            let (ours, theirs) = tokio::io::duplex(1);
            (Some(ours), Box::new(said.chain(theirs)))
        }
    };
    let process = ScriptedProcess { result, _open: open };
    Running::new(Vec::new(), tokio::io::sink(), stdout, tokio::io::empty(), Ending::Scripted(process))
}

/// A command, as the capsule would read it.
struct Call {
    run: String,
    verb: String,
    nonce: String,
    arguments: Vec<String>,
    input: String,
}

impl Call {
    fn read(command: &Command) -> Self {
        let mut words = command.argv.iter().skip(1).cloned();
        let mut word = || words.next().unwrap_or_default();
        let program = word();
        if program == "-c" {
            // The text, then the name that it is given.
            let _ = (word(), word());
        }
        let (verb, nonce) = (word(), word());
        let mut arguments: Vec<String> = words.collect();
        let run = if verb == "take" {
            arguments.drain(..arguments.len().min(2)).nth(1).unwrap_or_default()
        } else {
            program.split('/').nth(2).unwrap_or_default().to_owned()
        };
        Self { run, verb, nonce, arguments, input: String::from_utf8_lossy(&command.stdin).into_owned() }
    }

    fn key(&self) -> Option<String> {
        match self.verb.as_str() {
            "run" | "follow" => Some(self.argument(1).to_owned()),
            "survey" | "simulate" => Some(self.verb.clone()),
            _ => None,
        }
    }

    fn argument(&self, position: usize) -> &str {
        self.arguments.get(position).map_or("", String::as_str)
    }

    fn number<T: std::str::FromStr + Default>(&self, position: usize) -> T {
        self.argument(position).parse().unwrap_or_default()
    }
}

impl Model {
    fn machine(&mut self, name: &str) -> &mut Machine {
        self.machines.entry(name.to_owned()).or_default()
    }

    fn next_fault(&mut self, machine: &str, key: Option<String>) -> Option<LineFault> {
        let any = self.faults.get_mut(&(machine.to_owned(), None)).and_then(VecDeque::pop_front);
        any.or_else(|| key.and_then(|key| self.faults.get_mut(&(machine.to_owned(), Some(key)))?.pop_front()))
    }

    fn answer(&mut self, machine: &str, call: &Call) -> (Vec<u8>, Close) {
        let mut said = format!("turnus:{}\n", call.nonce).into_bytes();
        let mut close = Close::AtEnd;
        match call.verb.as_str() {
            "take" => said.extend(self.take(machine, call)),
            "run" | "follow" => close = self.run(machine, call, &mut said),
            "survey" | "simulate" => {
                self.looks.push((machine.to_owned(), call.verb.clone()));
                self.sections(machine, call).iter().for_each(|(name, text)| {
                    say(&mut said, &format!("section {name} {}\n{text}\n", text.len()));
                });
            }
            "boot" => say(&mut said, &format!("boot {}", boot_id(machine, self.machine(machine).boots))),
            "clean" => {
                let run = self.machine(machine).runs.entry(call.run.clone()).or_default();
                let of_host = |key: &String| key.rsplit_once('.').is_some_and(|(host, _)| host == call.argument(0));
                run.steps.iter_mut().filter(|(key, _)| of_host(key)).for_each(|(_, step)| step.cleaned = true);
            }
            _ => {}
        }
        if close == Close::AtEnd {
            say(&mut said, "end");
        }
        (said, close)
    }

    fn sections(&self, machine: &str, call: &Call) -> Sections {
        let set = self.answers.get(&(machine.to_owned(), call.verb.clone())).cloned();
        set.unwrap_or_else(|| {
            let nothing_pending = [("manager", "apt"), ("architecture", "amd64"), ("reboot", "no")];
            nothing_pending.map(|(name, text)| (name.to_owned(), text.to_owned())).into()
        })
    }

    fn take(&mut self, name: &str, call: &Call) -> Vec<u8> {
        let mut said = Vec::new();
        let (epoch, create) = (call.number::<i64>(0), call.argument(1) == "yes");
        let machine = self.machine(name);
        let known = machine.runs.get(&call.run).map(|run| run.epoch);
        match known {
            None if !create => say(&mut said, "vanished"),
            Some(newer) if newer > epoch => say(&mut said, &format!("fenced {newer}")),
            _ => {
                let run = machine.runs.entry(call.run.clone()).or_default();
                run.epoch = epoch;
                let tokens: Vec<String> = run.steps.keys().cloned().collect();
                let boot = boot_id(name, machine.boots);
                let facts = format!(
                    "boot_id={boot}\nuid=0\nos=Model\nkernel=0\narch=model\nhostname={name}\nsystemd=no\nlocale=C.UTF-8"
                );
                say(&mut said, &format!("home /model/{}", call.run));
                tokens.iter().for_each(|key| say(&mut said, &format!("token {key}")));
                say(&mut said, &format!("facts {}\n{facts}", facts.len()));
            }
        }
        said
    }

    /// Starts the step unless it is started, and tells what there is to tell.
    fn run(&mut self, name: &str, call: &Call, said: &mut Vec<u8>) -> Close {
        let (epoch, key) = (call.number::<i64>(0), call.argument(1).to_owned());
        let behaviour = self.behaviour(name, call, &key);
        let machine = self.machine(name);
        let boot = boot_id(name, machine.boots);
        let Some(run) = machine.runs.get_mut(&call.run) else {
            say(said, "vanished");
            return Close::AtEnd;
        };
        if run.epoch != epoch {
            say(said, &format!("fenced {}", run.epoch));
            return Close::AtEnd;
        }
        let offset = call.number(if call.verb == "run" { 5 } else { 2 });
        if let Some(step) = run.steps.get(&key) {
            say(said, &format!("attached {} {boot}", boot_id(name, step.boots)));
            return step.tell(offset, machine.boots, said);
        }
        if call.verb == "follow" {
            say(said, "vanished");
            return Close::AtEnd;
        }
        let boots = machine.boots;
        let step = Step { behaviour, boots, head: call.number(3), tail: call.number(4), cleaned: false };
        run.steps.insert(key.clone(), step.clone());
        if step.behaviour.course == Course::Reboots {
            machine.boots += 1;
        }
        self.starts.push((name.to_owned(), key));
        say(said, &format!("started {boot} {boot}"));
        step.tell(offset, boots, said)
    }

    fn behaviour(&self, name: &str, call: &Call, key: &str) -> Behaviour {
        let set = self.behaviours.get(&(name.to_owned(), key.to_owned())).cloned();
        let mut behaviour = set.unwrap_or_else(|| {
            let course = if call.input.contains(REBOOT) { Course::Reboots } else { Course::Ends };
            Behaviour { course, ..Behaviour::default() }
        });
        behaviour.facts.get_or_insert_with(|| {
            if !call.input.lines().any(|line| line == "TURNUS_PHASE=backup") {
                return Facts::new();
            }
            let checksum = format!("sha256:{}", ContentHash::of(key.as_bytes()).as_str());
            let facts = [("path", "/var/backups/model"), ("bytes", "1048576"), ("checksum", &checksum)];
            facts.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
        });
        behaviour
    }
}

impl Step {
    fn tell(&self, offset: usize, boots: u32, said: &mut Vec<u8>) -> Close {
        if self.cleaned {
            say(said, "gone");
            return Close::AtEnd;
        }
        let output = &self.behaviour.output;
        let (head, rest) = output.split_at(output.len().min(self.head));
        if let Some(new) = head.get(offset..).filter(|new| !new.is_empty()) {
            say(said, &format!("log {offset} {}", new.len()));
            said.extend(new);
        }
        match self.behaviour.course {
            Course::NeverEnds => return Close::Never,
            Course::EndsOverdue => say(said, "overdue"),
            // The line is lost with the machine; those who come back later find it restarted.
            Course::Reboots if boots == self.boots => return Close::Broken,
            _ => {}
        }
        let tail = rest.get(rest.len().saturating_sub(self.tail)..).unwrap_or_default();
        if !tail.is_empty() {
            let omitted = rest.len() - tail.len();
            say(said, &format!("tail {} {omitted} {}", output.len() - tail.len(), tail.len()));
            said.extend(tail);
        }
        let facts: String =
            self.behaviour.facts.iter().flatten().map(|(name, value)| format!("{name}={value}\n")).collect();
        say(said, &format!("facts {}\n{facts}total {}", facts.len(), output.len()));
        match self.behaviour.course {
            Course::TimesOut => say(said, "rc 143 yes"),
            Course::Vanishes => say(said, "lost"),
            Course::Reboots => say(said, "rebooted"),
            _ => say(said, &format!("rc {} no", self.behaviour.status)),
        }
        Close::AtEnd
    }
}

fn boot_id(machine: &str, boots: u32) -> String {
    format!("{machine}-boot-{boots}")
}

fn say(said: &mut Vec<u8>, line: &str) {
    said.extend(line.as_bytes());
    said.push(b'\n');
}

#[cfg(test)]
mod tests;
