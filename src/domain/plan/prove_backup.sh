# Runs the job's own verification, then proves by turnus's own means that the backup is there, is of this run,
# and is not empty. In: TURNUS_VERIFY, TURNUS_BACKUP_STEP, the facts of the backup step (FACT_PATH, …).
# Out: path, bytes and checksum as facts.
refuse() { printf '%s\n' "backup is not proven: $*" >&2; exit 1; }

sh -c "$TURNUS_VERIFY" || exit

[ -n "${FACT_PATH-}" ] || refuse "the backup step wrote no path= to \$TURNUS_OUTPUT"
case $FACT_PATH in
/*) [ -e "$FACT_PATH" ] || refuse "$FACT_PATH does not exist" ;;
esac
if [ -f "$FACT_PATH" ]; then
    # The capsule makes the step's token right before the step begins: a backup that is older is not of this run.
    set -- "${TURNUS_OUTPUT%/*/*}"/e[0-9]*/"$TURNUS_HOST.$TURNUS_BACKUP_STEP"
    [ -e "$1" ] || refuse "the record of the backup step's start is gone from this machine"
    [ -z "$(find "$1" -newer "$FACT_PATH")" ] || refuse "$FACT_PATH is older than this run"
    bytes=$(wc -c <"$FACT_PATH") || exit
    bytes=$((bytes))
    [ "$bytes" -gt 0 ] || refuse "$FACT_PATH is empty"
    if command -v sha256sum >/dev/null; then
        checksum=$(sha256sum <"$FACT_PATH") || exit
        checksum=sha256:${checksum%% *}
    else
        checksum=$(cksum <"$FACT_PATH") || exit
        checksum=cksum:${checksum%% *}
    fi
else
    # A directory, or a place in a backup repository: the step itself has to say how much it is and how to recognise it.
    bytes=${FACT_BYTES-}
    checksum=${FACT_CHECKSUM-}
    case $bytes in
    '' | *[!0-9]*) refuse "$FACT_PATH is not a file, and the backup step wrote no bytes= to \$TURNUS_OUTPUT" ;;
    esac
    [ "$bytes" -gt 0 ] || refuse "the backup step wrote bytes=$bytes"
    [ -n "$checksum" ] || refuse "$FACT_PATH is not a file, and the backup step wrote no checksum= to \$TURNUS_OUTPUT"
fi
printf 'path=%s\nbytes=%s\nchecksum=%s\n' "$FACT_PATH" "$bytes" "$checksum" >>"$TURNUS_OUTPUT"
printf '%s\n' "$FACT_PATH: $bytes bytes, $checksum"
