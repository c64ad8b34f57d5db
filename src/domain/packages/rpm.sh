# What dnf and zypper share: RPM's database, its locks, and its configuration files.

rpm_quiet() {
    rpm "$@" 2>/dev/null </dev/null
}

# One line for each installed package: NAME, ARCHITECTURE, [EPOCH:]VERSION-RELEASE. Keys are in the database, too.
rpm_list_installed() {
    rpm_quiet -qa --qf '%{NAME}\t%{ARCH}\t%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\n' |
        awk -F '\t' -v OFS='\t' '$1 != "gpg-pubkey" { sub(/^0:/, "", $3); print }' | LC_ALL=C sort
}

# Who holds RPM's lock, and who is named in a file and still at work: such files stay behind when somebody is killed.
rpm_find_others() { # FILE…
    find_holders /var/lib/rpm/.rpm.lock /usr/lib/sysimage/rpm/.rpm.lock
    for file; do
        pid=$(head -n 1 "$file" 2>/dev/null | tr -cd 0-9)
        [ -n "$pid" ] && is_ours "$pid" || continue
        case $(command_of "$pid") in
        *dnf* | *yum* | *zypp* | *rpm* | *ackage[kK]it* | *[yY]a[sS][tT]* | */y2* | *ruby*)
            say "$(command_of "$pid") (process $pid) holds $file"
            ;;
        esac
    done
}

# Of two versions of a package the older one was to go when somebody was interrupted; kernels are installed side by side.
rpm_find_half_configured() {
    rpm_list_installed | cut -f 1,2 | LC_ALL=C uniq -d | while IFS='	' read -r name architecture; do
        if ! rpm_quiet -q --provides "$name" | grep -q -e '^installonlypkg(' -e '^multiversion(' -e '^kernel'; then
            say "$name.$architecture is installed in several versions:" \
                "$(rpm_list_installed | awk -F '\t' -v name="$name" -v architecture="$architecture" \
                    '$1 == name && $2 == architecture { printf "%s ", $3 }')"
        fi
    done
}

# Who was killed half-way leaves both versions of a package; RPM puts the kept one in place of all others.
rpm_restore_doubles() { # DIRECTORY
    rpm_list_installed | awk -F '\t' '{ print $1 "." $2 }' | LC_ALL=C uniq -d >"$scratch/doubles"
    for file in "$1"/*.rpm; do
        [ -e "$file" ] || continue
        if grep -Fqx -e "$(rpm_quiet -qp --qf '%{NAME}.%{ARCH}\n' "$file")" "$scratch/doubles"; then
            rpm -U --oldpackage --replacepkgs --nodeps "$file" </dev/null || return
        fi
    done
}

# RPM asks nobody: a file that was changed on the host stays, with the package's beside it as .rpmnew, or gives way and becomes
# .rpmsave, as the package wants it. Here it becomes what the job wants.
rpm_settle_conffiles() { # keep|replace
    if [ "$1" = replace ]; then wanted=rpmnew other=rpmsave; else wanted=rpmsave other=rpmnew; fi
    find /etc -xdev -type f -cnewer "$scratch/stamp" -name "*.$wanted" | while IFS= read -r new; do
        file=${new%."$wanted"}
        # What a removed package leaves behind has no file beside it.
        [ -f "$file" ] || continue
        mv -f "$file" "$file.$other" && mv -f "$new" "$file"
        if command -v restorecon >/dev/null; then restorecon "$file" "$file.$other"; fi
    done
}

# Configuration files that were kept or replaced since `stamp` was made.
rpm_find_conffiles() {
    find /etc -xdev -cnewer "$scratch/stamp" \( -name '*.rpmnew' -o -name '*.rpmsave' \) | sed 's/\.rpm[a-z]*$//'
}

# What was changed on the host and replaced by the package's is put back.
rpm_restore_conffiles() { # DIRECTORY
    rpm_settle_conffiles keep
    [ -e "$1/conffiles" ] || return 0
    while IFS= read -r file; do
        if [ -e "$file.rpmsave" ]; then mv -f "$file.rpmsave" "$file"; fi
    done <"$1/conffiles"
}
