//! Steps on a machine, as `capsule.sh` keeps them there: prepared, started at most once, followed to their end.
//!
//! Knows the capsule's verbs and frames; does not know plans, and stores nothing. Invariants: `run` is sent only until
//! the step is known to be started, after that only `follow`, which starts nothing; output is handed out in order,
//! without gaps up to the part that the capsule left out, and without secrets.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use super::Remote;
use super::answer::{Answer, Question};
use super::backoff::Backoff;
use super::error::Error;
use super::frame::Frame;
use super::mask::{Border, Mask, Shown};
use crate::domain::id::{Epoch, Name, RunId};
use crate::domain::run::event::Facts;

/// The capsule itself.
const CAPSULE: &str = include_str!("capsule.sh");
/// Reads the capsule from standard input: neither process lists nor sudo's log carry its text.
const BOOTSTRAP: &str = r#"capsule=$(cat) && eval "$capsule""#;
/// Restarts the machine, whichever init it has.
pub(super) const REBOOT: &str = "sync\nsystemctl reboot || reboot || shutdown -r now\n";
/// How long the short verbs may take once they are sent.
const SHORT_LIMIT: Duration = Duration::from_secs(120);
/// How often a short verb is sent when the line is lost, which is how a connection that died unused shows itself.
const SHORT_ATTEMPTS: u32 = 3;
/// How often a started step is asked for again in spite of an error that only a person can mend. The server may be
/// in the middle of its own update.
const STUBBORN_ATTEMPTS: u32 = 5;

/// Whether a run's record may be begun on a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Record {
    /// Nothing of this run was started on this machine yet.
    MayBegin,
    /// Something may have been started: without a record it can't be told what.
    MustExist,
}

/// The identity of a step on every machine: host of the plan, and position of the step.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StepKey(String);

impl std::fmt::Display for StepKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl StepKey {
    /// For step number `step` of what the run does for `host`, wherever it runs.
    #[must_use]
    pub fn new(host: &Name, step: usize) -> Self {
        Self(format!("{host}.{step}"))
    }

    /// As it is written on machines.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What is to be done, and within which limits.
#[derive(Debug, Clone)]
pub struct Order {
    /// Which step.
    pub key: StepKey,
    /// Time limit in seconds, kept on the machine.
    pub timeout_s: u64,
    /// So many bytes of output from the beginning are kept.
    pub head_bytes: u64,
    /// So many bytes from the end, if it is longer.
    pub tail_bytes: u64,
    /// Environment variables; names of A-Z, 0-9 and `_`.
    pub environment: Vec<(String, String)>,
    /// POSIX shell text.
    pub script: String,
    /// Values that are hidden in output and facts.
    pub secrets: Vec<String>,
}

/// What is heard of a running step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// It had been started before.
    Attached,
    /// Output. The same bytes may come again after a lost line, at the same place.
    Output {
        /// Position of the first byte in all of the output.
        at_offset: u64,
        /// As printed, but for secrets.
        bytes: Vec<u8>,
    },
    /// Its time is up, but a package manager is at work and is waited for.
    Overdue,
}

/// The ways in which a step ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By itself, with this exit status (128 + signal).
    Exit(i32),
    /// Its time was up; all of its processes are gone.
    TimedOut,
    /// The machine was restarted meanwhile.
    Rebooted,
    /// Its processes are gone and left no exit status.
    Lost,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// In which way.
    pub end: End,
    /// What it wrote to `$TURNUS_OUTPUT`.
    pub facts: Facts,
    /// Bytes of output in all.
    pub output_bytes: u64,
    /// Bytes left out between its first and its last part.
    pub omitted_bytes: u64,
}

/// A machine that is prepared for one run under one epoch.
#[derive(Debug, Clone)]
pub struct Capsules {
    remote: Arc<Remote>,
    epoch: Epoch,
    /// The run's directory on the machine.
    home: String,
    /// How steps leave the control group of the ssh session.
    launcher: &'static str,
    /// The UTF-8 locale that the machine has.
    locale: String,
    /// What had been started there when it was prepared.
    started: Vec<StepKey>,
}

impl Capsules {
    /// Brings the run's record on the machine to this epoch, fencing older controllers, and looks at the machine.
    ///
    /// # Errors
    /// When the machine can't be reached or has no room, [`Error::Fenced`] if a newer controller was there, and
    /// [`Error::Vanished`] if there must be a record and is none.
    pub async fn prepare(
        remote: Arc<Remote>,
        run: RunId,
        epoch: Epoch,
        record: Record,
    ) -> Result<(Self, Facts), Error> {
        let create = if record == Record::MayBegin { "yes" } else { "no" };
        let state = remote.state_dir().unwrap_or_default().to_owned();
        let question = || {
            let program = ["sh", "-c", BOOTSTRAP, "turnus"].map(str::to_owned).to_vec();
            let arguments = vec![state.clone(), run.to_string(), epoch.to_string(), create.to_owned()];
            Question { stdin: CAPSULE.as_bytes().to_vec(), ..Question::new(program, "take", arguments) }
        };
        let (mut home, mut facts, mut started) = (None, Facts::new(), Vec::new());
        for frame in exchange(&remote, question).await? {
            match frame {
                Frame::Home(directory) => home = Some(directory),
                Frame::Token(key) => started.push(StepKey(key)),
                Frame::Facts(bytes) => facts = read_facts(&bytes),
                other => return Err(refusal(&remote, epoch, other)),
            }
        }
        let host = remote.name().to_owned();
        let home = home.ok_or(Error::LineLost { host, detail: "no directory in the answer".to_owned() })?;
        let fact = |name: &str| facts.get(name).map_or("", String::as_str);
        let launcher = if fact("systemd") == "yes" && fact("uid") == "0" { "scope" } else { "plain" };
        let locale = facts.remove("locale").unwrap_or_else(|| "C".to_owned());
        Ok((Self { remote, epoch, home, launcher, locale, started }, facts))
    }

    /// The run's steps that had been started on the machine when it was prepared, whoever did it.
    #[must_use]
    pub fn started(&self) -> &[StepKey] {
        &self.started
    }

    /// Starts the step unless it is started, follows it to its end, and finds it again when the line is lost, until
    /// `deadline`. Output from `from_offset` on goes to `pieces`; if nobody listens there, it is dropped.
    ///
    /// # Errors
    /// [`Error::Unknown`] when the deadline passes; [`Error::Fenced`] and [`Error::NotStarted`] when this call started
    /// nothing; others when the machine can't be reached. After all but those two the step may be running.
    pub async fn run_step(
        &self,
        order: &Order,
        from_offset: u64,
        pieces: &mpsc::Sender<Piece>,
        deadline: Instant,
    ) -> Result<Ended, Error> {
        self.pursue(order, &mut Progress::from(from_offset), pieces, deadline).await
    }

    /// Restarts the machine and waits until it answers under another boot id. Works across a resume: a restart that
    /// was begun is waited for, not begun again. `order.script` is not used.
    ///
    /// # Errors
    /// As for [`Capsules::run_step`].
    pub async fn reboot(&self, order: &Order, pieces: &mpsc::Sender<Piece>, deadline: Instant) -> Result<Ended, Error> {
        let order = Order { script: REBOOT.to_owned(), ..order.clone() };
        let mut progress = Progress::from(0);
        let mut ended = self.pursue(&order, &mut progress, pieces, deadline).await?;
        // A status above 128 may be the shutdown itself, which ended the command.
        let refused = matches!(ended.end, End::Exit(1..=127) | End::TimedOut);
        if ended.end != End::Rebooted && progress.booted == progress.now {
            if refused {
                return Ok(ended);
            }
            match self.await_another_boot(&progress.booted, deadline).await? {
                Some(boot) => progress.now = boot,
                None => return Ok(Ended { end: End::TimedOut, ..ended }),
            }
        }
        ended.end = End::Exit(0);
        ended.facts.insert("boot_id".to_owned(), progress.now);
        Ok(ended)
    }

    /// Removes the files of the host's finished steps; that they were started stays known.
    ///
    /// # Errors
    /// When the machine can't be reached.
    pub async fn clean(&self, host: &Name) -> Result<(), Error> {
        exchange(&self.remote, || self.question("clean", vec![host.to_string()])).await.map(|_| ())
    }

    fn question(&self, verb: &'static str, arguments: Vec<String>) -> Question {
        Question::new(vec!["sh".to_owned(), format!("{}/capsule", self.home)], verb, arguments)
    }

    /// Follows, again and again, until the end is seen.
    async fn pursue(
        &self,
        order: &Order,
        progress: &mut Progress,
        pieces: &mpsc::Sender<Piece>,
        deadline: Instant,
    ) -> Result<Ended, Error> {
        let mut backoff = new_backoff();
        let mut stubborn = 0;
        let mut last = "it still runs".to_owned();
        loop {
            let before = progress.offset;
            let error = match timeout_at(deadline, self.follow(order, progress, pieces)).await {
                Ok(Ok(ended)) => return Ok(ended),
                Ok(Err(error)) => error,
                Err(_) => return Err(self.unknown(last)),
            };
            if !error.is_transient() {
                let may_mend = matches!(
                    error,
                    Error::HostKeyUnknown { .. }
                        | Error::HostKeyChanged { .. }
                        | Error::AuthenticationRefused { .. }
                        | Error::SudoRefused { .. }
                        | Error::NoShell { .. }
                );
                stubborn += 1;
                if !progress.started || !may_mend {
                    return Err(error);
                }
                if stubborn == STUBBORN_ATTEMPTS {
                    return Err(self.unknown(error.to_string()));
                }
            }
            tracing::debug!(host = self.remote.name(), key = order.key.0, %error, "asking for the step again");
            last = error.to_string();
            if progress.offset > before {
                backoff = new_backoff();
            }
            if timeout_at(deadline, backoff.wait()).await.is_err() {
                return Err(self.unknown(last));
            }
        }
    }

    fn unknown(&self, last: String) -> Error {
        Error::Unknown { host: self.remote.name().to_owned(), last }
    }

    /// One connection's worth of following.
    async fn follow(
        &self,
        order: &Order,
        progress: &mut Progress,
        pieces: &mpsc::Sender<Piece>,
    ) -> Result<Ended, Error> {
        let mut answer = self.ask_for(order, progress).await?;
        let mut mask = Mask::new(&order.secrets, progress.offset);
        let mut ended = Ended { end: End::Lost, facts: Facts::new(), output_bytes: 0, omitted_bytes: 0 };
        let mut total = None;
        loop {
            match answer.next().await? {
                Frame::Started(booted) => progress.begin(booted.clone(), booted),
                Frame::Attached { booted, now } => {
                    progress.begin(booted, now);
                    let _ = pieces.send(Piece::Attached).await;
                }
                Frame::Log { bytes, .. } => progress.hand_out(mask.push(&bytes), pieces).await,
                Frame::Tail { offset, omitted, bytes } => {
                    ended.omitted_bytes = omitted;
                    if mask.next_offset() != offset {
                        progress.hand_out(mask.finish(Border::Cut), pieces).await;
                        mask.skip_to(offset);
                    }
                    progress.hand_out(mask.push(&bytes), pieces).await;
                }
                Frame::Overdue => {
                    if !std::mem::replace(&mut progress.overdue, true) {
                        let _ = pieces.send(Piece::Overdue).await;
                    }
                }
                Frame::Facts(bytes) => ended.facts = read_facts(&Mask::hide(&order.secrets, &bytes)),
                Frame::Total(bytes) => total = Some(bytes),
                Frame::Exit { timed_out: true, .. } => ended.end = End::TimedOut,
                Frame::Exit { status, .. } => ended.end = End::Exit(status),
                Frame::Lost | Frame::Gone => ended.end = End::Lost,
                Frame::Rebooted => ended.end = End::Rebooted,
                Frame::End => break,
                other => return Err(refusal(&self.remote, self.epoch, other)),
            }
        }
        progress.hand_out(mask.finish(Border::Clean), pieces).await;
        ended.output_bytes = total.unwrap_or(progress.offset);
        Ok(ended)
    }

    async fn ask_for(&self, order: &Order, progress: &Progress) -> Result<Answer, Error> {
        let (epoch, key, offset) = (self.epoch.to_string(), order.key.0.clone(), progress.offset.to_string());
        if progress.started {
            return self.question("follow", vec![epoch, key, offset]).ask(&self.remote).await;
        }
        let limits = [order.timeout_s.max(1), order.head_bytes, order.tail_bytes].map(|limit| limit.to_string());
        let mut arguments = vec![epoch, key];
        arguments.extend(limits);
        arguments.extend([offset, self.launcher.to_owned()]);
        let mut question = self.question("run", arguments);
        question.stdin = self.write_input(order, &question.nonce)?;
        question.ask(&self.remote).await
    }

    /// Environment, blank line, script, and a last line that proves that all of it has arrived.
    fn write_input(&self, order: &Order, nonce: &str) -> Result<Vec<u8>, Error> {
        let refused = |why: String| Error::NotStarted { host: self.remote.name().to_owned(), why };
        let mut text = format!("LC_ALL={}\n", self.locale);
        for (name, value) in &order.environment {
            let good = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
            if name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit()) || !name.bytes().all(good) {
                return Err(refused(format!("`{}` can't name a variable", name.escape_debug())));
            }
            if value.contains('\0') || name == "IFS" {
                return Err(refused(format!("the value of `{name}` can't be passed on")));
            }
            text.push_str(&format!("{name}={}\n", value.replace('\\', "\\\\").replace('\n', "\\n")));
        }
        if order.script.contains('\0') {
            return Err(refused("the script holds a NUL character".to_owned()));
        }
        text.push_str(&format!("\n{}\nend {nonce}\n", order.script));
        Ok(text.into_bytes())
    }

    /// The new boot id, or none if the machine answers to the end under the old one.
    async fn await_another_boot(&self, old: &str, deadline: Instant) -> Result<Option<String>, Error> {
        let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(3));
        let mut last = None;
        loop {
            let asked = timeout_at(deadline, exchange(&self.remote, || self.question("boot", Vec::new()))).await;
            match asked {
                Ok(Ok(frames)) => match frames.into_iter().next() {
                    Some(Frame::Boot(now)) if now != old => return Ok(Some(now)),
                    _ => last = None,
                },
                Ok(Err(error)) => last = Some(error.to_string()),
                Err(_) => return last.map_or(Ok(None), |last| Err(self.unknown(last))),
            }
            // The deadline is seen by the next question.
            let _ = timeout_at(deadline, backoff.wait()).await;
        }
    }
}

/// How far a step was followed.
struct Progress {
    /// Position behind the last byte that was handed out.
    offset: u64,
    started: bool,
    overdue: bool,
    /// Boot id when the step was started.
    booted: String,
    /// Boot id when it was last looked at.
    now: String,
}

impl Progress {
    fn from(offset: u64) -> Self {
        Self { offset, started: false, overdue: false, booted: String::new(), now: String::new() }
    }

    fn begin(&mut self, booted: String, now: String) {
        (self.started, self.booted, self.now) = (true, booted, now);
    }

    async fn hand_out(&mut self, shown: Shown, pieces: &mpsc::Sender<Piece>) {
        if let Some((at_offset, bytes)) = shown {
            self.offset = at_offset + bytes.len() as u64;
            let _ = pieces.send(Piece::Output { at_offset, bytes }).await;
        }
    }
}

fn new_backoff() -> Backoff {
    Backoff::new(Duration::from_millis(200), Duration::from_secs(15))
}

/// Asks until there is a whole answer; only for verbs that may be repeated.
async fn exchange(remote: &Remote, question: impl Fn() -> Question) -> Result<Vec<Frame>, Error> {
    let mut attempt = 1;
    loop {
        match exchange_once(remote, question()).await {
            Err(Error::LineLost { .. }) if attempt < SHORT_ATTEMPTS => attempt += 1,
            other => return other,
        }
    }
}

async fn exchange_once(remote: &Remote, question: Question) -> Result<Vec<Frame>, Error> {
    let mut answer = question.ask(remote).await?;
    let collect = async {
        let mut frames = Vec::new();
        loop {
            match answer.next().await? {
                Frame::End => return Ok(frames),
                frame => frames.push(frame),
            }
        }
    };
    let late = |_| Error::LineLost { host: remote.name().to_owned(), detail: "no answer in time".to_owned() };
    timeout(SHORT_LIMIT, collect).await.map_err(late)?
}

/// The error for a frame that says no.
fn refusal(remote: &Remote, epoch: Epoch, frame: Frame) -> Error {
    let host = remote.name().to_owned();
    match frame {
        Frame::Fenced(newer) => Error::Fenced { host, epoch: epoch.0, newer },
        Frame::Vanished => Error::Vanished { host },
        Frame::Refused(why) => Error::NotStarted { host, why },
        other => Error::LineLost { host, detail: format!("unexpected answer `{other:?}`") },
    }
}

/// Lines without `=` are passed over; output is data, so nothing here can fail.
fn read_facts(bytes: &[u8]) -> Facts {
    let text = String::from_utf8_lossy(bytes);
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    let named = pairs.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()));
    named.filter(|(name, _)| !name.is_empty()).collect()
}
