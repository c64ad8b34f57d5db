# Is there room enough on the file system that holds TURNUS_PATH? POSIX df: sizes in KiB, one line per file system.
line=$(df -Pk -- "$TURNUS_PATH" | tail -n 1)
# shellcheck disable=SC2086 # split into columns on purpose
set -- $line
free_kib=${4-}
case $free_kib in
'' | *[!0-9]*) printf '%s\n' "can't tell the free space of $TURNUS_PATH" >&2; exit 1 ;;
esac
printf 'free_kib=%s\n' "$free_kib" >>"$TURNUS_OUTPUT"
printf '%s\n' "$TURNUS_PATH: $free_kib KiB free, $TURNUS_AT_LEAST_KIB KiB needed"
[ "$free_kib" -ge "$TURNUS_AT_LEAST_KIB" ]
