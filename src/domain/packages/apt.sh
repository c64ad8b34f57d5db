# apt and dpkg: Debian, Ubuntu.

# Acquire::Retries=0: apt before 2.6.2 mixes up what it fetches again.
apt() {
    apt-get -q -o Dpkg::Use-Pty=0 -o Dpkg::Progress-Fancy=0 -o APT::Color=0 -o Acquire::Retries=0 \
        -o DPkg::Lock::Timeout=60 -o APT::Get::Show-User-Simulation-Note=0 -o APT::Sandbox::User=root "$@"
}

# Locks tell of apt and dpkg; a maintainer script whose dpkg was killed holds none, and unattended-upgrades has pauses.
apt_find_others() {
    find_holders /var/lib/dpkg/lock-frontend /var/lib/dpkg/lock /var/lib/apt/lists/lock /var/cache/apt/archives/lock
    for process in /proc/[0-9]*; do
        line=$(tr '\000\n' '  ' <"$process/cmdline" 2>/dev/null) || continue
        case $line in
        */unattended-upgrade-shutdown*) continue ;;
        */unattended-upgrade\ * | */apt.systemd.daily* | */var/lib/dpkg/info/*.p[or]* | */var/lib/dpkg/tmp.ci/p*) ;;
        *) continue ;;
        esac
        pid=${process#/proc/}
        is_ours "$pid" && say "$(command_of "$pid") (process $pid) is at work"
    done
}

# What an earlier installation left unfinished.
apt_find_half_configured() {
    dpkg --audit 2>&1
    # dpkg's journal: whoever wrote it was interrupted.
    for entry in /var/lib/dpkg/updates/[0-9]*; do
        if [ -e "$entry" ]; then say 'dpkg was interrupted' && break; fi
    done
}
apt_repair='dpkg --configure -a'

apt_refresh() {
    # By default lists that could not be fetched are a mere warning; old versions of apt know no other way.
    said=$(apt -qq -o APT::Update::Error-Mode=any update 2>&1) &&
        ! say "$said" | grep -q -e '^W: Failed to fetch' -e '^W: Some index files failed'
}

apt_survey() {
    pending=$(apt -s -V dist-upgrade 2>&1) || { give obstacle "refused
$pending" && return; }
    give pending "$pending"
    give sizes "$(apt -qq -y --allow-downgrades --print-uris dist-upgrade 2>/dev/null)"
    give holds "$(apt-mark showhold)"
    apt_describe
    say "$pending" | sed -n 's/^Inst \([^ ]*\) \[\([^]]*\)\].*/\1 \2/p; s/^Remv \([^ ]*\) \[\([^]]*\)\].*/\1 \2/p' >"$scratch/old"
    give without-way-back "$(apt_find_without_way_back)"
    if [ -e /run/reboot-required ] || [ -e /var/run/reboot-required ]; then give reboot yes; else give reboot no; fi
    if command -v needrestart >/dev/null; then
        give services "$(env -u NEEDRESTART_SUSPEND needrestart -b -r l 2>/dev/null | sed -n 's/^NEEDRESTART-SVC: //p')"
    fi
}

# What names in other sections mean.
apt_describe() {
    give architecture "$(dpkg --print-architecture)"
    give installed "$(apt_list_installed)"
}

apt_list_installed() {
    dpkg-query -W -f '${Package}\t${Architecture}\t${Version}\t${db:Status-Status}\n'
}

# The name of a package's file in the cache; epochs are written with %3a.
apt_file_of() { # NAME VERSION
    escaped=$(say "$2" | sed 's/:/%3a/g')
    for file in "/var/cache/apt/archives/${1%:*}_${escaped}_"*.deb; do
        if [ -e "$file" ]; then say "$file" && return; fi
    done
    return 1
}

# Packages of `old` whose version is neither in the cache nor in a repository.
apt_find_without_way_back() {
    names=$(sed 's/ .*//; s/:.*//' "$scratch/old" | LC_ALL=C sort -u)
    # shellcheck disable=SC2086 # a list of names, which hold no blank
    [ -z "$names" ] || apt-cache madison $names | awk -F ' *[|] *' '{ sub(/^ */, "", $1); print $1, $2 }' >"$scratch/offered"
    while read -r name version; do
        grep -Fqx -e "${name%:*} $version" "$scratch/offered" || apt_file_of "$name" "$version" >/dev/null || say "$name"
    done <"$scratch/old"
}

# What installing a list would do, and without what is said besides.
apt_simulate() { # PIN…
    apt -s -V --allow-downgrades install "$@"
}
apt_filter() {
    sed -n '/^Inst /p; /^Remv /p' | LC_ALL=C sort
}

apt_install() { # PIN…
    if [ "$TURNUS_CONFFILES" = replace ]; then
        unset UCF_FORCE_CONFFOLD
        export UCF_FORCE_CONFFNEW=1
        # Beside it --force-confdef would win, and keep.
        policy='-o Dpkg::Options::=--force-confnew'
    else
        export UCF_FORCE_CONFFOLD=1
        policy='-o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold'
    fi
    # First all of it is fetched: what fails then has changed nothing.
    apt -y --allow-downgrades --download-only install "$@" || return
    # shellcheck disable=SC2086 # a list of options
    apt -y --allow-downgrades --no-download $policy install "$@"
}

# Pins that are not as they should be.
apt_find_missing() { # PIN…
    apt_list_installed | awk -F '\t' '$4 == "installed" { print $1 ":" $2 "=" $3 }' >"$scratch/now"
    for pin; do
        case $pin in
        *=*)
            # Without an architecture it is a package for all.
            case ${pin%%=*} in *:*) full=$pin ;; *) full=${pin%%=*}:all=${pin#*=} ;; esac
            grep -Fqx -e "$full" "$scratch/now" || say "$pin"
            ;;
        *-)
            name=${pin%-}
            case $name in *:*) ;; *) name=$name:all ;; esac
            if grep -Fq -e "$name=" "$scratch/now"; then say "$pin"; fi
            ;;
        esac
    done
}

# Configuration files that were kept or replaced since `stamp` was made.
apt_find_conffiles() {
    find /etc -xdev -cnewer "$scratch/stamp" \( -name '*.dpkg-dist' -o -name '*.dpkg-old' -o -name '*.ucf-dist' -o -name '*.ucf-old' \) |
        sed 's/\.[a-z]*-[a-z]*$//'
}

# Fetches the installed version of each package that will change; new ones have none and will be removed again.
apt_keep() { # DIRECTORY PIN…
    directory=$1
    shift
    apt-mark showauto >"$directory/auto"
    for pin; do
        case $pin in *=*) name=${pin%%=*} ;; *) name=${pin%-} ;; esac
        version=$(dpkg-query -W -f '${db:Status-Status} ${Version}' "$name" 2>/dev/null | sed -n 's/^installed //p')
        if [ -z "$version" ]; then
            say "$name" >>"$directory/new"
        elif file=$(apt_file_of "$name" "$version") && cp "$file" "$directory/"; then
            say "$name=$version" >>"$directory/old"
        else
            say "$name=$version" >>"$scratch/wanted"
        fi
    done
    [ -s "$scratch/wanted" ] || return 0
    # All at once, which is quicker; one that is not to be had spoils it for all.
    # shellcheck disable=SC2046 # a list of pins, which hold no blank
    if (cd "$directory" && apt -qq download $(cat "$scratch/wanted") >/dev/null 2>&1); then
        cat "$scratch/wanted" >>"$directory/old"
        return
    fi
    while read -r pin; do
        list=missing
        if (cd "$directory" && apt -qq download "$pin" </dev/null >/dev/null 2>&1); then list=old; fi
        say "$pin" >>"$directory/$list"
    done <"$scratch/wanted"
}

apt_restore() { # DIRECTORY
    directory=$1
    # A package whose dpkg was killed half-way is put right by its journal first.
    dpkg --set-selections </dev/null
    gone=
    if [ -e "$directory/new" ]; then gone=$(sed 's/$/-/' "$directory/new"); fi
    # Their files are here; whether a repository can be reached does not matter.
    if ! apt -y --allow-downgrades -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold \
        install "$directory"/*.deb $gone; then
        # apt refuses where dpkg was interrupted; dpkg itself does not.
        dpkg --force-confdef --force-confold -i "$directory"/*.deb
        dpkg --configure -a
        apt -y --allow-downgrades install "$directory"/*.deb $gone || return
    fi
    if [ -s "$directory/old" ]; then apt_mark_again "$directory"; fi
    # What was changed on the host and replaced by the package's is put back.
    [ -e "$directory/conffiles" ] || return 0
    while read -r file; do
        for suffix in dpkg-old ucf-old; do
            if [ -e "$file.$suffix" ]; then mv -f "$file.$suffix" "$file"; fi
        done
    done <"$directory/conffiles"
}

# What was installed for others is marked so again.
apt_mark_again() { # DIRECTORY
    sed 's/=.*//; s/:.*//' "$1/old" | LC_ALL=C sort -u >"$scratch/names"
    sed 's/:.*//' "$1/auto" | LC_ALL=C sort -u | LC_ALL=C comm -12 - "$scratch/names" >"$scratch/auto"
    [ ! -s "$scratch/auto" ] || apt-mark auto $(cat "$scratch/auto") >/dev/null
}
