# In: TURNUS_PACKAGE_MANAGER, TURNUS_PACKAGES (one pin a line), TURNUS_TRANSACTION (the checksum of what they would do when they were
# looked at), TURNUS_CONFFILES, TURNUS_LOCK_WAIT_S. Out: changed, conffiles, conffile_1 …, conffile_policy as facts.

manager=$TURNUS_PACKAGE_MANAGER
if [ -z "$TURNUS_PACKAGES" ]; then
    say 'nothing to install'
    say changed=false >>"$TURNUS_OUTPUT"
    exit
fi
scratch=$(mktemp -d) || exit
trap 'rm -rf "$scratch"' EXIT
await_others "$TURNUS_LOCK_WAIT_S" || { say "not begun: $holder" && exit 1; }
broken=$("${manager}_find_half_configured")
if [ -n "$broken" ]; then
    say "$broken"
    eval "say \"not begun: the packages are half configured; mend them with: \$${manager}_repair\""
    exit 1
fi
set -f
# shellcheck disable=SC2086 # a list of pins, which hold no blank
set -- $TURNUS_PACKAGES
set +f
# Exactly what was looked at, or nothing. What it remarks besides is no part of that.
simulated=$("${manager}_simulate" "$@" 2>"$scratch/said") || {
    say "$simulated"
    cat "$scratch/said"
    say 'not begun: it is refused now'
    exit 1
}
now=$(say "$simulated" | "${manager}_filter" | tee "$scratch/transaction" | cksum)
if [ "$now" != "$TURNUS_TRANSACTION" ]; then
    cat "$scratch/transaction"
    say 'not begun: it would do something else now than when it was looked at'
    exit 1
fi

: >"$scratch/stamp"
"${manager}_list_installed" >"$scratch/before"
"${manager}_install" "$@"
status=$?
"${manager}_list_installed" >"$scratch/after"
if cmp -s "$scratch/before" "$scratch/after"; then changed=false; else changed=true; fi
conffiles=$("${manager}_find_conffiles" | LC_ALL=C sort -u | tee "$scratch/conffiles" | wc -l)
{
    say "changed=$changed"
    say "conffile_policy=$TURNUS_CONFFILES"
    say "conffiles=$((conffiles))"
    head -n 50 "$scratch/conffiles" | awk '{ print "conffile_" NR "=" $0 }'
} >>"$TURNUS_OUTPUT"
kept=${TURNUS_OUTPUT%/*/*}/packages
if [ "$TURNUS_CONFFILES" = replace ] && [ -d "$kept" ]; then cp "$scratch/conffiles" "$kept/conffiles"; fi
[ "$status" = 0 ] || { say "the package manager ended with status $status" && exit "$status"; }

# Its word alone is not proof.
missing=$("${manager}_find_missing" "$@")
broken=$("${manager}_find_half_configured")
[ -z "$missing" ] || say "not as chosen: $missing"
[ -z "$broken" ] || say "half configured: $broken"
[ -z "$missing$broken" ]
