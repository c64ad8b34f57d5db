//! Sorting of what ssh prints; the texts are those of OpenSSH 9.2 and 10.

use super::{Error, Refusal, excerpt};

#[test]
fn messages_of_ssh_are_sorted_by_what_can_be_done() {
    let check = |messages: &str, expected: Refusal| assert_eq!(Refusal::of(messages), expected, "{messages}");
    check("ssh: Could not resolve hostname nowhere: Name or service not known", Refusal::Resolve);
    check("ssh: connect to host 127.0.0.1 port 1: Connection refused", Refusal::Connect);
    check("ssh: connect to host 192.0.2.1 port 22: No route to host", Refusal::Connect);
    check("Connection timed out during banner exchange\nConnection to 127.0.0.1 port 9 timed out", Refusal::Connect);
    check(
        "kex_exchange_identification: read: Connection reset by peer\nConnection reset by 10.0.0.1",
        Refusal::Crowded,
    );
    check(
        "kex_exchange_identification: Connection closed by remote host\nConnection closed by 127.0.0.1 port 22",
        Refusal::Crowded,
    );
    // After the greeting it is not for want of room: an account that is closed, say (PAM).
    check("Connection closed by 127.0.0.1 port 22", Refusal::Connect);
    check("root@127.0.0.1: Permission denied (publickey).", Refusal::Login);
    check(
        "/tmp/c.conf: line 3: Bad configuration option: nonsense\n/tmp/c.conf: terminating, 1 bad",
        Refusal::Configuration,
    );
    check(
        "No ED25519 host key is known for [127.0.0.1]:22 and you have requested strict checking.\r\nHost key \
         verification failed.",
        Refusal::KeyUnknown,
    );
    // Behind a jump host the outer ssh only sees its line close.
    check("Host key verification failed.\nConnection closed by UNKNOWN port 65535", Refusal::KeyUnknown);
    check("@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.", Refusal::KeyChanged);
}

#[test]
fn an_excerpt_is_one_clean_line_of_bounded_length() {
    assert_eq!(excerpt("one\r\n\ntwo\x1b[31m\nthree\nfour\n"), "two [31m; three; four");
    assert_eq!(excerpt(&"x".repeat(5000)).len(), 400);
    assert_eq!(excerpt(""), "");
}

#[test]
fn what_only_a_person_can_mend_is_not_transient() {
    let host = || "web1".to_owned();
    assert!(Error::LineLost { host: host(), detail: String::new() }.is_transient());
    assert!(!Error::HostKeyUnknown { host: host(), fingerprint: String::new() }.is_transient());
    assert!(!Error::AuthenticationRefused { host: host(), detail: String::new() }.is_transient());
    assert!(!Error::SudoRefused { host: host(), detail: String::new() }.is_transient());
}

#[test]
fn a_fault_of_an_unknown_key_names_fingerprint_and_command() {
    let fault = Error::HostKeyUnknown { host: "web1".to_owned(), fingerprint: "SHA256:abc".to_owned() }.into_fault();
    assert!(fault.what.contains("SHA256:abc"), "{}", fault.what);
    assert!(fault.hint.is_some_and(|hint| hint.contains("`turnus trust web1`")));
}
