# In: TURNUS_PACKAGE_MANAGER, TURNUS_PACKAGES. Keeps what is installed now of these packages, as far as it can be had, in the run's
# directory. Out: packages_kept, packages_without_way_back (how many), packages_path as facts.

manager=$TURNUS_PACKAGE_MANAGER
scratch=$(mktemp -d) || exit
trap 'rm -rf "$scratch"' EXIT
umask 077
# The capsule's output lies in the step's directory, and that in the run's.
run=${TURNUS_OUTPUT%/*/*}
directory=$run/packages
# What earlier runs kept has served its time.
for earlier in "${run%/*}"/*/packages; do
    [ "$earlier" = "$directory" ] || rm -rf "$earlier"
done
mkdir -p "$directory" || exit
# An earlier try may have listed some of it already.
rm -f "$directory/old" "$directory/new" "$directory/missing"
set -f
# shellcheck disable=SC2086 # a list of pins, which hold no blank
set -- $TURNUS_PACKAGES
set +f
"${manager}_keep" "$directory" "$@" || exit
count() { if [ -e "$directory/$1" ]; then wc -l <"$directory/$1"; else say 0; fi; }
kept=$(count old) missing=$(count missing)
{
    say "packages_path=$directory"
    say "packages_kept=$((kept))"
    say "packages_without_way_back=$((missing))"
} >>"$TURNUS_OUTPUT"
say "$((kept)) of the installed versions are kept in $directory"
if [ "$missing" -gt 0 ]; then
    say "neither kept on this host nor in its repositories any more:"
    cat "$directory/missing"
fi
