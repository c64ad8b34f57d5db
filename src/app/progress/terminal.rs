//! A live line for each host in work: phase, step, elapsed time, last line of output. What is over scrolls up as plain lines.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::plain::{describe, host_name, step_name};
use crate::domain::line::clean_line;
use crate::domain::plan::{HostIndex, StepIndex};
use crate::domain::run::event::{Event, Recorded};
use crate::domain::run::state::Run;

/// More live lines than this would fill the terminal; further hosts show when they are done.
const LIVE_LINES: usize = 16;
const OUTPUT_CHARS: usize = 60;
const NOTICE_CHARS: usize = 2000;

/// Live lines on stderr.
#[derive(Debug)]
pub struct Terminal {
    lines: MultiProgress,
    hosts: BTreeMap<HostIndex, ProgressBar>,
}

impl Terminal {
    pub(super) fn new() -> Self {
        Self { lines: MultiProgress::new(), hosts: BTreeMap::new() }
    }

    pub(super) fn event(&mut self, run: &Run, recorded: &Recorded) {
        match &recorded.event {
            Event::HostStarted { host } => self.add(run, *host),
            Event::StepStarted { host, step } => {
                if let Some(line) = self.hosts.get(host) {
                    line.reset_elapsed();
                    line.set_message(step_name(run.plan(), *step));
                }
                return;
            }
            Event::HostFinished { host, .. } => {
                if let Some(line) = self.hosts.remove(host) {
                    self.lines.remove(&line);
                }
            }
            _ => {}
        }
        let is_success = |event: &Event| matches!(event, Event::StepFinished { result, .. } if result.end == crate::domain::run::event::StepEnd::Succeeded);
        if let Some(line) = describe(run, recorded).filter(|_| !is_success(&recorded.event)) {
            self.notice(&line);
        }
    }

    fn add(&mut self, run: &Run, host: HostIndex) {
        if self.hosts.len() >= LIVE_LINES {
            return;
        }
        let line = self.lines.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix:<14}  {wide_msg} {elapsed}") {
            line.set_style(style);
        }
        line.set_prefix(host_name(run.plan(), host).to_owned());
        line.set_message("connecting");
        line.enable_steady_tick(Duration::from_millis(120));
        self.hosts.insert(host, line);
    }

    pub(super) fn output(&mut self, run: &Run, host: HostIndex, step: StepIndex, bytes: &[u8]) {
        let Some(line) = self.hosts.get(&host) else { return };
        let last = bytes.split(|byte| matches!(byte, b'\n' | b'\r')).rfind(|line| !line.is_empty());
        if let Some(last) = last {
            let text = clean_line(last, OUTPUT_CHARS);
            line.set_message(format!("{}  {text}", step_name(run.plan(), step)));
        }
    }

    pub(super) fn notice(&self, text: &str) {
        // A terminal that is gone is no reason to stop a run.
        let _ = self.lines.println(clean_line(text.as_bytes(), NOTICE_CHARS));
    }

    pub(super) fn close(&mut self) {
        self.hosts.clear();
        let _ = self.lines.clear();
    }
}
