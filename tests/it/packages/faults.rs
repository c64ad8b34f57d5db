//! Controllers die and lines are cut in the midst of a real installation; dpkg does not notice.

use crate::kit::debian::line::Line;
use crate::kit::debian::repository::Suite;
use crate::kit::debian::shop::Shop;

#[test]
fn a_controller_killed_during_an_installation_is_resumed_and_dpkg_ran_once() {
    let Some(shop) = Shop::open() else { return };
    shop.repository.publish(Suite::Stable, &["shop_1.5", "shop-tool_1.1"]);
    shop.host.close_gate();
    let run = shop.start(&[]);
    shop.host.wait_at_gate();
    let killed = run.pid();
    run.kill_hard();
    shop.provider.expire_leases_of(killed);
    let resumed = shop.world().start(&["resume"]);
    resumed.wait_for_text("taken over");
    shop.host.open_gate();
    let (status, printed) = resumed.finish();
    assert_eq!(status, 0, "{printed}");
    assert_installed_once(&shop);
}

#[test]
fn an_installation_that_ended_while_nobody_looked_is_not_run_again() {
    let Some(shop) = Shop::open() else { return };
    shop.repository.publish(Suite::Stable, &["shop_1.5", "shop-tool_1.1"]);
    shop.host.close_gate();
    let run = shop.start(&[]);
    shop.host.wait_at_gate();
    let killed = run.pid();
    run.kill_hard();
    shop.host.open_gate();
    crate::kit::machine::wait_for("the installation to end", || shop.host.version("shop").as_deref() == Some("1.5"));
    shop.provider.expire_leases_of(killed);
    let (status, printed) = shop.world().start(&["resume"]).finish();
    assert_eq!(status, 0, "{printed}");
    assert_installed_once(&shop);
}

#[test]
fn a_line_cut_during_an_installation_is_taken_up_again_and_dpkg_ran_once() {
    let Some(shop) = Shop::open() else { return };
    let line = Line::to(&shop.host.address, shop.host.ssh_port);
    shop.write_inventory(line.port);
    shop.repository.publish(Suite::Stable, &["shop_1.5", "shop-tool_1.1"]);
    shop.host.close_gate();
    let run = shop.start(&[]);
    shop.host.wait_at_gate();
    assert!(line.cut() > 0);
    // What is printed now has nobody to read it.
    shop.host.open_gate();
    let (status, printed) = run.finish();
    assert_eq!(status, 0, "{printed}");
    assert_installed_once(&shop);
}

#[track_caller]
fn assert_installed_once(shop: &Shop) {
    assert_eq!(shop.world().outcome(1, "h1"), "updated");
    assert_eq!(shop.host.configured("1.5"), 1);
    assert_eq!(shop.changes(1, "account", "installed"), ["shop 1.0 → 1.5", "shop-tool 1.0 → 1.1"]);
    assert_eq!(shop.host.answer().as_deref(), Some("shop 1.5 ok"));
    assert_eq!(shop.drained(), "drained\nfilled\n");
    assert!(shop.log(1).contains("\n19999\n20000\n"), "what was printed meanwhile is in the log");
    shop.host.assert_whole();
}
