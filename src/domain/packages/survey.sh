# In: $1 the verb, $2 a nonce, $3 the length of this text, $4 how many seconds others are waited for.

printf '\nturnus:%s\n' "$2"
find_manager
[ -n "$manager" ] || { give obstacle no-manager && say end && exit; }
give manager "$manager"
scratch=$(mktemp -d) || { say "refused no room for a file in ${TMPDIR:-/tmp}" && exit; }
trap 'rm -rf "$scratch"' EXIT
if unfit=$("${manager}_find_unfit") && [ -n "$unfit" ]; then
    give obstacle "unfit
$unfit"
elif ! await_others "$4"; then
    give obstacle "locked $waited
$holder"
elif broken=$("${manager}_find_half_configured") && [ -n "$broken" ]; then
    eval "repair=\$${manager}_repair"
    give obstacle "half-configured $repair
$broken"
elif ! "${manager}_refresh"; then
    give obstacle "refresh-failed
$said"
else
    "${manager}_survey"
fi
say end
