//! A listener on a shim's leg to its server, which keeps the bytes on the wire.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::common::Node;

/// A port that passes all bytes on to a server, and keeps those to the server, by connection.
pub(crate) struct Tap {
    pub(crate) address: SocketAddr,
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Tap {
    pub(crate) fn before(server: SocketAddr) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let list = Arc::clone(&heard);
        thread::spawn(move || {
            for shim in socket.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(server) else {
                    return;
                };
                let number = {
                    let mut list = list.lock().unwrap();
                    list.push(Vec::new());
                    list.len() - 1
                };
                let (from, to) = (shim.try_clone().unwrap(), server.try_clone().unwrap());
                let list = Arc::clone(&list);
                thread::spawn(move || {
                    copy(from, to, |bytes| {
                        list.lock().unwrap()[number].extend_from_slice(bytes);
                    });
                });
                thread::spawn(move || copy(server, shim, |_| ()));
            }
        });
        Self { address, heard }
    }

    /// The stanzas of all connections that were sent after a resource was bound.
    pub(crate) fn stanzas(&self) -> Vec<Node> {
        let heard = self.heard.lock().unwrap();
        let mut stanzas = Vec::new();
        for bytes in heard.iter() {
            let text = std::str::from_utf8(bytes).unwrap();
            let (_, after) = text.split_once("</bind></iq>").unwrap();
            let (after, _) = after.split_once("</stream:stream>").unwrap_or((after, ""));
            stanzas.extend(Node::stream(after));
        }
        stanzas
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream, hear: impl Fn(&[u8])) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        hear(&buffer[..count]);
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    // One side has ended: end the other.
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
