//! The probe `port_closed`.

use std::net::TcpListener;

use turnus::domain::probe::{Check, PortClosedCheck};

use super::{ask, assert_green, assert_red};
use crate::kit::sshd::next_address;

fn closed(port: u16) -> Check {
    Check::PortClosed(PortClosedCheck { address: format!("$ADDRESS:{port}") })
}

#[tokio::test]
async fn a_port_is_closed_when_it_refuses() {
    let address = next_address();
    let listener = TcpListener::bind((address.as_str(), 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    assert_red(&ask(closed(port), &address).await, "expected a closed port");
    drop(listener);
    assert_green(&ask(closed(port), &address).await, "refused");
}

#[tokio::test]
async fn a_port_is_closed_when_nobody_answers() {
    // A queue that is full takes no more connections: what asks for one gets no answer, as from a firewall that drops.
    let address = next_address();
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(format!("{address}:0").parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap();
    let place = listener.local_addr().unwrap();
    let mut queue = Vec::new();
    for _ in 0..4 {
        let soon = std::time::Duration::from_millis(200);
        queue.push(tokio::time::timeout(soon, tokio::net::TcpStream::connect(place)).await);
    }
    assert_green(&ask(closed(place.port()), &address).await, "nobody answers within 3 s");
}

#[tokio::test]
async fn a_host_without_an_address_is_red() {
    let check = Check::PortClosed(PortClosedCheck { address: "nowhere.invalid:1".to_owned() });
    assert_red(&ask(check, "127.0.0.1").await, "port_closed nowhere.invalid:1");
}
