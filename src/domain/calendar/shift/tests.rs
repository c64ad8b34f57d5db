//! How shifts are written.

use super::{NotAShift, Shift};

#[test]
fn shifts_are_read_and_written() {
    let check = |text: &str, shift: Shift, written: &str| {
        assert_eq!(text.parse(), Ok(shift), "{text}");
        assert_eq!(shift.to_string(), written);
        assert_eq!(written.parse(), Ok(shift), "{written}");
    };
    check("+3d", Shift::Days(3), "+3d");
    check("-1d", Shift::Days(-1), "-1d");
    check("+1 day", Shift::Days(1), "+1d");
    check("-60 days", Shift::Days(-60), "-60d");
    check("+2 workdays", Shift::Workdays(2), "+2 workdays");
    check("-1 workday", Shift::Workdays(-1), "-1 workday");
    for bad in ["", "3d", "+0d", "+61d", "+3", "+3h", "+d", "--1d", "+1.5d", "+ 3d", "ü3d", "+99999999d", "+3d "] {
        assert_eq!(bad.parse::<Shift>(), Err(NotAShift), "{bad}");
    }
}
