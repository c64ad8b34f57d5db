//! How many requests are answered: so many of one client, so many of all, by buckets that fill again with time.
//!
//! Own, because it is forty lines: the crates for it bring a concurrent map, a clock of their own and a task that tidies up. Invariant:
//! what is kept has a bound, however many addresses somebody has.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::HeaderMap;

#[cfg(test)]
mod tests;

/// So many clients are remembered.
const MAX_CLIENTS: usize = 10_000;

/// When there are so many, those that may be forgotten are looked for so often at most.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// How fast a bucket empties and fills.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// So many at once.
    pub burst: f64,
    /// So many per second in the long run.
    pub per_second: f64,
}

/// For one client, and for all.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// Of one client.
    pub client: Rate,
    /// Of all together.
    pub overall: Rate,
}

impl Default for Rates {
    fn default() -> Self {
        Self { client: Rate { burst: 40.0, per_second: 0.5 }, overall: Rate { burst: 400.0, per_second: 40.0 } }
    }
}

/// An address, or of IPv6 the network of a household or an office, as they are given out (RFC 6177).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Client(IpAddr);

/// Who asks: the peer; if that is a proxy that is trusted, whom it names, from the right as far as proxies are trusted.
pub(super) fn client(peer: Option<IpAddr>, headers: &HeaderMap, trusted: &[IpAddr]) -> Client {
    let unknown = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    let mut client = peer.map_or(unknown, |peer| peer.to_canonical());
    let named: Vec<_> = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok()).collect();
    let mut named = named.iter().flat_map(|value| value.split(',')).rev();
    while trusted.contains(&client) {
        let Some(before) = named.next().and_then(|text| text.trim().parse::<IpAddr>().ok()) else { break };
        client = before.to_canonical();
    }
    Client(match client {
        IpAddr::V4(_) => client,
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (!0 << 64))),
    })
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Bucket {
    fn full(rate: Rate, now: Instant) -> Self {
        Self { left: rate.burst, at: now }
    }

    fn filled(self, rate: Rate, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        (self.left + passed * rate.per_second).min(rate.burst)
    }

    fn take(&mut self, rate: Rate, now: Instant) -> bool {
        let left = self.filled(rate, now);
        let admitted = left >= 1.0;
        *self = Self { left: if admitted { left - 1.0 } else { left }, at: now };
        admitted
    }
}

/// Counts requests.
#[derive(Debug)]
pub(super) struct Gate {
    rates: Rates,
    buckets: Mutex<Buckets>,
}

#[derive(Debug, Default)]
struct Buckets {
    overall: Option<Bucket>,
    clients: HashMap<Client, Bucket>,
    /// When those that may be forgotten were last looked for.
    swept_at: Option<Instant>,
}

impl Buckets {
    /// Forgets who has waited long enough to be as good as new, when there is no room for others. Not for each request: a flood
    /// from very many clients would have all of them looked at every time.
    fn sweep(&mut self, rate: Rate, now: Instant) {
        let is_early = self.swept_at.is_some_and(|at| now.saturating_duration_since(at) < SWEEP_INTERVAL);
        if self.clients.len() >= MAX_CLIENTS && !is_early {
            self.clients.retain(|_, bucket| bucket.filled(rate, now) < rate.burst);
            self.swept_at = Some(now);
        }
    }
}

impl Gate {
    pub(super) fn new(rates: Rates) -> Self {
        Self { rates, buckets: Mutex::default() }
    }

    /// Whether this request is answered. Who comes too often takes nothing from what all may.
    pub(super) fn admit(&self, client: Client, now: Instant) -> bool {
        let (rates, mut buckets) = (self.rates, self.buckets.lock().unwrap_or_else(PoisonError::into_inner));
        buckets.sweep(rates.client, now);
        // More clients than are remembered: what all may must do for them.
        let is_remembered = buckets.clients.len() < MAX_CLIENTS || buckets.clients.contains_key(&client);
        if is_remembered {
            let bucket = buckets.clients.entry(client).or_insert_with(|| Bucket::full(rates.client, now));
            if !bucket.take(rates.client, now) {
                return false;
            }
        }
        buckets.overall.get_or_insert_with(|| Bucket::full(rates.overall, now)).take(rates.overall, now)
    }
}
