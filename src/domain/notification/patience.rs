//! How long a message waits that a mail server does not take for now, and when that is enough.
//!
//! A pure rule: the random number is the caller's. Source: RFC 5321, section 4.5.4.1 (retries soon at first, then less often; giving up
//! after four or five days at the earliest).

/// After the first refusal, in seconds.
const FIRST_S: u64 = 60;
/// At most, in seconds.
const LONGEST_S: u64 = 3600;
/// Up to one part in so many of the wait is added by chance, so that what failed together does not come back together.
const SPREAD: f64 = 4.0;
/// A message that was refused so often in a row is given up: six waits that double, then 119 of an hour, five days in all.
const LAST: u32 = 126;

/// How long a message waits, in seconds, that was refused `refusals` times in a row, the last time just now; `None`: it is given up.
/// `chance`: a random number from 0 to 1.
#[must_use]
pub fn wait_s(refusals: u32, chance: f64) -> Option<u64> {
    let doublings = refusals.saturating_sub(1).min(16);
    (refusals < LAST).then(|| spread((FIRST_S << doublings).min(LONGEST_S), chance))
}

/// How long a message waits, in seconds, where the fault is on this side or the mail server can't be reached: the message is not to
/// blame for that, so it waits without end, and never for long. `chance`: a random number from 0 to 1.
#[must_use]
pub fn outage_wait_s(chance: f64) -> u64 {
    spread(FIRST_S, chance)
}

fn spread(wait_s: u64, chance: f64) -> u64 {
    let chance = if chance.is_finite() { chance.clamp(0.0, 1.0) } else { 0.0 };
    let longest = std::time::Duration::from_secs(wait_s);
    wait_s + longest.mul_f64(chance / SPREAD).as_secs()
}
