# apt and dpkg: Debian, Ubuntu.

# Acquire::Retries=0: apt before 2.6.2 mixes up what it fetches again.
apt() {
    apt-get -q -o Dpkg::Use-Pty=0 -o Dpkg::Progress-Fancy=0 -o APT::Color=0 -o Acquire::Retries=0 \
        -o DPkg::Lock::Timeout=60 -o APT::Get::Show-User-Simulation-Note=0 -o APT::Sandbox::User=root "$@"
}

apt_find_unfit() { :; }

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
    tries=0
    # By default lists that could not be fetched are a mere warning; old versions of apt know no other way.
    until said=$(apt -qq -o APT::Update::Error-Mode=any update 2>&1) &&
        ! say "$said" | grep -q -e '^W: Failed to fetch' -e '^W: Some index files failed'; do
        # DPkg::Lock::Timeout is not for the lock of the lists: who comes in between is waited for here.
        tries=$((tries + 1))
        case $said in *'Could not get lock'*) [ "$tries" -lt 10 ] || return 1 ;; *) return 1 ;; esac
        sleep 3
    done
}

apt_survey() {
    pending=$(apt -s -V dist-upgrade 2>&1) || { give obstacle "refused
$pending" && return; }
    give pending "$pending"
    # NAME FROM TO of what would be upgraded or removed, and NAME TO of what would be installed.
    say "$pending" | sed -n 's/^Inst \([^ ]*\) \[\([^]]*\)\] (\([^ ]*\) .*/\1 \2 \3/p; s/^Remv \([^ ]*\) \[\([^]]*\)\].*/\1 \2 -/p' >"$scratch/old"
    say "$pending" | sed -n 's/^Inst \([^ ]*\) \(\[[^]]*\] \)\{0,1\}(\([^ ]*\) .*/\1=\3/p' >"$scratch/new"
    # What repositories offer: NAME VERSION WHERE.
    names=$(sed 's/ .*//; s/:.*//' "$scratch/old" | LC_ALL=C sort -u)
    # shellcheck disable=SC2086 # a list of names, which hold no blank
    apt-cache madison $names 2>/dev/null | awk -F ' *[|] *' '{ sub(/^ */, "", $1); print $1, $2, $3 }' >"$scratch/offered"
    give sizes "$(apt_list_sizes)"
    give security "$(apt_find_security)"
    give without-way-back "$(apt_find_without_way_back)"
    give holds "$(apt-mark showhold)"
    apt_describe
    if [ -e /run/reboot-required ] || [ -e /var/run/reboot-required ]; then give reboot yes; else give reboot no; fi
    if command -v needrestart >/dev/null; then
        give services "$(env -u NEEDRESTART_SUSPEND needrestart -b -r l 2>/dev/null | sed -n 's/^NEEDRESTART-SVC: //p')"
    fi
}

# NAME ARCHITECTURE VERSION BYTES of what would be fetched.
apt_list_sizes() {
    # shellcheck disable=SC2046 # a list of pins, which hold no blank
    [ ! -s "$scratch/new" ] || apt-cache show $(cat "$scratch/new") 2>/dev/null | awk '
        /^Package: / { name = $2 }
        /^Architecture: / { architecture = $2 }
        /^Version: / { version = $2 }
        /^Size: / { size = $2 }
        /^$/ { print name, architecture, version, size }'
}

# Upgrades that bring a fix for security with them: one that is newer than what is installed stands in a repository for security,
# though another repository may have a newer version still.
apt_find_security() {
    grep -i security "$scratch/offered" >"$scratch/fixes" || return
    while read -r name from _; do
        while read -r fixed version _; do
            if [ "$fixed" = "${name%:*}" ] && dpkg --compare-versions "$from" lt "$version"; then say "$name" && break; fi
        done <"$scratch/fixes"
    done <"$scratch/old"
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
    cut -d ' ' -f 1,2 "$scratch/offered" >"$scratch/to-be-had"
    while read -r name version _; do
        grep -Fqx -e "${name%:*} $version" "$scratch/to-be-had" || apt_file_of "$name" "$version" >/dev/null || say "$name"
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
    apt-mark showauto | LC_ALL=C sort >"$scratch/auto"
    : >"$scratch/new"
    for pin; do
        case $pin in *=*) dpkg-query -W "${pin%%=*}" >/dev/null 2>&1 || say "${pin%%=*}" >>"$scratch/new" ;; esac
    done
    # shellcheck disable=SC2086 # a list of options
    apt -y --allow-downgrades --no-download $policy install "$@"
    status=$?
    # Whoever is named counts as wanted for its own sake: what was installed for others is marked so again, and what is new, too.
    apt-mark showmanual | LC_ALL=C sort | LC_ALL=C comm -12 - "$scratch/auto" >>"$scratch/new"
    # shellcheck disable=SC2046 # a list of names, which hold no blank
    [ ! -s "$scratch/new" ] || apt-mark auto $(cat "$scratch/new") >/dev/null 2>&1
    return "$status"
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
    apt-mark showauto | LC_ALL=C sort >"$directory/auto"
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

# Works from whatever state a failure or a kill has left.
apt_restore() { # DIRECTORY
    directory=$1
    # Takes in the journal of a dpkg that was interrupted, and configures nothing.
    dpkg --set-selections </dev/null
    apt_plan_restore "$directory" >"$scratch/plan"
    # apt sees the kept files and nothing else: repositories may be out of reach, or have the same version once more.
    mkdir -p "$scratch/lists/partial" "$scratch/archives/partial"
    # shellcheck disable=SC2046 # a list of files and names, which hold no blank
    [ ! -s "$scratch/plan" ] || apt -y --allow-downgrades --allow-change-held-packages --reinstall \
        -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists="$scratch/lists" \
        -o Dir::Cache::Archives="$scratch/archives" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= \
        -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold install $(cat "$scratch/plan") ||
        apt_restore_by_hand "$directory" || return
    apt-mark showmanual | LC_ALL=C sort | LC_ALL=C comm -12 - "$directory/auto" >"$scratch/marks"
    # shellcheck disable=SC2046 # a list of names, which hold no blank
    [ ! -s "$scratch/marks" ] || apt-mark auto $(cat "$scratch/marks") >/dev/null
    # What was changed on the host and replaced by the package's is put back.
    [ -e "$directory/conffiles" ] || return 0
    while read -r file; do
        for suffix in dpkg-old ucf-old; do
            if [ -e "$file.$suffix" ]; then mv -f "$file.$suffix" "$file"; fi
        done
    done <"$directory/conffiles"
}

# The kept files of packages that are not as they were, and `NAME-` for what was not there.
apt_plan_restore() { # DIRECTORY
    if [ -s "$1/old" ]; then
        # shellcheck disable=SC2046 # a list of pins, which hold no blank
        apt_find_missing $(cat "$1/old") | while read -r pin; do
            name=${pin%%=*} version=$(say "${pin#*=}" | sed 's/:/%3a/g')
            for file in "$1/${name%:*}_${version}_"*.deb; do
                # Of one name there may be several architectures.
                case $name in *:*) [ "$file" = "$1/${name%:*}_${version}_${name#*:}.deb" ] || continue ;; esac
                say "$file"
            done
        done
    fi
    [ ! -s "$1/new" ] || while read -r name; do
        ! dpkg-query -W "$name" >/dev/null 2>&1 || say "$name-"
    done <"$1/new"
}

# Where apt finds no way, dpkg goes it: what must go first, then the old files.
apt_restore_by_hand() { # DIRECTORY
    for turn in 1 2; do
        apt_plan_restore "$1" >"$scratch/plan"
        gone=$(sed -n 's/-$//p' "$scratch/plan") files=$(grep '[.]deb$' "$scratch/plan")
        # shellcheck disable=SC2086 # a list of names, which hold no blank
        [ -z "$gone" ] || dpkg --remove $gone
        # shellcheck disable=SC2086 # a list of files, which hold no blank
        [ -z "$files" ] || dpkg --force-confdef --force-confold -i $files
    done
    apt_plan_restore "$1" >"$scratch/plan"
    [ ! -s "$scratch/plan" ]
}
