//! One daemon: occurrences open in their time, wait for what stands against them, or are missed with the cause.

use jiff::SignedDuration;
use nix::sys::signal::Signal;
use turnus::edge::store::occurrence::insert::NewOccurrence;
use turnus::edge::store::revision::RevisionKind;

use crate::kit::provider::{DUE, Provider, Span, name};
use crate::kit::world::{World, text, wait_until};

#[test]
fn a_due_occurrence_is_opened_run_and_done_and_people_are_told() {
    let provider = Provider::new(2);
    let daemon = provider.serve();
    let later = provider.plan("all", Span { start: 3600, latest_start: 4000, end: 7200 });
    let due = provider.plan("all", Span { start: 1, ..DUE });
    provider.wait_for_state(due, "done");
    assert_eq!(provider.state(later), "planned", "nothing starts before its time");
    let counts = provider.world.counts();
    assert_eq!(counts.len(), 12, "{counts:?}");
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
    assert_eq!(provider.messages(), ["started it@nordwind.example", "finished it@nordwind.example"]);
    assert_eq!(provider.ask("select string_agg(action, ';' order by number) from audit"), "open occurrence");
    let occurrence = provider.occurrence(due);
    assert!(occurrence.opened_at.unwrap() >= occurrence.start);
    let report = provider.world.report(occurrence.run.unwrap().0);
    assert_eq!(report["window"]["name"], "all");

    let doctor = text(&provider.world.run(&["doctor"]));
    assert!(doctor.contains("every tick works"), "{doctor}");
    daemon.signal(Signal::SIGTERM);
    let (status, printed) = daemon.finish();
    assert_eq!(status, 0, "{printed}");
    assert!(printed.contains("opened") && printed.contains("stopped"), "{printed}");
    assert_eq!(provider.ask("select count(*)::text from controller"), "0", "who leaves says so");
}

#[test]
fn a_window_that_passed_while_no_daemon_ran_is_missed_and_nothing_is_started() {
    let provider = Provider::new(1);
    let missed = provider.plan("h1", Span { start: -600, latest_start: -10, end: 600 });
    let long_ago = provider.plan("h1", Span { start: -90_000, latest_start: -80_000, end: -70_000 });
    let _daemon = provider.serve();
    provider.wait_for_state(missed, "missed (controller not running)");
    provider.wait_for_state(long_ago, "missed (controller not running)");
    assert_eq!(provider.ask("select count(*)::text from run"), "0");
    assert_eq!(provider.world.ledger(), Vec::<String>::new());
    let messages = provider.messages();
    let expected = ["missed it@nordwind.example", "missed team@provider.example"];
    assert_eq!(messages, [expected, expected].concat());
}

#[test]
fn a_busy_host_is_waited_for() {
    let provider = Provider::new(1);
    provider.world.close("save");
    let by_hand = provider.world.start_run("quarterly");
    provider.world.wait_for_gate("save", "h1");
    let _daemon = provider.serve();
    let due = provider.plan("h1", DUE);
    provider.wait_for_state(due, "planned (host h1 is in run 1)");
    provider.world.open("save");
    assert_eq!(by_hand.finish().0, 0);
    provider.wait_for_state(due, "done");
    assert!(provider.world.counts().values().all(|count| *count == 2), "{:?}", provider.world.ledger());
}

#[test]
fn a_host_that_stays_busy_is_missed_for() {
    let provider = Provider::new(1);
    provider.world.close("save");
    let by_hand = provider.world.start_run("quarterly");
    provider.world.wait_for_gate("save", "h1");
    let _daemon = provider.serve();
    let due = provider.plan("h1", Span { start: -1, latest_start: 6, end: 600 });
    provider.wait_for_state(due, "missed (host h1 is in run 1)");
    provider.world.open("save");
    assert_eq!(by_hand.finish().0, 0);
    assert_eq!(provider.ask("select count(*)::text from run"), "1");
}

#[test]
fn nothing_opens_in_a_freeze() {
    let provider = Provider::new(1);
    let today = jiff::Timestamp::now().in_tz("Europe/Berlin").unwrap().date();
    let freeze = format!("\n[[freeze]]\nfrom = {today}\nto = {today}\nreason = \"stocktaking\"\n");
    provider.apply_text(RevisionKind::Inventory, "nordwind", &(provider.inventory() + &freeze));
    let _daemon = provider.serve();
    let due = provider.plan("h1", DUE);
    provider.wait_for_state(due, "planned (frozen: stocktaking)");
    provider.apply();
    provider.wait_for_state(due, "done");
}

#[test]
fn the_limit_of_runs_holds_the_next_one_back() {
    let provider = Provider::with_settings(2, "[limits]\nparallel_runs_per_customer = 1\n");
    provider.world.close("save");
    let _daemon = provider.serve();
    let (first, second) = (provider.plan("h1", DUE), provider.plan("h2", Span { start: 0, ..DUE }));
    provider.world.wait_for_gate("save", "h1");
    provider.wait_for_state(second, "planned (1 run of the customer is under way (limit 1))");
    provider.world.open("save");
    provider.wait_for_state(first, "done");
    provider.wait_for_state(second, "done");
}

#[test]
fn customers_that_can_t_be_used_disturb_nobody() {
    let provider = Provider::new(2);
    // The second host is where nobody listens.
    let (before, after) =
        provider.inventory().split_once("name = \"h2\"").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let port = format!("port = {}", provider.world.ssh_port);
    let unreachable = format!("{before}name = \"h2\"{}", after.replacen(&port, "port = 1", 1));
    provider.apply_text(RevisionKind::Inventory, "nordwind", &unreachable);
    provider.apply_text(RevisionKind::Inventory, "broken", "this is no inventory");
    let of_broken = |new: NewOccurrence| NewOccurrence { customer: name("broken"), window: name("h1"), ..new };
    let broken = provider.plan_with(of_broken, DUE);
    let jobless = provider.plan_with(|new| NewOccurrence { window: name("h1"), job: name("nowhere"), ..new }, DUE);
    let gone = provider.plan("no-such-window", Span { start: -2, ..DUE });
    let unreached = provider.plan("h2", DUE);
    let good = provider.plan("h1", Span { start: 0, ..DUE });
    let _daemon = provider.serve();
    provider.wait_for_state(good, "done");
    provider.wait_for_state(unreached, "done");
    provider.wait_for_state(jobless, "planned (no job nowhere)");
    provider.wait_for_state(gone, "planned (the plan was refused: the customer has no window no-such-window)");
    assert!(
        provider.state(broken).starts_with("planned (what was applied can't be used: "),
        "{}",
        provider.state(broken)
    );
    let run = provider.occurrence(unreached).run.unwrap().0;
    assert_eq!(provider.world.outcome(run, "h2"), "unreachable");
}

#[test]
fn hosts_that_would_not_be_done_in_time_are_left_out() {
    let provider = Provider::new(2);
    let job = "description = \"x\"\nbackup = \"none\"\nbackup_reason = \"test\"\n[[step]]\nphase = \"update\"\nname = \"install\"\n\
               estimate = \"1h\"\nrun = '. \"$VAR_KIT\"; note'\n";
    provider.world.job("long", job);
    provider.apply();
    let _daemon = provider.serve();
    let long = |new: NewOccurrence| NewOccurrence { job: name("long"), ..new };
    let due = provider.plan_with(long, Span { start: -1, latest_start: 600, end: 900 });
    provider.wait_for_state(due, "done");
    let run = provider.occurrence(due).run.unwrap().0;
    for host in ["h1", "h2"] {
        assert_eq!(provider.world.outcome(run, host), "skipped");
    }
    assert_eq!(provider.world.ledger(), Vec::<String>::new());
    // Once there is experience, it counts more than what the job says.
    let open = provider.plan_with(long, Span { start: 0, latest_start: 3600, end: 7200 });
    provider.wait_for_state(open, "done");
    let again = provider.plan_with(long, Span { start: 1, latest_start: 600, end: 900 });
    provider.wait_for_state(again, "done");
    let run = provider.occurrence(again).run.unwrap().0;
    assert_eq!(provider.world.outcome(run, "h1"), "updated");
}

#[test]
fn after_the_latest_start_no_host_is_begun_and_what_is_begun_is_finished() {
    let provider = Provider::new(2);
    provider.world.close("save");
    let _daemon = provider.serve();
    let due = provider.plan("all", Span { start: -1, latest_start: 8, end: 9 });
    provider.world.wait_for_gate("save", "h1");
    wait_until("the window has closed", || {
        provider.ask("select (count(*) > 0)::text from run_event where kind = 'window_closed'") == "true"
    });
    provider.world.open("save");
    provider.wait_for_state(due, "done");
    assert_eq!(provider.world.outcome(1, "h1"), "updated");
    assert_eq!(provider.world.outcome(1, "h2"), "skipped");
    let report = provider.world.report(1);
    assert!(report["window"]["overrun_ms"].as_u64().unwrap() > 0, "{report}");
    assert!(!provider.world.ledger().iter().any(|line| line.starts_with("h2")));
}

#[test]
fn a_detached_run_is_taken_by_a_daemon_and_cancelled_from_elsewhere_at_once() {
    let provider = Provider::new(1);
    let detach = ["run", "nordwind", "quarterly", "--host", "h1", "--yes", "--reason", "x", "--detach"];
    let refused = provider.world.run(&detach);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
    assert!(text(&refused).contains("turnus serve"), "{}", text(&refused));
    assert_eq!(provider.ask("select count(*)::text from run"), "0");

    provider.world.close("save");
    let _daemon = provider.serve();
    let detached = provider.world.run(&detach);
    assert!(detached.status.success() && text(&detached).contains("run 1 "), "{}", text(&detached));
    provider.world.wait_for_gate("save", "h1");
    let cancelled = provider.world.run(&["cancel", "1"]);
    assert!(cancelled.status.success(), "{}", text(&cancelled));
    wait_until("the driver knows", || {
        provider.ask("select count(*)::text from run_event where kind = 'cancel_requested'") == "1"
    });
    let took = "select extract(epoch from at - cancel_requested_at)::text from run_event
                join run on run.id = run_id where kind = 'cancel_requested'";
    let took_s: f64 = provider.ask(took).parse().unwrap();
    assert!(took_s < 1.0, "{took_s} s");
    provider.world.open("save");
    wait_until("the run is over", || provider.ask("select state from run") == "cancelled");
    assert_eq!(provider.world.ledger(), ["h1 look", "h1 stop", "h1 save", "h1 start"]);
}

#[test]
fn a_run_whose_controller_was_killed_is_taken_over_by_a_daemon() {
    let provider = Provider::new(1);
    provider.world.close("save");
    let by_hand = provider.world.start_run("quarterly");
    provider.world.wait_for_gate("save", "h1");
    let pid = by_hand.pid();
    let _daemon = provider.serve();
    by_hand.kill_hard();
    provider.expire_leases_of(pid);
    wait_until("it is taken over", || provider.ask("select epoch::text from run") == "2");
    provider.world.open("save");
    wait_until("the run is over", || provider.ask("select state from run") == "succeeded");
    assert!(provider.world.counts().values().all(|count| *count == 1), "{:?}", provider.world.ledger());
}

#[test]
fn what_nobody_drove_until_long_after_its_window_is_ended_not_carried_on() {
    let provider = Provider::new(1);
    provider.world.close("save");
    let daemon = provider.serve();
    let due = provider.plan("h1", DUE);
    provider.world.wait_for_gate("save", "h1");
    daemon.kill_hard();
    // Two hours later.
    let past = |column: &str| format!("{column} = {column} - interval '4 hours'");
    provider.execute(&format!("update run set {}", past("lease_until")));
    provider.execute(
        "update run set plan = jsonb_set(plan::jsonb, '{window,closes}', to_jsonb(to_char(clock_timestamp() at time zone 'UTC'
             - interval '3 hours', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')))::json",
    );
    provider.world.open("save");
    let _daemon = provider.serve();
    provider.wait_for_state(due, "done");
    assert_eq!(provider.ask("select state from run"), "cancelled");
    assert_eq!(
        provider.world.ledger(),
        ["h1 look", "h1 stop", "h1 save", "h1 start"],
        "what was stopped is started again"
    );
}

#[test]
fn logs_are_json_where_that_is_asked_for() {
    let provider = Provider::new(1);
    let daemon = provider.world.start(&["serve", "--log", "json"]);
    daemon.wait_for_text("serving");
    let due = provider.plan("h1", DUE);
    provider.wait_for_state(due, "done");
    daemon.signal(Signal::SIGTERM);
    let (status, printed) = daemon.finish();
    assert_eq!(status, 0, "{printed}");
    let lines: Vec<serde_json::Value> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let opened = lines.iter().find(|line| line["message"] == "opened").unwrap();
    assert_eq!(
        (&opened["customer"], &opened["window"], &opened["run_number"]),
        (&"nordwind".into(), &"h1".into(), &1.into())
    );
    assert_eq!(lines.last().unwrap()["message"], "stopped");
}

#[test]
fn a_daemon_needs_no_inventories_and_keeps_a_private_database() {
    let world = World::without_database(1, "");
    std::fs::remove_dir_all(world.path("configuration/inventories")).unwrap();
    let daemon = world.start(&["serve"]);
    daemon.wait_for_text("serving");
    let began = std::time::Instant::now();
    daemon.signal(Signal::SIGINT);
    let (status, printed) = daemon.finish();
    assert_eq!(status, 0, "{printed}");
    // It has nothing to wait for.
    assert!(began.elapsed().as_secs() < 20, "{:?}: {printed}", began.elapsed());
}

#[test]
fn what_apply_publishes_is_announced_at_once_and_opened_in_time() {
    let provider = Provider::new(1);
    let _daemon = provider.serve();
    let soon = jiff::Timestamp::now().in_tz("Europe/Berlin").unwrap().datetime() + SignedDuration::from_secs(12);
    let starts = soon.round(jiff::Unit::Second).unwrap();
    let inventory = provider.world.path("configuration/inventories/nordwind.toml");
    let contact = "\n[[contact]]\nname = \"IT\"\nemail = \"it@nordwind.example\"\nreceives = [\"announcement\", \"report\", \"start\"]\n";
    let window = format!(
        "\n[[window]]\nname = \"once\"\nstarts = {starts}\nduration = \"1h\"\ncutoff = \"15m\"\njob = \"quarterly\"\nhosts = [\"h1\"]\n\
         announce = [\"14d\"]\n"
    );
    std::fs::write(&inventory, provider.inventory() + contact + &window).unwrap();
    let applied = provider.world.run(&["apply", "--yes"]);
    assert!(applied.status.success(), "{}", text(&applied));
    let state = || provider.ask("select state from occurrence where window_name = 'once'");
    wait_until("it is announced", || state() == "announced");
    wait_until("it is done", || state() == "done");
    let messages = provider.ask("select string_agg(kind, ';' order by number) from notification");
    assert_eq!(messages, "announcement;started;finished");
    let early = "select (opened_at < start_at)::text from occurrence where window_name = 'once'";
    assert_eq!(provider.ask(early), "false");
    assert!(provider.world.counts().values().all(|count| *count == 1), "{:?}", provider.world.ledger());
}
