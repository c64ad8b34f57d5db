//! Looks and accounts in one line.

use super::describe;
use crate::domain::packages::PackagesRecord;
use crate::domain::packages::choose::{Left, LeftCause, Look};
use crate::domain::report::samples::{account, change, drifted, look};

#[test]
fn a_look_says_how_many_of_how_many_and_why_others_are_left() {
    let check = |look: Look, expected: &str| assert_eq!(describe(&PackagesRecord::Looked(look)), expected);
    check(look(), "5 of 6 packages chosen; not approved: curl; stays on the host: dovecot-core, php8.2");
    check(
        drifted(),
        "0 of 5 packages chosen; another change now: nginx; from elsewhere now: nginx; needs what is not approved: nginx; \
         refused by the package manager: nginx; not pending any more: nginx",
    );
    let nothing = Look { chosen: Vec::new(), left: Vec::new(), held: Vec::new(), ..look() };
    check(nothing.clone(), "0 of 0 packages chosen");
    let many = (1..=9).map(|n| change(&format!("lib{n}"), "1", "2", false));
    let left = many.map(|change| Left { change, cause: LeftCause::NotApproved }).collect();
    let chosen = vec![change("nginx", "1", "2", false)];
    check(Look { chosen, left, ..nothing }, "1 of 10 packages chosen; not approved: lib1, lib2, lib3 and 6 more");
}

#[test]
fn an_account_says_what_is_in_effect_and_what_is_not() {
    let expected = "4 of 5 packages in effect; not in effect: postfix; new meanwhile: tzdata; the host wants a restart";
    assert_eq!(describe(&PackagesRecord::Accounted(account())), expected);
}
