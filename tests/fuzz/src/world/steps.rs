//! Inputs of a session.

use arbitrary::Arbitrary;

use crate::text::{FromClient, FromServer, Piece};

/// Options of a session, and how it begins.
#[derive(Arbitrary, Clone, Debug)]
pub struct Setup {
    pub(super) policy: u8,
    pub(super) native: bool,
    pub(super) security: u8,
    pub(super) compress: u8,
    /// Whether the client may have TLS, and takes it.
    pub(super) client_tls: u8,
    /// There is a second server.
    pub(super) has_more: bool,
    /// Logged in from the start.
    pub(super) established: bool,
    /// And then served as it wishes.
    pub(super) settled: bool,
    pub(super) no_authorize: bool,
    pub(super) small_limits: bool,
    pub(super) recorded: bool,
    /// How what is recorded is shown.
    pub(super) view: u8,
    /// The shell reads what it is not to read.
    pub(super) rude: bool,
    pub(super) account: u8,
    pub(super) client_header: u8,
    pub(super) server_header: u8,
    /// The server does what it is told, and remembers it.
    pub(super) honest: bool,
    /// Its state at first.
    pub(super) past: u16,
}

/// Something that happens.
#[derive(Arbitrary, Clone, Debug)]
pub enum Step {
    /// The client says something.
    Client(FromClient, Cut),
    /// The server says something.
    Server(FromServer, Cut),
    /// The next step of a login.
    LogIn(Cut),
    /// The server answers so many IQs as is hoped for.
    Serve(u8),
    /// Bytes of the client.
    ClientRaw(Vec<Piece>, Cut),
    /// Bytes of the server.
    ServerRaw(Vec<Piece>, Cut),
    /// A leg ends; the client's?
    Eof(bool),
    /// Time passes.
    Wait(Wait),
    /// A leg takes bytes again, or no more; the client's? from now on?
    Block(bool, bool),
    /// A blocked leg takes some bytes.
    Take(bool, u16),
    /// The shell has done what it was asked for.
    Done,
    /// The shell could not.
    Failed,
    /// The program ends.
    Shutdown,
    /// A stanza that no rule names: the client's?
    Pass(bool, u8, Cut),
}

/// In which pieces something is read.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Cut {
    /// At once.
    Whole,
    /// In two pieces.
    Two(u8),
    /// In small pieces.
    Small(u8),
    /// The rest never comes, or with what comes next.
    Part(u8),
}

/// How long.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Wait {
    /// Milliseconds.
    Millis(u16),
    /// Seconds; the shell wakes the session in time.
    Seconds(u16),
    /// Seconds; the shell wakes the session too late.
    Late(u16),
    /// Hours; the shell wakes the session in time.
    Hours(u8),
    /// Days; the shell was stopped meanwhile.
    Days(u8),
    /// Until the session asks to be woken.
    Timeout,
}
