//! What `postgres --version` says.

use super::parse_version;

#[track_caller]
fn check(said: &str, expected: Option<(&str, u32)>) {
    assert_eq!(parse_version(said), expected.map(|(version, major)| (version.to_owned(), major)), "{said}");
}

#[test]
fn versions() {
    check("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n", Some(("15.18", 15)));
    check("postgres (PostgreSQL) 18.0\n", Some(("18.0", 18)));
    check("postgres (PostgreSQL) 19beta1\n", Some(("19beta1", 19)));
    check("postgres (PostgreSQL) 17devel", Some(("17devel", 17)));
    check("postgres (PostgreSQL) ", None);
    check("postgres (EnterpriseDB) 15.18\n", None);
    check("", None);
}
