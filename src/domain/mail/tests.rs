//! Causes as they are kept, and as a customer is told.

use super::Cause;
use crate::domain::calendar::Skip;
use crate::domain::calendar::changes::MoveCause;
use crate::domain::plan::may_start;
use crate::domain::report::samples::name;

/// What the rest of turnus keeps as a cause is known here.
#[test]
fn every_kept_cause_is_told_in_the_customers_words() {
    let check = |kept: &str, expected: Cause| assert_eq!(Cause::of_stored(kept), expected, "{kept}");
    let (holiday, reason) = (|| "Karfreitag".to_owned(), || "Jahresabschluss".to_owned());
    check(&Skip::Holiday { holiday: holiday() }.to_string(), Cause::Holiday { name: holiday() });
    check(&Skip::NoAllowedDay { holiday: holiday() }.to_string(), Cause::Holiday { name: holiday() });
    check(&Skip::Frozen { reason: reason() }.to_string(), Cause::Freeze { reason: reason() });
    for cause in [MoveCause::NewRuleDate, MoveCause::NewTime] {
        check(cause.as_str(), Cause::AgreementChanged);
    }
    check(MoveCause::NewLength.as_str(), Cause::LengthChanged);
    check(MoveCause::ZoneData.as_str(), Cause::Technical);
    check("not in the files any more", Cause::AgreementChanged);
    check("moved by anna: fair: on Thursday", Cause::Person { reason: "fair: on Thursday".to_owned() });
    check("cancelled by anna: closed", Cause::Person { reason: "closed".to_owned() });

    let missed = [
        (may_start::Cause::Frozen { reason: reason() }, Cause::Freeze { reason: reason() }),
        (may_start::Cause::NotApproved, Cause::NotApproved),
        (may_start::Cause::Rejected { by: "anna".to_owned() }, Cause::NotApproved),
        (may_start::Cause::NotAnnounced, Cause::NotAnnounced),
        (may_start::Cause::HostBusy { host: name("mail01"), run: 7 }, Cause::OtherMaintenance),
        (may_start::Cause::RunsUnderWay { running: 1, limit: 1 }, Cause::OtherMaintenance),
        (may_start::Cause::RunsOfCustomer { running: 2, limit: 2 }, Cause::OtherMaintenance),
        (may_start::Cause::ControllerNotRunning, Cause::Technical),
        (may_start::Cause::Unusable { why: "frozen: no".to_owned() }, Cause::Technical),
        (may_start::Cause::NoJob { job: name("job") }, Cause::Technical),
        (may_start::Cause::PlanRefused { why: "x".to_owned() }, Cause::Technical),
    ];
    for (kept, expected) in missed {
        check(&kept.to_string(), expected);
    }
    check("it can't be read: column `x` of `y`", Cause::Technical);
}
