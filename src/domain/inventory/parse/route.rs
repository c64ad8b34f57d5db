//! `proxy_jump`: the hops on the way to a host.

use std::collections::BTreeMap;

use super::host::Roster;
use crate::domain::document::{Table, Value, Wrong};
use crate::domain::id::Name;
use crate::domain::inventory::address::{HOP_RULE, parse_hop};
use crate::domain::inventory::{Connection, Host};

/// Longest way. Nobody has one this long; it also bounds what chained hosts can grow to.
const MAX_HOPS: usize = 8;

/// What a host says about the way to it.
pub(super) struct Route<'d> {
    /// Nearest hop first; empty: straight.
    hops: Vec<Value<'d>>,
}

/// A hop that was understood, with its place in the text.
struct Hop<'d> {
    value: Value<'d>,
    target: Target,
}

enum Target {
    /// A host of the same file.
    Named(Name),
    /// Any other machine.
    Direct(Connection),
}

/// What is known of each host: how it is reached but for the way, and the hops that it names.
type Known<'d> = BTreeMap<Name, (Connection, Vec<Hop<'d>>)>;

impl<'d> Route<'d> {
    /// Reads `proxy_jump`: a hop or an array of hops.
    pub(super) fn read(table: &mut Table<'d>) -> Self {
        let hops = table.optional("proxy_jump").and_then(|value| match value.as_str() {
            Some(_) => Some(vec![value]),
            None => value.entries(),
        });
        Self { hops: hops.unwrap_or_default() }
    }
}

/// Writes the resolved hops into each host; `routes` stand in the order of `hosts`.
pub(super) fn resolve_routes(hosts: &mut [Host], routes: &[Route<'_>], roster: &Roster) {
    let known: Known<'_> = (hosts.iter().zip(routes))
        .map(|(host, route)| (host.name.clone(), (host.connection.clone(), read_hops(route, roster))))
        .collect();
    for host in hosts {
        host.connection.proxy_jump = walk(&host.name, &known).unwrap_or_default();
    }
}

fn read_hops<'d>(route: &Route<'d>, roster: &Roster) -> Vec<Hop<'d>> {
    route.hops.iter().filter_map(|value| read_hop(*value, roster)).collect()
}

fn read_hop<'d>(value: Value<'d>, roster: &Roster) -> Option<Hop<'d>> {
    let target = value.parsed(HOP_RULE, |text| match text.parse() {
        Ok(name) if roster.has(&name) => Some(Target::Named(name)),
        _ => parse_hop(text).map(Target::Direct),
    })?;
    Some(Hop { value, target })
}

/// The whole way to `host`. Only the nearest hop of a list is reached over its own hops; each later one over the hop before it.
fn walk(host: &Name, known: &Known<'_>) -> Option<Vec<Connection>> {
    let (_, hops) = known.get(host)?;
    let mut way = Vec::new();
    let mut leg = hops.as_slice();
    while let Some(nearest) = leg.first() {
        if way.len() + leg.len() > MAX_HOPS {
            let what = format!("the way to `{host}` has more than {MAX_HOPS} hops or goes in circles");
            hops.first()?.value.report(Wrong::new(what));
            return None;
        }
        let resolved = leg.iter().map(|hop| resolve(host, hop, known)).collect::<Option<Vec<_>>>()?;
        way.splice(0..0, resolved);
        leg = match &nearest.target {
            Target::Named(name) => known.get(name).map_or(&[], |(_, hops)| hops.as_slice()),
            Target::Direct(_) => &[],
        };
    }
    Some(way)
}

fn resolve(host: &Name, hop: &Hop<'_>, known: &Known<'_>) -> Option<Connection> {
    match &hop.target {
        Target::Direct(connection) => Some(connection.clone()),
        Target::Named(name) if name == host => {
            hop.value.report(Wrong::new(format!("the way to `{host}` leads over `{host}` itself")));
            None
        }
        // A host that is wrong in itself has been reported.
        Target::Named(name) => known.get(name).map(|(connection, _)| connection.clone()),
    }
}
