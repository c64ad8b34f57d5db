# Right before the update: is the proven backup still there and of the same size?
# In: the facts of the verification (FACT_PATH, FACT_BYTES).
refuse() { printf '%s\n' "backup is gone: $*" >&2; exit 1; }

case ${FACT_PATH:?} in
/*) [ -e "$FACT_PATH" ] || refuse "$FACT_PATH does not exist any more" ;;
esac
if [ -f "$FACT_PATH" ]; then
    bytes=$(wc -c <"$FACT_PATH") || exit
    [ "$((bytes))" = "${FACT_BYTES:?}" ] || refuse "$FACT_PATH had $FACT_BYTES bytes when it was verified, now $((bytes))"
fi
printf '%s\n' "$FACT_PATH is still there"
