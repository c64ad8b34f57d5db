# Makes a namespace a host of its own and becomes its sshd: process 1, with which everything on the host ends. All that it mounts is
# seen, and lasts, only here. Usage: BASE SCRATCH KEYS ADDRESS SSH-PORT SHOP-PORT REPOSITORY; KEYS is a directory with the host's
# private key `host_key` and the public key `key.pub` of whoever may come in.
set -eu
base=$1 scratch=$2 keys=$3 address=$4 ssh_port=$5 shop_port=$6 repository=$7
mount -t tmpfs -o mode=755 host "$scratch"
mkdir "$scratch/upper" "$scratch/work" "$scratch/root"
root=$scratch/root
# Where one overlay can't lie upon another, a copy does.
mount -t overlay -o "lowerdir=$base,upperdir=$scratch/upper,workdir=$scratch/work" host "$root" || cp -a "$base/." "$root"
mount -t proc proc "$root/proc"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
mount -t tmpfs -o mode=755 run "$root/run"
mkdir -p "$root/run/sshd" "$root/run/lock" "$root/root/.ssh"
chmod 700 "$root/root/.ssh"
cp "$keys/key.pub" "$root/root/.ssh/authorized_keys"
cp "$keys/host_key" "$root/etc/ssh/host_key"
chmod 600 "$root/root/.ssh/authorized_keys" "$root/etc/ssh/host_key"
cat >"$root/etc/ssh/sshd_config" <<CONFIG
ListenAddress $address:$ssh_port
HostKey /etc/ssh/host_key
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
KexAlgorithms curve25519-sha256
UseDNS no
PidFile none
CONFIG
hostname debian
echo "$address debian" >"$root/etc/hosts"
echo "LISTEN=$address:$shop_port" >"$root/etc/default/shop"
for suite in stable security; do
    echo "deb [trusted=yes] $repository $suite main"
done >"$root/etc/apt/sources.list"
: >"$root/var/log/shop"
run() { env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$root" "$@"; }
run start-stop-daemon --start --quiet --background \
    --output /var/log/shopd --make-pidfile --pidfile /run/shop.pid --startas /usr/lib/shop/shopd
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$root" /usr/sbin/sshd -D -e
