//! `proxy_jump`: the hops on the way to a host.

use std::collections::BTreeMap;

use crate::domain::document::{Table, Value, Wrong};
use crate::domain::id::Name;
use crate::domain::inventory::address::{HOP_RULE, parse_hop};
use crate::domain::inventory::{Connection, Host};

/// Longest way. Nobody has one this long; it also bounds what chained hosts can grow to.
const MAX_HOPS: usize = 8;

/// What a host says about the way to it: nearest hop first; empty: straight.
#[derive(Default)]
pub(super) struct Route<'d>(Vec<Hop<'d>>);

/// A hop, with its place in the text. Until all hosts are known it is taken by its word, as an address.
struct Hop<'d> {
    value: Value<'d>,
    address: Connection,
}

/// What is known of each host: how it is reached but for the way, and the hops that it names.
type Known<'d> = BTreeMap<Name, (Connection, Route<'d>)>;

impl<'d> Route<'d> {
    /// Reads `proxy_jump`: a hop or an array of hops.
    pub(super) fn read(table: &mut Table<'d>) -> Self {
        let Some(value) = table.optional("proxy_jump") else { return Self::default() };
        let hops = value.as_str().map_or_else(|| value.entries(), |_| Some(vec![value]));
        Self(hops.unwrap_or_default().into_iter().filter_map(Hop::read).collect())
    }
}

impl<'d> Hop<'d> {
    fn read(value: Value<'d>) -> Option<Self> {
        Some(Self { value, address: value.parsed(HOP_RULE, parse_hop)? })
    }

    /// The host of the same file that the hop names, if it does.
    fn host<'k>(&self, known: &'k Known<'d>) -> Option<(&'k Name, &'k (Connection, Route<'d>))> {
        known.get_key_value(&self.value.as_str()?.parse::<Name>().ok()?)
    }
}

/// Writes the resolved hops into each host; `routes` stand in the order of `hosts`.
pub(super) fn resolve_routes(hosts: &mut [Host], routes: Vec<Route<'_>>) {
    let known: Known<'_> =
        (hosts.iter().zip(routes)).map(|(host, route)| (host.name.clone(), (host.connection.clone(), route))).collect();
    for host in hosts {
        host.connection.proxy_jump = walk(&host.name, &known).unwrap_or_default();
    }
}

/// The whole way to `host`. Only the nearest hop of a list is reached over its own hops; each later one over the hop before it.
fn walk(host: &Name, known: &Known<'_>) -> Option<Vec<Connection>> {
    let (_, Route(hops)) = known.get(host)?;
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
        leg = nearest.host(known).map_or(&[], |(_, (_, Route(hops)))| hops.as_slice());
    }
    Some(way)
}

fn resolve(host: &Name, hop: &Hop<'_>, known: &Known<'_>) -> Option<Connection> {
    match hop.host(known) {
        Some((name, _)) if name == host => {
            hop.value.report(Wrong::new(format!("the way to `{host}` leads over `{host}` itself")));
            None
        }
        Some((_, (connection, _))) => Some(connection.clone()),
        None => Some(hop.address.clone()),
    }
}
