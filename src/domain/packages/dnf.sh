# dnf 4 and RPM: Fedora, RHEL and its family.

# dnf's own Python, which knows what a table on the terminal leaves out; dnf 5 has none.
dnf_find_python() {
    program=$(command -v dnf-3 || command -v dnf) && sed -n '1s/^#! *\([^ ]*python[^ ]*\).*/\1/p' "$program"
}

# Plans and makes transactions: `survey`, `simulate PIN…`, `install PIN…`, `keep DIRECTORY PIN…`, `restore DIRECTORY`.
dnf_do() { # VERB ARGUMENT…
    "$(dnf_find_python)" - "$@" <<'PYTHON'
import os, shutil, sys
import dnf, dnf.callback, dnf.exceptions, hawkey

INCOMING = ("Install", "Upgrade", "Downgrade", "Reinstall")
OUTGOING = ("Removed", "Obsoleted", "Upgraded", "Downgraded", "Reinstalled")

def fail(why):
    print(why, file=sys.stderr)
    sys.exit(1)

def version_of(package):
    epoch = "%s:" % package.epoch if package.epoch else ""
    return "%s%s-%s" % (epoch, package.version, package.release)

def pin_of(package):
    return "%s-%s.%s" % (package.name, version_of(package), package.arch)

def open_base(online=False, repositories=True):
    base = dnf.Base()
    base.conf.read()
    base.conf.substitutions.update_from_etc(base.conf.installroot, varsdir=base.conf.varsdir)
    # What the last refresh brought is what everybody looks at.
    base.conf.cacheonly = not online
    base.conf.best = False
    base.conf.exit_on_lock = True
    # These need a command line, or copy all packages. dnf remarks upon those that are not there.
    unwanted = [name for name in ("show_leaves", "local", "generate_completion_cache")
                if any(os.path.exists(os.path.join(path, name + ".py")) for path in base.conf.pluginpath)]
    base.init_plugins(disabled_glob=unwanted)
    base.pre_configure_plugins()
    if repositories:
        base.read_all_repos()
    base.configure_plugins()
    for repository in base.repos.iter_enabled():
        repository.skip_if_unavailable = False
        repository.metadata_expire = -1
        # Who is not trusted yet is not trusted because a repository says so.
        repository.gpgkey = []
    base.fill_sack(load_system_repo=True, load_available_repos=repositories)
    return base

def resolve(base, pins):
    base.conf.best = True
    base.conf.install_weak_deps = False
    base.conf.clean_requirements_on_remove = False
    for pin in pins:
        if pin.startswith("-"):
            base.remove(pin[1:])
        else:
            base.install(pin, strict=True)
    base.resolve(allow_erasing=False)

def moves(base, actions=INCOMING + OUTGOING):
    """Parts of the transaction; some only change why a package is there, and have none."""
    return [item for item in base.transaction or () if item.action_name in actions]

def is_for_security(base, package, before):
    """An advisory counts if it names a version that is newer than what is there, and not newer than what comes."""
    if before is None:
        advisories = package.get_advisories(hawkey.EQ)
    else:
        advisories = before.get_advisories(hawkey.GT)
    for advisory in advisories:
        if advisory.type != hawkey.ADVISORY_SECURITY:
            continue
        for named in advisory.packages:
            if (named.name, named.arch) == (package.name, package.arch):
                if base.sack.evr_cmp(named.evr, package.evr) <= 0:
                    return True
    return False

def tell(base):
    """ACTION NAME ARCH VERSION REPOSITORY SIZE SECURITY: what comes has a repository, what goes has not."""
    installed = {}
    for package in base.sack.query().installed():
        key = (package.name, package.arch)
        if key not in installed or installed[key].evr_lt(package):
            installed[key] = package
    lines = []
    for item in moves(base):
        package = item.pkg
        coming = item.action_name in INCOMING
        before = installed.get((package.name, package.arch))
        security = coming and is_for_security(base, package, before)
        lines.append((item.action_name, package.name, package.arch, version_of(package),
                      package.reponame if coming else "-", str(package.downloadsize) if coming else "-",
                      "security" if security else "-"))
    return ["\t".join(line) for line in sorted(lines)]

def tell_held(base):
    """CAUSE NAME ARCH VERSION of newer versions that would not come."""
    coming = {str(item.pkg) for item in moves(base, INCOMING)}
    seen = {str(package) for package in base.sack.query().available()}
    lines = set()
    for flags in (hawkey.APPLY_EXCLUDES, hawkey.IGNORE_REGULAR_EXCLUDES):
        for package in base.sack.query(flags=flags).upgrades().latest(1):
            if str(package) not in coming:
                cause = "kept-back" if str(package) in seen else "hold"
                lines.add("\t".join((cause, package.name, package.arch, version_of(package))))
    return sorted(lines)

def leaving(base):
    """What another version takes the place of, or what goes; not the kernels that are too many."""
    coming = {(item.pkg.name, item.pkg.arch) for item in moves(base, ("Install",))}
    for item in moves(base, OUTGOING):
        if (item.pkg.name, item.pkg.arch) not in coming:
            yield item.pkg

def offered(base, package):
    return list(base.sack.query(flags=hawkey.IGNORE_EXCLUDES).available().filter(
        name=package.name, arch=package.arch, epoch=package.epoch, version=package.version, release=package.release))

def give(name, lines):
    text = "\n".join(lines)
    print("section %s %d\n%s" % (name, len(text.encode()), text))

def survey():
    base = open_base()
    base.upgrade_all()
    base.resolve(allow_erasing=False)
    give("pending", tell(base))
    give("held", tell_held(base))
    give("without-way-back", sorted({"%s\t%s" % (package.name, package.arch)
                                     for package in leaving(base) if not offered(base, package)}))
    sources = {item.pkg.repo for item in moves(base, INCOMING)}
    if sources and not any(repository.get_metadata_path("updateinfo") for repository in sources):
        give("warnings", ["no repository of this host says which updates are for security"])

class Progress(dnf.callback.TransactionProgress):
    """Tells what is done, in lines, and remembers what packages' scripts did wrong."""
    failed = 0
    told = None

    def progress(self, package, action, ti_done, ti_total, ts_done, ts_total):
        line = "%s %s" % (dnf.transaction.FILE_ACTIONS.get(action, ""), package)
        if package and action != dnf.transaction.PKG_VERIFY and line != self.told:
            self.told = line
            print(line, flush=True)

    def scriptout(self, msgs):
        if msgs:
            print(msgs.decode(errors="replace") if isinstance(msgs, bytes) else msgs, flush=True)

    def error(self, message):
        self.failed += 1
        print(message, flush=True)

def fetch(base, packages):
    """Downloads, and checks signatures as the repositories want it."""
    base.download_packages(packages)
    for package in packages:
        result, why = base.package_signature_check(package)
        if result != 0:
            raise dnf.exceptions.Error(why)

def commit(base, what):
    base.args = ["turnus", what]
    progress = Progress()
    base.do_transaction(display=progress)
    if progress.failed:
        # rpm has installed it all the same; who updates has to know.
        print("%d scripts of packages failed" % progress.failed)
        sys.exit(107)

def install(pins):
    base = open_base(online=True)
    resolve(base, pins)
    # First all of it is fetched: what fails then has changed nothing.
    fetch(base, list(base.transaction.install_set))
    commit(base, "install")

def keep(directory, pins):
    base = open_base(online=True)
    resolve(base, pins)
    lists = {"old": [], "new": [], "missing": []}
    lists["new"] = [pin_of(item.pkg) for item in moves(base, INCOMING)]
    for package in leaving(base):
        kept = "missing"
        for candidate in offered(base, package):
            try:
                fetch(base, [candidate])
                shutil.copy(candidate.localPkg(), directory)
                kept = "old"
                break
            except (dnf.exceptions.Error, OSError) as error:
                print(error)
        lists[kept].append(pin_of(package))
    for name, pins in lists.items():
        with open(os.path.join(directory, name), "w") as file:
            file.writelines(pin + "\n" for pin in sorted(pins))

def restore(directory):
    def read(name):
        with open(os.path.join(directory, name)) as file:
            return file.read().split()
    base = open_base(repositories=False)
    base.conf.clean_requirements_on_remove = False
    base.conf.install_weak_deps = False
    # They were checked when they were kept.
    base.conf.localpkg_gpgcheck = False
    there = {pin_of(package): package for package in base.sack.query().installed()}
    files = [os.path.join(directory, name) for name in sorted(os.listdir(directory)) if name.endswith(".rpm")]
    old, new = set(read("old")), set(read("new"))
    for package in base.add_remote_rpms(files, strict=True):
        if pin_of(package) in old and pin_of(package) not in there:
            base.goal.install(package)
    for pin in new - old:
        if pin in there:
            base.goal.erase(there[pin])
    base.resolve(allow_erasing=False)
    if base.transaction:
        commit(base, "restore")

try:
    verb, arguments = sys.argv[1], sys.argv[2:]
    if verb == "survey":
        survey()
    elif verb == "simulate":
        base = open_base()
        resolve(base, arguments)
        print("\n".join(tell(base)))
    elif verb == "install":
        install(arguments)
    elif verb == "keep":
        keep(arguments[0], arguments[1:])
    elif verb == "restore":
        restore(arguments[0])
except dnf.exceptions.Error as error:
    fail(str(error).strip())
PYTHON
}

# dnf 5 is another program, of the same name.
dnf_find_unfit() {
    [ -z "$(dnf_find_python)" ] || return
    called=$(timeout 30 dnf --version 2>&1 </dev/null | head -n 1)
    say "${called:-its version can not be told}"
}

dnf_find_others() {
    rpm_find_others /var/lib/dnf/rpmdb_lock.pid /var/cache/dnf/rpmdb_lock.pid /var/cache/dnf/metadata_lock.pid \
        /var/cache/dnf/download_lock.pid /run/dnf/rpmtransaction.pid /var/run/yum.pid
    for process in /proc/[0-9]*; do
        line=$(tr '\000\n' '  ' <"$process/cmdline" 2>/dev/null) || continue
        case $line in */dnf-automatic*) ;; *) continue ;; esac
        pid=${process#/proc/}
        is_ours "$pid" && say "$(command_of "$pid") (process $pid) is at work"
    done
}

dnf_find_half_configured() { rpm_find_half_configured; }
dnf_repair='dnf remove --duplicates'

dnf_refresh() {
    # A repository that can't be read would count as one that has nothing new.
    said=$(timeout -k 10 300 dnf -q -y --color=never --setopt=skip_if_unavailable=False '--setopt=*.skip_if_unavailable=False' \
        '--setopt=*.gpgkey=' --setopt=exit_on_lock=True makecache --refresh 2>&1 </dev/null)
}

dnf_survey() {
    dnf_do survey >"$scratch/answer" 2>"$scratch/said" || { give obstacle "refused
$(cat "$scratch/said")" && return; }
    cat "$scratch/answer"
    dnf_describe
    # Its status alone does not tell a restart from a failure.
    if needed=$(dnf -q -C needs-restarting -r 2>/dev/null </dev/null); then
        give reboot no
    elif say "$needed" | grep -q 'Reboot is required'; then
        give reboot yes
    fi
    if [ -d /run/systemd/system ]; then
        give services "$(dnf -q -C needs-restarting -s 2>/dev/null </dev/null | grep '\.service$')"
    fi
}

dnf_describe() { give installed "$(rpm_list_installed)"; }
dnf_list_installed() { rpm_list_installed; }

dnf_simulate() { dnf_do simulate "$@"; } # PIN…
dnf_filter() { LC_ALL=C sort; }

dnf_install() { # PIN…
    dnf_do install "$@" 2>&1
    status=$?
    rpm_settle_conffiles "$TURNUS_CONFFILES"
    return "$status"
}

# Pins that are not as they should be.
dnf_find_missing() { # PIN…
    rpm_list_installed | awk -F '\t' '{ print $1 "-" $3 "." $2 }' >"$scratch/now"
    for pin; do
        case $pin in
        -*) if grep -Fqx -e "${pin#-}" "$scratch/now"; then say "$pin"; fi ;;
        *) grep -Fqx -e "$pin" "$scratch/now" || say "$pin" ;;
        esac
    done
}

dnf_find_conffiles() { rpm_find_conffiles; }

dnf_keep() { dnf_do keep "$@" 2>&1; } # DIRECTORY PIN…

dnf_restore() { # DIRECTORY
    : >"$scratch/stamp"
    rpm_restore_doubles "$1" || return
    dnf_do restore "$1" 2>&1 || return
    rpm_restore_conffiles "$1"
}
