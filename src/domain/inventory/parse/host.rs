//! `[[host]]` and `[vars]`.

use std::collections::{BTreeMap, BTreeSet};

use super::capacity::{join_watched, read_watched};
use super::route::{Route, resolve_routes};
use super::window::find_host;
use crate::domain::capacity::WatchedPath;
use crate::domain::document::{Distinct, Key, Table, Value, Wrong};
use crate::domain::id::Name;
use crate::domain::inventory::address::{
    ADDRESS_RULE, HOST_DIRECTORY_RULE, LOCAL_PATH_RULE, USER_RULE, parse_address, parse_host_directory,
    parse_local_path, parse_user,
};
use crate::domain::inventory::{Connection, Host, Transport};
use crate::domain::probe::HostProbe;
use crate::domain::probe::parse::read_host_probe;

/// Values for steps, by key.
pub(super) type Vars = BTreeMap<String, String>;

/// What the customer says of all hosts.
pub(super) struct Defaults {
    pub(super) vars: Vars,
    pub(super) capacity: Vec<WatchedPath>,
}

/// More on one host can't be asked in a time that anybody would wait for.
const MAX_PROBES: usize = 50;
/// Size of all variables of a table; they are repeated for each host and travel with each step.
const MAX_VARIABLES_BYTES: usize = 16 * 1024;

/// Who is there, as far as names could be read: hosts that are wrong otherwise are in it too.
#[derive(Debug, Default)]
pub(super) struct Roster {
    names: BTreeSet<Name>,
    /// Hosts of each group, in the order of the file.
    groups: BTreeMap<Name, Vec<Name>>,
}

impl Roster {
    pub(super) fn has(&self, name: &Name) -> bool {
        self.names.contains(name)
    }

    pub(super) fn group(&self, name: &Name) -> Option<&[Name]> {
        self.groups.get(name).map(Vec::as_slice)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(Name::as_str)
    }

    pub(super) fn group_names(&self) -> impl Iterator<Item = &str> {
        self.groups.keys().map(Name::as_str)
    }

    pub(super) fn into_names(self) -> BTreeSet<Name> {
        self.names
    }

    fn enter(&mut self, name: &Name, groups: &[Name]) {
        self.names.insert(name.clone());
        for group in groups {
            self.groups.entry(group.clone()).or_default().push(name.clone());
        }
    }
}

/// Reads all hosts; `defaults` is what holds for those that say nothing else.
pub(super) fn read_hosts(tables: Vec<Table<'_>>, defaults: &Defaults) -> (Vec<Host>, Roster) {
    let mut roster = Roster::default();
    let mut seen = Distinct::default();
    let mut lookouts = Vec::new();
    let read = |table| read_host(table, defaults, (&mut roster, &mut seen, &mut lookouts));
    let (mut hosts, routes): (Vec<Host>, Vec<Route<'_>>) = tables.into_iter().filter_map(read).unzip();
    resolve_routes(&mut hosts, routes);
    for (value, name) in lookouts.iter().filter_map(|value| Some((value, value.as_str()?))) {
        find_host(value, name, &roster);
    }
    (hosts, roster)
}

fn read_host<'d>(
    mut table: Table<'d>,
    defaults: &Defaults,
    (roster, seen, lookouts): (&mut Roster, &mut Distinct, &mut Vec<Value<'d>>),
) -> Option<(Host, Route<'d>)> {
    let name = table.required("name").and_then(|value| read_host_name(&value, seen));
    let connection = read_connection(&mut table);
    let route = Route::read(&mut table);
    let groups = table.optional("groups").and_then(|value| read_groups(&value)).unwrap_or_default();
    let own = table.table("vars").map(read_vars).unwrap_or_default();
    let probes = read_probes(table.tables("probe", MAX_PROBES), lookouts);
    let watched = read_watched(&mut table);
    table.finish();
    let name = name?;
    roster.enter(&name, &groups);
    let vars = defaults.vars.clone().into_iter().chain(own).collect();
    let capacity = join_watched(&defaults.capacity, watched);
    Some((Host { name, connection: connection?, groups, vars, probes, capacity }, route))
}

/// `lookouts` takes where probes name hosts from which they look.
fn read_probes<'d>(tables: Vec<Table<'d>>, lookouts: &mut Vec<Value<'d>>) -> Vec<HostProbe> {
    let mut names = Distinct::default();
    let mut read = |table| {
        let (probe, from) = read_host_probe(table, &mut names);
        lookouts.extend(from);
        probe
    };
    tables.into_iter().filter_map(&mut read).collect()
}

fn read_host_name(value: &Value<'_>, seen: &mut Distinct) -> Option<Name> {
    let name = value.name()?;
    seen.admit(name.as_str(), value);
    if name.as_str() == "controller" {
        value.report(value.wrong().hint("`controller` is the machine that runs turnus (`on = \"controller\"`)"));
    }
    Some(name)
}

/// Everything but the way to the host.
fn read_connection(table: &mut Table<'_>) -> Option<Connection> {
    let address = table.required("address").and_then(|value| value.parsed(ADDRESS_RULE, parse_address));
    let port = table.optional("port").and_then(|value| value.integer(1..=65535));
    let user = table.optional("user").and_then(|value| value.parsed(USER_RULE, parse_user));
    let mut path = |key| table.optional(key).and_then(|value| value.parsed(LOCAL_PATH_RULE, parse_local_path));
    let (identity_file, known_hosts) = (path("identity_file"), path("known_hosts"));
    let elevate = table.optional("become").and_then(|value| value.boolean()).unwrap_or_default();
    let state_dir =
        table.optional("state_dir").and_then(|value| value.parsed(HOST_DIRECTORY_RULE, parse_host_directory));
    let transport = table.optional("transport").and_then(|value| value.word(&Transport::ALL));
    Some(Connection {
        port,
        user,
        identity_file,
        known_hosts,
        elevate,
        state_dir,
        transport,
        ..Connection::to(address?)
    })
}

fn read_groups(value: &Value<'_>) -> Option<Vec<Name>> {
    let mut seen = Distinct::default();
    let read = |entry: Value<'_>| {
        let name = entry.name()?;
        seen.admit(name.as_str(), &entry);
        Some(name)
    };
    Some(value.entries()?.into_iter().filter_map(read).collect())
}

/// Variables: the keys are the author's own.
pub(super) fn read_vars(table: Table<'_>) -> Vars {
    let read = |(key, value): (Key<'_>, Value<'_>)| key.variable().zip(value.scalar());
    let vars: Vars = table.entries().filter_map(read).collect();
    let bytes = vars.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
    if bytes > MAX_VARIABLES_BYTES {
        let wrong = Wrong::new(format!("the variables have {bytes} bytes in all"));
        table.report(wrong.expected(format!("at most {MAX_VARIABLES_BYTES} bytes")));
    }
    vars
}
