//! The daily round of the daemons, and `turnus capacity collect`.

use std::net::TcpListener;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use nix::sys::signal::Signal;
use turnus::app::daemon::Daemon;
use turnus::app::daemon::tick::{Tick, Worked, run_at};
use turnus::domain::capacity::second_of_day;
use turnus::domain::settings::Settings;

use crate::kit::office::Office;
use crate::kit::provider::{Provider, name};
use crate::kit::world::{text, wait_until};

const WATCHED: &str = "capacity = [{ path = \"/\", warn = \"1s\" }]\n";

/// A provider whose hosts are watched, and a daemon that does what the test tells it to.
struct Hand {
    provider: Provider,
    daemon: Arc<Daemon>,
}

impl Hand {
    fn new(hosts: usize) -> Self {
        let provider = Provider::new(hosts);
        let inventory = format!("{WATCHED}{}", provider.inventory());
        provider.world.write("configuration/inventories/nordwind.toml", &inventory);
        provider.apply();
        let daemon = daemon(&provider);
        Self { provider, daemon }
    }

    fn collect(&self, now: Timestamp) -> Worked {
        self.provider.block_on(async {
            let worked = run_at(&self.daemon, Tick::Capacity, now).await.unwrap();
            self.daemon.settle().await;
            worked
        })
    }

    /// Each look as `HOST DAY`, with a `!` where it found nothing.
    fn looks(&self) -> String {
        self.provider.ask(
            "select string_agg(host || ' ' || coalesce(day::text, 'no day') || case when fault is null then '' else '!' end, '; '
                               order by looked_at, host) from capacity_look",
        )
    }
}

fn daemon(provider: &Provider) -> Arc<Daemon> {
    let store = provider.open_store();
    let state_dir = provider.world.path("state");
    provider.block_on(async { Daemon::new(store, &Settings::default(), &[], &state_dir).unwrap() })
}

/// A time on this day of January 2030 at which the round of nordwind is due, or was so many seconds before.
fn due(day: i8, later_s: i64) -> Timestamp {
    let midnight = jiff::civil::date(2030, 1, day).to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
    midnight + SignedDuration::from_secs(i64::from(second_of_day(&name("nordwind"))) + later_s)
}

#[test]
fn each_host_is_looked_at_once_a_day_at_its_customer_s_time() {
    let hand = Hand::new(2);
    assert!((0..86_400).contains(&second_of_day(&name("nordwind"))));
    // Never looked at before: at once.
    assert_eq!(hand.collect(due(7, -60)), Worked::Something);
    assert_eq!(hand.looks(), "h1 2030-01-07; h2 2030-01-07");
    assert_eq!(hand.provider.ask("select count(*)::text from measurement where path = '/'"), "2");
    assert_eq!(hand.collect(due(7, 0)), Worked::Nothing, "the day is done");
    assert_eq!(hand.collect(due(8, -1)), Worked::Nothing, "its time has not come");
    assert_eq!(hand.collect(due(8, 0)), Worked::Something);
    assert_eq!(hand.collect(due(8, 1)), Worked::Nothing);
    // Nobody was there for a day: it does not wait any longer.
    assert_eq!(hand.collect(due(10, -60)), Worked::Something);
    assert_eq!(
        hand.looks(),
        "h1 2030-01-07; h2 2030-01-07; h1 2030-01-08; h2 2030-01-08; h1 2030-01-10; h2 2030-01-10"
    );
}

#[test]
fn of_two_daemons_one_looks_and_a_dead_one_is_replaced() {
    let hand = Hand::new(2);
    let other = daemon(&hand.provider);
    let now = due(7, 0);
    hand.provider.block_on(async {
        let both = tokio::join!(run_at(&hand.daemon, Tick::Capacity, now), run_at(&other, Tick::Capacity, now));
        both.0.unwrap();
        both.1.unwrap();
        hand.daemon.settle().await;
        other.settle().await;
    });
    assert_eq!(hand.looks(), "h1 2030-01-07; h2 2030-01-07");
    // One had taken the next day, kept a host, and died.
    let until = due(8, 900);
    hand.provider.execute(&format!("update capacity_round set leased_until = '{until}'"));
    hand.provider.execute(&format!(
        "insert into capacity_look (customer, host, looked_at, day) values ('nordwind', 'h1', '{}', '2030-01-08')",
        due(8, 0)
    ));
    assert_eq!(hand.collect(due(8, 899)), Worked::Nothing);
    assert_eq!(hand.collect(until), Worked::Something);
    assert_eq!(hand.looks(), "h1 2030-01-07; h2 2030-01-07; h1 2030-01-08; h2 2030-01-08", "nobody is looked at twice");
}

#[test]
fn a_host_that_can_t_be_reached_is_a_finding_and_keeps_nobody_else_from_being_looked_at() {
    let hand = Hand::new(2);
    let inventory = hand.provider.inventory().replacen("127.0.0.2", "127.0.0.2.invalid", 1);
    hand.provider.world.write("configuration/inventories/nordwind.toml", &inventory);
    hand.provider.apply();
    assert_eq!(hand.collect(due(7, 0)), Worked::Something);
    assert_eq!(hand.looks(), "h1 2030-01-07!; h2 2030-01-07");
    assert_eq!(hand.collect(due(7, 60)), Worked::Nothing);
    let told = text(&hand.provider.world.run(&["capacity", "nordwind"]));
    // Those days lie ahead of the database's clock.
    assert!(told.contains("h1: never measured"), "{told}");
    assert_eq!(hand.provider.messages(), Vec::<String>::new(), "and no trouble of the team's");
}

#[test]
fn what_can_t_be_kept_of_one_host_is_told_and_the_others_are_kept() {
    let hand = Hand::new(3);
    hand.provider.execute("alter table measurement add constraint spoiled check (host <> 'h2')");
    assert_eq!(hand.collect(due(7, 0)), Worked::Something);
    assert_eq!(hand.looks(), "h1 2030-01-07; h2 2030-01-07!; h3 2030-01-07");
    assert_eq!(hand.provider.ask("select count(distinct host)::text from measurement"), "2");
    let why = hand.provider.ask("select fault from capacity_look where host = 'h2'");
    assert!(why.contains("can't be kept"), "{why}");
    assert_eq!(hand.collect(due(7, 1)), Worked::Nothing, "the day is done");
    hand.provider.execute("alter table measurement drop constraint spoiled");
    assert_eq!(hand.collect(due(8, 0)), Worked::Something);
    assert!(hand.looks().ends_with("h1 2030-01-08; h2 2030-01-08; h3 2030-01-08"), "{}", hand.looks());
}

#[test]
fn a_clock_that_was_far_ahead_for_a_moment_holds_nobody_up_for_more_than_a_day() {
    let hand = Hand::new(1);
    assert_eq!(hand.collect(due(7, 0)), Worked::Something);
    // What was written in that moment: that a day in ten years is done, and somebody at it.
    hand.provider.execute("update capacity_round set done_on = '2040-01-01', leased_until = '2040-01-01 00:15:00Z'");
    assert_eq!(hand.collect(due(8, -1)), Worked::Nothing, "its time has not come");
    assert_eq!(hand.collect(due(8, 0)), Worked::Something);
    assert_eq!(hand.collect(due(8, 1)), Worked::Nothing, "the day is done");
    assert_eq!(hand.collect(due(9, 0)), Worked::Something);
    assert_eq!(hand.looks(), "h1 2030-01-07; h1 2030-01-08; h1 2030-01-09");
    // Of two daemons one may see midnight before the other: that is no such clock.
    hand.provider.execute("update capacity_round set done_on = '2030-01-11'");
    assert_eq!(hand.collect(due(10, 0)), Worked::Nothing);
}

#[test]
fn where_nothing_is_watched_nothing_is_asked() {
    let hand = Hand::new(1);
    let inventory = hand.provider.inventory().replace(WATCHED, "");
    hand.provider.world.write("configuration/inventories/nordwind.toml", &inventory);
    hand.provider.apply();
    hand.collect(due(7, 0));
    assert_eq!(hand.looks(), "");
    assert_eq!(hand.collect(due(7, 1)), Worked::Nothing);
}

#[test]
fn what_was_measured_long_ago_is_forgotten() {
    let hand = Hand::new(1);
    hand.collect(due(7, 0));
    let after = |days: i64| {
        let now = due(7, 0) + SignedDuration::from_hours(24 * days);
        hand.provider.block_on(run_at(&hand.daemon, Tick::Housekeeping, now)).unwrap();
        let left =
            "select (select count(*) from capacity_look) || ' ' || (select count(*) from measurement where path = '/')";
        hand.provider.ask(left)
    };
    assert_eq!(after(399), "1 1");
    assert_eq!(after(401), "0 0");
}

#[test]
fn a_daemon_looks_by_itself_and_gives_back_what_it_has_no_time_for() {
    // It takes connections at every address, as the hosts have others than 127.0.0.1, and never says a word.
    let silent = TcpListener::bind("0.0.0.0:0").unwrap();
    let hand = Hand::new(1);
    let listens = format!("port = {}", hand.provider.world.ssh_port);
    let elsewhere =
        hand.provider.inventory().replace(&listens, &format!("port = {}", silent.local_addr().unwrap().port()));
    hand.provider.world.write("configuration/inventories/nordwind.toml", &elsewhere);
    hand.provider.apply();
    let daemon = hand.provider.serve();
    wait_until("the daemon looks", || {
        hand.provider.ask("select count(*)::text from capacity_round where leased_until is not null") == "1"
    });
    daemon.signal(Signal::SIGTERM);
    let (status, printed) = daemon.finish();
    assert_eq!(status, 0, "{printed}");
    let left = hand.provider.ask("select string_agg(concat_ws(' ', done_on, leased_until), ';') from capacity_round");
    assert_eq!(left, "", "another need not wait");
    assert_eq!(hand.looks(), "");
}

#[test]
fn collecting_by_hand_measures_now_and_prints_it() {
    let hand = Hand::new(2);
    let world = &hand.provider.world;
    let output = world.run(&["capacity", "collect", "nordwind", "--host", "h2"]);
    assert!(output.status.success(), "{}", text(&output));
    let printed = text(&output);
    assert!(printed.contains("measuring 1 host") && printed.contains("h2    /"), "{printed}");
    assert!(hand.looks().starts_with("h2 no day"), "{}", hand.looks());
    let both = world.run(&["capacity", "collect", "nordwind", "--format", "json"]);
    let told: serde_json::Value = serde_json::from_slice(&both.stdout).unwrap();
    assert_eq!(told[0]["hosts"].as_array().unwrap().len(), 2, "{told}");
    assert_eq!(told[0]["hosts"][1]["paths"][0]["history"].as_array().unwrap().len(), 2, "{told}");
}

#[tokio::test]
async fn what_can_t_be_done_is_told_with_its_exit_status() {
    let office = Office::open().await;
    office.customer("nordwind", "");
    let told = office.fail(2, &["capacity", "collect", "nordwind"]);
    assert!(told.contains("nothing is watched on hosts of nordwind") && told.contains("capacity = [{"), "{told}");
    assert!(office.succeed(&["capacity"]).contains("nothing is watched"));
    let told = office.fail(2, &["capacity", "nordwind", "--host", "h9"]);
    assert!(told.contains("nordwind has no host `h9`") && told.contains("there are: h1"), "{told}");
    assert!(office.fail(2, &["capacity", "--host", "h1"]).contains("turnus capacity CUSTOMER --host HOST"));
    assert!(office.fail(2, &["capacity", "nordwnd"]).contains("did you mean `nordwind`?"));

    office.customer("nordwind", "[[capacity]]\npath = \"/\"\nwarn = \"14d\"\n");
    assert!(office.succeed(&["capacity", "nordwind"]).contains("h1: never measured"));
    let told = office.fail(3, &["capacity", "collect", "nordwind"]);
    assert!(told.contains("h1: not measured at "), "{told}");
    office.close().await;
}
