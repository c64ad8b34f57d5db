# zypper and RPM: SUSE.

# What others hold for a moment is waited for; lists are those of the last refresh.
zypper_ask() {
    ZYPP_LOCK_TIMEOUT=60 zypper --non-interactive --no-refresh --xmlout "$@" </dev/null
}

# The reasons in an answer.
zypper_find_reasons() {
    sed -n '/<message type="error">/,/<\/message>/p; /<description>Problem/,/<\/description>/p' |
        sed "s/<[^>]*>//g; s/&lt;/</g; s/&gt;/>/g; s/&apos;/'/g; s/&quot;/\"/g; s/&amp;/\\&/g"
}

zypper_find_unfit() { :; }

zypper_find_others() {
    rpm_find_others /run/zypp.pid /run/zypp-rpm.pid
}

zypper_find_half_configured() { rpm_find_half_configured; }
zypper_repair='rpm -e NAME-VERSION for the older version'

zypper_refresh() {
    # Older lists would answer as if all were well.
    answer=$(ZYPP_LOCK_TIMEOUT=60 timeout -k 10 300 zypper --non-interactive --xmlout refresh 2>"$scratch/said" </dev/null) && return
    said=$(say "$answer" | zypper_find_reasons && cat "$scratch/said")
    [ -n "$said" ] || said='zypper refresh does not end'
    return 1
}

zypper_survey() {
    zypper_ask update --dry-run --details --auto-agree-with-licenses >"$scratch/pending" 2>"$scratch/said" || {
        give obstacle "refused
$(zypper_find_reasons <"$scratch/pending" && cat "$scratch/said")"
        return
    }
    give pending "$(cat "$scratch/pending")"
    names=$(zypper_list_changes <"$scratch/pending" | cut -f 2 | LC_ALL=C sort -u)
    # shellcheck disable=SC2086 # a list of names, which hold no blank
    [ -z "$names" ] || give offered "$(zypper_ask search --details --match-exact --type package -- $names)"
    give updates "$(zypper_ask list-updates --all)"
    give locks "$(zypper_ask locks)"
    # Some versions take no notice of --category.
    patches=$(zypper_ask list-patches | grep -o '<update kind="patch"[^>]*category="security"' | sed 's/.* name="\([^"]*\)".*/\1/')
    # shellcheck disable=SC2086 # a list of names, which hold no blank
    [ -z "$patches" ] || give patches "$(zypper_ask info --type patch -- $patches)"
    zypper_describe
    zypper --non-interactive needs-rebooting >/dev/null 2>&1 </dev/null
    case $? in 0) give reboot no ;; 102) give reboot yes ;; esac
    if services=$(zypper --non-interactive ps -sss 2>/dev/null </dev/null); then give services "$services"; fi
    if grep -q '^ID="*opensuse-tumbleweed' /etc/os-release; then
        give warnings 'this host is made for zypper dup, which turnus does not do'
    fi
}

zypper_describe() { give installed "$(rpm_list_installed)"; }
zypper_list_installed() { rpm_list_installed; }

# SECTION, NAME, ARCHITECTURE, VERSION, OLD VERSION of what an answer would change, with tabs between.
zypper_list_changes() {
    sed -n 's/^<\(to-[a-z-]*\)>.*/\1/p; s/^<solvable type="package" name="\([^"]*\)" edition="\([^"]*\)" arch="\([^"]*\)"\(.*\)/\1 \2 \3\4/p' |
        awk -v OFS='\t' 'NF == 1 { section = $1; next }
            { old = ""; if (match($0, /edition-old="[^"]*"/)) old = substr($0, RSTART + 13, RLENGTH - 14)
              print section, $1, $3, $2, old }'
}

zypper_simulate() { # PIN…
    zypper_ask install --dry-run --details --no-recommends --auto-agree-with-licenses -- "$@" >"$scratch/simulated" 2>"$scratch/told"
    status=$?
    if [ "$status" != 0 ]; then
        { zypper_find_reasons <"$scratch/simulated" && cat "$scratch/told"; } >&2
        return "$status"
    fi
    cat "$scratch/simulated"
}
zypper_filter() { zypper_list_changes | LC_ALL=C sort; }

zypper_install() { # PIN…
    # First all of it is fetched: what fails then has changed nothing.
    zypper_change --download-only -- "$@" || return
    zypper_change -- "$@"
    status=$?
    rpm_settle_conffiles "$TURNUS_CONFFILES"
    return "$status"
}

# Some statuses only tell of what should be done next: restart the host, or zypper.
zypper_change() { # OPTION… -- PIN…
    ZYPP_LOCK_TIMEOUT=60 zypper --non-interactive --no-refresh install --no-recommends --auto-agree-with-licenses "$@" </dev/null
    status=$?
    case $status in 102 | 103) return 0 ;; *) return "$status" ;; esac
}

# Pins that are not as they should be.
zypper_find_missing() { # PIN…
    rpm_list_installed | awk -F '\t' '{ print $1 "." $2 "=" $3 }' >"$scratch/now"
    for pin; do
        case $pin in
        -*) if grep -Fqx -e "${pin#-}" "$scratch/now"; then say "$pin"; fi ;;
        *) grep -Fqx -e "$pin" "$scratch/now" || say "$pin" ;;
        esac
    done
}

zypper_find_conffiles() { rpm_find_conffiles; }

# Fetches what another version will take the place of, or what will go.
zypper_keep() { # DIRECTORY PIN…
    directory=$1
    shift
    zypper_simulate "$@" >"$scratch/changes" || return
    zypper_list_changes <"$scratch/changes" >"$scratch/list"
    awk -F '\t' '$1 != "to-remove" { print $2 "." $3 "=" $4 }' "$scratch/list" | LC_ALL=C sort -u >"$directory/new"
    awk -F '\t' '$1 == "to-remove" { print $2 "." $3 "=" $4 } $5 != "" { print $2 "." $3 "=" $5 }' "$scratch/list" |
        LC_ALL=C sort -u >"$scratch/wanted"
    # shellcheck disable=SC2046 # a list of pins, which hold no blank
    [ ! -s "$scratch/wanted" ] || zypper_fetch $(cat "$scratch/wanted")
    while read -r pin; do
        list=old
        if ! zypper_is_kept "$pin"; then
            # One that is not to be had spoils it for all.
            zypper_fetch "$pin"
            zypper_is_kept "$pin" || list=missing
        fi
        say "$pin" >>"$directory/$list"
    done <"$scratch/wanted"
}

# Into the directory, however the repositories are called.
zypper_fetch() { # PIN…
    zypper_ask --pkg-cache-dir "$scratch/cache" install --download-only --force --oldpackage --no-recommends \
        --auto-agree-with-licenses -- "$@" >/dev/null 2>&1
    find "$scratch/cache" -name '*.rpm' -exec mv -f '{}' "$directory/" \; 2>/dev/null
}

zypper_is_kept() { # PIN
    for file in "$directory"/*.rpm; do
        [ "$(rpm_pin_of "$file")" != "$1" ] || return 0
    done
    return 1
}

rpm_pin_of() { # FILE
    rpm_quiet -qp --qf '%{NAME}.%{ARCH}=%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\n' "$1" | sed 's/=0:/=/'
}

zypper_restore() { # DIRECTORY
    directory=$1
    : >"$scratch/stamp"
    rpm_restore_doubles "$directory" || return
    zypper_list_installed | awk -F '\t' '{ print $1 "." $2 "=" $3 }' | LC_ALL=C sort >"$scratch/there"
    touch "$directory/old"
    # What is new and not merely in place of something old goes.
    sed 's/=.*//' "$directory/old" >"$scratch/names"
    LC_ALL=C sort "$directory/new" | LC_ALL=C comm -12 - "$scratch/there" | while read -r pin; do
        grep -Fqx -e "${pin%%=*}" "$scratch/names" || say "-$pin"
    done >"$scratch/gone"
    LC_ALL=C sort "$directory/old" | LC_ALL=C comm -23 - "$scratch/there" >"$scratch/back"
    if [ -s "$scratch/gone" ] || [ -s "$scratch/back" ]; then
        # Nothing but what was kept, which was checked then; whether a repository can be reached does not matter.
        mkdir "$scratch/repos" || return
        # shellcheck disable=SC2046 # lists of pins, which hold no blank
        ZYPP_LOCK_TIMEOUT=60 zypper --non-interactive --reposd-dir "$scratch/repos" --cache-dir "$scratch/cache" --no-gpg-checks \
            --plus-repo "dir:$directory" install --oldpackage --no-recommends --auto-agree-with-licenses \
            -- $(cat "$scratch/back" "$scratch/gone") </dev/null
        status=$?
        case $status in 0 | 102 | 103) ;; *) return "$status" ;; esac
    fi
    rpm_restore_conffiles "$directory"
}
