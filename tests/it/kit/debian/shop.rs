//! A provider with one customer, whose shop runs on a real Debian host, and a job that updates it.

use std::fs;

use serde_json::Value;
use turnus::domain::id::OccurrenceId;

use super::Root;
use super::host::Host;
use super::repository::Repository;
use crate::kit::provider::{Provider, Span};
use crate::kit::world::{Running, World, text};

/// A date that is yet to come.
pub(crate) const TOMORROW: Span = Span { start: 86_400, latest_start: 90_000, end: 93_600 };

/// Whole in this order: the last to go is the world that has the keys.
pub(crate) struct Shop {
    pub(crate) host: Host,
    pub(crate) repository: Repository,
    pub(crate) provider: Provider,
}

impl Shop {
    /// None where no Debian can be had; that is told.
    pub(crate) fn open() -> Option<Self> {
        let root = Root::open()?;
        let provider = Provider::new(1);
        let repository = Repository::open(&root);
        let host = Host::start(&root, &provider.world.path(""), repository.url());
        let shop = Self { host, repository, provider };
        shop.write_inventory(shop.host.ssh_port);
        shop.job("packages = \"all\"", "shop ");
        Some(shop)
    }

    pub(crate) fn world(&self) -> &World {
        &self.provider.world
    }

    /// The customer's one host `h1`, reached at `port`.
    pub(crate) fn write_inventory(&self, port: u16) {
        let world = self.world();
        let address = &self.host.address;
        let key = fs::read_to_string(world.path("host_key.pub")).expect("a key");
        world.write("known_hosts", &format!("[{address}]:{port} {key}"));
        let text = format!(
            "[customer]\nname = \"Nordwind GmbH\"\nlocale = \"en\"\ntime_zone = \"Europe/Berlin\"\n\n\
             [[host]]\nname = \"h1\"\naddress = \"{address}\"\nport = {port}\nuser = \"root\"\nidentity_file = \"{key}\"\n\
             known_hosts = \"{known}\"\n",
            key = world.path("key").display(),
            known = world.path("known_hosts").display(),
        );
        world.write("configuration/inventories/nordwind.toml", &text);
    }

    /// Adds a window of the job `quarterly`, and applies all files.
    pub(crate) fn apply_with_window(&self) {
        let window = "\n[[window]]\nname = \"h1\"\nrule = \"FREQ=YEARLY\"\nstarts = 2027-03-27T14:00:00\nduration = \"2h\"\n\
                      job = \"quarterly\"\nhosts = [\"h1\"]\nreview = \"3d\"\n";
        let inventory = self.provider.inventory() + window;
        self.world().write("configuration/inventories/nordwind.toml", &inventory);
        self.provider.apply();
    }

    /// The job `quarterly`, which can be taken back: `lines` say what its update does, the shop has to say `wanted` afterwards. A
    /// preflight step stands at the gate `look`, whenever that is closed.
    pub(crate) fn job(&self, lines: &str, wanted: &str) {
        let port = self.host.shop_port;
        let text = format!(
            r#"description = "Update of the shop"
batch = ["1"]
backup = "none"
backup_reason = "the shop keeps nothing"

[[step]]
phase = "preflight"
name = "gate"
run = ': >/run/at-look; while [ -e /run/closed-look ]; do sleep 0.1; done'

[[step]]
phase = "quiesce"
name = "drain"
run = 'echo drained >>/var/log/drain'
undo = 'echo filled >>/var/log/drain'

[[step]]
phase = "update"
name = "packages"
{lines}
rollback = "packages"

[[step]]
phase = "smoke"
name = "the shop answers"
probe = {{ http = {{ url = "http://$ADDRESS:{port}/", contains = "{wanted}", within = "5s" }} }}
"#
        );
        self.world().job("quarterly", &text);
    }

    /// Starts a run by hand.
    pub(crate) fn start(&self, more: &[&str]) -> Running<'_> {
        let arguments = [&["run", "nordwind", "quarterly", "--host", "h1", "--yes", "--reason", "test"], more].concat();
        self.world().start(&arguments)
    }

    /// A run by hand to its end; exit status, all that was printed, and its record.
    pub(crate) fn run(&self, more: &[&str]) -> (i32, String) {
        self.start(more).finish()
    }

    /// `turnus` with these arguments, which has to end well; what it printed.
    #[track_caller]
    pub(crate) fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.world().run(arguments);
        assert!(output.status.success(), "turnus {arguments:?}: {}", text(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The date comes: a daemon opens it and carries it out.
    pub(crate) fn let_it_come(&self, date: OccurrenceId) {
        self.provider.execute(&format!(
            "update occurrence set start_at = clock_timestamp() - interval '1 s' where id = '{date}'"
        ));
        let _daemon = self.provider.serve();
        self.provider.wait_for_state(date, "done");
    }

    /// What the record of a run says of the end of this part (`look`, `run`, …) of the update, if it has ended.
    pub(crate) fn result(&self, run: i64, part: &str) -> Option<Value> {
        let output = self.world().run(&["show", &run.to_string(), "--format", "json"]);
        let shown: Value = serde_json::from_slice(&output.stdout).expect("json");
        let events = shown["events"].as_array().expect("events");
        let end = events.iter().find(|event| {
            event["kind"] == "step_finished" && event["step"]["name"] == "packages" && event["step"]["part"] == part
        });
        end.map(|event| event["result"].clone())
    }

    /// What a look chose, or a last look found (`chosen`, `installed`, `newly_available`, …): `NAME FROM → TO` each, sorted as told.
    pub(crate) fn changes(&self, run: i64, part: &str, list: &str) -> Vec<String> {
        let result = self.result(run, part).unwrap_or_default();
        let list = result["packages"][list].as_array().cloned().unwrap_or_default();
        let told = list.iter().map(|change| {
            // Some carry the change with a cause beside it.
            let change = change.get("change").unwrap_or(change);
            let version = |key: &str| change[key].as_str().unwrap_or("-");
            format!("{} {} → {}", change["name"].as_str().unwrap_or("?"), version("from"), version("to"))
        });
        told.collect()
    }

    /// All that the steps of a run printed.
    pub(crate) fn log(&self, run: i64) -> String {
        String::from_utf8_lossy(&self.world().run(&["log", &run.to_string()]).stdout).into_owned()
    }

    /// What was stopped and started again for a run.
    pub(crate) fn drained(&self) -> String {
        self.host.shell("cat /var/log/drain 2>/dev/null || :")
    }
}
