//! Floods, and who is behind a proxy. Time is given, not waited for.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderValue};

use super::{Client, Gate, MAX_CLIENTS, Rate, Rates, client};

const RATES: Rates =
    Rates { client: Rate { burst: 3.0, per_second: 0.5 }, overall: Rate { burst: 5.0, per_second: 100.0 } };

fn one(number: u32) -> Client {
    Client(IpAddr::V4(Ipv4Addr::from_bits(number)))
}

#[test]
fn a_client_has_so_many_at_once_and_more_with_time() {
    let (gate, now) = (Gate::new(RATES), Instant::now());
    let admitted = |after_s: u64| gate.admit(one(1), now + Duration::from_secs(after_s));
    assert_eq!([admitted(0), admitted(0), admitted(0), admitted(0)], [true, true, true, false]);
    assert!(!admitted(1), "half a request");
    assert!(admitted(3));
    assert!(!admitted(3));
    assert!(gate.admit(one(2), now), "another one");
}

#[test]
fn all_together_have_a_limit_that_a_flood_of_one_does_not_use_up() {
    let (gate, now) = (Gate::new(RATES), Instant::now());
    let admitted = (0..1000).filter(|_| gate.admit(one(1), now)).count();
    assert_eq!(admitted, 3);
    assert!(gate.admit(one(2), now) && gate.admit(one(3), now));
    assert!(!gate.admit(one(4), now), "five are over");
    assert!(gate.admit(one(4), now + Duration::from_secs(1)));
}

#[test]
fn what_is_remembered_has_a_bound() {
    let rates = Rates { overall: Rate { burst: 1e9, per_second: 1e9 }, ..RATES };
    let (gate, now) = (Gate::new(rates), Instant::now());
    for number in 0..3 * u32::try_from(MAX_CLIENTS).unwrap() {
        assert!(gate.admit(one(number), now));
    }
    assert_eq!(gate.buckets.lock().unwrap().clients.len(), MAX_CLIENTS);
    // All are full again, and are forgotten.
    assert!(gate.admit(one(1), now + Duration::from_secs(60)));
    assert_eq!(gate.buckets.lock().unwrap().clients.len(), 1);
}

#[test]
fn only_a_trusted_proxy_says_whom_it_serves() {
    let check = |peer: &str, forwarded: &[&str], trusted: &[&str], expected: &str| {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", HeaderValue::from_str(value).unwrap());
        }
        let trusted: Vec<IpAddr> = trusted.iter().map(|address| address.parse().unwrap()).collect();
        let found = client(Some(peer.parse().unwrap()), &headers, &trusted);
        assert_eq!(found, Client(expected.parse().unwrap()), "{peer} {forwarded:?}");
    };
    check("192.0.2.1", &[], &[], "192.0.2.1");
    check("192.0.2.1", &["198.51.100.7"], &[], "192.0.2.1");
    check("192.0.2.1", &["198.51.100.7"], &["192.0.2.2"], "192.0.2.1");
    check("192.0.2.1", &["198.51.100.7"], &["192.0.2.1"], "198.51.100.7");
    // What the client itself wrote stands to the left of what the proxy adds.
    check("192.0.2.1", &["203.0.113.9, 198.51.100.7"], &["192.0.2.1"], "198.51.100.7");
    check("192.0.2.1", &["203.0.113.9", "198.51.100.7"], &["192.0.2.1"], "198.51.100.7");
    check("192.0.2.1", &["198.51.100.7, 192.0.2.2"], &["192.0.2.1", "192.0.2.2"], "198.51.100.7");
    check("192.0.2.1", &["nonsense"], &["192.0.2.1"], "192.0.2.1");
    check("::ffff:192.0.2.1", &[], &[], "192.0.2.1");
    check("2001:db8:1:2:3:4:5:6", &[], &[], "2001:db8:1:2::");
    assert_eq!(client(None, &HeaderMap::new(), &[]), Client("::".parse().unwrap()));
}
