# The capsule: how a step runs on a host so that it starts at most once and survives the line and the controller.
# POSIX sh; the same text runs under dash, bash and busybox. turnus sends it on standard input of
#   sh -c 'capsule=$(cat) && eval "$capsule"' turnus take NONCE STATE RUN EPOCH CREATE
# which leaves a copy in the run's directory; everything after that is `sh RUN_DIRECTORY/capsule VERB NONCE …`,
# so that neither logs of sudo nor process lists carry this text, and secrets travel only on standard input.
#
#   runs/RUN/capsule            this text
#   runs/RUN/blank/             the FIFOs of a step, to be copied
#   runs/RUN/eEPOCH/KEY         start token: a file that exists if and only if the step was started; holds a nonce
#   runs/RUN/KEY.NONCE/         the step's files: script, log, output, pid, code, rc …
#
# A process costs a host more than all that is done here without one: what the shell can do itself, it does.
#
# Fencing: to start a step is to create a file in eEPOCH. A take-over renames that directory, so a launcher of the
# old controller, however late, finds no directory to create its token in.

verb=$1 nonce=$2
shift 2
# For the capsule's own tools; loading another locale costs each of them more than its work.
export LC_ALL=C

say() { printf '%s\n' "$*"; }
conclude() { say "$*"; say end; exit 0; }

# --- take: bring the run's directory to this epoch ---------------------------------------------------------------

take() { # STATE RUN EPOCH CREATE
  state=$1 epoch=$3
  for tool in dd mkfifo cp mv cat rm rmdir wc head tail setsid sleep sync id uname find; do
    command -v "$tool" >/dev/null || conclude "refused no \`$tool\` on this host"
  done
  [ -r /proc/self/stat ] || conclude "refused no /proc on this host"
  [ "$(head -c 5 /proc/version)" = Linux ] || conclude "refused \`head\` on this host does not know \`-c\`"
  uid=$(id -u)
  if [ -z "$state" ]; then
    if [ "$uid" = 0 ]; then state=/var/lib/turnus; else state=${XDG_STATE_HOME:-$HOME/.local/state}/turnus; fi
  fi
  case $state in
    '~/'*) state=$HOME/${state#??} ;;
    /*) ;;
    *) conclude "refused the state directory \`$state\` is not absolute" ;;
  esac
  run=$state/runs/$2
  if ! [ -d "$run" ]; then
    [ "$4" = yes ] || conclude vanished
    # Only what turnus keeps there is closed: the directory itself may serve others, such as a database of turnus's own.
    { [ -d "$state" ] || (umask 022 && mkdir -p "$state"); } && (umask 077 && mkdir -p "$run") ||
      conclude "refused can't create \`$run\`"
  fi
  [ -O "$run" ] || conclude "refused \`$run\` belongs to somebody else"
  settle "$4"
  # Written aside and renamed: another take, or a step of this run, may be reading the old copy.
  { printf '%s\n' "$capsule" >"$run/new.$nonce" && mv -f "$run/new.$nonce" "$run/capsule" && make_blank; } ||
    conclude "refused can't write to \`$run\`"
  # After a power failure the epoch must still be this one.
  sync "$run"
  say "home $run"
  # What was started here: a database that was restored from an old backup may not know it.
  for token in "$run/e$epoch"/*; do
    if [ -e "$token" ]; then say "token ${token##*/}"; fi
  done
  describe_host
}

# Loops until eEPOCH is the only epoch. Others may do the same at the same time, with this epoch (hosts that share a
# file system) or another (a controller that was stalled): every turn acts on what is there, and only a look that
# finds nothing but ours ends it. Only an empty directory is ever removed; one that holds tokens is renamed.
settle() { # CREATE
  turn=0
  while [ "$turn" -lt 50 ]; do
    turn=$((turn + 1)) highest=-1 lower=
    for directory in "$run"/e[0-9]*; do
      [ -d "$directory" ] || continue
      found=${directory##*/e}
      [ "$found" -gt "$highest" ] && highest=$found
      [ "$found" -lt "$epoch" ] && [ "$found" -gt "${lower:--1}" ] && lower=$found
    done
    if [ "$highest" -gt "$epoch" ]; then
      rmdir "$run/e$epoch" 2>/dev/null
      conclude "fenced $highest"
    elif [ -n "$lower" ] && [ "$highest" -eq "$epoch" ]; then
      rmdir "$run/e$lower" 2>/dev/null ||
        { rmdir "$run/e$epoch" 2>/dev/null && mv "$run/e$lower" "$run/e$epoch" 2>/dev/null; }
    elif [ -n "$lower" ]; then
      mv "$run/e$lower" "$run/e$epoch" 2>/dev/null
    elif [ "$highest" -eq "$epoch" ]; then
      return
    elif [ "$1" = yes ]; then
      mkdir -m 700 "$run/e$epoch" 2>/dev/null
    else
      conclude vanished
    fi
  done
  conclude "refused can't bring \`$run\` to epoch $epoch"
}

# Another take may be making the same.
make_blank() {
  set -- "$run/blank/ctl" "$run/blank/bell.0" "$run/blank/bell.1" "$run/blank/bell.2" "$run/blank/bell.3"
  mkdir -m 700 "$run/blank" 2>/dev/null
  mkfifo "$@" 2>/dev/null
  for fifo; do [ -p "$fifo" ] || return; done
}

describe_host() {
  locale=C.UTF-8
  if command -v locale >/dev/null; then
    [ "$(LC_ALL=C.UTF-8 locale charmap 2>/dev/null)" = UTF-8 ] || locale=C
  fi
  os=$([ -r /etc/os-release ] && . /etc/os-release && say "$PRETTY_NAME")
  look_up_boot
  # In this order, whatever the order of the letters.
  set -- $(uname -n -r -m)
  facts="boot_id=$boot
uid=$uid
os=$os
kernel=$2
arch=$3
hostname=$1
systemd=$(if [ -d /run/systemd/system ]; then say yes; else say no; fi)
locale=$locale"
  bytes=$(printf '%s' "$facts" | wc -c)
  say "facts $((bytes))"
  printf '%s' "$facts"
}

look_up_boot() { read -r boot </proc/sys/kernel/random/boot_id; }

# --- run: start a step, or find it started -----------------------------------------------------------------------

run() { # EPOCH KEY LIMIT HEAD TAIL OFFSET scope|plain
  epoch=$1 key=$2 token=$run/e$1/$2
  [ -e "$token" ] || prepare
  if [ -z "$prepared" ]; then follow "$epoch" "$key" "$6"; fi
  # From here to the start of the supervisor nothing may end this shell: the token would stand for a step that never
  # ran. (Caught, not ignored: what is ignored stays ignored in the script.)
  trap : HUP PIPE TERM
  # The supervisor inherits this open bell: from before the token exists there is always somebody who holds it, or
  # nobody left to run the step. That is how followers tell a step that is coming from one that is gone.
  exec 8<>"$directory/bell.0"
  set -C
  echo "$nonce" 2>/dev/null >"$token"
  won=$?
  set +C
  if [ "$won" = 0 ]; then
    # After a power failure the token must still be there, or the step would be started again.
    sync "$token"
    if [ "$7" = scope ]; then verb=detach; else verb=supervise; fi
    setsid sh "$0" "$verb" "$nonce" "$directory" "$3" "$4" "$5" </dev/null >/dev/null 2>&1 &
    exec 8>&-
    trap - HUP PIPE TERM
    say "started $boot $boot"
    tell "$6"
  else
    exec 8>&-
    trap - HUP PIPE TERM
    rm -rf "$directory"
    follow "$epoch" "$key" "$6"
  fi
}

# Everything that takes time or may fail comes before the token: files, FIFOs, and the whole of standard input.
prepare() {
  prepared=yes directory=$run/$key.$nonce
  [ -d "$run/e$epoch" ] || refuse_epoch
  { cp -R "$run/blank" "$directory" && cd "$directory"; } || conclude "refused can't write to \`$run\`"
  # `code` and `rc` get their room on the disk now and are overwritten in place: a step that fills the disk still
  # gives back its exit status. `now` is the bell to listen to; one digit, overwritten in place, never torn.
  { printf '%64s\n' '' >code && printf '%64s\n' '' >rc && echo 0 >now && : >log &&
    look_up_boot && echo "$boot" >boot; } || conclude "refused can't write to \`$run\`"
  export DEBIAN_FRONTEND=noninteractive DEBIAN_PRIORITY=critical APT_LISTCHANGES_FRONTEND=none UCF_FORCE_CONFFOLD=1
  # `l`: needrestart lists and neither asks nor restarts anything on its own.
  export NEEDRESTART_MODE=l TERM=dumb PAGER=cat SYSTEMD_PAGER= TURNUS_OUTPUT="$directory/output"
  export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
  # The environment, up to an empty line. The script's locale waits under another name until the script begins.
  while IFS= read -r line && [ -n "$line" ]; do
    case $line in
      LC_ALL=*) line=TURNUS_$line ;;
      # Backslashes and line breaks are escaped; the x keeps line breaks at the end.
      *[\\]*) line=$(printf '%bx' "$line") line=${line%x} ;;
    esac
    export "$line"
  done
  # The last line proves that the script has arrived in full.
  while IFS= read -r line; do
    if [ "$line" = "end $nonce" ]; then return; fi
    printf '%s\n' "$line" || break
  done >script
  rm -rf "$directory"
  conclude "refused the script did not arrive in full, or there is no room for it"
}

refuse_epoch() {
  for directory in "$run"/e[0-9]*; do
    [ -d "$directory" ] && conclude "fenced ${directory##*/e}"
  done
  conclude vanished
}

# Leaves the ssh session's control group where systemd would clear it away. If that fails, goes on without.
detach() { # DIRECTORY LIMIT HEAD TAIL
  systemd-run --scope --quiet --collect sh "$0" supervise "$nonce" "$@" | {
    # The supervisor says when it holds the bell; then nobody else may.
    read -r _ || exec sh "$0" supervise "$nonce" "$@"
  } &
}

# --- supervise: run the script, bound its time and its log, ring when there is news ------------------------------

supervise() { # DIRECTORY LIMIT HEAD TAIL
  cd "$1" || exit
  # Whoever comes second (after a systemd-run that failed late) leaves.
  set -C
  echo 2>/dev/null >begun || exit 0
  set +C
  exec 8<>bell.0 7<>ctl 9>ctl
  # To `detach`, which may be gone with the ssh session.
  trap : PIPE
  echo begun
  exec >/dev/null
  trap - PIPE
  # Somebody may have said `want` before `ctl` was open here, and a FIFO that nobody holds forgets.
  directory=$1 bell=0 wanted=yes news='' exited='' drained='' kept='' members='' timed_out=no
  look_at_clock
  due=$((clock + $2))
  script | cap "$3" "$4" &
  tick &
  until [ -n "$exited" ] && [ -n "$drained" ] && [ -z "$members" ]; do
    read -r event detail <&7
    case $event in
      want) wanted=yes ;;
      tick) look_around ;;
      drained) drained=yes kept=$detail ;;
      exit)
        exited=yes patience=2
        # What the script leaves behind may stay, unless its time was up: then all must be gone.
        if [ "$timed_out" = yes ]; then find_members; fi
        ;;
    esac
  done
  record_end "$4"
  # Ends the ticking. A capper that still drains for a daemon ignores this.
  trap '' TERM
  kill -TERM 0
}

# Once a second. An end does not wait for it.
tick() {
  exec 7<&- 8<&-
  # Somebody may kill every `sleep` of the host, or an update that is under way may have broken it for a moment.
  misses=0
  while sleep 1 || [ "$?" -gt 128 ] || [ "$((misses += 1))" -lt 200 ]; do echo tick >&9 || exit; done
}

# Seconds since the host was started.
look_at_clock() { read -r clock _ </proc/uptime && clock=${clock%%.*}; }

look_around() {
  # The capper sees the end of the output at once, unless a daemon that the script left behind holds it open.
  if [ -n "$exited" ] && [ "$((patience -= 1))" -le 0 ]; then drained=yes; fi
  look_at_clock
  # Both ends of the measured time were cut to seconds: only beyond the limit it is surely over. A script that has ended
  # was in time.
  if [ "$clock" -gt "$due" ] && { [ -z "$exited" ] || [ "$timed_out" = yes ]; }; then enforce_limit; fi
  # `now` was written when the bell was last rung. Whoever sets back the clock spoils that; hence twice a minute anyway.
  if [ -s log ] && ! [ now -nt log ] || [ "$((clock % 30))" = 0 ]; then news=yes; fi
  if [ -n "$wanted" ] && [ -n "$news" ]; then ring; fi
}

# A follower waits for the end of file on the current bell, which only the supervisor holds: closing it wakes all of
# them at once and blocks on none, and it closes by itself if the supervisor is killed. With four bells in turn, none
# is reopened before its last listener is gone.
ring() {
  bell=$(((bell + 1) % 4)) news='' wanted=''
  exec 6<>"bell.$bell"
  echo "$bell" 1<>now
  exec 8<&6 6<&-
}

script() {
  exec 7<&- 8<&-
  (
    cd / && export LC_ALL="${TURNUS_LC_ALL-C}" && unset TURNUS_LC_ALL
    exec setsid sh "$directory/script" </dev/null 2>&1 9>&-
  ) &
  echo "$!" >pid
  wait "$!"
  printf '%s ' "$?" 1<>code
  echo exit >&9
}

# Keeps the first HEAD bytes in `log`, written as they come, and of the rest the last TAIL bytes in two files by turns.
# Always goes on reading: a step must neither stop nor die because nobody wants its output.
cap() { # HEAD TAIL
  exec 7<&- 8<&-
  trap '' HUP PIPE TERM
  # Whatever ends this shell: the script must not notice.
  trap 'while read -r _; do :; done' EXIT
  room=$1 kept=0
  while [ "$room" -gt 0 ]; do
    # dd writes whatever one read gives it, so that blocks may be short.
    if [ "$room" -lt 4096 ]; then keep "$room" 1 log; else keep 4096 "$((room / 4096))" log; fi
    room=$(($1 - kept))
  done
  before=$1 turn=0
  while :; do
    echo "$before $turn" >span
    : >"tail.$turn"
    kept=0 status=0
    keep 4096 1024 "tail.$turn"
    while [ "$status" = 0 ] && [ "$kept" -lt "$2" ]; do keep 4096 1024 "tail.$turn"; done
    before=$((before + kept)) turn=$((1 - turn))
  done
}

# Returns when so many blocks were read, or one that can't be written. Ends the capper at the end of the output.
keep() { # BYTES BLOCKS FILE
  said=$(dd bs="$1" count="$2" 2>&1 >>"$3")
  status=$?
  if has_ended || ! [ -e rc ]; then exec cat >/dev/null; fi
  # `FULL+PARTIAL records in`, `… records out`, perhaps after a complaint; then, though not in POSIX, `N bytes`.
  blocks=${said% records in*} blocks=${blocks##*[!0-9+]} bytes=${said##* records out} bytes=${bytes%% bytes*}
  case ${bytes##*[!0-9]} in
    ?*) kept=$((kept + ${bytes##*[!0-9]})) ;;
    *) kept=$(($(wc -c <"$3"))) ;;
  esac
  case $status:$blocks in
    0:[0-9]*+[0-9]*) if [ "$((${blocks%+*} + ${blocks#*+}))" -ge "$2" ]; then return; fi ;;
    # A full disk may have room again later.
    [1-9]*:[0-9]*+[0-9]*) return ;;
    *) cat >/dev/null ;;
  esac
  echo "drained $kept" >&9
  exit
}

# The limit has passed. A package manager is never signalled: it is waited for. Everything else is asked to end, and
# killed ten seconds later. A limit that was enforced is over only when nothing is left.
enforce_limit() {
  find_members
  if [ -z "$members" ]; then
    return
  elif [ -n "$packages" ]; then
    if ! [ -e overdue ]; then : >overdue && news=yes; fi
    # Nothing holds up the end of a script that ends by itself.
    if [ "$timed_out" = no ]; then members=; fi
    due=$((clock + 2))
  elif [ "$timed_out" = no ]; then
    timed_out=yes
    kill -TERM $members
    due=$((clock + 9))
  else
    kill -KILL $members
  fi
}

# The processes of the script's session and all that descend from them.
find_members() {
  members='' packages='' grown=yes
  read -r leader <pid
  lines=$(cat /proc/[0-9]*/stat 2>/dev/null)
  set -f
  while [ -n "$grown" ]; do
    grown= IFS='
'
    for line in $lines; do
      IFS=' '
      process=${line%% *}
      case $process in '' | *[!0-9]*) continue ;; esac
      case " $members " in *" $process "*) continue ;; esac
      set -- ${line##*\) }
      may_be_member "$2" "$4" || continue
      # Names of processes may hold line breaks, and after them whatever their owners like.
      look_at_process "$process"
      may_be_member "$parent" "$session" && [ "$state" != Z ] || continue
      members="$members $process" grown=yes
      case $name in
        apt | apt-get | aptitude | dpkg* | unattended-upgr* | dnf* | microdnf | yum* | rpm* | zypper* | apk | pacman)
          packages=yes
          ;;
      esac
    done
  done
  unset IFS
  set +f
}

may_be_member() { # PARENT SESSION
  [ -n "$1" ] && [ -n "$2" ] || return
  case " $members " in *" $1 "*) ;; *) [ "$2" = "$leader" ] ;; esac
}

# By what stands in its own file, see proc(5).
look_at_process() { # PID
  stat=
  while read -r part; do stat="$stat$part "; done 2>/dev/null <"/proc/$1/stat"
  name=${stat#*\(} name=${name%\)*}
  set -- ${stat##*\) }
  state=$1 parent=$2 session=$4
}

record_end() { # TAIL
  read -r code <code
  total=0 omitted=0
  if [ -s span ] && read -r before turn <span; then
    total=$((before + $(wc -c <"tail.$turn")))
    for part in "tail.$((1 - turn))" "tail.$turn"; do [ -e "$part" ] && cat "$part"; done | tail -c "$1" >tail
    rm -f tail.0 tail.1
    omitted=$((total - $(wc -c <log) - $(wc -c <tail)))
  elif [ -s log ]; then
    # The capper tells how much it is, unless it still waits for a daemon, or had no room to say where the tail begins.
    if [ -e span ]; then kept=; fi
    total=$((${kept:-$(wc -c <log)}))
  fi
  # The full stop is written last: without it, nothing of this is there yet.
  { printf '%s ' "$code" "$timed_out" "$total" "$omitted" && printf .; } 1<>rc
}

has_ended() { read -r code timed_out total omitted stop 2>/dev/null <rc && [ "$stop" = . ]; }

# --- follow: tell what is known, then what comes -----------------------------------------------------------------

follow() { # EPOCH KEY OFFSET
  token=$run/e$1/$2 epoch=$1
  [ -d "$run/e$1" ] || refuse_epoch
  [ -e "$token" ] || conclude vanished
  # An empty token: its launcher is about to write the nonce, or was killed in that instant.
  read -r nonce <"$token" || { sleep 1 && read -r nonce <"$token"; } || conclude lost
  directory=$run/$2.$nonce
  [ -d "$directory" ] || conclude gone
  cd "$directory" || conclude gone
  look_up_boot
  read -r booted <boot
  say "attached $booted $boot"
  if [ "$booted" != "$boot" ] && ! has_ended; then
    give_log "$3"
    if read -r code <code && [ -n "$code" ]; then give_end "$code" no "$offset" 0; fi
    give_facts
    conclude rebooted
  fi
  tell "$3"
}

tell() { # OFFSET
  cd "$directory" || conclude gone
  offset=$1 overdue=
  while :; do
    read -r bell <now
    # Opened for writing first, and for a moment: opening a FIFO that nobody writes to would block for ever.
    exec 3<>"bell.$bell" && exec 4<"bell.$bell" 3<&-
    # First say that we listen, then look, then wait: no news can fall in between.
    echo want 1<>ctl
    # The end is looked for before the log is read: then the log is complete.
    if has_ended; then
      give_log "$offset" "$total"
      give_end "$code" "$timed_out" "$total" "$omitted"
    fi
    give_log "$offset"
    if [ -z "$overdue" ] && [ -e overdue ]; then overdue=yes && say overdue; fi
    read -r _ <&4
    read -r rung <now || conclude gone
    if [ "$rung" = "$bell" ] && ! has_ended; then mourn; fi
  done
}

# The supervisor is gone without a result. The script may go on without it.
mourn() {
  find_members
  # Also gives the capper time for the last of the log.
  sleep 1
  if read -r code <code && [ -n "$code" ]; then
    give_log "$offset"
    give_end "$code" no "$offset" 0
  elif [ -n "$members" ]; then
    return
  else
    give_log "$offset"
    give_facts
    conclude lost
  fi
}

give_log() { # OFFSET [TOTAL]
  offset=$1
  [ -s log ] || return
  # An output that was cut is longer than the log.
  if [ -n "$2" ] && ! [ -s span ]; then size=$2; else size=$(($(wc -c <log))); fi
  [ "$size" -gt "$offset" ] || return
  say "log $offset $((size - offset))"
  if [ "$offset" = 0 ]; then head -c "$size" log; else tail -c "+$((offset + 1))" log | head -c "$((size - offset))"; fi
  offset=$size
}

give_facts() {
  [ -s output ] || return
  size=$(($(wc -c <output)))
  [ "$size" -le 65536 ] || size=65536
  say "facts $size"
  head -c "$size" output
}

give_end() { # CODE TIMED_OUT TOTAL OMITTED
  if [ -s tail ]; then
    size=$(($(wc -c <tail)))
    say "tail $(($3 - size)) $4 $size"
    cat tail
  fi
  give_facts
  say "total $3"
  conclude "rc $1 $2"
}

# --- clean: remove finished steps of a host, keep their tokens; forget runs of long ago ---------------------------

clean() { # HOST
  host=$1
  set --
  for token in "$run"/e[0-9]*/"$host".*; do
    [ -s "$token" ] && read -r nonce <"$token" || continue
    key=${token##*/}
    # The token stays: a database that was restored from an old backup must not start the step again.
    if cd "$run/$key.$nonce" 2>/dev/null && has_ended; then set -- "$@" "$run/$key".*; fi
  done
  cd / && rm -rf "$@"
  find "${run%/*}"/* -prune -type d -mtime +400 -exec rm -rf {} + 2>/dev/null
}

# -----------------------------------------------------------------------------------------------------------------

run=${0%/*} prepared=
case $verb in
  supervise) supervise "$@" && exit ;;
  detach) detach "$@" && exit ;;
esac
# What comes before this line was printed by start-up files of the account's shell.
printf '\nturnus:%s\n' "$nonce"
case $verb in
  take) take "$@" ;;
  run) run "$@" ;;
  follow) follow "$@" ;;
  clean) clean "$@" ;;
  boot) look_up_boot && say "boot $boot" ;;
esac
say end
