//! pubshim
pub mod cli;
pub mod config;
pub mod jid;
pub mod net;
pub mod ns;
pub mod session;
mod translate;
pub mod xml;
