//! Stories whose hosts are watched.

use super::{Story, at};
use crate::domain::id::Epoch;
use crate::domain::job::Job;
use crate::domain::plan::HostIndex;
use crate::domain::probe::{Check, HostProbe, OnRedBefore, Patience, Probe, TcpCheck, Watch};
use crate::domain::run::event::Event;

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
