//! Stories whose hosts have probes.

use super::{Answer, Story, at, step};
use crate::domain::id::Epoch;
use crate::domain::job::{Action, Job, Phase, Place, Step};
use crate::domain::plan::HostIndex;
use crate::domain::probe::{Check, HostProbe, OnRedBefore, Patience, Probe, ProbeResult, TcpCheck, Watch};
use crate::domain::run::event::{Event, StepEnd};

/// Probes that were red before and are red after, that broke, and one that held its host.
pub(crate) fn probed() -> Story {
    let result = |name: &str, met: bool| ProbeResult {
        name: name.to_owned(),
        met,
        what: format!("GET http://h/: {}", if met { "status 200" } else { "expected status 200, found 503" }),
        took_ms: 40,
        noted: Vec::new(),
    };
    let red = |name: &str| format!("`{name}`: GET http://h/: expected status 200, found 503");
    let before = vec![result("shop", true), result("archive", false)];
    let after = vec![result("shop", true), result("archive", false), result("search", true)];
    let ask_hosts = |job: &mut Job| {
        let probes = Step { action: Action::HostProbes, place: Place::Controller, ..step(Phase::Smoke, "services") };
        job.steps.push(probes);
    };
    Story::new()
        .job(ask_hosts)
        .with("mail01", "services (before)", Answer::Probes(StepEnd::Succeeded, before))
        .with("mail01", "services", Answer::Probes(StepEnd::Succeeded, after))
        .with(
            "web01",
            "services (before)",
            Answer::Probes(StepEnd::RedBefore { why: red("shop") }, vec![result("shop", false)]),
        )
}

/// The service `shop` is watched on each host; five minutes is the longest that it may be down after an update.
pub(crate) fn watched() -> Story {
    let mut story = Story::new();
    let check = Check::Tcp(TcpCheck { address: "$ADDRESS:443".to_owned(), greeting: None });
    let shop = HostProbe {
        name: "shop".to_owned(),
        probe: Probe { check, patience: Patience::default() },
        from: None,
        on_red_before: OnRedBefore::Hold,
        watch: Some(Watch { max_downtime_s: Some(300) }),
    };
    story.customer.hosts.iter_mut().for_each(|host| host.probes.push(shop.clone()));
    story.seen(1, true)
}

/// It is away for 41 seconds of the update and for 2 at the end, in between there was another controller; the window closes meanwhile.
pub(crate) fn interrupted() -> Story {
    let taken = Event::LeaseTaken { epoch: Epoch(2), controller: "office:4712".to_owned() };
    let story = watched().seen(300, false).seen(341, true).meanwhile(350, taken).seen(352, true);
    story.seen(390, false).seen(392, true).in_window(1000, 391)
}

/// It does not come back after the update of the first host.
pub(crate) fn down(change: impl FnOnce(&mut Job)) -> Story {
    watched().job(change).seen(380, false).meanwhile(1000, exceeded())
}

fn exceeded() -> Event {
    Event::DowntimeExceeded { host: HostIndex(0), probe: "shop".to_owned() }
}

impl Story {
    /// The watch over the first host sees this so many seconds after the start.
    fn seen(self, after_s: i64, met: bool) -> Self {
        let what = if met { "connected" } else { "tcp mail01.example:443: connection refused" };
        let event = Event::WatchChanged {
            host: HostIndex(0),
            probe: "shop".to_owned(),
            met,
            since: at(after_s),
            what: what.to_owned(),
        };
        self.meanwhile(after_s, event)
    }
}
