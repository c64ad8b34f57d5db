# What all texts share that talk to a package manager on a host: how they answer, wait for others, and call functions of the
# manager that is there. POSIX sh.

# Quiet, and without questions, whoever asks; the capsule sets the same for its steps.
export LC_ALL=C.UTF-8 LANGUAGE= TERM=dumb PAGER=cat SYSTEMD_PAGER=
export DEBIAN_FRONTEND=noninteractive DEBIAN_PRIORITY=critical APT_LISTCHANGES_FRONTEND=none APT_LISTBUGS_FRONTEND=none
# needrestart neither asks nor restarts anything by itself.
export NEEDRESTART_MODE=l NEEDRESTART_SUSPEND=1
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
unset DISPLAY

say() { printf '%s\n' "$*"; }

# A section of an answer: `section NAME LENGTH`, and so many bytes.
give() { # NAME TEXT
    printf 'section %s %d\n%s\n' "$1" "$(printf '%s' "$2" | wc -c)" "$2"
}

# The family says which is the host's own: others may be installed beside it.
find_manager() {
    family=$([ -r /etc/os-release ] && . /etc/os-release && say " $ID ${ID_LIKE-} ")
    case $family in
    *' debian '* | *' ubuntu '*) wanted='apt-get zypper dnf' ;;
    *suse* | *' sles '*) wanted='zypper dnf apt-get' ;;
    *) wanted='dnf zypper apt-get' ;;
    esac
    for program in $wanted; do
        if command -v "$program" >/dev/null; then
            manager=${program%-get}
            return
        fi
    done
    manager=
}

# Whether a process belongs to this machine and not to a container that runs on it.
is_ours() { # PID
    [ "$(stat -L -c %d:%i "/proc/$1/root/" 2>/dev/null)" = "$(stat -L -c %d:%i /)" ]
}

# The command line of a process, in one line.
command_of() { # PID
    line=$(tr '\000\n' '  ' <"/proc/$1/cmdline" 2>/dev/null | cut -c 1-120)
    [ -n "$line" ] || line=$(cat "/proc/$1/comm" 2>/dev/null)
    say "$line"
}

# Who holds a lock on one of the files: `COMMAND (process PID) holds FILE`. The kernel tells by inode.
find_holders() { # FILE…
    for file; do
        inode=$(stat -c %i "$file" 2>/dev/null) || continue
        while read -r _ kind _ _ pid where _; do
            [ "$kind" != '->' ] && [ "${where##*:}" = "$inode" ] && [ "$pid" -gt 0 ] || continue
            # The same number may be an inode of another file system: whoever holds it must be one of ours.
            is_ours "$pid" && say "$(command_of "$pid") (process $pid) holds $file"
        done </proc/locks
    done
}

# Waits until nobody else is at work. Sets `holder` when the time is over first.
await_others() { # SECONDS
    waited=0 told=
    while holder=$("${manager}_find_others" | head -n 3) && [ -n "$holder" ]; do
        [ "$waited" -lt "$1" ] || return 1
        # In a capsule it is told once; an answer in sections has no place for it.
        if [ -z "$told" ] && [ -n "${TURNUS_OUTPUT-}" ]; then say "waiting: $holder" && told=yes; fi
        sleep 2
        waited=$((waited + 2))
    done
}
