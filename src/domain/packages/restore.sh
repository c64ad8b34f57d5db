# In: TURNUS_PACKAGE_MANAGER, TURNUS_PACKAGES; what keep.sh kept. Installs the versions of before again, and removes what was new.

manager=$TURNUS_PACKAGE_MANAGER
[ -n "$TURNUS_PACKAGES" ] || exit 0
scratch=$(mktemp -d) || exit
trap 'rm -rf "$scratch"' EXIT
directory=${TURNUS_OUTPUT%/*/*}/packages
[ -d "$directory" ] || { say "nothing was kept in $directory" && exit 1; }
if [ -s "$directory/missing" ]; then
    say 'can not be taken back, as these versions could not be kept:'
    cat "$directory/missing"
    exit 1
fi
await_others 600 || { say "not begun: $holder" && exit 1; }
"${manager}_restore" "$directory" || { say 'the versions of before could not be installed again' && exit 1; }

# Its word alone is not proof.
set --
while read -r pin; do set -- "$@" "$pin"; done <<LIST
$(cat "$directory/old" 2>/dev/null)
LIST
missing=$("${manager}_find_missing" "$@")
broken=$("${manager}_find_half_configured")
[ -z "$missing" ] || say "not as before: $missing"
[ -z "$broken" ] || say "half configured: $broken"
[ -z "$missing$broken" ] && say 'the versions of before are installed again'
