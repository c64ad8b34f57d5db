//! What a hostile reader of the code tried: hosts that write what they like, moments at which nobody expects a signal.

use crate::kit::world::World;

/// Stops and starts something; what is between them is up to the test.
fn stop_and(step: &str) -> String {
    format!(
        "description = \"x\"\nbackup = \"none\"\nbackup_reason = \"test\"\n\
         [[step]]\nphase = \"quiesce\"\nname = \"stop\"\nrun = '. \"$VAR_KIT\"; note; gate stop'\nundo = '. \"$VAR_KIT\"; note start'\n{step}"
    )
}

#[test]
fn no_fact_keeps_a_host_from_being_released() {
    let world = World::new(1);
    let facts = r#"
[[step]]
phase = "update"
name  = "odd"
run   = '''
. "$VAR_KIT"; note
{ printf 'not-a-name=1\nüber=2\n spaced name =3\nnul=a\000b\ngood=yes\n'; head -c 60000 /dev/zero | tr '\0' x | sed 's/^/big=/'; } >>"$TURNUS_OUTPUT"
'''
[[step]]
phase = "smoke"
name  = "read"
run   = '. "$VAR_KIT"; note "$FACT_GOOD"'
"#;
    world.job("odd", &stop_and(facts));
    let (status, printed) = world.start_run("odd").finish();
    assert_eq!(world.ledger(), ["h1 stop", "h1 odd", "h1 yes", "h1 start"], "{printed}");
    assert_eq!(status, 0, "{printed}");
}
