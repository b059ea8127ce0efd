//! The server's leg compressed: its bytes, and servers that do it wrong.

use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, TcpListener, TcpStream, UdpSocket};
use std::sync::mpsc::{Receiver, channel};

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use native_tls::{Identity, TlsAcceptor, TlsStream};
use pubshim::fixture::{Fixture, replay};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tempfile::NamedTempFile;

use crate::text::assert_has;
use crate::tools::{Peer, Server, Shim, bind, header};

const OFFER: &str = "<stream:features><compression xmlns='http://jabber.org/features/compress'><method>zlib</method>\
    </compression><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></stream:features>";
const COMPRESS: &str =
    "<compress xmlns='http://jabber.org/protocol/compress'><method>zlib</method></compress>";
const COMPRESSED: &str = "<compressed xmlns='http://jabber.org/protocol/compress'/>";
const FAILURE: &str =
    "<failure xmlns='http://jabber.org/protocol/compress'><setup-failed/></failure>";

/// The server's end of a connection that is compressed.
struct Zlib<S = TcpStream> {
    stream: S,
    pack: Compress,
    unpack: Decompress,
    /// Bytes that have come and are not unpacked yet.
    packed: Vec<u8>,
    /// All that has come.
    came: Vec<u8>,
}

impl<S> Zlib<S> {
    fn new(stream: S) -> Self {
        Self {
            stream,
            pack: Compress::new(Compression::default(), true),
            unpack: Decompress::new(true),
            packed: Vec::new(),
            came: Vec::new(),
        }
    }

    /// `bytes` as they travel.
    fn pack(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut packed = Vec::with_capacity(bytes.len() + 1024);
        let taken = self
            .pack
            .compress_vec(bytes, &mut packed, FlushCompress::Sync);
        assert_eq!(taken.unwrap(), Status::Ok);
        packed
    }
}

impl<S: Write> Write for Zlib<S> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let packed = self.pack(bytes);
        self.stream.write_all(&packed)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<S: Read> Read for Zlib<S> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        loop {
            let (before_in, before_out) = (self.unpack.total_in(), self.unpack.total_out());
            let status = self
                .unpack
                .decompress(&self.packed, buf, FlushDecompress::None);
            self.packed
                .drain(..usize::try_from(self.unpack.total_in() - before_in).unwrap());
            let count = usize::try_from(self.unpack.total_out() - before_out).unwrap();
            if count > 0 || status.is_ok_and(|status| status == Status::StreamEnd) {
                return Ok(count);
            }
            let mut more = [0; 4096];
            let count = self.stream.read(&mut more)?;
            if count == 0 {
                return Ok(0);
            }
            self.packed.extend_from_slice(&more[..count]);
            self.came.extend_from_slice(&more[..count]);
        }
    }
}

/// A session whose server has agreed and has read the header of the new stream.
fn agree<S: Read + Write>(shim: &Shim, connections: &Receiver<Peer<S>>) -> (Peer, Peer<Zlib<S>>) {
    let (client, mut server) = shim.authenticate(connections);
    server.send(&header("id='s2' from='localhost'"));
    server.send(OFFER);
    server.wait(COMPRESS);
    server.send(COMPRESSED);
    let mut server = Peer::over(Zlib::new(server.stream));
    server.wait(&header("to='localhost'"));
    (client, server)
}

/// A session that is logged in, its server's leg compressed.
fn log_in<S: Read + Write>(shim: &Shim, connections: &Receiver<Peer<S>>) -> (Peer, Peer<Zlib<S>>) {
    let (mut client, mut server) = agree(shim, connections);
    server.send(&header("id='s3' from='localhost'"));
    let shown = bind(&mut client, &mut server);
    assert!(
        shown.contains("id='s3'") && !shown.contains("id='s2'"),
        "{shown}"
    );
    (client, server)
}

fn required(options: &[&str]) -> (Shim, Receiver<Peer>) {
    let (server, connections) = Server::by_hand();
    let options = [&["--compress=require"], options].concat();
    (Shim::before(&server, &options), connections)
}

#[test]
fn both_ways_and_counted_at_the_end() {
    let (mut shim, connections) = required(&[]);
    let (mut client, mut server) = log_in(&shim, &connections);
    let stanza = "<message to='romeo@localhost'><body>wherefore art thou</body></message>";
    for _ in 0..50 {
        client.send(stanza);
        server.wait(stanza);
        server.send(stanza);
        client.wait(stanza);
    }
    assert!(!server.stream.came.windows(9).any(|it| it == b"wherefore"));
    client.send("</stream:stream>");
    server.wait("</stream:stream>");
    server.send("</stream:stream>");
    assert_eq!(client.rest(), "</stream:stream>");
    // Or the shim would linger.
    client.stream.shutdown(Shutdown::Write).unwrap();
    server.stream.stream.shutdown(Shutdown::Write).unwrap();
    let line = shim.wait_for_log("bytes to the server went as");
    let numbers: Vec<u64> = line[line.find("compressed: ").unwrap()..]
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|word| word.parse().ok())
        .collect();
    let [sent, sent_as, received, received_as] = numbers[..] else {
        panic!("{line}");
    };
    let said = 50 * stanza.len() as u64;
    assert!(sent > said && received > said, "{line}");
    // zlib's trailer may have come later than the last look.
    let came = server.stream.came.len() as u64;
    assert!(came <= sent_as && sent_as < came + 64, "{came}: {line}");
    assert!(4 * sent_as < sent && 4 * received_as < received, "{line}");
}

#[test]
fn what_is_sent_together_is_flushed_once() {
    let (shim, connections) = required(&[]);
    let (mut client, mut server) = log_in(&shim, &connections);
    server.stream.came.clear();
    let stanzas: String = (0..40).map(|it| format!("<message id='{it}'/>")).collect();
    client.send(&stanzas);
    server.wait("<message id='39'/>");
    let flushes = |came: &[u8]| {
        let marks = came.windows(4).filter(|it| *it == [0, 0, 255, 255]);
        marks.count()
    };
    assert_eq!(flushes(&server.stream.came), 1);

    // One read brings more than the packer holds.
    server.stream.came.clear();
    let mut number = 207u32;
    let letters = std::iter::repeat_with(|| {
        number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'?' + u8::try_from(number >> 26).unwrap())
    });
    let body: String = letters.take(15_000).collect();
    client.send(&format!("<message><body>{body}</body></message>"));
    server.wait("</message>");
    let came = &server.stream.came;
    assert!(came.len() > 9000, "{}", came.len());
    assert_eq!(flushes(came), 1);
}

#[test]
fn much_both_ways_at_once_with_readers_that_are_slower() {
    let (shim, connections) = required(&[]);
    let (client, server) = log_in(&shim, &connections);
    let mut sent = Vec::new();
    let mut number = 0u64;
    while sent.len() < 3 * 1024 * 1024 {
        // Random numbers hardly compress.
        number = number
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let body = format!("{number:x}").repeat(1 + usize::try_from(number >> 60).unwrap() * 9);
        write!(
            sent,
            "<message id='{number}'><body>{body}</body></message> "
        )
        .unwrap();
    }
    let Zlib {
        stream,
        mut pack,
        unpack,
        packed,
        ..
    } = server.stream;
    let mut packed_sent = Vec::with_capacity(sent.len() + 1024);
    pack.compress_vec(&sent, &mut packed_sent, FlushCompress::Sync)
        .unwrap();
    let writers = [
        (client.stream.try_clone().unwrap(), sent.clone()),
        (stream.try_clone().unwrap(), packed_sent),
    ];
    let from_shim = Zlib {
        unpack,
        packed,
        ..Zlib::new(stream)
    };
    let readers: [Box<dyn Read + Send>; 2] = [Box::new(client.stream), Box::new(from_shim)];
    std::thread::scope(|scope| {
        for (mut stream, bytes) in writers {
            scope.spawn(move || stream.write_all(&bytes).unwrap());
        }
        for mut reader in readers {
            let sent = &sent;
            scope.spawn(move || {
                let mut read = vec![0; sent.len()];
                for piece in read.chunks_mut(4096) {
                    reader.read_exact(piece).unwrap();
                }
                assert!(read == *sent, "what arrived is not what was sent");
            });
        }
    });
}

#[test]
fn what_was_read_behind_compressed_is_not_lost() {
    let (shim, connections) = required(&[]);
    let (mut client, mut server) = shim.authenticate(&connections);
    server.send(&(header("id='s2' from='localhost'") + OFFER));
    server.wait(COMPRESS);
    let mut zlib = Zlib::new(server.stream.try_clone().unwrap());
    let packed = zlib.pack(header("id='s3' from='localhost'").as_bytes());
    let together = [COMPRESSED.as_bytes(), &packed].concat();
    server.stream.write_all(&together).unwrap();
    let mut server = Peer::over(zlib);
    server.wait(&header("to='localhost'"));
    assert!(bind(&mut client, &mut server).contains("id='s3'"));
}

/// The client's last bytes, and the log line, after the server has sent `bytes` as they are.
fn told(make: impl FnOnce(&mut Zlib) -> Vec<u8>) -> (String, String) {
    let (mut shim, connections) = required(&[]);
    let (mut client, mut server) = log_in(&shim, &connections);
    let bytes = make(&mut server.stream);
    // The shim may have had enough before all of it is sent.
    let _ = server.stream.stream.write_all(&bytes);
    let told = client.rest();
    (told, shim.wait_for_log("ended the client's stream"))
}

#[test]
fn what_is_no_zlib_ends_the_session_with_a_reason() {
    let (told, log) = told(|_| b"<message from='romeo@localhost'/>".to_vec());
    assert!(told.contains("<reset ") && told.contains("zlib"), "{told}");
    assert!(told.ends_with("</stream:stream>"), "{told}");
    assert_has(&log, "not compressed as agreed");
}

/// 32 MiB of one byte, which zlib packs to a thousandth.
fn bomb(byte: u8) -> Vec<u8> {
    vec![byte; 32 * 1024 * 1024]
}

/// Bytes that a session may take beside those that are read at once.
const LITTLE: usize = 4 * 1024 * 1024;

/// The shim had at no time much more memory than the `before` bytes.
#[track_caller]
fn assert_little_more(shim: &Shim, before: usize) {
    let grown = shim.most_memory().saturating_sub(before);
    assert!(grown < LITTLE, "{grown}");
}

#[test]
fn a_bomb_in_a_stanza_costs_that_stanza() {
    let (shim, connections) = required(&["--max-server-stanza=1MiB"]);
    let (mut client, mut server) = log_in(&shim, &connections);
    let before = shim.most_memory();
    // Zero bytes are no XML, but a dropped stanza is not checked any more.
    for byte in [b'0', 0] {
        server.send("<message from='romeo@localhost' id='bomb'><body>");
        server.stream.write_all(&bomb(byte)).unwrap();
        server.send("</body></message><message id='behind'/>");
        let told = client.wait("<message id='behind'/>");
        assert!(told.contains("id='bomb'") && told.len() < 1000, "{told}");
        assert_has(&told, "policy-violation");
        client.send("<message id='on'/>");
        server.wait("<message id='on'/>");
    }
    assert_little_more(&shim, before);
}

#[test]
fn a_bomb_between_stanzas_passes_as_fast_as_it_is_read() {
    let (shim, connections) = required(&[]);
    let (mut client, mut server) = log_in(&shim, &connections);
    let before = shim.most_memory();
    server.stream.write_all(&bomb(b' ')).unwrap();
    server.send("<message id='behind'/>");
    let told = client.wait("<message id='behind'/>");
    assert!(told.len() > 32 * 1024 * 1024, "{}", told.len());
    client.send("<message id='on'/>");
    server.wait("<message id='on'/>");
    assert_little_more(&shim, before);
}

#[test]
fn a_bomb_nobody_reads_is_not_unpacked() {
    let (mut shim, connections) = required(&["--stall-timeout=1s", "--close-timeout=1s"]);
    let (_frozen, mut server) = log_in(&shim, &connections);
    let before = shim.most_memory();
    server.stream.write_all(&bomb(b' ')).unwrap();
    // Or the shim would linger. The end comes behind the bomb, so it is not read before.
    server.stream.stream.shutdown(Shutdown::Write).unwrap();
    let line = shim.wait_for_log(": ended");
    assert_has(&line, "the client took nothing for too long");
    assert_little_more(&shim, before);
}

#[test]
fn a_bomb_that_is_no_xml_ends_the_session() {
    let (mut shim, connections) = required(&[]);
    let (mut client, mut server) = log_in(&shim, &connections);
    let before = shim.most_memory();
    let packed = server.stream.pack(&bomb(0));
    // The shim may have had enough before all of it is sent.
    let _ = server.stream.stream.write_all(&packed);
    let told = client.rest();
    assert_has(&told, "<reset ");
    shim.wait_for_log("ended the client's stream");
    assert_little_more(&shim, before);
}

/// A stranger can write such messages, so they must not end the receiver's session.
#[test]
fn what_packs_well_is_no_bomb() {
    let (shim, connections) = required(&[]);
    let (mut client, mut server) = log_in(&shim, &connections);
    let before = shim.most_memory();
    let body = "x".repeat(24 * 1024);
    let stanza = format!("<message from='stranger@montague.lit'><body>{body}</body></message>");
    for _ in 0..2000 {
        server.send(&stanza);
        client.wait("</message>");
    }
    client.send("<message id='yes'/>");
    server.wait("<message id='yes'/>");
    assert_little_more(&shim, before);
}

#[test]
fn an_end_without_trailer_is_an_end() {
    let (shim, connections) = required(&["--close-timeout=1s"]);
    let (mut client, mut server) = log_in(&shim, &connections);
    server.send("<message/></stream:stream>");
    drop(server);
    assert_eq!(client.rest(), "<message/></stream:stream>");

    let (told, log) = told(|zlib| {
        let half = zlib.pack(b"<message/><mess");
        zlib.stream.write_all(&half).unwrap();
        zlib.stream.shutdown(Shutdown::Both).unwrap();
        Vec::new()
    });
    assert!(
        told.starts_with("<message/><stream:error><reset "),
        "{told}"
    );
    assert_has(&log, "the connection to the server broke");
}

#[test]
fn a_server_that_cannot_is_left_if_it_must() {
    let (mut shim, connections) = required(&[]);
    let (mut client, mut server) = shim.authenticate(&connections);
    server.send(&header("id='s2' from='localhost'"));
    server.send(&OFFER.replace("zlib", "lzw"));
    let told = client.rest();
    assert_has(&told, "--compress require");
    shim.wait_for_log("does not offer zlib");
    assert_eq!(server.rest(), "</stream:stream>");
}

#[test]
fn auto_leaves_a_server_on_this_machine_as_it_is() {
    for (options, reason) in [
        (
            &["--compress=auto"][..],
            Some("the server is on this machine"),
        ),
        (&["--compress=auto", "--policy=off"], None),
        // Default options.
        (&[], None),
    ] {
        let (server, connections) = Server::by_hand();
        let mut shim = Shim::before(&server, options);
        let (mut client, mut server) = shim.authenticate(&connections);
        server.send(&header("id='s2' from='localhost'"));
        server.send(OFFER);
        let shown = client.wait("</stream:features>");
        assert!(!shown.contains("compress"), "{shown}");
        client.send("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
        assert!(!server.wait("</iq>").contains("<compress"));
        if let Some(reason) = reason {
            shim.wait_for_log(&format!("not compressed: {reason}"));
        }
    }
}

/// An address of this machine that is no loopback, if it has one. Nothing is sent.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback()).then_some(address)
}

/// A server with TLS from the first byte, as it would be elsewhere; its option and its certificate.
fn elsewhere(address: IpAddr) -> (String, NamedTempFile, Receiver<Peer<TlsStream<TcpStream>>>) {
    let names = ["localhost".to_owned()];
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
    let key = signing_key.serialize_pem();
    let identity = Identity::from_pkcs8(cert.pem().as_bytes(), key.as_bytes()).unwrap();
    let acceptor = TlsAcceptor::new(identity).unwrap();
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(cert.pem().as_bytes()).unwrap();
    let listener = TcpListener::bind((address, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, connections) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let tls = acceptor.accept(Peer::new(stream).stream).unwrap();
            let _ = sender.send(Peer::over(tls));
        }
    });
    (
        format!("--server=tls://{address}:{port}"),
        file,
        connections,
    )
}

#[test]
fn auto_compresses_to_elsewhere_as_many_sessions_as_may_be() {
    let Some(address) = own_address() else {
        // This machine has only loopback addresses.
        return;
    };
    let (server, ca_file, connections) = elsewhere(address);
    let ca_file = format!("--ca-file={}", ca_file.path().display());
    let options = [
        &*server,
        &ca_file,
        "--compress=auto",
        "--compress-sessions=1",
    ];
    let mut shim = Shim::start(&options);

    // A session takes no place before it logs in, nor if its server does not offer zlib.
    let _strangers = [shim.open(&connections), shim.open(&connections)];
    let (mut other, mut plain) = shim.authenticate(&connections);
    plain.send(&header("id='s2' from='localhost'"));
    bind(&mut other, &mut plain);
    shim.wait_for_log("does not offer zlib");

    let (mut client, mut server) = log_in(&shim, &connections);

    // A second one finds no place.
    let (mut second, mut plain) = shim.authenticate(&connections);
    plain.send(&header("id='s2' from='localhost'"));
    plain.send(OFFER);
    second.wait("</stream:features>");
    shim.wait_for_log("as many sessions are compressed as --compress-sessions allows");

    client.send("</stream:stream>");
    server.wait("</stream:stream>");
    server.send("</stream:stream>");
    client.rest();
    drop((client, server));
    shim.wait_for_log("compressed: ");
    shim.wait_for_log(": ended");

    // One whose server refuses keeps no place.
    let (mut third, mut plain) = shim.authenticate(&connections);
    plain.send(&header("id='s2' from='localhost'"));
    plain.send(OFFER);
    plain.wait(COMPRESS);
    plain.send(FAILURE);
    third.wait("</stream:features>");

    // A session that is cut off, during the agreement or later, keeps no place.
    let (fourth, mut plain) = shim.authenticate(&connections);
    plain.send(&header("id='s2' from='localhost'"));
    plain.send(OFFER);
    plain.wait(COMPRESS);
    drop((fourth, plain));
    shim.wait_for_log(": ended");
    drop(log_in(&shim, &connections));
    shim.wait_for_log(": ended");
    log_in(&shim, &connections);
}

#[test]
fn a_recording_is_of_the_stream_before_it_is_compressed() {
    let folder = tempfile::tempdir().unwrap();
    let record = format!("--record={}", folder.path().display());
    let (mut shim, connections) = required(&[&record, "--show=full"]);
    let (mut client, mut server) = log_in(&shim, &connections);
    client.send("<message to='romeo@localhost' id='m'/>");
    server.wait("<message to='romeo@localhost' id='m'/>");
    server.send("<message from='romeo@localhost' id='n'/>");
    client.wait("<message from='romeo@localhost' id='n'/>");
    shim.end(client, server);
    let mut shown = String::new();
    shim.stdout().read_to_string(&mut shown).unwrap();
    assert_has(&shown, "bytes to the server went as");
    let file = std::fs::read_dir(folder.path()).unwrap().next().unwrap();
    let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
    for step in [
        "compress: require",
        COMPRESS,
        COMPRESSED,
        "to server: <message to='romeo@localhost' id='m'/>",
        "from server: <message from='romeo@localhost' id='n'/>",
    ] {
        assert!(text.contains(step), "no {step} in {text}");
    }
    let mismatches = replay(&Fixture::parse(&text).unwrap()).unwrap();
    assert!(mismatches.is_empty(), "{mismatches:#?}\n{text}");
}

#[test]
fn what_a_compressed_session_costs() {
    const SESSIONS: usize = 20;
    let stanza = |id: usize| {
        let body = format!("{id:x} ").repeat(300);
        format!("<message id='{id}'><body>{body}</body></message>")
    };
    let (shim, connections) = required(&[]);
    let mut ends = vec![log_in(&shim, &connections)];
    let before = shim.memory();
    for number in 1..=SESSIONS {
        let (mut client, mut server) = log_in(&shim, &connections);
        // Talk until zlib's window is full.
        for id in 0..50 {
            let stanza = stanza(id * 7919 + number);
            client.send(&stanza);
            server.wait("</message>");
            server.send(&stanza);
            client.wait("</message>");
        }
        ends.push((client, server));
    }
    let each = (shim.memory() - before) / SESSIONS / 1024;
    // Some 390, with room for what an allocator keeps; a second state of zlib would be some 250 more.
    assert!(each <= 480, "{each} KiB a session");
}
