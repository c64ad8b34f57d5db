//! The shell texts that talk to package managers on hosts; the parsers beside them read what they print.
//!
//! POSIX sh, joined from what all share and what each does. In: environment variables and standard input, never pasted text (G9).

const SHARED: &str = concat!(
    include_str!("shared.sh"),
    include_str!("apt.sh"),
    include_str!("rpm.sh"),
    include_str!("dnf.sh"),
    include_str!("zypper.sh")
);

/// Refreshes the lists and prints what is pending, in sections. Arguments: `survey NONCE LENGTH LOCK_WAIT_S`.
#[must_use]
pub fn survey() -> String {
    format!("{SHARED}\n{}", include_str!("survey.sh"))
}

/// Prints what installing lists would do, in sections. Arguments: `simulate NONCE LENGTH MANAGER`; standard input: a line of pins
/// for each list.
#[must_use]
pub fn simulate() -> String {
    format!("{SHARED}\n{}", include_str!("simulate.sh"))
}

/// Installs exactly `$TURNUS_PACKAGES`, if that still does what was looked at.
#[must_use]
pub fn install() -> String {
    format!("{SHARED}\n{}", include_str!("install.sh"))
}

/// Keeps the installed versions of `$TURNUS_PACKAGES` on the host, as far as they can be had.
#[must_use]
pub fn keep() -> String {
    format!("{SHARED}\n{}", include_str!("keep.sh"))
}

/// Installs again what [`keep`] kept.
#[must_use]
pub fn restore() -> String {
    format!("{SHARED}\n{}", include_str!("restore.sh"))
}
