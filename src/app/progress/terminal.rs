//! A live line for each host in work: phase, step, elapsed time, last line of output. What is over scrolls up as plain lines.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::plain::{describe, host_name, step_name};
use super::writer::{Piece, Writer};
use crate::domain::line::clean_line;
use crate::domain::plan::{HostIndex, StepIndex};
use crate::domain::run::event::{Event, Recorded, StepEnd};
use crate::domain::run::state::Run;

/// More live lines than this would fill the terminal; further hosts show when they are done.
const LIVE_LINES: usize = 16;
/// So often the lines are drawn at most; each time costs as much as a dozen events of hosts.
const DRAWN_PER_S: u8 = 4;
/// What is printed above them is drawn with them at once, so that it waits for others to be printed with.
const FRAME: Duration = Duration::from_millis(250);
const OUTPUT_CHARS: usize = 60;
const NOTICE_CHARS: usize = 2000;

/// A change of the live lines.
#[derive(Debug)]
pub(super) enum Live {
    /// A host is in work.
    Add { host: HostIndex, name: String },
    /// A step begins.
    Step { host: HostIndex, text: String },
    /// The step says something.
    Output { host: HostIndex, text: String },
    /// The host is done with.
    Remove { host: HostIndex },
    /// Nothing is in work any more.
    Clear,
}

impl Live {
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Add { name: text, .. } | Self::Step { text, .. } | Self::Output { text, .. } => text.len(),
            Self::Remove { .. } | Self::Clear => 1,
        }
    }
}

/// Says what an event changes.
pub(super) fn event(writer: &Writer, run: &Run, recorded: &Recorded) {
    match &recorded.event {
        Event::HostStarted { host } => {
            let name = host_name(run.plan(), *host).to_owned();
            writer.write(Piece::Live(Live::Add { host: *host, name }));
        }
        Event::StepStarted { host, step } => {
            writer.offer(Piece::Live(Live::Step { host: *host, text: step_name(run.plan(), *step) }));
            return;
        }
        Event::HostFinished { host, .. } => writer.write(Piece::Live(Live::Remove { host: *host })),
        _ => {}
    }
    let is_success =
        |event: &Event| matches!(event, Event::StepFinished { result, .. } if result.end == StepEnd::Succeeded);
    if let Some(line) = describe(run, recorded).filter(|_| !is_success(&recorded.event)) {
        writer.write(Piece::Above(line));
    }
}

/// Shows the last line of output.
pub(super) fn output(writer: &Writer, run: &Run, host: HostIndex, step: StepIndex, bytes: &[u8]) {
    let last = bytes.split(|byte| matches!(byte, b'\n' | b'\r')).rfind(|line| !line.is_empty());
    if let Some(last) = last {
        let text = format!("{}  {}", step_name(run.plan(), step), clean_line(last, OUTPUT_CHARS));
        writer.offer(Piece::Live(Live::Output { host, text }));
    }
}

/// Live lines on stderr.
#[derive(Debug)]
pub(super) struct Lines {
    lines: MultiProgress,
    hosts: BTreeMap<HostIndex, ProgressBar>,
    /// What is still to be printed above, and when.
    above: String,
    due: Option<Instant>,
}

impl Default for Lines {
    fn default() -> Self {
        let target = ProgressDrawTarget::stderr_with_hz(DRAWN_PER_S);
        let lines = MultiProgress::with_draw_target(target);
        Self { lines, hosts: BTreeMap::new(), above: String::new(), due: None }
    }
}

impl Lines {
    pub(super) fn change(&mut self, live: Live) {
        match live {
            Live::Add { host, name } => self.add(host, name),
            Live::Step { host, text } => {
                if let Some(line) = self.hosts.get(&host) {
                    line.reset_elapsed();
                    line.set_message(text);
                }
            }
            Live::Output { host, text } => {
                if let Some(line) = self.hosts.get(&host) {
                    line.set_message(text);
                }
            }
            Live::Remove { host } => {
                if let Some(line) = self.hosts.remove(&host) {
                    self.lines.remove(&line);
                }
            }
            Live::Clear => {
                self.print_held();
                self.hosts.clear();
                let _ = self.lines.clear();
            }
        }
    }

    fn add(&mut self, host: HostIndex, name: String) {
        if self.hosts.len() >= LIVE_LINES {
            return;
        }
        let line = self.lines.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix:<14}  {wide_msg} {elapsed}") {
            line.set_style(style);
        }
        line.set_prefix(name);
        line.set_message("connecting");
        line.enable_steady_tick(Duration::from_secs(1));
        self.hosts.insert(host, line);
    }

    /// Prints a line, within a [`FRAME`].
    pub(super) fn print_above(&mut self, text: &str) {
        self.above.push_str(&clean_line(text.as_bytes(), NOTICE_CHARS));
        self.above.push('\n');
        self.due.get_or_insert_with(|| Instant::now() + FRAME);
    }

    /// How long lines may still be held back; none if there are none.
    pub(super) fn patience(&self) -> Option<Duration> {
        self.due.map(|due| due.saturating_duration_since(Instant::now()))
    }

    /// Prints what was held back.
    pub(super) fn print_held(&mut self) {
        if self.due.take().is_some() {
            // A terminal that is gone is no reason to stop a run.
            let _ = self.lines.println(std::mem::take(&mut self.above));
        }
    }
}
