//! Ports for the servers of tests: each is given away once on this machine for as long as the test process lives.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Mutex;

/// Below what the kernel gives by itself to whoever binds to port 0 or connects, so that no connection takes one in between.
const PORTS: std::ops::Range<u16> = 10_000..32_000;

/// What keeps the ports of this process: sockets that have names and no use, which go with the process however it ends.
static KEPT: Mutex<Vec<UnixDatagram>> = Mutex::new(Vec::new());

/// A port on which nobody listens, at no address, and which no other call gets, in this or another test process.
pub(crate) fn free_port() -> u16 {
    let count = PORTS.len();
    // Processes begin at different places.
    let first = std::process::id() as usize * 64 % count;
    let mut ports = (0..count).map(|number| PORTS.start + u16::try_from((first + number) % count).expect("a port"));
    ports.find(|port| keep(*port) && is_free(*port)).expect("a free port")
}

/// None of ours has it. A port that turns out to be taken by others is kept as well: nobody has to try it again.
fn keep(port: u16) -> bool {
    let name = SocketAddr::from_abstract_name(format!("turnus-test-port-{port}")).expect("a short name");
    let kept = UnixDatagram::bind_addr(&name);
    kept.map(|socket| KEPT.lock().expect("sound").push(socket)).is_ok()
}

fn is_free(port: u16) -> bool {
    let everywhere = (Ipv4Addr::UNSPECIFIED, port);
    TcpListener::bind(everywhere).is_ok() && UdpSocket::bind(everywhere).is_ok()
}

#[test]
fn a_port_is_given_once() {
    let all = std::thread::scope(|scope| {
        let askers: Vec<_> = (0..4).map(|_| scope.spawn(|| (0..50).map(|_| free_port()).collect::<Vec<_>>())).collect();
        askers.into_iter().flat_map(|asker| asker.join().expect("ports")).collect::<Vec<_>>()
    });
    let different: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(different.len(), 200, "{all:?}");
    let by_itself = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").expect("a range");
    let lowest: u16 = by_itself.split_whitespace().next().and_then(|word| word.parse().ok()).expect("a port");
    assert!(all.iter().all(|port| *port < lowest), "{all:?}, and the kernel gives from {lowest}");
}

#[test]
fn a_port_on_which_somebody_listens_is_not_free() {
    let port = free_port();
    assert!(is_free(port));
    // Some servers listen at one address, others at all.
    for address in [Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 1, 2, 3), Ipv4Addr::UNSPECIFIED] {
        let by_tcp = TcpListener::bind((address, port)).expect("free");
        assert!(!is_free(port), "{address}");
        drop(by_tcp);
        let by_udp = UdpSocket::bind((address, port)).expect("free");
        assert!(!is_free(port), "{address}");
        drop(by_udp);
        assert!(is_free(port), "{address}");
    }
    // Another process, too, sees that it is kept.
    assert!(!keep(port));
}
