//! Records to write reports from, made by driving the machine with hand-made answers: only for tests.
//!
//! A [`Story`] is a plan, what a world without surprises would answer, and the surprises.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::meanwhile::Meanwhile;
use super::{Report, RunRecord, from_record};
use crate::domain::id::{ContentHash, Epoch, Name, OccurrenceId, RunId};
use crate::domain::inventory::{Connection, Customer, Host, Locale};
use crate::domain::job::{
    Action, BackupRule, BatchSize, Conffiles, Job, PackagesAction, Phase, Place, Rollback, Step, Which,
};
use crate::domain::packages::account::{Account, NotInstalled};
use crate::domain::packages::choose::{DriftPolicy, Left, LeftCause, Look};
use crate::domain::packages::{Change, ChangeKind, Held, HeldCause, Package, PackageManager, PackagesRecord};
use crate::domain::plan::{Choice, HostIndex, Plan, PlannedWindow, StepIndex, build};
use crate::domain::probe::{Check, HttpCheck, Patience, Probe, ProbeResult};
use crate::domain::review::{Approval, Selection};
use crate::domain::run::event::{Event, Facts, Fault, StepEnd, StepResult};
use crate::domain::run::machine::{Decision, Effect, Machine};
use crate::domain::run::state::Run;

pub(crate) mod probes;

/// What the world answers to an effect.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// The step ends well, with these facts.
    Well(Facts),
    /// The step ends otherwise, with this last line.
    Ends(StepEnd, &'static str),
    /// The step ends so, and found this out about packages.
    Packages(StepEnd, Box<PackagesRecord>),
    /// The step ends so, and the host's probes found this.
    Probes(StepEnd, Vec<ProbeResult>),
    /// The host can't be reached, or the step can't be told.
    Fault(Fault),
    /// The step is over its time limit, and nothing more is heard.
    Overdue,
    /// Nothing is ever heard.
    Silence,
}

/// A run and what happens in it.
pub(crate) struct Story {
    pub(crate) customer: Customer,
    pub(crate) job: Job,
    pub(crate) reason: Option<String>,
    /// Answers that differ from the usual, by host and label; the label of preparing a host is `prepare`.
    surprises: BTreeMap<(String, String), Vec<Answer>>,
    /// Who approved which packages.
    pub(crate) approval: Option<Approval>,
    /// Latest start and close, so many seconds after the start.
    window: Option<(i64, i64)>,
    /// Events from elsewhere, so many seconds after the start.
    meanwhile: Vec<(i64, Event)>,
    /// What came between the report before and this one.
    pub(crate) since_report: Meanwhile,
}

impl Story {
    /// Three hosts of which two have something to update; nothing goes wrong.
    pub(crate) fn new() -> Self {
        let unchanged = facts(&[("changed", "false"), ("version", "3.1.4")]);
        Self {
            customer: customer(&["mail01", "web01", "db01"]),
            job: job(),
            reason: None,
            surprises: BTreeMap::new(),
            approval: None,
            window: None,
            meanwhile: Vec::new(),
            since_report: Meanwhile::default(),
        }
        .with("db01", "application", Answer::Well(unchanged.clone()))
        .with("db01", "configuration", Answer::Well(facts(&[("changed", "false")])))
    }

    /// Three hosts whose packages are updated: on the first all kinds of changes are made, the second is held back, the third has
    /// nothing to do.
    pub(crate) fn of_packages() -> Self {
        let held =
            StepEnd::Held { why: "nginx 1.22.1-9 → 1.22.1-9+deb12u1: now it would be something else".to_owned() };
        let nothing = Look {
            chosen: Vec::new(),
            left: Vec::new(),
            held: Vec::new(),
            without_way_back: Vec::new(),
            warnings: Vec::new(),
            ..look()
        };
        let mut story = Self::new()
            .job(install_packages)
            .with("mail01", "packages (look)", looked(StepEnd::Succeeded, look()))
            .with("mail01", "packages", Answer::Well(installed_facts("keep")))
            .with("mail01", "packages (account)", accounted(account()))
            .with("web01", "packages (look)", looked(held, drifted()))
            .with("db01", "packages (look)", looked(StepEnd::Succeeded, nothing));
        story.approval = Some(approval(Some("nach Rücksprache")));
        story
    }

    /// Replaces the usual answer; more than one for the same step are given one after the other.
    pub(crate) fn with(mut self, host: &str, label: &str, answer: Answer) -> Self {
        self.surprises.entry((host.to_owned(), label.to_owned())).or_default().push(answer);
        self
    }

    /// Lets something happen from elsewhere.
    pub(crate) fn meanwhile(mut self, after_s: i64, event: Event) -> Self {
        self.meanwhile.push((after_s, event));
        self
    }

    /// Lets the run be one for a window.
    pub(crate) fn in_window(mut self, latest_start_s: i64, closes_s: i64) -> Self {
        self.window = Some((latest_start_s, closes_s));
        self
    }

    /// Changes the job.
    pub(crate) fn job(mut self, change: impl FnOnce(&mut Job)) -> Self {
        change(&mut self.job);
        self
    }

    pub(crate) fn plan(&self) -> Plan {
        let hosts = self.customer.hosts.iter().map(|host| host.name.to_string()).collect();
        let plan = build(&self.customer, &self.job, &Choice { hosts, parallel_hosts: 2 }).unwrap();
        let window = self.window.map(|(latest_start_s, closes_s)| PlannedWindow {
            occurrence: OccurrenceId(uuid::Uuid::from_u128(7)),
            window: name("quarterly"),
            opens: at(0),
            latest_start: at(latest_start_s),
            closes: at(closes_s),
        });
        Plan { window, approval: self.approval.clone(), ..plan }
    }

    /// Lets it happen and writes the report.
    pub(crate) fn report(self) -> Report {
        let (reason, meanwhile) = (self.reason.clone(), self.since_report.clone());
        let run = self.happen();
        from_record(&RunRecord { number: 7, id: run_id(), run: &run, started_by: "anna".to_owned(), reason, meanwhile })
    }

    fn happen(mut self) -> Run {
        let plan = self.plan();
        let mut machine = Machine::new(Run::new(plan.clone()));
        let first = machine.take_lease(Epoch(1), "office:4711", at(0)).unwrap();
        let mut coming: Vec<_> = self.meanwhile.drain(..).map(|(after_s, event)| (at(after_s), event)).collect();
        coming.extend(self.answers(&plan, first, at(0)));
        while let Some(next) = (0..coming.len()).min_by_key(|index| coming[*index].0) {
            let (now, event) = coming.remove(next);
            let decision = machine.handle(event, now).unwrap();
            coming.extend(self.answers(&plan, decision, now));
        }
        machine.run().clone()
    }

    fn answers(&mut self, plan: &Plan, decision: Decision, now: Timestamp) -> Vec<(Timestamp, Event)> {
        let mut events = Vec::new();
        for effect in decision.effects {
            match effect {
                Effect::Prepare { host } => events.extend(self.prepare(plan, host, now)),
                Effect::Run { host, step, .. } => events.extend(self.run(plan, host, step, now)),
                Effect::Leave { .. } | Effect::Watch { .. } | Effect::EndWatch { .. } | Effect::Stop => {}
            }
        }
        events
    }

    fn surprise(&mut self, host: &Name, label: &str) -> Option<Answer> {
        let answers = self.surprises.get_mut(&(host.to_string(), label.to_owned()))?;
        if answers.is_empty() { None } else { Some(answers.remove(0)) }
    }

    fn prepare(&mut self, plan: &Plan, host: HostIndex, now: Timestamp) -> Option<(Timestamp, Event)> {
        let event = match self.surprise(&plan.hosts[host.0].name, "prepare") {
            None => {
                let found = facts(&[("kernel", "6.1.0-28-amd64"), ("os", "Debian GNU/Linux 12 (bookworm)")]);
                Event::HostReady { host, facts: found }
            }
            Some(Answer::Fault(fault)) => Event::HostUnreachable { host, fault },
            Some(_) => return None,
        };
        Some((later(now, 2), event))
    }

    fn run(&mut self, plan: &Plan, host: HostIndex, step: StepIndex, now: Timestamp) -> Option<(Timestamp, Event)> {
        let planned = &plan.steps[step.0];
        let name = &plan.hosts[host.0].name;
        let label = planned.label();
        let usual = || Answer::Well(usual_facts(name.as_str(), &label));
        let event = match self.surprise(name, &label).unwrap_or_else(usual) {
            Answer::Well(facts) => finished(host, step, StepEnd::Succeeded, facts, "done"),
            Answer::Ends(end, last_line) => finished(host, step, end, Facts::new(), last_line),
            Answer::Packages(end, record) => {
                let result = StepResult { packages: Some(record), ..StepResult::of(end) };
                Event::StepFinished { host, step, result }
            }
            Answer::Probes(end, probes) => {
                let result = StepResult { probes, ..StepResult::of(end) };
                Event::StepFinished { host, step, result }
            }
            Answer::Fault(fault) => Event::StepUnknown { host, step, fault },
            Answer::Overdue => Event::StepOverdue { host, step },
            Answer::Silence => return None,
        };
        Some((later(now, usual_length_s(&label)), event))
    }
}

fn finished(host: HostIndex, step: StepIndex, end: StepEnd, facts: Facts, last_line: &str) -> Event {
    let result = StepResult { facts, output_bytes: 2048, last_line: last_line.to_owned(), ..StepResult::of(end) };
    Event::StepFinished { host, step, result }
}

fn usual_length_s(label: &str) -> i64 {
    match label {
        "archive data" => 252,
        "archive data (verify)" => 31,
        "application" | "application (rollback)" => 95,
        "stop service" | "stop service (undo)" => 6,
        "service answers" => 4,
        _ => 1,
    }
}

fn usual_facts(host: &str, label: &str) -> Facts {
    let path = format!("/var/backups/{host}.tar");
    match label {
        "archive data" => facts(&[("path", &path)]),
        "archive data (verify)" => facts(&[
            ("path", &path),
            ("bytes", "12582912"),
            ("checksum", "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
        ]),
        "application" => facts(&[("from", "3.1.3"), ("to", "3.1.4")]),
        _ => Facts::new(),
    }
}

pub(crate) fn facts(pairs: &[(&str, &str)]) -> Facts {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

pub(crate) fn fault(what: &str) -> Answer {
    Answer::Fault(Fault { what: what.to_owned(), hint: Some("look at the network".to_owned()) })
}

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// So many seconds after the start of every story: a Friday in Berlin, 14:00.
pub(crate) fn at(after_s: i64) -> Timestamp {
    later("2026-03-27T13:00:00Z".parse().unwrap(), after_s)
}

fn later(instant: Timestamp, seconds: i64) -> Timestamp {
    instant + SignedDuration::from_secs(seconds)
}

fn run_id() -> RunId {
    RunId(uuid::Uuid::from_u128(0x0195_d7f0_0000_7000_8000_0000_0000_0007))
}

pub(crate) fn customer(hosts: &[&str]) -> Customer {
    Customer {
        name: name("nordwind"),
        display_name: "Nordwind Logistik GmbH".to_owned(),
        locale: Locale::De,
        time_zone: "Europe/Berlin".to_owned(),
        holidays: None,
        period_report: None,
        contacts: Vec::new(),
        windows: Vec::new(),
        freezes: Vec::new(),
        calendars: Vec::new(),
        hosts: hosts.iter().map(|host| planned_host(host)).collect(),
        revision: ContentHash::of(b"inventory"),
    }
}

fn planned_host(text: &str) -> Host {
    let connection = Connection::to(format!("{text}.example"));
    Host { name: name(text), connection, groups: vec![], vars: BTreeMap::new(), probes: vec![], capacity: vec![] }
}

pub(crate) fn step(phase: Phase, text: &str) -> Step {
    Step {
        phase,
        name: text.to_owned(),
        place: Place::Host,
        action: Action::Script(format!("do {text}")),
        undo: None,
        rollback: None,
        verify: None,
        timeout_s: 600,
        estimate_s: None,
        secrets: BTreeMap::new(),
    }
}

fn job() -> Job {
    let answers = HttpCheck::get("http://$ADDRESS/");
    let answers = Probe { check: Check::Http(answers), patience: Patience::default() };
    let steps = vec![
        Step {
            action: Action::DiskFree { path: "/var".to_owned(), at_least_bytes: 2 << 30 },
            ..step(Phase::Preflight, "disk space")
        },
        Step { undo: Some("start".to_owned()), ..step(Phase::Quiesce, "stop service") },
        Step { verify: Some("tar -t".to_owned()), ..step(Phase::Backup, "archive data") },
        Step { rollback: Some(Rollback::Script("downgrade".to_owned())), ..step(Phase::Update, "application") },
        Step { rollback: Some(Rollback::Script("restore".to_owned())), ..step(Phase::Update, "configuration") },
        Step { action: Action::Probe(answers), place: Place::Controller, ..step(Phase::Smoke, "service answers") },
    ];
    Job {
        name: name("app-quarterly"),
        description: "Quartalswartung der Anwendungsserver".to_owned(),
        batch: vec![BatchSize::Count(1), BatchSize::Percent(100)],
        max_failures: 0,
        watch_after_s: 0,
        backup: BackupRule::Required,
        steps,
        revision: ContentHash::of(b"job"),
    }
}

/// The job installs what was approved, and can take it back.
pub(crate) fn install_packages(job: &mut Job) {
    job.steps.retain(|step| step.phase != Phase::Update);
    let action = Action::Packages(PackagesAction {
        which: Which::Approved,
        conffiles: Conffiles::Keep,
        drift: DriftPolicy::InstallApprovedOnly,
        lock_wait_s: 600,
    });
    job.steps.push(Step { action, rollback: Some(Rollback::Packages), ..step(Phase::Update, "packages") });
    job.steps.sort_by_key(|step| step.phase);
    job.max_failures = 3;
}

/// The job restarts its hosts after the update.
pub(crate) fn restart(job: &mut Job) {
    job.steps.push(Step { action: Action::Reboot { within_s: 300 }, ..step(Phase::Update, "restart") });
    job.steps.sort_by_key(|step| step.phase);
}

pub(crate) fn approval(note: Option<&str>) -> Approval {
    Approval {
        list: ContentHash::of(b"list"),
        by: "Jana Weber".to_owned(),
        at: at(-86_400),
        note: note.map(str::to_owned),
        selection: Selection::default(),
        changes: BTreeMap::new(),
    }
}

/// More packages, and more of everything about them, than anybody wants to read.
pub(crate) fn crowded() -> Story {
    let many = |name: &str| (0..120).map(|n| change(&format!("{name}{n:03}"), "1.0", "1.1", n % 2 == 0)).collect();
    let chosen: Vec<Change> = many("lib");
    let pending: Vec<Change> = many("app");
    let mut left: Vec<_> = pending.into_iter().map(|change| Left { change, cause: LeftCause::NotApproved }).collect();
    left.push(Left { change: change("wanted", "1.0", "1.1", false), cause: LeftCause::Refused });
    let look = Look { chosen: chosen.clone(), left: left.clone(), ..look() };
    let stale_services = (0..40).map(|n| format!("worker{n:02}.service")).collect();
    let account = Account { installed: chosen, not_installed: Vec::new(), left, stale_services, ..account() };
    let mut facts = installed_facts("keep");
    facts.insert("conffiles".to_owned(), "70".to_owned());
    facts.extend((1..=50).map(|n| (format!("conffile_{n}"), format!("/etc/many/{n:02}.conf"))));
    let mut approval = approval(None);
    approval.selection = Selection {
        security: true,
        only: (0..30).map(|n| format!("lib{n:03}")).collect(),
        except: vec!["lib007".to_owned()],
        hosts: vec![name("mail01"), name("web01")],
    };
    let mut story = Story::of_packages();
    story.surprises.retain(|(host, _), _| host != "mail01");
    story.approval = Some(approval);
    story
        .with("mail01", "packages (look)", looked(StepEnd::Succeeded, look))
        .with("mail01", "packages", Answer::Well(facts))
        .with("mail01", "packages (account)", accounted(account))
}

pub(crate) fn looked(end: StepEnd, look: Look) -> Answer {
    Answer::Packages(end, Box::new(PackagesRecord::Looked(look)))
}

pub(crate) fn accounted(account: Account) -> Answer {
    Answer::Packages(StepEnd::Succeeded, Box::new(PackagesRecord::Accounted(account)))
}

pub(crate) fn installed_facts(policy: &str) -> Facts {
    facts(&[
        ("changed", "true"),
        ("conffiles", "1"),
        ("conffile_1", "/etc/nginx/nginx.conf"),
        ("conffile_policy", policy),
    ])
}

/// `name 1 → 2`; without the first version a new package, without the second one that goes.
pub(crate) fn change(name: &str, from: &str, to: &str, security: bool) -> Change {
    let version = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let kind = match (from, to) {
        ("", _) => ChangeKind::Install,
        (_, "") => ChangeKind::Remove,
        _ => ChangeKind::Upgrade,
    };
    let package = Package { name: name.to_owned(), architecture: "amd64".to_owned() };
    let repository = version(to).map(|_| if security { "Debian-Security/stable-security" } else { "Debian/stable" });
    let repository = repository.map(str::to_owned);
    Change { package, kind, from: version(from), to: version(to), repository, security, size_bytes: Some(54_000) }
}

pub(crate) fn look() -> Look {
    let held = |name: &str, cause| {
        let package = Package { name: name.to_owned(), architecture: "amd64".to_owned() };
        Held { package, installed: "1.0".to_owned(), candidate: Some("1.1".to_owned()), cause }
    };
    Look {
        manager: PackageManager::Apt,
        chosen: vec![
            change("libold1", "1.2-3", "", false),
            change("libssl3", "3.0.11-1", "3.0.15-1~deb12u1", true),
            change("libxnew2", "", "2.0-1", false),
            change("nginx", "1.22.1-9", "1.22.1-9+deb12u1", false),
            change("postfix", "3.7.6-0", "3.7.11-0", false),
        ],
        left: vec![Left { change: change("curl", "7.88.1-10", "7.88.1-11", true), cause: LeftCause::NotApproved }],
        held: vec![held("dovecot-core", HeldCause::Hold), held("php8.2", HeldCause::KeptBack)],
        transaction: "1 2".to_owned(),
        without_way_back: vec![Package { name: "postfix".to_owned(), architecture: "amd64".to_owned() }],
        warnings: vec!["apt is older than 2.6.2".to_owned()],
    }
}

/// What was approved has become something else.
pub(crate) fn drifted() -> Look {
    let nginx = || change("nginx", "1.22.1-9", "1.22.1-9+deb12u1", false);
    let left = [
        LeftCause::Replaced { by: change("nginx", "1.22.1-9", "1.22.1-9+deb12u2", true) },
        LeftCause::OtherRepository { repository: "packages.example".to_owned() },
        LeftCause::Needs { others: vec![change("libold1", "1.2-3", "", false)] },
        LeftCause::Refused,
        LeftCause::Gone,
    ];
    let left = left.into_iter().map(|cause| Left { change: nginx(), cause }).collect();
    Look { chosen: Vec::new(), left, held: Vec::new(), without_way_back: Vec::new(), warnings: Vec::new(), ..look() }
}

/// Most of it is in effect.
pub(crate) fn account() -> Account {
    let mut installed = look().chosen;
    let postfix = installed.pop().unwrap();
    Account {
        installed,
        not_installed: vec![NotInstalled { change: postfix, now: Some("3.7.6-0".to_owned()) }],
        left: look().left,
        newly_available: vec![change("tzdata", "2025b-0", "2026a-0", false)],
        reboot_needed: Some(true),
        stale_services: vec!["dovecot.service".to_owned(), "cron.service".to_owned()],
    }
}
