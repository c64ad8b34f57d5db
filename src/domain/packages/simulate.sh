# In: $1 the verb, $2 a nonce, $3 the length of this text, $4 the package manager; on standard input a line of pins for each list.

printf '\nturnus:%s\n' "$2"
manager=$4
scratch=$(mktemp -d) || { say "refused no room for a file in ${TMPDIR:-/tmp}" && exit; }
trap 'rm -rf "$scratch"' EXIT
"${manager}_describe"
number=0
while read -r pins; do
    # shellcheck disable=SC2086 # a list of pins, which hold no blank
    if done=$("${manager}_simulate" $pins 2>"$scratch/said" </dev/null); then
        give "transaction.$number" "$done"
        give "checksum.$number" "$(say "$done" | "${manager}_filter" | cksum)"
    else
        give "refused.$number" "$(cat "$scratch/said")"
    fi
    number=$((number + 1))
done
say end
