//! What a person at a terminal is shown and asked before a run by hand installs anything.

use crate::kit::debian::repository::Suite;
use crate::kit::debian::shop::Shop;
use crate::kit::terminal::{CTRL_C, CTRL_D, Terminal};

const WHICH: &str = "Approve all, security, or nothing?";
const WHO: &str = "Who approves? [";
const NOW: &str = "Run this now? [y/N]";

/// A shop with one update for security and one that is none.
fn open() -> Option<Shop> {
    let shop = Shop::open()?;
    shop.job("packages = \"approved\"", "shop ");
    shop.repository.publish(Suite::Security, &["shop_1.1+fix1"]);
    shop.repository.publish(Suite::Stable, &["shop-tool_1.1"]);
    Some(shop)
}

fn run(shop: &Shop) -> Terminal {
    let command = shop.world().turnus(&["run", "nordwind", "quarterly", "--host", "h1", "--reason", "test"]);
    Terminal::open(&command, shop.world().path("terminal"))
}

#[test]
fn at_a_terminal_the_list_is_shown_and_what_is_answered_is_installed() {
    let Some(shop) = open() else { return };
    let mut terminal = run(&shop);
    terminal.answer(WHICH, "sec");
    terminal.answer("`sec` is none of these", "security");
    terminal.answer(WHO, "Jana");
    terminal.answer(NOW, "y");
    let (status, printed) = terminal.finish();
    assert_eq!(status, Some(0), "{printed}");
    let asked = printed.find(WHICH).unwrap();
    for row in ["2 changes pending, 1 for security", "shop:all", "1.1+fix1", "shop-tool:"] {
        assert!(printed[..asked].contains(row), "the list comes before the question: {row}: {printed}");
    }
    assert_eq!(shop.host.version("shop").as_deref(), Some("1.1+fix1"));
    assert_eq!(shop.host.version("shop-tool").as_deref(), Some("1.0"), "is not for security");
    assert_eq!(shop.provider.ask("select decided_by || ' ' || (selection->>'security') from decision"), "Jana true");
    let report = shop.world().run(&["report", "1"]);
    let report = String::from_utf8(report.stdout).unwrap();
    assert!(report.contains("Jana, ") && report.contains("only what is for security"), "{report}");
    let shown = String::from_utf8(shop.world().run(&["show", "1"]).stdout).unwrap();
    let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(shown.contains("1 of 2 packages chosen; not approved: shop-tool"), "{shown}");
    assert!(shown.contains("1 of 1 package in effect"), "{shown}");
}

#[test]
fn without_a_clear_answer_nothing_is_approved_and_nothing_begins() {
    let Some(shop) = open() else { return };
    let tries: [(&str, &[(&str, &str)]); 8] = [
        ("nothing", &[(WHICH, "nothing")]),
        ("an empty line", &[(WHICH, "")]),
        ("no", &[(WHICH, "n")]),
        ("the end of the input", &[(WHICH, CTRL_D)]),
        ("the end of the input after nonsense", &[(WHICH, "yes"), ("`yes` is none of these", CTRL_D)]),
        ("Ctrl-C", &[(WHICH, CTRL_C)]),
        ("the end of the input instead of a name", &[(WHICH, "all"), (WHO, CTRL_D)]),
        ("no at last", &[(WHICH, "all"), (WHO, "Jana"), (NOW, "n")]),
    ];
    for (what, answers) in tries {
        let mut terminal = run(&shop);
        for (question, answer) in answers {
            terminal.answer(question, answer);
        }
        let (status, printed) = terminal.finish();
        assert_eq!(status, Some(130), "{what}: {printed}");
        assert!(what == "Ctrl-C" || printed.contains("nothing was done"), "{what}: {printed}");
    }
    assert_eq!(shop.provider.ask("select (select count(*) from run) || ' ' || (select count(*) from decision)"), "0 0");
    for package in ["shop", "shop-tool"] {
        assert_eq!(shop.host.version(package).as_deref(), Some("1.0"), "{package}");
    }
}
