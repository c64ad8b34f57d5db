//! Files in memory, served over HTTP on a loopback address of its own as long as the test's process lives.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::kit::sshd::next_address;

/// By path, with the slash that it begins with.
type Files = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

pub(crate) struct Served {
    /// Ends with a slash.
    pub(crate) url: String,
    files: Files,
    broken: Arc<AtomicBool>,
}

impl Served {
    pub(crate) fn open() -> Self {
        let listener = TcpListener::bind((next_address(), 0)).expect("an address of its own");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        let files = Files::default();
        let served = Arc::clone(&files);
        let broken = Arc::<AtomicBool>::default();
        let hang_up = Arc::clone(&broken);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten().filter(|_| !hang_up.load(Ordering::SeqCst)) {
                let served = Arc::clone(&served);
                // Who hangs up early has got what was wanted.
                std::thread::spawn(move || drop(serve(client, &served)));
            }
        });
        Self { url, files, broken }
    }

    /// These are there from now on, and no others.
    pub(crate) fn replace(&self, files: BTreeMap<String, Vec<u8>>) {
        *self.files.lock().expect("sound") = files;
    }

    /// From now on nobody answers there: every request is hung up on.
    pub(crate) fn break_off(&self) {
        self.broken.store(true, Ordering::SeqCst);
    }
}

fn serve(mut client: TcpStream, files: &Files) -> std::io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    let path = first.split(' ').nth(1).unwrap_or_default();
    let path = path.replace("%2b", "+").replace("%2B", "+");
    let found = files.lock().expect("sound").get(&path).cloned();
    let (status, body) = found.map_or(("404 Not Found", Vec::new()), |body| ("200 OK", body));
    let head = format!("HTTP/1.0 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    client.write_all(head.as_bytes())?;
    client.write_all(&body)
}
