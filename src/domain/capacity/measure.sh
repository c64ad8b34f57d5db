# Tells how full the file systems of a host are. Read-only, and writes no file: the one that is full may be any. POSIX sh.
# In: $1 the verb, $2 a nonce, $3 the length of this text, and then the watched paths. (Not on standard input: `head` of busybox, which
# takes this text from there, takes more than it is asked for.)

export LC_ALL=C
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
printf '\nturnus:%s\n' "$2"

# A file system of another machine that does not answer holds up nobody for longer than this.
limit=10
if ! command -v timeout >/dev/null; then
    bounded() { "$@"; }
elif timeout -s KILL 5 true 2>/dev/null; then
    bounded() { timeout -s KILL "$limit" "$@"; }
else
    # Of busybox before 1.30.
    bounded() { timeout -t "$limit" -s KILL "$@"; }
fi

# A section of an answer: `section NAME LENGTH`, and so many bytes.
give() { # NAME TEXT
    printf 'section %s %d\n%s\n' "$1" "$(printf '%s' "$2" | wc -c)" "$2"
}

number=0
measure() { # watched|mounted PATH
    give "path.$number" "$1 $2"
    said=$(bounded df -P -k -- "$2" 2>&1 </dev/null)
    status=$?
    if [ "$status" -eq 0 ]; then
        give "space.$number" "$said"
        give "inodes.$number" "$(bounded df -P -i -- "$2" 2>/dev/null </dev/null)"
    else
        give "failed.$number" "$status $said"
    fi
    number=$((number + 1))
}

shift 3
for path; do
    measure watched "$path"
done

# The list itself never waits for another machine, and only disks are asked.
measure mounted /
devices=' '
mounts=0
while read -r device mount type _; do
    case $type in
    ext[234] | xfs | btrfs | zfs | f2fs | jfs | reiserfs | bcachefs | vfat | exfat | ntfs | ntfs3 | fuseblk) ;;
    *) continue ;;
    esac
    case $devices in *" $device "*) continue ;; esac
    devices="$devices$device "
    [ "$mount" = / ] && continue
    # What a name must be escaped for is a blank; others are nobody's mount point.
    case $mount in *'\'[!0]* | *'\0'[!4]*) continue ;; esac
    [ "$mounts" -lt 50 ] || break
    mounts=$((mounts + 1))
    measure mounted "$(printf '%b' "$mount")"
done </proc/mounts

give memory "$(head -n 10 /proc/meminfo)"
echo end
