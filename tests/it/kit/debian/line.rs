//! A line to a host that can be cut: what is connected is closed at once, on both sides; what connects later goes through.

use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

type Streams = Arc<Mutex<Vec<TcpStream>>>;

/// A port on the host's own address that leads to its sshd.
pub(crate) struct Line {
    pub(crate) port: u16,
    streams: Streams,
}

impl Line {
    pub(crate) fn to(address: &str, port: u16) -> Self {
        let listener = TcpListener::bind((address, 0)).expect("a port");
        let own_port = listener.local_addr().expect("an address").port();
        let streams = Streams::default();
        let kept = Arc::clone(&streams);
        let target = (address.to_owned(), port);
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let Ok(far) = TcpStream::connect(&target) else { continue };
                let twin = |stream: &TcpStream| stream.try_clone().expect("a second handle");
                kept.lock().expect("sound").extend([twin(&near), twin(&far)]);
                for (mut from, mut to) in [(twin(&near), twin(&far)), (far, near)] {
                    std::thread::spawn(move || {
                        // However it ends, the other side hears of it.
                        let _ = std::io::copy(&mut from, &mut to);
                        let _ = to.shutdown(Shutdown::Both);
                    });
                }
            }
        });
        Self { port: own_port, streams }
    }

    /// Returns how many connections were cut.
    pub(crate) fn cut(&self) -> usize {
        let ends: Vec<_> = self.streams.lock().expect("sound").drain(..).collect();
        // The first end that closes may have the second closed before it is asked to: one of the two tells.
        let cut = |pair: &&[TcpStream]| pair.iter().filter(|end| end.shutdown(Shutdown::Both).is_ok()).count() > 0;
        ends.chunks(2).filter(cut).count()
    }
}
