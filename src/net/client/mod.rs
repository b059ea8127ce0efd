//! The client's leg: accepting, the PROXY header, TLS.
//!
//! | file | holds |
//! |---|---|
//! | `socket.rs`, `unix.rs` | the sockets clients connect to |
//! | `proxy_header.rs` | the header in which a proxy before pubshim names the client's address |
//! | `stream.rs` | TCP or a Unix socket, as it is or with TLS |
//! | `tls.rs`, `hello.rs` | TLS, and the name the client asks for (SNI) |
//! | `certificate/` | the certificates clients are shown, and `pubshim cert` |

pub(super) mod certificate;
mod hello;
pub(super) mod proxy_header;
pub(super) mod socket;
pub(super) mod stream;
pub(super) mod tls;
mod unix;
